import type { ClockPort, RandomPort, TimerPort } from "@landfall/protocol";

/** Time that stands still until a test moves it, and randomness from a seed. */
export interface VirtualTime {
  /** Wall time; `wrongMs` makes it wrong. */
  readonly clock: ClockPort & { wrongMs: number };
  /** Time since the start, always right. */
  readonly uptime: ClockPort;
  readonly timers: TimerPort;
  readonly random: RandomPort;
  /** Lets what has been promised happen, without moving time. */
  settle(): Promise<void>;
  /** Moves time, running every timer at its time and letting what it promised happen before the next. */
  advance(ms: number): Promise<void>;
}

/** More timers than this at one moment are a loop that never waits. */
const maxTimersPerMoment = 10_000;

/** One turn of the platform's own event loop: by then, all that was promised has happened. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** A small generator of pseudo-random numbers (xorshift32), good enough for jitter and ids in tests. */
function seededBytes(seed: number): RandomPort {
  let state = seed | 0 || 1;
  return {
    bytes(count) {
      const bytes = new Uint8Array(count);
      for (let i = 0; i < count; i++) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        bytes[i] = state >>> 24;
      }
      return bytes;
    },
  };
}

/** Makes a time of its own for tests, beginning at `startMs`; the same seed gives the same run. */
export function createVirtualTime({
  startMs = 1_795_000_000_000,
  seed = 1,
}: { readonly startMs?: number; readonly seed?: number } = {}): VirtualTime {
  const timers = new Set<{ readonly atMs: number; readonly run: () => void }>();
  const clock = { wrongMs: 0, now: () => startMs + nowMs + clock.wrongMs };
  let nowMs = 0;
  const nextUntil = (endMs: number): { readonly atMs: number; readonly run: () => void } | undefined => {
    let next;
    for (const timer of timers) if (timer.atMs <= endMs && (!next || timer.atMs < next.atMs)) next = timer;
    return next;
  };
  return {
    clock,
    uptime: { now: () => nowMs },
    random: seededBytes(seed),
    timers: {
      after(delayMs, run) {
        const timer = { atMs: nowMs + Math.max(0, delayMs), run };
        timers.add(timer);
        return () => void timers.delete(timer);
      },
    },
    settle: turn,
    async advance(ms) {
      const endMs = nowMs + ms;
      let atThisMoment = 0;
      for (;;) {
        await turn();
        const next = nextUntil(endMs);
        if (!next) break;
        atThisMoment = next.atMs > nowMs ? 0 : atThisMoment + 1;
        if (atThisMoment > maxTimersPerMoment)
          throw new Error(`More than ${maxTimersPerMoment} timers at one moment: something never waits.`);
        nowMs = Math.max(nowMs, next.atMs);
        timers.delete(next);
        next.run();
      }
      nowMs = endMs;
    },
  };
}
