import { cpuUsage } from "node:process";
import { load } from "../../scripts/sim/bundle.mjs";

/** Runs that warm the code up, for batches go on for hours, and runs that are measured. */
const warm = 40;
const measured = 40;

/** @type {import("../harness/workload.mjs").Workload} */
export const sim = {
  id: "SIM",
  title: "Simulation: one core runs the world, a client's write with its exchange being one operation",
  sides: ["landfall"],
  metrics: { operationMs: { label: "processor time of one operation", unit: "ms" } },
  async run() {
    const { makePlan, run } = await load("packages/simulation/src/index.ts");
    for (let seed = 1; seed <= warm; seed++) await run(makePlan(seed));
    const before = cpuUsage();
    let operations = 0;
    for (let seed = warm + 1; seed <= warm + measured; seed++)
      operations += (await run(makePlan(seed))).writes;
    const { user, system } = cpuUsage(before);
    return { operationMs: (user + system) / 1_000 / operations };
  },
};
