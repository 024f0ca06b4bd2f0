import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createServerClock } from "./server-clock.js";

const ways = fc.array(fc.record({ there: fc.nat(5_000), back: fc.nat(5_000) }), {
  minLength: 1,
  maxLength: 30,
});

describe("rule 6: the server's clock as the device knows it", () => {
  test("the time is off by at most the shortest way among the last 8, and by half of it where the clock is corrected", () => {
    fc.assert(
      fc.property(ways, fc.integer({ min: -1e11, max: 1e11 }), (samples, wrongMs) => {
        let trueMs = 1_795_000_000_000;
        const clock = createServerClock({ now: () => trueMs + wrongMs });
        for (const { there, back } of samples) {
          const sentMs = trueMs + wrongMs;
          trueMs += there;
          const serverMs = trueMs;
          trueMs += back;
          clock.sample(serverMs, sentMs, trueMs + wrongMs);
        }
        const shortest = Math.min(...samples.slice(-8).map(({ there, back }) => there + back));
        const most = clock.offsetMs === 0 ? shortest : shortest / 2;
        expect(Math.abs(clock.now() - trueMs)).toBeLessThanOrEqual(most);
      }),
    );
  });

  test("a clock that is right is left alone, however slow and lopsided the ways are", () => {
    fc.assert(
      fc.property(ways, (samples) => {
        let trueMs = 1_795_000_000_000;
        const clock = createServerClock({ now: () => trueMs });
        for (const { there, back } of samples) {
          const sentMs = trueMs;
          const serverMs = (trueMs += there);
          trueMs += back;
          clock.sample(serverMs, sentMs, trueMs);
          expect(clock.offsetMs).toBe(0);
        }
      }),
    );
  });

  test("a clock that is set anew, forward or back, is noticed with the next answer", () => {
    let nowMs = 1_795_000_000_000;
    const clock = createServerClock({ now: () => nowMs });
    for (let i = 0; i < 8; i++) clock.sample(nowMs + 5, nowMs, nowMs + 10);
    for (const jumpMs of [3_600_000, -7_200_000, 400_000_000_000]) {
      const serverMs = clock.now();
      nowMs += jumpMs;
      // A slow way, which the samples from before would win against.
      clock.sample(serverMs, nowMs - 200, nowMs + 200);
      expect(clock.now()).toBe(serverMs);
    }
  });

  test("a clock that is set back while a request is under way gives no sample", () => {
    const clock = createServerClock({ now: () => 1_000 });
    clock.sample(5_000, 1_000, 900);
    expect(clock.offsetMs).toBe(0);
  });

  test("the skew is told from half a minute on, with its sign", () => {
    const skewOf = (offsetMs: number): number => createServerClock({ now: () => 0 }, offsetMs).skewMs;
    expect([skewOf(0), skewOf(29_000), skewOf(-29_000), skewOf(60_400), skewOf(-3_600_000)]).toEqual([
      0, 0, 0, -60_000, 3_600_000,
    ]);
  });
});
