import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { drivers } from "./drivers.mjs";
import { withContexts } from "./harness/context.mjs";
import { runInterleaved, summarize } from "./harness/run.mjs";
import { formatTable } from "./harness/table.mjs";
import { targets } from "./targets.mjs";
import { workloads } from "./workloads/all.mjs";

const usage = `npm run bench [-- options]

  --only W1,W3      only these workloads (${workloads.map((workload) => workload.id).join(", ")})
  --runs N          runs on each side, interleaved (default 5); medians are compared
  --json FILE       also write every figure of every run to a file
  --sides A,B       only these sides (${drivers.map((driver) => driver.name).join(", ")})
  --profile FOLDER  write a CPU profile of every measured process to the folder
  --check           end with code 1 if a target is missed
`;

/**
 * @typedef {object} Options
 * @property {Set<string>} only
 * @property {Set<string>} sides
 * @property {number} runs
 * @property {string | undefined} json
 * @property {string | undefined} profileDir
 * @property {boolean} check
 */

/**
 * Runs the benchmark as the command line says, and prints a table for each workload.
 * @param {readonly string[]} argv
 * @returns {Promise<number>} The exit code.
 */
export async function main(argv) {
  /** @type {Options | undefined} */
  let options;
  try {
    options = readOptions(argv);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    return 2;
  }
  if (options === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  const { runs, json } = options;
  /** @type {import("./harness/run.mjs").Row[]} */
  const rows = await withContexts((contextFor) => measure(contextFor, options));
  const missed = rows.filter((row) => row.verdict === "miss").map((row) => `${row.workload} ${row.label}`);
  process.stdout.write(
    missed.length === 0 ? "\nNo target was missed.\n" : `\nMissed: ${missed.join("; ")}.\n`,
  );
  if (json !== undefined)
    writeFileSync(json, `${JSON.stringify({ machine: machine(), runs, rows }, null, 2)}\n`);
  return options.check && missed.length > 0 ? 1 : 0;
}

/**
 * @param {readonly string[]} argv
 * @returns {Options | undefined} Undefined when only help is wanted.
 */
function readOptions(argv) {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: "string" },
      runs: { type: "string", default: "5" },
      json: { type: "string" },
      sides: { type: "string" },
      profile: { type: "string" },
      check: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1)
    throw new Error(`--runs must be a whole number from 1, not "${values.runs}".`);
  return {
    only: choose(
      "--only",
      values.only,
      workloads.map((workload) => workload.id),
    ),
    sides: choose(
      "--sides",
      values.sides,
      drivers.map((driver) => driver.name),
    ),
    runs,
    json: values.json,
    profileDir: values.profile,
    check: values.check,
  };
}

/**
 * @param {Parameters<Parameters<typeof withContexts>[0]>[0]} contextFor
 * @param {Options} options
 */
async function measure(contextFor, { only, sides, runs, profileDir }) {
  /** @type {import("./harness/run.mjs").Row[]} */
  const rows = [];
  for (const workload of workloads) {
    const taking = drivers.filter((driver) => sides.has(driver.name) && workload.sides.includes(driver.name));
    if (!only.has(workload.id) || taking.length === 0) continue;
    const results = await runInterleaved(
      workload,
      taking,
      runs,
      (driver) => contextFor(driver, { profileDir }, workload.run),
      (text) => process.stderr.write(`${text}\n`),
    );
    const summary = summarize(workload, results, targets);
    rows.push(...summary);
    process.stdout.write(
      `\n${workload.id}  ${workload.title}\n${formatTable(
        summary,
        taking.map((driver) => driver.name),
      )}\n`,
    );
  }
  return rows;
}

/**
 * @param {string} flag
 * @param {string | undefined} list
 * @param {readonly string[]} known
 * @returns {Set<string>}
 */
function choose(flag, list, known) {
  if (list === undefined) return new Set(known);
  const chosen = list.split(",");
  const unknown = chosen.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Error(`${flag} names "${unknown}", which is none of ${known.join(", ")}.`);
  return new Set(chosen);
}

function machine() {
  const processors = cpus();
  return {
    node: process.version,
    platform: process.platform,
    processors: processors.length,
    model: processors[0]?.model,
  };
}
