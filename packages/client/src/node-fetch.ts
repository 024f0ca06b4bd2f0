import { type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { type Readable, pipeline } from "node:stream";
import { text } from "node:stream/consumers";
import { createGunzip } from "node:zlib";
import type { NetAnswer } from "./ports.js";

/**
 * HTTP by Node's own client, as far as a client of ours needs it: a text is sent, the answer is a stream, and
 * redirects are left to whoever asked. Node's `fetch` costs several times as much
 * (`docs/decisions/http-client-of-node.md`).
 *
 * What it gives rejects with whatever the network fails with, or the reason of the signal; reading on then fails too.
 */
export function createNodeFetch(): (url: string, init: RequestInit) => Promise<NetAnswer> {
  // The newest request with a body to each origin, until it is handed over to the network. The next one waits for that:
  // else one that has to open a connection is overtaken by the next on a connection that is open.
  const leaving = new Map<string, Promise<void>>();
  return (url, init) => {
    const { signal, body } = init;
    if (body === undefined) return send(url, init);
    const { origin } = new URL(url);
    const before = leaving.get(origin);
    return new Promise((resolve, reject) => {
      const left = new Promise<void>((leave) => {
        const begin = (): void => void send(url, init, leave).then(resolve, reject).finally(leave);
        if (!before) return begin();
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
        void before.then(begin);
      });
      leaving.set(origin, left);
      void left.then(() => leaving.get(origin) === left && leaving.delete(origin));
    });
  };
}

/**
 * Sends a request, and once more where the connection that was kept for it turns out to be closed: whatever a client of
 * ours asks for may be asked twice, but for a new space. @param left called when all of it is handed over.
 */
function send(url: string, init: RequestInit, left: () => void = () => undefined): Promise<NetAnswer> {
  const { method = "GET", headers, body, signal } = init;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    let isAnswered = false;
    const request = (url.startsWith("https:") ? httpsRequest : httpRequest)(
      url,
      {
        method,
        // A proxy may compress for the road; a server of ours does not.
        headers: { ...(headers as { readonly [name: string]: string }), "accept-encoding": "gzip" },
      },
      (message) => {
        isAnswered = true;
        resolve(toAnswer(message));
      },
    );
    const giveUp = (): void => {
      reject(signal?.reason);
      request.destroy();
    };
    signal?.addEventListener("abort", giveUp);
    const failed = (error: NodeJS.ErrnoException): void => {
      // A server that has started anew since knows nothing of the connection that was kept.
      const isStale = request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
      const mayRepeat = !(method === "POST" && url.endsWith("/v1/spaces"));
      if (isStale && mayRepeat && !isAnswered && !signal?.aborted) resolve(send(url, init, left));
      else reject(error);
    };
    request.once("finish", left).on("error", failed);
    request.once("close", () => signal?.removeEventListener("abort", giveUp));
    request.end(body);
  });
}

function toAnswer(message: IncomingMessage): NetAnswer {
  const { statusCode: status = 0, headers } = message;
  const content: Readable =
    headers["content-encoding"] === "gzip" ? pipeline(message, createGunzip(), () => undefined) : message;
  // Whoever reads is told of an error; when nobody does, it is nobody's.
  content.on("error", () => undefined);
  return {
    ok: status >= 200 && status < 300,
    status,
    headers: { get: (name) => headers[name.toLowerCase()]?.toString() ?? null },
    body: {
      getReader() {
        const chunks = content[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, undefined>;
        return {
          async read() {
            const { done = false, value } = await chunks.next();
            return { done, value };
          },
        };
      },
    },
    text: () => text(content),
  };
}
