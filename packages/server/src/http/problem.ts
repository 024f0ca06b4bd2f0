import { codes, limits, type Code } from "@landfall/protocol";
import { LandfallError } from "../landfall-error.js";
import type { Reply } from "./call.js";

const contentType = "application/problem+json";

/** An error of a whole request as RFC 9457 has it, with a code of ours (DESIGN §6). */
export function problemReply(error: LandfallError, headers: Reply["headers"] = {}): Reply {
  const wait = error.retryAfterMs ?? (error.status === 429 || error.status === 503 ? 1_000 : undefined);
  const problem = {
    code: error.code,
    title: codes[error.code].help,
    status: error.status,
    detail: error.message.toWellFormed().slice(0, limits.maxMessageChars),
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  };
  return {
    status: error.status,
    headers: {
      "content-type": contentType,
      // RFC 9110 §11.6.1 asks for a challenge with every 401.
      ...(error.status === 401 ? { "www-authenticate": "Bearer" } : {}),
      ...(wait === undefined ? {} : { "retry-after": String(Math.max(1, Math.ceil(wait / 1_000))) }),
      ...headers,
    },
    body: JSON.stringify(problem),
  };
}

/** The same as the bytes of a whole HTTP/1.1 answer, for where there is no response object any more. */
export function rawProblem(code: Code, message: string, status?: string): string {
  const reply = problemReply(new LandfallError(code, message));
  const body = reply.body as string;
  const head = Object.entries({
    ...reply.headers,
    "content-length": String(Buffer.byteLength(body)),
    connection: "close",
  });
  return `HTTP/1.1 ${status ?? `${reply.status} ${reasons[reply.status] ?? ""}`}\r\n${head.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`;
}

const reasons: { readonly [status: number]: string } = {
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  429: "Too Many Requests",
  503: "Service Unavailable",
};
