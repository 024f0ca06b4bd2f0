import { execFile } from "node:child_process";
import { readFileSync, readdirSync, existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { makePlan } from "./make-plan.js";
import { type Plan, isOperation } from "./plan.js";
import { type RunResult, run } from "./run.js";

const seeds = 60;
const perTest = 20;
const regressions = fileURLToPath(new URL("../regressions/", import.meta.url));

const said = ({ problems }: RunResult): string[] => problems.map(({ check, text }) => `${check}: ${text}`);

/** The hash of a seed's trace, as `npm run sim` has it from the bundled sources. */
async function hashFromProcess(seed: number): Promise<string | undefined> {
  const script = fileURLToPath(new URL("../../../scripts/sim.mjs", import.meta.url));
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
  test.each(Array.from({ length: seeds / perTest }, (_, at) => at * perTest + 1))(
    `rule 5: ${perTest} seeds from %i on come to rest, and every device shows the same`,
    async (first) => {
      for (let seed = first; seed < first + perTest; seed++)
        expect(said(await run(makePlan(seed))), `npm run sim -- --seed ${seed}`).toEqual([]);
    },
  );

  test("rule 11: a seed is one run, whatever ran before it", async () => {
    for (const seed of [3, 8, 12, 34]) {
      const once = await run(makePlan(seed));
      const again = await run(makePlan(seed));
      expect(again.hash).toBe(once.hash);
      expect(once.hash).not.toBe((await run(makePlan(seed + 1))).hash);
    }
  });

  test("rule 11: a seed is the same run in a process of its own", async () => {
    const hashes = await Promise.all([1, 2].map(() => hashFromProcess(17)));
    expect(hashes).toEqual([(await run(makePlan(17))).hash, (await run(makePlan(17))).hash]);
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
