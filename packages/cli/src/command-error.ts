/** A failure that the person at the terminal can mend: what happened, why, and what to do; printed without a stack. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}
