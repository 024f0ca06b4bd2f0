import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Life, type LifeEvent, type Moment, firstLife, step } from "./life.js";

const events: fc.Arbitrary<LifeEvent> = fc.oneof(
  fc.constantFrom<LifeEvent>(
    { type: "due" },
    { type: "token" },
    { type: "noToken" },
    { type: "skipped" },
    { type: "cameOnline" },
    { type: "wentOffline" },
    { type: "urged" },
    { type: "unlock" },
    { type: "lock", reason: "The app is locked." },
    { type: "unauthorized", message: "Refused." },
  ),
  fc.constantFrom(0, 0, 20_000).map((backoffMs): LifeEvent => ({ type: "answered", backoffMs })),
  fc
    .record({
      code: fc.constantFrom("network", "garbled", "unavailable", "credentials"),
      retryAfterMs: fc.constantFrom(0, 0, 30_000, 1e12),
    })
    .map((failure): LifeEvent => ({ type: "failed", message: "Failed.", ...failure })),
);

const moment = (now: number, more: Partial<Moment> = {}): Moment => ({
  now,
  random: 0.5,
  hasToken: true,
  online: true,
  ...more,
});
const after = (...events: LifeEvent[]): Life =>
  events.reduce((life, event) => step(life, event, moment(1_000)), firstLife);

describe("the client-wide life of a sync", () => {
  test("any events at any time: the server's wish is never cut short, a failure waits between 3.75 s and 24 h, and only `due` begins work", () => {
    const steps = fc.array(
      fc.record({
        event: events,
        afterMs: fc.nat(120_000),
        random: fc.double({ min: 0, max: 0.999, noNaN: true }),
        hasToken: fc.boolean(),
        online: fc.boolean(),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (sequence) => {
        let life = firstLife;
        let now = 0;
        for (const { event, afterMs, random, hasToken, online } of sequence) {
          now += afterMs;
          // As the driver has it: `due` comes when it is time and nothing is under way, and a task ends once.
          if (event.type === "due" && (life.task !== "none" || life.notBeforeMs > now)) continue;
          const next = step(life, event, { now, random, hasToken, online });
          if (next.task !== "none" && next.task !== life.task) expect(event.type).toBe("due");
          expect(next.notBeforeMs).toBeGreaterThanOrEqual(next.heldUntilMs);
          if (event.type !== "answered") expect(next.heldUntilMs).toBeGreaterThanOrEqual(life.heldUntilMs);
          if (event.type === "failed" && next.mode !== "locked" && next.failures > life.failures) {
            expect(next.notBeforeMs - now).toBeGreaterThanOrEqual(
              Math.max(3_750, Math.min(event.retryAfterMs * (event.code === "network" ? 0 : 1), 86_400_000)),
            );
            expect(next.notBeforeMs - now).toBeLessThanOrEqual(86_400_000 * 1.25);
            expect(next.reason).not.toBe("");
          }
          if (next.mode !== "ready") expect(next.reason).not.toBe("");
          life = next;
        }
      }),
      { numRuns: 500 },
    );
  });

  test("network failures back off from 5 s doubling to 5 min", () => {
    const waits: number[] = [];
    let life = firstLife;
    for (let i = 0; i < 9; i++) {
      life = step(life, { type: "failed", code: "network", message: "Failed.", retryAfterMs: 0 }, moment(0));
      waits.push(life.notBeforeMs / 1_000);
    }
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
    expect(life.mode).toBe("offline");
  });

  test("a refused token is asked for again at once; the second refusal needs the person, and is left only when the server takes a token", () => {
    const first = after({ type: "due" }, { type: "unauthorized", message: "Expired." });
    expect(first).toMatchObject({ mode: "ready", task: "none", notBeforeMs: 0 });
    const second = step(
      step(first, { type: "due" }, moment(1_000)),
      { type: "unauthorized", message: "Expired." },
      moment(1_000),
    );
    expect(second).toMatchObject({ mode: "needs-auth", reason: "Expired." });
    expect(second.notBeforeMs).toBeGreaterThanOrEqual(61_000);
    const tried = step(
      step(second, { type: "due" }, moment(70_000, { hasToken: false })),
      { type: "token" },
      moment(70_000),
    );
    expect(tried.mode).toBe("needs-auth");
    expect(
      step(step(tried, { type: "due" }, moment(70_000)), { type: "answered", backoffMs: 0 }, moment(70_100)),
    ).toMatchObject({ mode: "ready", refusals: 0, failures: 0 });
  });

  test("signed out, nothing is tried until somebody asks", () => {
    const out = after({ type: "due" }, { type: "noToken" });
    expect(out).toMatchObject({ mode: "signed-out", notBeforeMs: Number.POSITIVE_INFINITY });
    expect(step(out, { type: "urged" }, moment(5_000)).notBeforeMs).toBe(5_000);
  });

  test("a hint that the network is back shortens the wait, but not to less than a second between two tries", () => {
    const offline = after(
      { type: "due" },
      { type: "failed", code: "network", message: "Failed.", retryAfterMs: 0 },
    );
    expect(step(offline, { type: "cameOnline" }, moment(1_200)).notBeforeMs).toBe(2_000);
    expect(step(offline, { type: "cameOnline" }, moment(4_000)).notBeforeMs).toBe(4_000);
  });

  test("a hint that the network is gone is not trusted: the server is tried within the idle time", () => {
    const gone = after({ type: "wentOffline" });
    expect(gone).toMatchObject({ mode: "offline", notBeforeMs: 61_000 });
  });

  test("Retry-After outlasts hints, impatience, signing out and a lock", () => {
    const held = after(
      { type: "due" },
      { type: "failed", code: "rate_limited", message: "Slow down.", retryAfterMs: 40_000 },
    );
    const until = held.heldUntilMs;
    expect(until).toBeGreaterThanOrEqual(41_000);
    for (const event of [{ type: "urged" }, { type: "cameOnline" }] as const)
      expect(step(held, event, moment(2_000)).notBeforeMs).toBeGreaterThanOrEqual(until);
    const unlocked = step(
      step(held, { type: "lock", reason: "Locked." }, moment(2_000)),
      { type: "unlock" },
      moment(3_000),
    );
    expect(unlocked).toMatchObject({ mode: "ready", notBeforeMs: until });
  });

  test("locked, what was under way may end, and nothing begins", () => {
    const locked = after({ type: "due" }, { type: "lock", reason: "The app is locked." });
    expect(locked).toMatchObject({ mode: "locked", task: "exchanging" });
    expect(step(locked, { type: "answered", backoffMs: 0 }, moment(2_000))).toMatchObject({
      mode: "locked",
      task: "none",
      notBeforeMs: Number.POSITIVE_INFINITY,
    });
  });
});
