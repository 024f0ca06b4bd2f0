import type { Code } from "@landfall/protocol";

/** Why one space of an exchange could not be handled (DESIGN §6). */
export interface SpaceFailureText {
  readonly code: Code;
  readonly message: string;
  /** What the code brings for its recovery, as JSON members. */
  readonly members?: string;
}

export function failureText({ code, message, members }: SpaceFailureText): string {
  return `{"code":"${code}","message":${JSON.stringify(message)}${members === undefined ? "" : `,${members}`}}`;
}
