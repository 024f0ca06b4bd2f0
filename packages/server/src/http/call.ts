import type { BodyLimit } from "./body.js";

/** A request as the endpoints see it, whatever it came in by: a `Request` or Node's own. */
export interface Call {
  readonly method: string;
  /** The path as it was sent, not decoded, without the query. */
  readonly path: string;
  /** The query without its question mark. */
  readonly query: string;
  /** @param name in lower case. */
  header(name: string): string | undefined;
  /** The whole body. @throws LandfallError `too_large` before more than the limit is held. */
  readBody(limit: BodyLimit): Promise<Buffer>;
  /** Aborted when the caller is gone before the answer is. */
  signal(): AbortSignal;
}

/** An answer, before it becomes a `Response` or goes out by Node. */
export interface Reply {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  /** Text is sent whole; chunks are sent as fast as the reader takes them, and an error in them cuts the answer off. */
  readonly body?: string | AsyncIterable<string>;
}

export function jsonReply(status: number, body: string, headers: Reply["headers"] = {}): Reply {
  return { status, headers: { "content-type": "application/json", ...headers }, body };
}
