import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { cacheFolder, root, whenMain } from "./child.mjs";
import { parts } from "./soak/parts.mjs";

const help = `npm run soak -- [options]

The long run: looks for what a short one does not find. It is done in pieces, and what each did is written down when
it has ended: a run that was stopped (Ctrl-C) goes on where it was when it is started again with the same options.
Ends with code 1 when anything failed, then or earlier.

${parts.map(({ name, takes, what }) => `  --${`${name} ${takes}`.padEnd(13)} ${what}`).join("\n")}
  --json FILE     where it is written down (default: node_modules/.cache/landfall/soak.json)
  --fresh         forgets what was done before

Examples:
  npm run soak -- --kills 200
  npm run soak -- --browsers 200
  npm run soak -- --seeds 1..100000
  npm run soak -- --bugs 1..49
  npm run soak -- --kills 200 --fuzz 1000000 --seeds 1..100000 --json soak.json
`;

/**
 * What has been done of a part, and what was asked for.
 *
 * Each range says which units were done on which commit, with what they were made of.
 *
 * @typedef {{ commit: string, from: number, to: number } & import("./soak/parts.mjs").Tally} Range
 * @typedef {{ asked: string, done: number, count: number, seconds: number, ranges: Range[], failures: import("./soak/parts.mjs").Failure[] }} Standing
 * @typedef {{ [part: string]: Standing }} State
 */

async function main() {
  const { values } = parseArgs({
    options: {
      ...Object.fromEntries(parts.map(({ name }) => [name, { type: /** @type {const} */ ("string") }])),
      json: { type: "string", default: `${cacheFolder}/soak.json` },
      fresh: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const options = /** @type {{ [name: string]: string | undefined }} */ (/** @type {unknown} */ (values));
  const asked = parts.filter(({ name }) => options[name] !== undefined);
  if (values.help || asked.length === 0) {
    console.log(help);
    return;
  }
  const file = resolve(values.json);
  const state = values.fresh ? {} : read(file);
  let stopped = false;
  process.once("SIGINT", () => {
    stopped = true;
    console.log("\nIt ends after this piece. Once more ends it at once; the piece is done again then.");
    process.once("SIGINT", () => process.exit(130));
  });
  for (const part of asked) {
    if (!stopped) await runPart(part, /** @type {string} */ (options[part.name]), state, file, () => stopped);
  }
  for (const [name, { done, count, seconds, failures }] of Object.entries(state)) {
    console.log(`${name}: ${done} of ${count} in ${Math.round(seconds)} s, ${failures.length} failed`);
    for (const { piece, problems } of failures) console.log(`  ${piece}\n    ${problems.join("\n    ")}`);
  }
  console.log(`Written down in ${file}`);
  if (Object.values(state).some(({ failures }) => failures.length > 0)) process.exitCode = 1;
}

/**
 * @param {import("./soak/parts.mjs").Part} part
 * @param {string} value of its flag
 * @param {State} state
 * @param {string} file
 * @param {() => boolean} isStopped
 */
async function runPart(part, value, state, file, isStopped) {
  const { first, count } = part.units(value);
  const before = state[part.name];
  // What was done for other options says nothing about these.
  const standing =
    before?.asked === value ? before : { asked: value, done: 0, count, seconds: 0, ranges: [], failures: [] };
  state[part.name] = standing;
  if (standing.done > 0) console.log(`${part.name}: goes on after ${standing.done} of ${count}`);
  while (standing.done < count && !isStopped()) {
    const size = Math.min(part.pieceSize, count - standing.done);
    const startedMs = performance.now();
    const from = first + standing.done;
    const commit = commitNow();
    /** @type {Range} */
    const range = { commit, from, to: from + size - 1, operations: 0, counts: {} };
    const failures = await part.run(from, size, (tally) => Object.assign(range, tally));
    join(standing.ranges, range);
    standing.seconds += (performance.now() - startedMs) / 1_000;
    standing.done += size;
    standing.failures.push(...failures);
    write(file, state);
    const leftMinutes = ((standing.seconds / standing.done) * (count - standing.done)) / 60;
    console.log(
      `${part.name}: ${standing.done} of ${count}, ${standing.failures.length} failed, about ${leftMinutes.toFixed(1)} min left`,
    );
    for (const { piece, problems } of failures) console.log(`  FAILED ${piece}: ${problems[0] ?? ""}`);
  }
}

/** The commit that is checked out; with a plus where the files differ from it. */
function commitNow() {
  const git = (/** @type {string[]} */ ...args) =>
    execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
  return `${git("rev-parse", "HEAD")}${git("status", "--porcelain") === "" ? "" : "+"}`;
}

/** What follows on the last range on the same commit becomes a part of it. @param {Range[]} ranges @param {Range} range */
function join(ranges, range) {
  const last = ranges.at(-1);
  if (last?.commit !== range.commit || last.to + 1 !== range.from) return void ranges.push(range);
  last.to = range.to;
  last.operations += range.operations;
  for (const [name, count] of Object.entries(range.counts))
    last.counts[name] = (last.counts[name] ?? 0) + count;
}

/** @param {string} file @returns {State} */
function read(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
}

/** Whole or not at all, whenever the run is ended. @param {string} file @param {State} state */
function write(file, state) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`);
  renameSync(`${file}.new`, file);
}

await whenMain(import.meta.url, main);
