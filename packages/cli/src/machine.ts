import { randomBytes } from "node:crypto";
import type { ClockPort, RandomPort } from "@landfall/protocol";

/** What commands need of the machine. */
export interface Machine {
  readonly clock: ClockPort;
  readonly random: RandomPort;
  /** Milliseconds on a clock that never goes back. */
  readonly elapsedMs: () => number;
}

export const thisMachine: Machine = {
  clock: { now: () => Date.now() },
  random: { bytes: (count) => new Uint8Array(randomBytes(count)) },
  elapsedMs: () => performance.now(),
};
