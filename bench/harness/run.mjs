import { median } from "./statistics.mjs";

/**
 * One figure: the median of its runs on each side, with the extremes.
 * @typedef {{ median: number, min: number, max: number, runs: number[] }} Figure
 *
 * @typedef {object} Row
 * @property {string} workload
 * @property {string} metric
 * @property {string} label
 * @property {import("./workload.mjs").Metric["unit"]} unit
 * @property {Record<string, Figure>} sides
 * @property {number | undefined} ratio Landfall's median to the floor's, where both ran.
 * @property {import("../targets.mjs").Target | undefined} target
 * @property {"pass" | "miss" | undefined} verdict
 */

/**
 * Runs a workload on its sides in turn (A B A B …), so that what else the machine does meets all alike.
 *
 * @param {import("./workload.mjs").Workload} workload
 * @param {readonly import("./driver.mjs").Driver[]} drivers
 * @param {number} runs
 * @param {(driver: import("./driver.mjs").Driver) => Promise<Record<string, number>>} runOnce
 * @param {(text: string) => void} report
 * @returns {Promise<Map<string, Record<string, number>[]>>} Per driver, the metrics of each run.
 */
export async function runInterleaved(workload, drivers, runs, runOnce, report) {
  /** @type {Map<string, Record<string, number>[]>} */
  const results = new Map(drivers.map((driver) => [driver.name, []]));
  for (let run = 1; run <= runs; run++) {
    for (const driver of drivers) {
      report(`${workload.id}  run ${run} of ${runs}  ${driver.name}`);
      results.get(driver.name)?.push(await runOnce(driver));
    }
  }
  return results;
}

/**
 * @param {import("./workload.mjs").Workload} workload
 * @param {Map<string, Record<string, number>[]>} results
 * @param {Readonly<Record<string, import("../targets.mjs").Target>>} targets
 * @returns {Row[]}
 */
export function summarize(workload, results, targets) {
  return Object.entries(workload.metrics).map(([metric, { label, unit }]) => {
    /** @type {Record<string, Figure>} */
    const sides = {};
    for (const [name, runs] of results) sides[name] = figure(runs.map((run) => run[metric] ?? Number.NaN));
    const { floor, landfall } = sides;
    const ratio =
      floor !== undefined && landfall !== undefined && floor.median > 0
        ? landfall.median / floor.median
        : undefined;
    const target = targets[`${workload.id}.${metric}`];
    const verdict =
      landfall === undefined || target === undefined ? undefined : judge(target, landfall.median, ratio);
    return { workload: workload.id, metric, label, unit, sides, ratio, target, verdict };
  });
}

/** @param {number[]} runs @returns {Figure} */
function figure(runs) {
  if (runs.some(Number.isNaN)) throw new Error("A run did not give every figure of its workload.");
  return { median: median(runs), min: Math.min(...runs), max: Math.max(...runs), runs };
}

/**
 * @param {import("../targets.mjs").Target} target
 * @param {number} value
 * @param {number | undefined} ratio
 */
function judge(target, value, ratio) {
  if ("maxRatio" in target) {
    if (ratio === undefined) return undefined;
    return ratio <= target.maxRatio ? "pass" : "miss";
  }
  const holds = "max" in target ? value <= target.max : value < target.below;
  return holds ? "pass" : "miss";
}
