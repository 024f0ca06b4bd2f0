import { describe, expect, test } from "vitest";
import type { Act, Plan, Step } from "@landfall/simulation/plan";
import type { RunResult } from "@landfall/simulation/run";
import { run } from "./world.js";

const acts: readonly Act[] = [
  { do: "edit", domain: "folder", key: "f1", set: { name: "first" } },
  { do: "edit", domain: "task", key: "t1", set: { folder: "f1", number: 1, done: false } },
  { do: "probe", mark: "once" },
  { do: "pay", from: "p1", to: "p2", coins: 5 },
  { do: "delete", domain: "folder", key: "f1" },
];

/** Two devices, of which one acts, with a crash somewhere or none. */
const script = (crash?: Step): Plan => ({
  seed: 1,
  faults: {},
  devices: [
    { number: 1, user: "ann", tabs: 1, socket: true },
    { number: 2, user: "ann", tabs: 1, socket: false },
  ],
  spaces: ["site-7"],
  limits: { maxPageRows: 2, maxEventsPerRequest: 2, maxPageBytes: 1_000_000 },
  serverSlowness: 0,
  steps: [
    ...(crash ? [crash] : []),
    ...acts.map((act, at): Step => ({ type: "act", atMs: 300 + 40 * at, device: 1, tab: 0, space: 0, act })),
    // Until then the script may be broken off.
    { type: "act", atMs: 1_400, device: 2, tab: 0, space: 0, act: { do: "sync" } },
  ],
});

const calls = async (name: "disk.d1" | "disk.server"): Promise<number> =>
  (await run(script())).counts.get(name) ?? 0;

async function crashEverywhere(
  count: number,
  crash: (inCalls: number, after: boolean) => Step,
): Promise<{ readonly wrong: readonly string[]; readonly crashed: number }> {
  const wrong: string[] = [];
  let crashed = 0;
  for (let inCalls = 0; inCalls < count; inCalls++)
    for (const after of [false, true]) {
      const result: RunResult = await run(script(crash(inCalls, after)));
      const where = `${after ? "after" : "before"} call ${inCalls + 1} of ${count}`;
      wrong.push(...result.problems.map(({ check, text }) => `${where}: ${check}: ${text}`));
      for (const name of ["crash.before", "crash.after", "serverCrash.before", "serverCrash.after"])
        crashed += result.counts.get(name) ?? 0;
    }
  return { wrong, crashed };
}

describe("a short script, with a crash at each call of a storage", () => {
  test("rules 2 and 3: of the client: nothing is lost, and nothing happens twice", async () => {
    const count = await calls("disk.d1");
    expect(count).toBeGreaterThan(15);
    const { wrong, crashed } = await crashEverywhere(count, (inCalls, after) => ({
      type: "crash",
      atMs: 0,
      device: 1,
      tab: 0,
      inCalls,
      after,
      downMs: 200,
    }));
    expect(wrong).toEqual([]);
    expect(crashed).toBe(2 * count);
  });

  test("rules 2 and 3: of the server: nothing is lost, and nothing happens twice", async () => {
    const count = await calls("disk.server");
    expect(count).toBeGreaterThan(20);
    const { wrong, crashed } = await crashEverywhere(count, (inCalls, after) => ({
      type: "serverCrash",
      atMs: 0,
      inCalls,
      after,
      downMs: 200,
    }));
    expect(wrong).toEqual([]);
    expect(crashed).toBe(2 * count);
  });
});
