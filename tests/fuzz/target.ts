import type { Random } from "@landfall/protocol/shaped-values.fixture";

/** What became of an input: it was taken as sound, or refused as the protocol says. */
export type Fate = "taken" | "refused";

/** Something that takes inputs from outside. */
export interface FuzzTarget {
  readonly name: string;
  /** How many of a hundred inputs it gets, about. */
  readonly share: number;
  open(): Promise<OpenTarget>;
}

export interface OpenTarget {
  /** Makes one input and feeds it. @throws Error where anything but taking or refusing happens. */
  feed(random: Random): Fate | Promise<Fate>;
  close?(): Promise<void>;
}

/** What an input did that it must not. */
export function fault(what: string, input: unknown): Error {
  const text = typeof input === "string" ? input : (JSON.stringify(input) ?? String(input));
  return new Error(`${what}\n  input: ${text.slice(0, 2_000)}`);
}
