import { type Code, type CodeEntry, codes } from "@landfall/protocol";

/**
 * A failure of a whole request with a code of the closed list (DESIGN §6): what the HTTP layer turns into
 * `application/problem+json`. Failures of one space or one event are not errors but answers.
 */
export class LandfallError extends Error {
  override readonly name = "LandfallError";
  /** The HTTP status of the code; 500 for codes that never end a request by themselves. */
  readonly status: number;
  /** How long to wait before the same request may succeed, where the server knows. */
  readonly retryAfterMs?: number;

  /** @param message what happened, why, and what to do. */
  constructor(
    readonly code: Code,
    message: string,
    options: { readonly retryAfterMs?: number; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const entry: CodeEntry = codes[code];
    this.status = entry.status ?? 500;
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
  }
}

/** The one answer to whoever may not know of a space, whether it exists or not (DESIGN §13). */
export function spaceNotFound(): LandfallError {
  return new LandfallError("not_found", "There is no such space, or you may not know of it.");
}
