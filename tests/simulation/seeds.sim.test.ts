import { execFile } from "node:child_process";
import { readFileSync, readdirSync, existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { type Plan, isOperation } from "@landfall/simulation/plan";
import { makePlan, run } from "./world.js";
import { said, soundSeeds, wrongIn } from "./seeds.js";

const regressions = fileURLToPath(new URL("../../packages/simulation/regressions/", import.meta.url));

/** The hash of a seed's trace, as `npm run sim` has it from the bundled sources. */
async function hashFromProcess(seed: number): Promise<string | undefined> {
  const script = fileURLToPath(new URL("../../scripts/sim.mjs", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [
    script,
    "--seed",
    String(seed),
    "--jobs",
    "1",
  ]);
  return /trace hash ([0-9a-f]{16})/.exec(stdout)?.[1];
}

describe("the world", () => {
  test.each(soundSeeds(1, 250))(
    "rules 1, 2, 3, 4, 5, 6, 7, 8, 9 and 10: seeds $first to $last come to rest, and no checker objects",
    async ({ seeds }) => expect(await wrongIn(seeds)).toEqual([]),
  );
});

describe("a run", () => {
  test("rule 11: a seed is one run, whatever ran before it", async () => {
    const seeds = [3, 8, 12, 34];
    const hashes = async (): Promise<string[]> => {
      const found: string[] = [];
      for (const seed of seeds) found.push((await run(makePlan(seed))).hash);
      return found;
    };
    const once = await hashes();
    expect(await hashes()).toEqual(once);
    expect(new Set(once).size).toBe(seeds.length);
  });

  test("rule 11: a seed is the same run in a process of its own", async () => {
    expect(await hashFromProcess(17)).toBe((await run(makePlan(17))).hash);
  });

  test("a seed has at least three devices, two kinds of trouble and two hundred operations", () => {
    for (let seed = 1; seed <= 500; seed++) {
      const plan = makePlan(seed);
      expect(plan.devices.length).toBeGreaterThanOrEqual(3);
      expect(Object.keys(plan.faults).length).toBeGreaterThanOrEqual(2);
      expect(plan.steps.filter((step) => isOperation(step) && step.act.do !== "sync").length).toBeGreaterThan(
        200,
      );
    }
  });
});

const kept = existsSync(regressions) ? readdirSync(regressions) : [];

describe.skipIf(kept.length === 0)("what went wrong once", () => {
  test.each(kept)("%s goes well", async (file) => {
    const plan = JSON.parse(readFileSync(regressions + file, "utf8")) as Plan;
    expect(said(await run(plan))).toEqual([]);
  });
});
