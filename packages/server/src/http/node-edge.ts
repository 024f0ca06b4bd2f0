import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { TimerPort } from "@landfall/protocol";
import { BodyCollector, type BodyLimit, CallerGone } from "./body.js";
import type { Call, Reply } from "./call.js";
import { splitTarget } from "./fetch-edge.js";

/** How long what is left of a refused body is read and thrown away, so that the sender comes to read the refusal. */
const lingerMs = 1_000;

/**
 * A request of Node's as a call, without a `Request` in between: for a small exchange, making one would cost
 * more than everything else that HTTP does.
 */
export function callOfIncoming(incoming: IncomingMessage, response: ServerResponse): Call {
  const { path, query } = splitTarget(incoming.url ?? "/");
  let controller: AbortController | undefined;
  return {
    method: incoming.method ?? "GET",
    path,
    query,
    header(name) {
      const value = incoming.headers[name];
      return Array.isArray(value) ? value.join(", ") : value;
    },
    readBody: (limit) => readBody(incoming, response, limit),
    signal() {
      if (controller === undefined) {
        const made = new AbortController();
        controller = made;
        if (response.destroyed) made.abort();
        response.once("close", () => {
          if (!response.writableFinished) made.abort();
        });
      }
      return controller.signal;
    },
  };
}

function readBody(incoming: IncomingMessage, response: ServerResponse, limit: BodyLimit): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (incoming.readableEnded)
      throw new Error("The body was read before it came here. Mount nodeHandler before what parses bodies.");
    if (incoming.destroyed) throw new CallerGone("The request broke off.");
    const collector = new BodyCollector(limit, incoming.headers["content-length"]);
    // A caller that asked first sends nothing until it is told to; one that was refused above never will.
    if (incoming.headers.expect !== undefined) response.writeContinue();
    const settle = (): void => {
      incoming.off("data", data).off("end", end).off("error", gone).off("close", gone);
      collector.release();
    };
    const data = (chunk: Uint8Array): void => {
      try {
        collector.add(chunk);
      } catch (error) {
        settle();
        reject(error);
      }
    };
    const end = (): void => {
      const body = collector.whole();
      settle();
      resolve(body);
    };
    const gone = (): void => {
      settle();
      reject(new CallerGone("The request broke off."));
    };
    incoming.on("data", data).on("end", end).on("error", gone).on("close", gone);
  });
}

/** Sends a reply. Resolves when it is handed over, or the reader is gone; an error in its chunks cuts the connection. */
export async function sendReply(
  reply: Reply,
  incoming: IncomingMessage,
  response: ServerResponse,
  timers: TimerPort,
): Promise<void> {
  const { body } = reply;
  if (body !== undefined && typeof body !== "string") {
    response.writeHead(reply.status, reply.headers);
    await sendChunks(body, response);
    return;
  }
  const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
  if (incoming.complete || !hasBody(incoming)) {
    response.writeHead(reply.status, { ...reply.headers, ...length });
    response.end(body);
    return;
  }
  response.writeHead(reply.status, { ...reply.headers, ...length, connection: "close" });
  if (body === undefined) response.flushHeaders();
  else response.write(body);
  const finish = (): void => {
    cancel();
    response.end();
  };
  const cancel = timers.after(lingerMs, finish);
  incoming.once("end", finish).once("close", finish).resume();
}

function hasBody(incoming: IncomingMessage): boolean {
  return (
    incoming.headers["transfer-encoding"] !== undefined || Number(incoming.headers["content-length"] ?? 0) > 0
  );
}

async function sendChunks(chunks: AsyncIterable<string>, response: ServerResponse): Promise<void> {
  try {
    for await (const chunk of chunks) {
      if (response.destroyed) break;
      if (!response.write(chunk)) await drained(response);
    }
    response.end();
  } catch (error) {
    // The head is out, so only a cut can say that the rest will not come.
    response.destroy();
    throw error;
  }
}

/** Resolves when the reader takes more, or is gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      response.off("drain", settle).off("close", settle);
      resolve();
    };
    response.on("drain", settle).on("close", settle);
    if (response.destroyed) settle();
  });
}

/** Node's request as a `Request`, for a handler that wants one. */
export function requestOfIncoming(incoming: IncomingMessage, signal: AbortSignal): Request {
  const headers = new Headers();
  for (let i = 0; i + 1 < incoming.rawHeaders.length; i += 2) {
    headers.append(incoming.rawHeaders[i] as string, incoming.rawHeaders[i + 1] as string);
  }
  const { method = "GET" } = incoming;
  const url = new URL(`http://${incoming.headers.host ?? "localhost"}${incoming.url ?? "/"}`);
  const body =
    method === "GET" || method === "HEAD" || !hasBody(incoming)
      ? undefined
      : (Readable.toWeb(incoming) as ReadableStream);
  return new Request(url, {
    method,
    headers,
    signal,
    ...(body === undefined ? {} : { body, duplex: "half" }),
  });
}

/** Sends a `Response` by Node. */
export async function sendResponse(answer: Response, head: boolean, response: ServerResponse): Promise<void> {
  const headers: { [name: string]: string | string[] } = {};
  for (const [name, value] of answer.headers) if (name !== "set-cookie") headers[name] = value;
  const cookies = answer.headers.getSetCookie();
  if (cookies.length > 0) headers["set-cookie"] = cookies;
  response.writeHead(answer.status, headers);
  const body = answer.body as ReadableStream<Uint8Array> | null;
  if (body === null || head) {
    await body?.cancel();
    response.end();
    return;
  }
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (response.destroyed) return await reader.cancel();
      if (!response.write(value)) await drained(response);
    }
    response.end();
  } catch (error) {
    response.destroy();
    throw error;
  }
}
