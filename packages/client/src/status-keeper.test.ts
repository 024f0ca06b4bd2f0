import { beforeEach, expect, test } from "vitest";
import type { LoopStatus } from "./loop/port.js";
import { StatusKeeper } from "./status-keeper.js";

const live: LoopStatus = {
  state: "live",
  reason: "",
  connection: "socket",
  phase: "idle",
  lastSyncedAt: null,
  error: null,
  clockSkewMs: 0,
  spaces: {},
};

let due: (() => void)[] = [];
let keeper: StatusKeeper;
let told = 0;

beforeEach(() => {
  due = [];
  told = 0;
  keeper = new StatusKeeper({ after: (_delayMs, run) => (due.push(run), () => undefined) }, () => []);
  keeper.subscribe(() => (told += 1));
});

/** Lets the time pass after which listeners are told. */
function pass(): void {
  for (const run of due.splice(0)) run();
}

test("a burst of changes is told once", () => {
  keeper.loop({ ...live, phase: "sending" });
  keeper.loop(live);
  pass();
  expect(told).toBe(1);
});

test("a change is told although somebody has asked for the status in between", () => {
  void keeper.current;
  pass();
  keeper.loop({ ...live, state: "offline" });
  expect(keeper.current.state).toBe("offline");
  pass();
  expect(told).toBe(1);
});

test("what says the same is not told, and is the same object", () => {
  keeper.loop(live);
  pass();
  const before = keeper.current;
  keeper.loop({ ...live });
  pass();
  expect(told).toBe(1);
  expect(keeper.current).toBe(before);
});

test("a part that has not changed stays the same object", () => {
  keeper.loop({ ...live, error: { code: "network", message: "No.", retryAt: 5 } });
  const before = keeper.current;
  keeper.loop({ ...live, error: { code: "network", message: "No.", retryAt: 5 }, phase: "fetching" });
  expect(keeper.current).not.toBe(before);
  expect(keeper.current.error).toBe(before.error);
  expect(keeper.current.storage).toBe(before.storage);
});

test("what changed before anybody listened is told to nobody; what changed since is told to all", () => {
  const own: number[] = [0, 0];
  const keeperOf = new StatusKeeper({ after: (_delayMs, run) => (due.push(run), () => undefined) }, () => []);
  keeperOf.loop(live);
  pass();
  keeperOf.subscribe(() => (own[0] = (own[0] as number) + 1));
  keeperOf.loop({ ...live });
  pass();
  expect(own).toEqual([0, 0]);
  keeperOf.loop({ ...live, phase: "sending" });
  keeperOf.subscribe(() => (own[1] = (own[1] as number) + 1));
  pass();
  expect(own).toEqual([1, 1]);
});

test("the storage's note of what is pending is kept whether anybody listens or not", () => {
  const noted: number[] = [];
  let count = 2;
  const session = {
    outbox: {
      get count() {
        return count;
      },
    },
  };
  const keeperOf = new StatusKeeper(
    { after: (_delayMs, run) => (due.push(run), () => undefined) },
    () => [session] as never,
  );
  keeperOf.storage({ kind: "memory", persistent: false, problem: null }, (pending) => noted.push(pending));
  pass();
  count = 0;
  keeperOf.changed();
  keeperOf.changed();
  pass();
  expect(noted).toEqual([2, 0]);
  // There is nobody to tell and nothing to note, so that no timer is set.
  keeperOf.changed();
  expect(due.length).toBe(0);
});
