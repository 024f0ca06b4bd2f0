import type { Program } from "./program.js";
import type { RandomStream } from "./random-stream.js";
import type { Carrier } from "./storage/client-process.js";

/** The end of a process at one of its storage calls: before the call does anything, or when it has and nobody knows yet. */
export interface PlannedCrash {
  /** Calls that still go through. */
  leftCalls: number;
  readonly after: boolean;
  /** Called when it has happened. */
  readonly crash: () => void;
}

/** How long a call of a storage takes at most, in milliseconds. */
const slowestMs = 2;

/** How the trace names the answers. */
const told = {
  open: "disk opens",
  destroy: "disk destroys",
  entries: "disk lists",
  snapshot: "disk lists",
  spaces: "disk lists",
  get: "disk reads",
  commit: "disk writes",
  close: "disk closes",
} as const;

/**
 * A device's disk as one tab has it: every call takes its time, calls come in their order, and what a call gives comes
 * to the tab only while it is awake.
 */
export function diskSteps(program: Program, random: RandomStream): Carrier {
  const { queue } = program;
  let lastMs = 0;
  return {
    there(call) {
      lastMs = Math.max(lastMs, queue.nowMs + random.fraction() * slowestMs);
      queue.at(lastMs, () => {
        if (program.alive) call();
      });
    },
    back: (kind, answer) => program.take(told[kind], answer),
  };
}
