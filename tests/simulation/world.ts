import type { makePlan as MakePlan } from "@landfall/simulation/make-plan";
import type { run as Run } from "@landfall/simulation/run";
import { load } from "../../scripts/sim/bundle.mjs";

/** The world as `npm run sim` runs it, bundled: seeds are many, and loaded module by module they take twice as long. */
const world = (await load("packages/simulation/src/index.ts")) as {
  readonly makePlan: typeof MakePlan;
  readonly run: typeof Run;
};

export const { makePlan, run } = world;
