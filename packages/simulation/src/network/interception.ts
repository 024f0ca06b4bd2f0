import { LandfallError } from "@landfall/server/landfall-error";
import { problemReply } from "@landfall/server/http/problem";
import type { RandomStream } from "../random-stream.js";

/** What stands between a client and a server may answer in place of it. */
export interface Interception {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
}

const page = (title: string): string =>
  `<!doctype html><html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>`;

const html = { "content-type": "text/html" };

/** A captive portal: 200, and not ours. */
export const portal: Interception = {
  status: 200,
  headers: html,
  body: page("Sign in to the hotel's network"),
};

const refusals = [
  { status: 413, code: "too_large" },
  { status: 429, code: "rate_limited" },
  { status: 502, code: undefined },
  { status: 503, code: "unavailable" },
] as const;

/** Bodies below this many characters no proxy finds too large. */
const leastTooLarge = 1_500;

/**
 * A refusal by a proxy: as a server of ours words it, or as a page, with and without a time to wait.
 *
 * @param chars of the request's body: what is small is not too large.
 */
export function refusal(random: RandomStream, chars: number): Interception {
  const { status, code } = random.pick(chars < leastTooLarge ? refusals.slice(1) : refusals);
  const waitMs = random.chance(0.5) ? random.between(100, 20_000) : undefined;
  if (code !== undefined && random.chance(0.5)) {
    const error = new LandfallError(
      code,
      "Something between says so.",
      waitMs === undefined ? {} : { retryAfterMs: waitMs },
    );
    const { headers, body } = problemReply(error);
    return { status, headers, body: body as string };
  }
  const wait: { readonly [name: string]: string } =
    waitMs === undefined ? {} : { "retry-after": String(Math.ceil(waitMs / 1_000)) };
  return { status, headers: { ...html, ...wait }, body: page(`Error ${status}`) };
}
