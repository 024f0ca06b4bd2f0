import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HybridClock, ReceiveClock, effectiveStamp } from "./clock.js";
import {
  type ClockReading,
  isStamp,
  makeStamp,
  makeTail,
  maxStampCounter,
  maxStampMs,
  stampReading,
  stampTail,
} from "./stamp.js";

const tail = makeTail(new Uint8Array(8).fill(7));
const otherTail = makeTail(new Uint8Array(8).fill(9));
const today = Date.UTC(2026, 10, 20);
const yearMs = 365 * 86_400_000;

/** What a wall clock can say: right, years off, before 1970, past 48 bits, or nothing that is a time. */
const wall = fc.oneof(
  { weight: 6, arbitrary: fc.double({ min: today - 1_000, max: today + 1_000, noNaN: true }) },
  { weight: 2, arbitrary: fc.integer({ min: -20, max: 20 }).map((years) => today + years * yearMs) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      0,
      -1,
      -0,
      0.5,
      maxStampMs,
      maxStampMs + 1,
      2 ** 60,
      Infinity,
      -Infinity,
      Number.NaN,
    ),
  },
);

const isAfter = (a: ClockReading, b: ClockReading): boolean =>
  a.ms === b.ms ? a.counter > b.counter : a.ms > b.ms;

describe("HybridClock", () => {
  it("rule 6: stamps rise strictly whatever the wall clock does, and stay well-formed", () => {
    fc.assert(
      fc.property(
        fc.array(wall, { minLength: 2, maxLength: 60 }),
        fc.option(wall, { nil: undefined }),
        (walls, floorMs) => {
          let at = 0;
          const clock = new HybridClock({
            now: () => walls[at] as number,
            tail,
            ...(floorMs === undefined ? {} : { floorMs }),
          });
          let last = "";
          for (at = 0; at < walls.length; at++) {
            const stamp = clock.next();
            expect(isStamp(stamp)).toBe(true);
            expect(stamp > last).toBe(true);
            expect(clock.lastMs).toBe(stampReading(stamp).ms);
            last = stamp;
          }
        },
      ),
    );
  });

  it("rule 6: a running clock gives the wall's milliseconds and counter 0", () => {
    let now = today;
    const clock = new HybridClock({ now: () => now, tail });
    expect(stampReading(clock.next())).toEqual({ ms: today, counter: 0 });
    now += 1.9;
    expect(stampReading(clock.next())).toEqual({ ms: today + 1, counter: 0 });
  });

  it("rule 6: a frozen clock counts, and a full counter borrows the next millisecond", () => {
    const clock = new HybridClock({ now: () => today, tail });
    for (let i = 0; i <= maxStampCounter; i++)
      expect(stampReading(clock.next())).toEqual({ ms: today, counter: i });
    expect(stampReading(clock.next())).toEqual({ ms: today + 1, counter: 0 });
    expect(stampReading(clock.next())).toEqual({ ms: today + 1, counter: 1 });
  });

  it("rule 6: a clock set back does not take back what was issued", () => {
    let now = today;
    const clock = new HybridClock({ now: () => now, tail });
    const before = clock.next();
    now -= 3 * yearMs;
    expect(clock.next() > before).toBe(true);
  });

  it("rule 3: nothing is issued at or below the floor, so that a crash with a clock set back never issues a stamp again", () => {
    for (const now of [today - yearMs, today - 1, today, Number.NaN]) {
      expect(stampReading(new HybridClock({ now: () => now, tail, floorMs: today }).next())).toEqual({
        ms: today + 1,
        counter: 0,
      });
    }
    expect(stampReading(new HybridClock({ now: () => today + 5, tail, floorMs: today }).next())).toEqual({
      ms: today + 5,
      counter: 0,
    });
  });

  it("a floor that is no time is passed over", () => {
    for (const floorMs of [Number.NaN, Infinity, -5, 2 ** 60]) {
      expect(stampReading(new HybridClock({ now: () => today, tail, floorMs }).next())).toEqual({
        ms: today,
        counter: 0,
      });
    }
  });

  it("rule 6: what was observed before a stamp lies below it, at every counter", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.integer({ min: today - 5, max: today + 5 }),
            fc.integer({ min: 0, max: maxStampCounter }),
            wall,
          ),
        ),
        (seen) => {
          let now = today;
          const clock = new HybridClock({ now: () => now, tail });
          for (const [ms, counter, next] of seen) {
            now = next;
            const stamp = makeStamp(ms, counter, otherTail);
            clock.observe(stamp);
            expect(clock.next() > stamp).toBe(true);
          }
        },
      ),
    );
  });

  it("rule 6: a stamp past the year 9999 comes from no honest server, and does not drive the clock to its end", () => {
    const clock = new HybridClock({ now: () => today, tail });
    clock.observe(makeStamp(maxStampMs, maxStampCounter, otherTail));
    expect(stampReading(clock.next())).toEqual({ ms: today, counter: 0 });
    clock.observe("no stamp at all");
    expect(isStamp(clock.next())).toBe(true);
  });
});

describe("ReceiveClock", () => {
  it("rule 6: strictly increasing per event, its milliseconds per commit, whatever the server's clock does", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(wall, fc.integer({ min: 1, max: 12 })), { maxLength: 40 }), (commits) => {
        let clock = new ReceiveClock({ ms: 0, counter: 0 });
        let last: ClockReading = { ms: 0, counter: 0 };
        let lastModifiedAt = 0;
        for (const [now, events] of commits) {
          const modifiedAt = clock.beginCommit(now);
          expect(Number.isSafeInteger(modifiedAt)).toBe(true);
          expect(modifiedAt).toBeGreaterThan(lastModifiedAt);
          expect(modifiedAt).toBeGreaterThan(last.ms);
          lastModifiedAt = modifiedAt;
          for (let i = 0; i < events; i++) {
            const reading = clock.next();
            expect(isAfter(reading, last)).toBe(true);
            expect(reading.ms).toBe(modifiedAt);
            last = reading;
          }
          // The clock lives in the space's row: each commit begins from what the one before left there.
          clock = new ReceiveClock(clock.last);
        }
      }),
    );
  });

  it("rule 6: `modifiedAt` is the wall's time where that is new", () => {
    const clock = new ReceiveClock({ ms: today - 10, counter: 3 });
    expect(clock.beginCommit(today + 0.7)).toBe(today);
    expect(clock.next()).toEqual({ ms: today, counter: 0 });
    expect(clock.next()).toEqual({ ms: today, counter: 1 });
    expect(clock.beginCommit(today)).toBe(today + 1);
  });

  it("rule 6: more events than the counter holds borrow the next millisecond, and the next commit lies after them", () => {
    const clock = new ReceiveClock({ ms: 0, counter: 0 });
    const modifiedAt = clock.beginCommit(today);
    let last: ClockReading = { ms: 0, counter: 0 };
    for (let i = 0; i < 2 * (maxStampCounter + 1) + 1; i++) {
      const reading = clock.next();
      expect(isAfter(reading, last)).toBe(true);
      last = reading;
    }
    expect(last).toEqual({ ms: modifiedAt + 2, counter: 0 });
    expect(clock.beginCommit(today)).toBe(modifiedAt + 3);
  });

  it("an event outside a commit is a bug, said at once", () => {
    expect(() => new ReceiveClock({ ms: 0, counter: 0 }).next()).toThrow(/beginCommit/);
  });
});

describe("effectiveStamp", () => {
  const received = { ms: today, counter: 7 };

  it("rule 6: an id that does not lie after its receipt stands, by milliseconds and counter", () => {
    for (const id of [
      makeStamp(today, 7, tail),
      makeStamp(today, 6, tail),
      makeStamp(today - yearMs, maxStampCounter, tail),
    ]) {
      expect(effectiveStamp(id, received)).toBe(id);
    }
  });

  it("rule 6: an id after its receipt becomes the receipt with the id's tail", () => {
    for (const id of [
      makeStamp(today, 8, tail),
      makeStamp(today + 1, 0, tail),
      makeStamp(maxStampMs, maxStampCounter, tail),
    ]) {
      expect(effectiveStamp(id, received)).toBe(makeStamp(today, 7, tail));
    }
  });
});

/** One step of the world below. */
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("write" as const),
      device: fc.nat(2),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("push" as const),
      device: fc.nat(2),
      count: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("pull" as const), device: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("wall" as const), whose: fc.nat(3), to: wall }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const), device: fc.nat(2) }) },
);

interface Written {
  readonly id: string;
  /** What its device had seen or written itself when it wrote this. */
  readonly before: ReadonlySet<string>;
}

describe("rule 6: what was seen before a write always loses to it", () => {
  it("rule 6: three devices and a server, all with wild clocks", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 120 }), (steps) => {
        const walls = [today, today, today, today];
        let sessions = 0;
        const open = (device: number, floorMs: number) => {
          sessions += 1;
          const random = new Uint8Array(8).fill(sessions);
          return new HybridClock({ now: () => walls[device] as number, tail: makeTail(random), floorMs });
        };
        const clocks = [open(0, 0), open(1, 0), open(2, 0)];
        const outbox: Written[][] = [[], [], []];
        const known: Set<string>[] = [new Set(), new Set(), new Set()];
        const server = new ReceiveClock({ ms: 0, counter: 0 });
        const eff = new Map<string, string>();
        for (const now of steps) {
          if (now.do === "wall") walls[now.whose] = now.to;
          else if (now.do === "restart")
            clocks[now.device] = open(now.device, (clocks[now.device] as HybridClock).lastMs);
          else if (now.do === "write") {
            for (let i = 0; i < now.count; i++) {
              const id = (clocks[now.device] as HybridClock).next();
              (outbox[now.device] as Written[]).push({ id, before: new Set(known[now.device]) });
              (known[now.device] as Set<string>).add(id);
            }
          } else if (now.do === "push") {
            const batch = (outbox[now.device] as Written[]).splice(0, now.count);
            if (batch.length > 0) server.beginCommit(walls[3] as number);
            for (const event of batch) {
              const received = server.next();
              const stamp = effectiveStamp(event.id, received);
              expect(isStamp(stamp)).toBe(true);
              expect(isAfter(stampReading(stamp), received)).toBe(false);
              expect(stampTail(stamp)).toBe(stampTail(event.id));
              expect([...eff.values()]).not.toContain(stamp);
              for (const earlier of event.before) {
                // Own events that are still pending are of the same device, and so were handled before this one.
                expect(stamp > (eff.get(earlier) as string)).toBe(true);
              }
              eff.set(event.id, stamp);
            }
          } else {
            for (const [id, stamp] of eff) {
              (clocks[now.device] as HybridClock).observe(stamp);
              (known[now.device] as Set<string>).add(id);
            }
          }
        }
      }),
      { numRuns: 400 },
    );
  });

  it("rule 6: a clock years ahead gains no more than the time that its event waited", () => {
    const server = new ReceiveClock({ ms: 0, counter: 0 });
    const ahead = new HybridClock({ now: () => today + 5 * yearMs, tail });
    const right = new HybridClock({ now: () => today + 20, tail: otherTail });
    const early = ahead.next();
    const late = right.next();
    server.beginCommit(today + 10);
    const first = effectiveStamp(early, server.next());
    server.beginCommit(today + 30);
    const second = effectiveStamp(late, server.next());
    expect(second > first).toBe(true);
  });
});
