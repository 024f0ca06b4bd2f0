import type { Call, Reply } from "./call.js";

/** Which web pages may use the server. */
export interface CrossOrigin {
  /** `*`, or a list of origins as browsers write them: `https://app.example`, for an installed app `capacitor://localhost`. */
  readonly origins: "*" | readonly string[];
}

/** What a page's script may read besides the body. */
const exposed =
  "etag, retry-after, landfall-backoff, landfall-generation, landfall-head, landfall-cursor, landfall-more, landfall-last-update-time";

/**
 * The headers that let a page of another origin read an answer. Tokens travel in a header that no browser adds
 * by itself, so `*` gives a foreign page nothing that it could not fetch without a browser.
 */
export function crossOriginHeaders(
  policy: CrossOrigin | false,
  origin: string | undefined,
): Reply["headers"] {
  if (policy === false) return {};
  // Who is no page sends no origin, and needs none of this; answers are never cached, so none can be taken for another.
  if (origin === undefined) return policy.origins === "*" ? {} : { vary: "origin" };
  if (policy.origins === "*")
    return { "access-control-allow-origin": "*", "access-control-expose-headers": exposed };
  if (!policy.origins.includes(origin)) return { vary: "origin" };
  return { "access-control-allow-origin": origin, "access-control-expose-headers": exposed, vary: "origin" };
}

/** The answer to a browser that asks before it sends. */
export function preflightReply(call: Call, methods: string): Reply {
  const asked = call.header("access-control-request-method") !== undefined;
  return {
    status: 204,
    headers: asked
      ? {
          "access-control-allow-methods": methods,
          "access-control-allow-headers": "authorization, content-type, accept, if-none-match",
          "access-control-max-age": "86400",
        }
      : { allow: methods },
  };
}
