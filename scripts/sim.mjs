import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { root, whenMain } from "./child.mjs";
import { allBugs, hunt, matrix, worldBugs } from "./sim/bugs.mjs";
import { bundle, load } from "./sim/bundle.mjs";
import { startThread } from "./sim/thread.mjs";

const help = `npm run sim -- [options]

Runs the simulated world: servers, devices, network, disks and clocks in one process, each run from one seed. A seed
that fails is made smaller by itself, in some hundred runs at most, told as a timeline, and kept under
packages/simulation/regressions, where a test runs it for ever. Ends with code 1 when a seed failed.

  --seed N          one seed
  --seeds A..B      all seeds from A to B
  --minutes M       new seeds for so long, from --from on (default: one that no batch before began with)
  --from N          the first seed of --minutes
  --with KIND,KIND  kinds of trouble that every seed has besides its own, such as restore or wipe
  --plan FILE       a run that was kept
  --jobs J          runs at a time (default: one for each processor)
  --bug NAME        plants a mistake of packages/simulation/src/bugs or tests/faults into the code; nothing is kept then
  --bugs [NAME,…]   plants those that the world must catch, or these, one after another; runs seeds from 1 to 2000, or
                    to the B of --seeds, until one fails, and that seed without it; tells which check has caught which
  --timeline        tells the run of --seed or --plan, whether it fails or not
  --keep-going      does not end after five seeds that fail
  --no-shrink       leaves seeds that fail as they are
  --json FILE       where it is written how many operations there were, and how often what happened

Examples:
  npm run sim -- --seeds 1..500
  npm run sim -- --seed 34 --timeline
  npm run sim -- --minutes 30
  npm run sim -- --plan packages/simulation/regressions/early-poke.json
  npm run sim -- --seeds 1..2000 --bug cursor-before-its-rows
  npm run sim -- --bugs
`;

/** @typedef {{ check: string, text: string }} Problem */
/** @typedef {{ seed: number, hash: string, writes: number, faults: readonly string[], problems: readonly Problem[], counts: Record<string, number> }} Report */

const mostFailures = 5;
const mostSeedsForABug = 2_000;

async function main() {
  const args = process.argv.slice(2);
  if (args.includes("--bugs")) return catchBugs(args);
  const options = readOptions(args);
  if (options === undefined) {
    console.log(help);
    return;
  }
  const bug = options.bug === undefined ? undefined : await findBug(options.bug);
  const file = await bundle("packages/simulation/src/index.ts", `sim${bug ? `-${bug.name}` : ""}`, bug);
  if (options.timeline) return tell(file, options.only, options.extra);
  const failed = await runAll(file, options);
  if (failed.length > 0) process.exitCode = 1;
  if (options.shrink && bug === undefined) for (const { of } of failed) await keep(file, of, options.extra);
}

/** @param {readonly string[]} args */
function readOptions(args) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: "string" },
      seeds: { type: "string" },
      minutes: { type: "string" },
      from: { type: "string" },
      plan: { type: "string" },
      with: { type: "string" },
      jobs: { type: "string" },
      bug: { type: "string" },
      timeline: { type: "boolean", default: false },
      "keep-going": { type: "boolean", default: false },
      "no-shrink": { type: "boolean", default: false },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const { seed, seeds, minutes, plan } = values;
  if (values.help || [seed, seeds, minutes, plan].every((value) => value === undefined)) return undefined;
  const number = (/** @type {string | undefined} */ text, /** @type {string} */ flag) => {
    const value = Number(text);
    if (text === undefined || text === "" || !Number.isFinite(value) || value < 0)
      throw new Error(`${flag} takes a number, not "${text}".\n\n${help}`);
    return value;
  };
  const range = seeds?.split("..") ?? [];
  const first = seeds !== undefined ? number(range[0], "--seeds") : 0;
  const last = seeds !== undefined ? number(range[1], "--seeds") : 0;
  /** @type {any} the one seed or plan, where there is only one */
  const only =
    seed !== undefined
      ? number(seed, "--seed")
      : plan !== undefined
        ? JSON.parse(readFileSync(plan, "utf8"))
        : undefined;
  const endMs = minutes === undefined ? Infinity : performance.now() + number(minutes, "--minutes") * 60_000;
  let next = minutes === undefined ? first : number(values.from ?? String(freshSeed()), "--from");
  let isGiven = false;
  return {
    bug: values.bug,
    extra: values.with?.split(",") ?? [],
    only,
    timeline: values.timeline && only !== undefined,
    shrink: !values["no-shrink"],
    json: values.json,
    mostFailures: values["keep-going"] ? Infinity : mostFailures,
    jobs: values.jobs === undefined ? availableParallelism() : number(values.jobs, "--jobs"),
    total: only === undefined && minutes === undefined ? last - first + 1 : undefined,
    /** The next seed or plan; undefined when there is none. @returns {any} */
    take() {
      if (only !== undefined) {
        if (isGiven) return undefined;
        isGiven = true;
        return only;
      }
      if (minutes === undefined ? next > last : performance.now() > endMs) return undefined;
      return next++;
    },
  };
}

/** Seeds from the minute on: batches of different days run different ones. */
const freshSeed = () => Math.floor(Date.now() / 60_000) * 10_000;

/** @param {string} name @returns {Promise<import("./sim/bundle.mjs").Bug>} */
async function findBug(name) {
  const known = await allBugs();
  const bug = known.find((one) => one.name === name);
  if (bug === undefined)
    throw new Error(
      `There is no bug "${name}". These are known:\n${known.map((one) => `  ${one.name}`).join("\n")}`,
    );
  return bug;
}

/** Shows that the world catches what it must, and which check does. @param {readonly string[]} args */
async function catchBugs(args) {
  const after = (/** @type {string} */ flag) => {
    const value = args[args.indexOf(flag) + 1];
    return args.includes(flag) && value !== undefined && !value.startsWith("--") ? value : undefined;
  };
  const names = after("--bugs")?.split(",");
  const bugs = names === undefined ? await worldBugs() : await Promise.all(names.map(findBug));
  const { checkers } = await load("packages/simulation/src/checkers/all.ts");
  const caught = await hunt(/** @type {any} */ (bugs), {
    seeds: Number(after("--seeds")?.split("..").at(-1) ?? mostSeedsForABug),
    jobs: Number(after("--jobs") ?? availableParallelism()),
    told: ({ bug, seed, checks }) =>
      process.stderr.write(
        `${bug.name}: ${seed === undefined ? "MISSED" : `seed ${seed}, ${checks.join(", ")}`}\n`,
      ),
  });
  console.log(
    matrix(
      caught,
      checkers.map((/** @type {{ name: string }} */ { name }) => name),
    ),
  );
  const failed = caught.filter(({ seed, sound }) => seed === undefined || !sound).length;
  console.log(`\n${caught.length - failed} caught, ${failed} not`);
  if (failed > 0) process.exitCode = 1;
}

/**
 * Runs all seeds on all threads.
 *
 * @param {string} file
 * @param {NonNullable<ReturnType<typeof readOptions>>} options
 * @returns {Promise<readonly { of: any, report: Report }[]>} those that failed
 */
async function runAll(file, options) {
  const startedMs = performance.now();
  /** @type {{ of: any, report: Report }[]} */
  const failed = [];
  /** @type {Map<string, number>} */
  const counts = new Map();
  let runs = 0;
  let writes = 0;
  let toldMs = startedMs;
  const rate = () => Math.round((writes / (performance.now() - startedMs)) * 1_000);
  const work = async (/** @type {ReturnType<typeof startThread>} */ thread) => {
    for (
      let of = options.take();
      of !== undefined && failed.length < options.mostFailures;
      of = options.take()
    ) {
      /** @type {Report} */
      const report = await thread.ask({ of, extra: options.extra, shrink: false });
      runs += 1;
      writes += report.writes;
      for (const [name, count] of Object.entries(report.counts))
        counts.set(name, (counts.get(name) ?? 0) + count);
      if (report.problems.length > 0) {
        failed.push({ of, report });
        console.log(
          `\nSEED ${report.seed} FAILED (${report.faults.join(", ")}) ${report.hash}\n${said(report.problems)}`,
        );
      }
      if (performance.now() - toldMs > 5_000) {
        toldMs = performance.now();
        const total = options.total === undefined ? "" : ` of ${options.total}`;
        process.stderr.write(
          `${runs}${total} seeds, ${writes} operations, ${rate()} a second, ${failed.length} failed\n`,
        );
      }
      if (options.only !== undefined) console.log(`seed ${report.seed}: trace hash ${report.hash}`);
    }
  };
  const threads = Array.from({ length: options.jobs }, () => startThread(file));
  try {
    await Promise.all(threads.map(work));
  } finally {
    for (const { end } of threads) await end();
  }
  if (options.json !== undefined)
    writeFileSync(options.json, JSON.stringify({ operations: writes, counts: Object.fromEntries(counts) }));
  const seconds = (performance.now() - startedMs) / 1_000;
  console.log(
    `\n${[...counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `${name.padEnd(36)}${count}`)
      .join("\n")}`,
  );
  console.log(
    `\n${runs} seeds, ${writes} operations in ${seconds.toFixed(1)} s: ${rate()} operations a second on ${options.jobs} threads, ` +
      `${Math.round(rate() / options.jobs)} on each. ${runs - failed.length} passed, ${failed.length} failed`,
  );
  return failed;
}

/** @param {readonly Problem[]} problems */
const said = (problems) =>
  problems
    .map(({ check, text }) => `  ${check}: ${text.length > 1_500 ? `${text.slice(0, 1_500)}…` : text}`)
    .join("\n");

/** Makes a failure small, tells it, and keeps it. @param {string} file @param {any} of @param {readonly string[]} extra */
async function keep(file, of, extra) {
  console.log(`\nMaking seed ${of.seed ?? of} smaller …`);
  const thread = startThread(file);
  let toldMs = performance.now();
  const shrinking = thread.ask({ of, extra, shrink: true }, ({ runs, planSteps }) => {
    if (performance.now() - toldMs < 5_000) return;
    toldMs = performance.now();
    process.stderr.write(`${runs} runs, ${planSteps} steps left\n`);
  });
  const { plan, problems, timeline } = await shrinking.finally(() => void thread.end());
  const folder = `${root}/packages/simulation/regressions`;
  mkdirSync(folder, { recursive: true });
  const path = `${folder}/seed-${plan.seed}.json`;
  writeFileSync(path, `${JSON.stringify(plan, null, 2)}\n`);
  console.log(`\n${timeline}\n\n${said(problems)}`);
  console.log(
    `\nSeed ${plan.seed}: ${plan.devices.length} devices, ${Object.keys(plan.faults).join(", ") || "no trouble"}, ` +
      `${plan.steps.length} steps. Kept as ${path}; commit it with what mends it, under a name that says what it is.`,
  );
}

/** @param {string} file @param {any} of @param {readonly string[]} extra */
async function tell(file, of, extra) {
  const { makePlan, run, timeline } = await import(file);
  const { trace, problems, hash } = await run(typeof of === "number" ? makePlan(of, extra) : of, {
    keepTrace: true,
  });
  console.log(timeline(trace));
  console.log(`\ntrace hash ${hash}\n${problems.length === 0 ? "Nothing is wrong." : said(problems)}`);
  if (problems.length > 0) process.exitCode = 1;
}

await whenMain(import.meta.url, main);
