import { LandfallError } from "../landfall-error.js";
import type { Logger } from "../logger.js";
import { CallerGone } from "./body.js";
import type { Call, Reply } from "./call.js";
import { type CrossOrigin, crossOriginHeaders, preflightReply } from "./cross-origin.js";
import { problemReply } from "./problem.js";
import { findRoute, type Route } from "./routes.js";
import type { Service } from "./service.js";

export interface ApiOptions {
  readonly service: Service;
  readonly crossOrigin: CrossOrigin | false;
  readonly logger: Logger;
  /** Seconds that clients are asked to stay away for, beside the answer; undefined when there is no need. */
  readonly backoffSeconds: () => number | undefined;
  /** A clock that never goes back, in milliseconds and fractions of them. */
  readonly elapsedMs: () => number;
}

/** What every answer carries: nothing of it is stored by what lies between, taken for a page, or put into a frame. */
const always: Reply["headers"] = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
};

/** Every request under /v1, health and metrics goes through here, by whichever edge it came. Never rejects, except with CallerGone. */
export function createApi(options: ApiOptions): (call: Call) => Promise<Reply> {
  const { service, crossOrigin, backoffSeconds, elapsedMs } = options;
  return async (call) => {
    const startedMs = elapsedMs();
    const route = findRoute(call);
    const reply = await answer(options, call, route);
    const backoff = backoffSeconds();
    const shared = crossOriginHeaders(crossOrigin, call.header("origin"));
    const vary = [shared["vary"], reply.headers["vary"]].filter((names) => names !== undefined).join(", ");
    const headers = {
      ...always,
      ...shared,
      ...(backoff === undefined || backoff <= 0 ? {} : { "landfall-backoff": String(Math.ceil(backoff)) }),
      ...reply.headers,
      ...(vary === "" ? {} : { vary }),
    };
    const labels = {
      route: route?.address ?? "none",
      method: route?.endpoint === undefined ? "other" : call.method,
    };
    service.metrics.requests.add(1, { ...labels, status: String(reply.status) });
    const body = call.method === "HEAD" ? undefined : reply.body;
    const observe = (): void => service.metrics.durations.observe((elapsedMs() - startedMs) / 1_000, labels);
    if (body === undefined || typeof body === "string") {
      observe();
      return body === undefined ? { status: reply.status, headers } : { status: reply.status, headers, body };
    }
    return { status: reply.status, headers, body: observed(body, observe) };
  };
}

async function answer(options: ApiOptions, call: Call, route: Route | undefined): Promise<Reply> {
  try {
    if (route === undefined) throw new LandfallError("not_found", "There is nothing at this address.");
    if (call.method === "OPTIONS") return preflightReply(call, route.allow);
    if (route.endpoint === undefined) {
      const refused = new LandfallError("method_not_allowed", `This address answers ${route.allow}.`);
      return problemReply(refused, { allow: route.allow });
    }
    return await route.endpoint(options.service, call, route.parameters);
  } catch (error) {
    if (error instanceof CallerGone) throw error;
    if (error instanceof LandfallError) {
      if (error.status >= 500) options.logger.warn(error.message, { code: error.code, cause: error.cause });
      return problemReply(error);
    }
    if (call.signal().aborted) throw new CallerGone("The caller left before the answer.", { cause: error });
    options.logger.error("A request failed by a fault of the server.", { route: route?.address, error });
    return problemReply(new LandfallError("internal", "The server failed. Send the request again."));
  }
}

/** The chunks as they are, with a word when the last one was taken or the reader gave up. */
async function* observed(chunks: AsyncIterable<string>, done: () => void): AsyncIterable<string> {
  try {
    yield* chunks;
  } finally {
    done();
  }
}
