import { isIdentifier } from "./identifier.js";

/**
 * Thrown by an action to reject its event with a code of its own, on the client as on the server; and by a
 * server's `authorize`. Codes of the closed list keep their meaning; others are the app's.
 */
export class RejectedError extends Error {
  override readonly name = "RejectedError";

  /**
   * @param code 1–128 characters of `A–Z a–z 0–9 . _ ~ : -`.
   * @param message a sentence for the person whose event it is.
   */
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** The code that an error carries to reject an event with; known by its shape, since an app may have bundled the class twice. */
export function rejectionCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== "RejectedError") return undefined;
  const { code } = error as { code?: unknown };
  return typeof code === "string" && isIdentifier(code) ? code : undefined;
}
