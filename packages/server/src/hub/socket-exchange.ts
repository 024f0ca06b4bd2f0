import { type ExchangeRequest, type SocketExchange, limits } from "@landfall/protocol";
import type { Authenticated } from "../auth/authenticator.js";
import type { User } from "../engine-types.js";
import { LandfallError } from "../landfall-error.js";
import type { Logger } from "../logger.js";
import type { ServerMetrics } from "../metrics/server-metrics.js";

export interface SocketExchangeOptions {
  /** The answer as its stream's lines, each with its line feed. */
  readonly stream: (user: User, request: ExchangeRequest) => AsyncIterable<string>;
  /** @throws LandfallError `unauthorized` */
  readonly authenticate: (token: string) => Promise<Authenticated>;
  /** Seconds that clients are asked to stay away for, which only HTTP can say. */
  readonly backoffSeconds?: () => number | undefined;
  readonly metrics: ServerMetrics;
  readonly logger: Logger;
}

/**
 * Answers a small exchange over the socket: the message to send. Whatever is in the way is left to HTTP, where
 * the client asks again and is told: an event that was handled here is a duplicate there (DESIGN rule 3).
 *
 * @param user whose socket it is.
 */
export async function answerOverSocket(
  options: SocketExchangeOptions,
  user: User,
  { id, token, request }: SocketExchange,
): Promise<string> {
  const { metrics } = options;
  const unanswered = `{"type":"answer","id":${id}}`;
  if ((options.backoffSeconds?.() ?? 0) > 0) return unanswered;
  try {
    // As for every request, so that a session that was ended writes nothing more.
    if ((await options.authenticate(token)).id !== user.id) return unanswered;
    let text = "";
    for await (const chunk of options.stream(user, request)) {
      text += chunk;
      if (text.length > limits.maxSocketAnswerBytes) break;
    }
    if (Buffer.byteLength(text) > limits.maxSocketAnswerBytes) {
      metrics.exchanges.add(1, { result: "too_large_for_socket" });
      return unanswered;
    }
    metrics.exchanges.add(1, { result: "ok" });
    // A line feed stands only between lines: JSON escapes those inside.
    return `{"type":"answer","id":${id},"lines":[${text.trimEnd().replaceAll("\n", ",")}]}`;
  } catch (error) {
    const known = error instanceof LandfallError;
    metrics.exchanges.add(1, { result: known ? error.code : "internal" });
    if (!known) options.logger.error("An exchange over a socket failed by a fault of the server.", { error });
    return unanswered;
  }
}
