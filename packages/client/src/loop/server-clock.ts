import type { ClockPort } from "@landfall/protocol";

/** Below this a person need not hear of it, and answers are too slow to measure it. */
const worthTellingMs = 30_000;
const samplesKept = 8;

/** The server's clock as this device knows it; events are stamped with it (DESIGN rule 6). */
export interface ServerClock extends ClockPort {
  /** What is added to the device's clock, in milliseconds; 0 until the first answer. Worth keeping for the next start. */
  readonly offsetMs: number;
  /** How far the device's clock is ahead, in whole seconds as milliseconds; 0 while that is near enough. */
  readonly skewMs: number;
  /** The server's time in an answer, with the device's clock before and after. */
  sample(serverMs: number, sentMs: number, receivedMs: number): void;
}

/**
 * Takes the offset from the sample with the shortest way among the last 8, since half of the way there
 * and back is the most that a sample can be off, its error. A clock that may be right by that sample is left as it is:
 * most devices know the time better than a slow network can tell it.
 */
export function createServerClock(clock: ClockPort, offsetMs = 0): ServerClock {
  let samples: { readonly offset: number; readonly error: number }[] = [];
  return {
    now: () => clock.now() + offsetMs,
    get offsetMs() {
      return offsetMs;
    },
    get skewMs() {
      return Math.abs(offsetMs) < worthTellingMs ? 0 : -Math.round(offsetMs / 1000) * 1000;
    },
    sample(serverMs, sentMs, receivedMs) {
      const error = (receivedMs - sentMs) / 2;
      // The clock was set back in between.
      if (error < 0) return;
      const offset = serverMs - sentMs - error;
      // What no two ways can explain is a clock that was set: older samples speak of the old setting.
      const speakOfThis = samples.filter((old) => Math.abs(old.offset - offset) <= old.error + error + 1000);
      samples = [...speakOfThis, { offset, error }].slice(-samplesKept);
      const best = samples.reduce((best, next) => (next.error < best.error ? next : best));
      offsetMs = Math.abs(best.offset) <= best.error ? 0 : best.offset;
    },
  };
}
