import { expect, test } from "vitest";
import { makePlan } from "./make-plan.js";
import { type Plan, isOperation } from "./plan.js";
import { type Attempt, type ShrinkProgress, shrink } from "./shrink.js";

const plan = makePlan(1);
const operations = plan.steps.filter(isOperation);
const culprit = operations[Math.floor(operations.length / 2)];

/** Runs of which those fail that have this step; each takes so many steps. */
function runs(steps: number): { readonly attempt: (plan: Plan) => Promise<Attempt>; readonly tried: Plan[] } {
  const tried: Plan[] = [];
  const attempt = async (candidate: Plan): Promise<Attempt> => {
    tried.push(candidate);
    return { fails: candidate.steps.some((step) => step === culprit), steps };
  };
  return { attempt, tried };
}

test("what does not matter to a failure is taken out of its plan, and it is told how far that is", async () => {
  const { attempt, tried } = runs(1_000);
  const progress: ShrinkProgress[] = [];
  const small = await shrink(plan, attempt, { told: (each) => progress.push(each) });
  expect(small.steps).toEqual([culprit]);
  expect(small.devices.length).toBe(1);
  expect(Object.keys(small.faults)).toEqual([]);
  expect(progress.map(({ runs: done }) => done)).toEqual(tried.map((_, at) => at + 1));
  expect(progress.at(-1)?.planSteps).toBe(1);
});

test("runs that never come to rest are few, and the smallest plan of them is kept", async () => {
  const { attempt, tried } = runs(300_000);
  const small = await shrink(plan, attempt);
  expect(tried.length).toBeLessThan(20);
  expect(small.steps.length).toBeLessThan(plan.steps.length);
  expect(small.steps).toContain(culprit);
});

test("no more plans are tried than may be", async () => {
  const { attempt, tried } = runs(1);
  await shrink(plan, attempt, { runs: 7 });
  expect(tried.length).toBe(7);
});
