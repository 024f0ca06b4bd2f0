import { describe, expect, it, test } from "vitest";
import { makePlan } from "./make-plan.js";
import { faultKinds, isOperation } from "./plan.js";
import { run } from "./run.js";

test.each(faultKinds)("a plan of any seed can have %s besides its own trouble", (kind) => {
  for (let seed = 1; seed <= 30; seed++) expect(makePlan(seed, [kind]).faults).toHaveProperty(kind);
});

describe("a plan of any seed", () => {
  it("has at least three devices, two kinds of trouble, and 200 writes besides those in store", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const { devices, faults, steps } = makePlan(seed);
      expect(devices.length).toBeGreaterThanOrEqual(3);
      expect(Object.keys(faults).length).toBeGreaterThanOrEqual(2);
      const writes = steps.filter((step) => isOperation(step) && step.act.do !== "sync");
      const spare = writes.filter((step) => isOperation(step) && step.unlessMade !== undefined);
      expect(writes.length - spare.length).toBeGreaterThanOrEqual(200);
      expect(spare.length).toBeGreaterThan(0);
    }
  });

  it("comes to 200 writes though some find nobody who could make them, and not to more for those in store", async () => {
    const plan = makePlan(1);
    const isPlain = plan.faults.rush === undefined;
    expect(isPlain).toBe(true);
    expect((await run(plan)).writes).toBe(200);
    const late = { ...plan, steps: plan.steps.filter((step, at) => !isOperation(step) || at % 20 !== 0) };
    expect((await run(late)).writes).toBe(200);
  });
});
