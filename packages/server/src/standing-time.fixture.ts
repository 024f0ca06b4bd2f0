import type { ClockPort, TimerPort } from "@landfall/protocol";

/** Time that stands still until a test moves it, beside real work: sockets, files and processes. */
export interface StandingTime {
  readonly clock: ClockPort;
  /**
   * Those that are to go off at once do so by themselves; what is to wait, as a retry, the next look or the digests,
   * waits for `pass`. So nothing that a test sees depends on how fast the machine is.
   */
  readonly timers: TimerPort;
  /**
   * So much later it is for all. A second is later than all that was written before: each commit has a millisecond of
   * its own, and no test makes a thousand between two passes.
   */
  pass(ms: number): void;
  /** Every timer has gone off that does by itself. */
  settled(): Promise<void>;
}

/** Timers of less are about turns of the event loop, and not about time. */
const leastWaitMs = 100;

export function openStandingTime(): StandingTime {
  let nowMs = 1_795_000_000_000;
  const turns = new Set<object>();
  const waiting = new Set<{ readonly atMs: number; readonly run: () => void }>();
  return {
    clock: { now: () => nowMs },
    timers: {
      after(delayMs, run) {
        if (delayMs >= leastWaitMs) {
          const timer = { atMs: nowMs + delayMs, run };
          waiting.add(timer);
          return () => void waiting.delete(timer);
        }
        const turn = setTimeout(() => {
          turns.delete(turn);
          run();
        }, delayMs);
        turns.add(turn);
        return () => {
          turns.delete(turn);
          clearTimeout(turn);
        };
      },
    },
    pass(ms) {
      nowMs += ms;
      for (const timer of [...waiting].toSorted((a, b) => a.atMs - b.atMs))
        if (timer.atMs <= nowMs && waiting.delete(timer)) timer.run();
    },
    async settled() {
      while (turns.size > 0) await new Promise(setImmediate);
    },
  };
}
