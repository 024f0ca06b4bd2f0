import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * Where the time of CPU profiles went: `node bench/profile.mjs [--top N] FILE…` prints, per file, the
 * functions with the most time of their own and with the most time including what they call.
 *
 * @typedef {{ functionName: string, url: string, lineNumber: number }} CallFrame
 * @typedef {{ id: number, callFrame: CallFrame, children?: number[] }} ProfileNode
 * @typedef {{ nodes: ProfileNode[], samples: number[], timeDeltas: number[] }} Profile
 */

const waiting = new Set(["(idle)", "(root)", "(program)"]);

/**
 * Self and total milliseconds per function; a function that is on the stack twice counts once.
 * @param {Profile} profile
 */
export function timeByFunction({ nodes, samples, timeDeltas }) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  /** @type {Map<number, number>} */
  const parents = new Map();
  for (const node of nodes) for (const child of node.children ?? []) parents.set(child, node.id);
  /** @type {Map<string, { selfMs: number, totalMs: number }>} */
  const times = new Map();
  const add = (
    /** @type {string} */ name,
    /** @type {"selfMs" | "totalMs"} */ kind,
    /** @type {number} */ ms,
  ) => {
    const time = times.get(name) ?? { selfMs: 0, totalMs: 0 };
    time[kind] += ms;
    times.set(name, time);
  };
  for (let i = 0; i < samples.length; i++) {
    const ms = timeDeltas[i] / 1000;
    const seen = new Set();
    for (let id = /** @type {number | undefined} */ (samples[i]); id !== undefined; id = parents.get(id)) {
      const name = describe(/** @type {ProfileNode} */ (byId.get(id)).callFrame);
      if (id === samples[i]) add(name, "selfMs", ms);
      if (!seen.has(name)) add(name, "totalMs", ms);
      seen.add(name);
    }
  }
  return times;
}

/** @param {CallFrame} frame */
function describe({ functionName, url, lineNumber }) {
  if (url === "") return functionName;
  const file = url.replace(/^.*\/node_modules\//, "").replace(/^file:.*\/(packages|bench)\//, "$1/");
  return `${functionName || "(anonymous)"}  ${file}:${lineNumber + 1}`;
}

/** @param {readonly string[]} argv */
function print(argv) {
  const top = argv[0] === "--top" ? Number(argv[1]) : 25;
  for (const file of argv[0] === "--top" ? argv.slice(2) : argv) {
    const times = [...timeByFunction(JSON.parse(readFileSync(file, "utf8")))].filter(
      ([name]) => !waiting.has(name),
    );
    const busyMs = times.reduce((sum, [, { selfMs }]) => sum + selfMs, 0);
    process.stdout.write(`\n${basename(file)}: ${busyMs.toFixed(0)} ms busy\n`);
    for (const kind of /** @type {const} */ (["selfMs", "totalMs"])) {
      process.stdout.write(`  ${kind === "selfMs" ? "of its own" : "with what it calls"}\n`);
      for (const [name, time] of times.toSorted((a, b) => b[1][kind] - a[1][kind]).slice(0, top)) {
        process.stdout.write(
          `  ${time[kind].toFixed(1).padStart(9)} ms ${((100 * time[kind]) / busyMs).toFixed(1).padStart(5)} %  ${name}\n`,
        );
      }
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) print(process.argv.slice(2));
