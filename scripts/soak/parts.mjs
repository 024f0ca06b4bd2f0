import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { runNode } from "../child.mjs";
import { runFuzz } from "../fuzz.mjs";
import { hunt, worldBugs } from "../sim/bugs.mjs";
import { bundle, load } from "../sim/bundle.mjs";

/**
 * What went wrong in a piece of a part: which piece, and what was found.
 *
 * @typedef {{ piece: string, problems: readonly string[] }} Failure
 */

/**
 * What a piece was made of, where it says so: operations, and how often what happened.
 *
 * @typedef {{ operations: number, counts: Record<string, number> }} Tally
 */

/**
 * A part of the long run. It is done in pieces; what a piece did is written down when it has ended, and a run that
 * is stopped goes on with the next one.
 *
 * @typedef {object} Part
 * @property {string} name also the flag
 * @property {string} takes what the flag takes
 * @property {string} what in words
 * @property {number} pieceSize units of one piece at most
 * @property {(value: string) => { first: number, count: number }} units which the flag asks for; throws what is wrong with it
 * @property {(from: number, count: number, told: (tally: Tally) => void) => Promise<readonly Failure[]>} run one piece
 */

/** @param {string} text @param {string} flag */
function wholeNumber(text, flag) {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`--${flag} takes a whole number, not "${text}".`);
  return value;
}

/** @param {string} text @param {string} flag @param {{ least: number, example: string }} of the smallest start that there is */
function range(text, flag, { least, example }) {
  const [, first = "", last = ""] = /^(\d+)\.\.(\d+)$/.exec(text) ?? [];
  if (first === "" || Number(first) < least || Number(last) < Number(first))
    throw new Error(`--${flag} takes a range like ${example}, not "${text}".`);
  return { first: Number(first), count: Number(last) - Number(first) + 1 };
}

/** A world of so many kills, and then a new one: what a world holds grows with each. */
const killsOfWorld = 10;

/** @type {Part} */
const kills = {
  name: "kills",
  takes: "N",
  what: "kills a real server under the load of client processes, and looks what is left",
  pieceSize: killsOfWorld,
  units: (value) => ({ first: 1, count: wholeNumber(value, "kills") }),
  async run(from, count) {
    const [server, client, { runKillWorld }] = await Promise.all([
      bundle("tests/crash/server-process.ts", "soak-server"),
      bundle("tests/crash/client-process.ts", "soak-client"),
      load("tests/crash/kill-world.ts"),
    ]);
    const folder = mkdtempSync(`${tmpdir()}/landfall-soak-`);
    const world = Math.floor(from / killsOfWorld);
    // Every third server has a clock that jumps by hours.
    const told = world % 3 === 2 ? { clockJumpsMs: 3 * 3_600_000 } : {};
    const clients = 2 + (world % 3);
    const piece = `kills ${from}..${from + count - 1}, ${clients} clients, data in ${folder}`;
    /** @type {readonly string[]} */
    let problems;
    try {
      const report = await runKillWorld({
        folder,
        programs: { server, client },
        kills: count,
        clients,
        server: told,
      });
      problems = report.problems;
    } catch (error) {
      problems = [error instanceof Error ? (error.stack ?? error.message) : String(error)];
    }
    if (problems.length > 0) return [{ piece, problems }];
    rmSync(folder, { recursive: true, force: true });
    return [];
  },
};

/** @type {Part} */
const seeds = {
  name: "seeds",
  takes: "A..B",
  what: "runs seeds of the simulated world",
  pieceSize: 1_000,
  units: (value) => range(value, "seeds", { least: 0, example: "1..100000" }),
  async run(from, count, told) {
    const folder = mkdtempSync(`${tmpdir()}/landfall-soak-`);
    const json = `${folder}/tally.json`;
    const { code, output } = await runNode("scripts/sim.mjs", [
      "--seeds",
      `${from}..${from + count - 1}`,
      "--no-shrink",
      "--keep-going",
      "--jobs",
      String(availableParallelism()),
      "--json",
      json,
    ]);
    if (existsSync(json)) told(JSON.parse(readFileSync(json, "utf8")));
    rmSync(folder, { recursive: true });
    const failed = output.split(/^(?=SEED )/m).slice(1);
    if (code === 0) return [];
    if (failed.length === 0)
      return [{ piece: `seeds ${from}..${from + count - 1}`, problems: [output.trim()] }];
    return failed.map((text) => ({
      piece: `seed ${/^SEED (\d+)/.exec(text)?.[1] ?? ""}`,
      problems: [text.split("\n\n")[0]?.trim() ?? ""],
    }));
  },
};

/** Which inputs are made; another would be another run. */
const fuzzSeed = 20_261_121;

/** @type {Part} */
const fuzz = {
  name: "fuzz",
  takes: "N",
  what: "feeds damaged messages to every decoder, endpoint, socket and client",
  pieceSize: 50_000,
  units: (value) => ({ first: 1, count: wholeNumber(value, "fuzz") }),
  async run(from, count) {
    const report = await runFuzz({ seed: fuzzSeed, from, inputs: count });
    if (report.ok) return [];
    const problems = report.failures.map(
      ({ input, target, message }) => `input ${input}, ${target}: ${message}`,
    );
    if (problems.length === 0) problems.push(`memory grew by ${report.growthBytes} bytes`);
    return [{ piece: `fuzz ${from}..${from + count - 1}`, problems }];
  },
};

/** In so many seeds the world must have caught a mistake. */
const seedsOfMistake = 2_000;

/** @type {Part} */
const bugs = {
  name: "bugs",
  takes: "A..B",
  what: "plants the mistakes that the world must catch, by their places in the list, each until a seed fails",
  pieceSize: 4,
  units: (value) => range(value, "bugs", { least: 1, example: "1..49" }),
  async run(from, count) {
    const chosen = (await worldBugs()).slice(from - 1, from - 1 + count);
    const caught = await hunt(chosen, {
      seeds: seedsOfMistake,
      jobs: availableParallelism(),
      told: () => undefined,
    });
    return caught.flatMap(({ bug, seed, sound }) =>
      seed !== undefined && sound
        ? []
        : [
            {
              piece: bug.name,
              problems: [
                seed === undefined
                  ? `not caught in ${seedsOfMistake} seeds`
                  : `seed ${seed} fails without the mistake too`,
              ],
            },
          ],
    );
  },
};

/** @type {Part} */
const browsers = {
  name: "browsers",
  takes: "N",
  what: "lets tabs crash, freeze and lose their storage, and kills browsers and their server, while they write",
  pieceSize: 40,
  units: (value) => ({ first: 1, count: wholeNumber(value, "browsers") }),
  async run(from, count) {
    const { code, output } = await runNode(
      "node_modules/vitest/vitest.mjs",
      ["run", "tests/crash/browsers.browser.test.ts"],
      {
        env: {
          ...process.env,
          LANDFALL_REQUIRE: "chromium",
          LANDFALL_BROWSER_ROUNDS: `${count}`,
          NO_COLOR: "1",
        },
      },
    );
    return code === 0 ? [] : [{ piece: `browsers ${from}..${from + count - 1}`, problems: [output.trim()] }];
  },
};

/** All parts, in the order in which they run. @type {readonly Part[]} */
export const parts = [kills, browsers, fuzz, bugs, seeds];
