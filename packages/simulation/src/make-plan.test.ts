import { expect, test } from "vitest";
import { makePlan } from "./make-plan.js";
import { faultKinds } from "./plan.js";

test.each(faultKinds)("a plan of any seed can have %s besides its own trouble", (kind) => {
  for (let seed = 1; seed <= 30; seed++) expect(makePlan(seed, [kind]).faults).toHaveProperty(kind);
});
