import { BodyCollector, type BodyLimit, CallerGone } from "./body.js";
import type { Call, Reply } from "./call.js";

/** A `Request` as a call. */
export function callOfRequest(request: Request): Call {
  const url = request.url;
  const start = url.indexOf("/", url.indexOf("//") + 2);
  const rest = start === -1 ? "/" : url.slice(start);
  const { path, query } = splitTarget(rest);
  return {
    method: request.method,
    path,
    query,
    header: (name) => request.headers.get(name) ?? undefined,
    readBody: (limit) => readBody(request, limit),
    signal: () => request.signal,
  };
}

/** Path and query of a request's target; what comes after a hash is no part of it. */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const hash = target.indexOf("#");
  const whole = hash === -1 ? target : target.slice(0, hash);
  const mark = whole.indexOf("?");
  return mark === -1
    ? { path: whole, query: "" }
    : { path: whole.slice(0, mark), query: whole.slice(mark + 1) };
}

async function readBody(request: Request, limit: BodyLimit): Promise<Buffer> {
  const collector = new BodyCollector(limit, request.headers.get("content-length"));
  const reader = (request.body as ReadableStream<Uint8Array> | null)?.getReader();
  if (reader === undefined) return Buffer.alloc(0);
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw new CallerGone("The request broke off.", { cause });
      });
      if (done) return collector.whole();
      collector.add(value);
    }
  } catch (error) {
    // Cancelling tells the sender to stop; whether that can still be told changes nothing here.
    reader.cancel().catch(() => undefined);
    throw error;
  } finally {
    collector.release();
  }
}

/** A reply as a `Response`; chunks are taken from it as fast as its reader asks. */
export function responseOfReply(reply: Reply): Response {
  const init = { status: reply.status, headers: reply.headers };
  if (reply.body === undefined || typeof reply.body === "string")
    return new Response(reply.body ?? null, init);
  const chunks = reply.body[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await chunks.next();
          if (done === true) controller.close();
          else controller.enqueue(encoder.encode(value));
        } catch (error) {
          controller.error(error);
        }
      },
      async cancel() {
        await chunks.return?.();
      },
    },
    // One chunk is made when it is asked for, none ahead: the reader's pace is the database's.
    { highWaterMark: 0 },
  );
  return new Response(stream, init);
}
