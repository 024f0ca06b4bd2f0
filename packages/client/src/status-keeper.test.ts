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
