import { bundle, load } from "./bundle.mjs";
import { startThread } from "./thread.mjs";

/** @typedef {import("./bundle.mjs").Bug & { rule: string, why: string }} Bug */
/** @typedef {{ bug: Bug, seed: number | undefined, checks: readonly string[], sound: boolean, seconds: number }} Catch */

/** A seed, and the kinds of trouble that it has besides its own. @typedef {{ seed: number, extra?: readonly string[] }} Draw */

/** A run that takes longer than this does not end: that is a way of being caught too. */
const patienceMs = 45_000;

/** Every mistake that can be planted: those of tests/faults, and those that only the world can see. @returns {Promise<readonly Bug[]>} */
export async function allBugs() {
  const [{ faults }, { bugs }] = await Promise.all([
    load("tests/faults/faults.ts"),
    load("packages/simulation/src/bugs/bugs.ts"),
  ]);
  return [...faults, ...bugs];
}

/** The mistakes that the world must catch. @returns {Promise<readonly Bug[]>} */
export async function worldBugs() {
  const { caughtByTheWorld, bugs } = await load("packages/simulation/src/bugs/bugs.ts");
  const all = await allBugs();
  const own = new Set([...caughtByTheWorld, ...bugs.map((/** @type {Bug} */ { name }) => name)]);
  return all.filter(({ name }) => own.has(name));
}

/**
 * Runs the world with each mistake in it over seeds from 1 on, until one fails, and that seed without it. First comes
 * the seed that is known to show it, where few do.
 *
 * @param {readonly Bug[]} bugs
 * @param {{ seeds: number, jobs: number, told: (caught: Catch) => void }} options
 * @returns {Promise<readonly Catch[]>}
 */
export async function hunt(bugs, { seeds, jobs, told }) {
  const sound = await bundle("packages/simulation/src/index.ts", "sim-sound");
  const { caughtAt, caughtWith } = await load("packages/simulation/src/bugs/bugs.ts");
  /** @type {Catch[]} */
  const caught = [];
  const left = [...bugs];
  const takeInTurn = async () => {
    for (let bug = left.shift(); bug !== undefined; bug = left.shift()) {
      const first = caughtAt[bug.name];
      const one = await huntOne(bug, sound, [
        ...(first === undefined ? [] : [{ seed: first, extra: caughtWith[bug.name] }]),
        ...Array.from({ length: seeds }, (_, at) => ({ seed: at + 1 })),
      ]);
      caught.push(one);
      told(one);
    }
  };
  await Promise.all(Array.from({ length: jobs }, takeInTurn));
  return caught;
}

/** @param {Bug} bug @param {string} sound @param {readonly Draw[]} seeds @returns {Promise<Catch>} */
async function huntOne(bug, sound, seeds) {
  const startedMs = performance.now();
  const file = await bundle("packages/simulation/src/index.ts", `sim-${bug.name}`, bug);
  const seconds = () => (performance.now() - startedMs) / 1_000;
  const runs = runner(file);
  try {
    for (const draw of seeds) {
      const { seed } = draw;
      const checks = await runs.ask(draw);
      if (checks.length === 0) continue;
      const clean = runner(sound);
      const left = await clean.ask(draw);
      await clean.end();
      return { bug, seed, checks, sound: left.length === 0, seconds: seconds() };
    }
    return { bug, seed: undefined, checks: [], sound: true, seconds: seconds() };
  } finally {
    await runs.end();
  }
}

/** @param {string} file */
function runner(file) {
  const thread = startThread(file);
  return {
    /** What has found something wrong with a seed's run. @param {Draw} draw @returns {Promise<readonly string[]>} */
    ask: async ({ seed, extra = [] }) => {
      let timer;
      const isTooLong = new Promise((resolve) => (timer = setTimeout(() => resolve(["no end"]), patienceMs)));
      const checks = thread.ask({ of: seed, extra, shrink: false }).then(
        ({ problems }) => problems.map((/** @type {{ check: string }} */ { check }) => check),
        () => ["error"],
      );
      const found = await Promise.race([isTooLong, checks]);
      clearTimeout(timer);
      return [...new Set(found)];
    },
    end: thread.end,
  };
}

/**
 * Which check has caught which mistake, as a table.
 * @param {readonly Catch[]} caught @param {readonly string[]} checkers that are to catch at least one
 */
export function matrix(caught, checkers) {
  const found = new Set(caught.flatMap(({ checks }) => checks));
  const columns = [...checkers, ...[...found].filter((name) => !checkers.includes(name)).toSorted()];
  const heads = columns.map((name, at) => `${String.fromCharCode(65 + at)} ${name}`);
  const rows = caught.map(({ bug, seed, checks, sound }) => {
    const marks = columns.map((name, at) => (checks.includes(name) ? String.fromCharCode(65 + at) : "."));
    const where = seed === undefined ? "MISSED" : `${sound ? "" : "UNSOUND "}${seed}`;
    return `${bug.name.padEnd(44)} ${bug.rule.padEnd(8)} ${where.padStart(8)}  ${marks.join("")}`;
  });
  const blind = checkers.filter((name) => !found.has(name));
  return [
    ...heads,
    "",
    `${"mistake".padEnd(44)} ${"rule".padEnd(8)} ${"seed".padStart(8)}  caught by`,
    ...rows.toSorted(),
    ...(blind.length === 0 ? [] : ["", `Caught none: ${blind.join(", ")}`]),
  ].join("\n");
}
