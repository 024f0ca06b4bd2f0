import { type Info } from "@landfall/protocol";
import * as limits from "@landfall/protocol/limits";
import type { Budget } from "./port.js";

/** After so many answers in a row, a batch that was halved is doubled again. */
const answersToGrow = 8;

export interface BatchBudget {
  readonly now: Budget;
  /** What the server announced. */
  limit(announced: Info["limits"]): void;
  /** The batch was too large, or took too long: halves it. */
  halve(): void;
  /** The batch got through. */
  passed(): void;
}

/** How much may go into one request: the server's limits at most, halved on 413, growing again (DESIGN §6). */
export function createBudget(): BatchBudget {
  let events: number = limits.maxEventsPerRequest;
  let bytes: number = limits.maxBatchBytes;
  let share = 1;
  let passes = 0;
  return {
    get now() {
      return { events: Math.ceil(events * share), bytes: bytes * share };
    },
    limit(announced) {
      events = announced.maxEventsPerRequest;
      // A tenth is left for the cursors and the envelope.
      bytes = Math.min(announced.maxBatchBytes, announced.maxBodyBytes * 0.9);
    },
    halve() {
      share /= 2;
      passes = 0;
    },
    passed() {
      if (++passes % answersToGrow === 0) share = Math.min(1, share * 2);
    },
  };
}
