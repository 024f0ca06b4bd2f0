import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { cacheFolder, whenMain } from "./child.mjs";
import { load } from "./sim/bundle.mjs";

const help = `node scripts/fuzz.mjs [--inputs 1000000] [--seed 20261121] [--from N] [--only decoders,http,socket,client,import]
                     [--state FILE] [--json FILE]

Feeds inputs that are made from the declarations of messages, and damaged, to every decoder, every endpoint, the
socket, the client and the import. Each is made from the seed and its own number: \`--from N --inputs 1\` makes one again.
A run that is stopped (Ctrl-C) goes on from where it was when it is started again with the same seed and --state.
Ends with code 1 when anything threw past an edge, a server failed, or memory grew.
`;

/** What a run may keep beyond what it had after its first tenth. */
const maxGrowthBytes = 32_000_000;

/**
 * @param {{ inputs: number, seed: number, from?: number, only?: readonly string[], state?: string, log?: (line: string) => void }} options
 * @returns {Promise<import("../tests/fuzz/fuzz.js").FuzzReport & { ok: boolean, growthBytes: number }>}
 */
export async function runFuzz({ inputs, seed, from, only, state, log = () => undefined }) {
  const { fuzz } = /** @type {typeof import("../tests/fuzz/fuzz.js")} */ (await load("tests/fuzz/fuzz.ts"));
  let stopped = false;
  const stop = () => {
    stopped = true;
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  /** @type {unknown[]} */
  const unhandled = [];
  const note = (/** @type {unknown} */ reason) => void unhandled.push(reason);
  process.on("unhandledRejection", note);
  const began = from ?? savedStart(state, seed);
  const started = performance.now();
  const report = await fuzz({
    seed,
    from: began,
    to: (from ?? 0) + inputs,
    ...(only === undefined ? {} : { only }),
    stop: () => stopped,
    progress(next) {
      if (state !== undefined) save(state, { seed, next });
      const perSecond = Math.round(((next - began) * 1_000) / (performance.now() - started));
      if ((next - 1) % 50_000 === 0) log(`${next} inputs, ${perSecond} a second`);
    },
  });
  process.off("SIGINT", stop).off("SIGTERM", stop).off("unhandledRejection", note);
  if (state !== undefined) save(state, { seed, next: report.to });
  const failures = [
    ...report.failures,
    ...unhandled.map((reason) => ({
      input: -1,
      target: "process",
      message: `a promise was rejected and nobody saw: ${String(reason)}`,
    })),
  ];
  const growthBytes = report.heap.late - report.heap.early;
  return { ...report, failures, growthBytes, ok: failures.length === 0 && growthBytes < maxGrowthBytes };
}

/** @param {string | undefined} state @param {number} seed */
function savedStart(state, seed) {
  if (state === undefined || !existsSync(state)) return 0;
  const saved = /** @type {{ seed: number, next: number }} */ (JSON.parse(readFileSync(state, "utf8")));
  return saved.seed === seed ? saved.next : 0;
}

/** @param {string} path @param {object} value */
function save(path, value) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}

await whenMain(import.meta.url, async () => {
  const { values } = parseArgs({
    options: {
      inputs: { type: "string", default: "1000000" },
      seed: { type: "string", default: "20261121" },
      from: { type: "string" },
      only: { type: "string" },
      state: { type: "string", default: `${cacheFolder}/fuzz.json` },
      json: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return console.log(help);
  const report = await runFuzz({
    inputs: Number(values.inputs),
    seed: Number(values.seed),
    ...(values.from === undefined ? { state: values.state } : { from: Number(values.from) }),
    ...(values.only === undefined ? {} : { only: values.only.split(",") }),
    log: (line) => console.log(line),
  });
  if (values.json !== undefined) save(values.json, report);
  for (const [name, { taken, refused }] of Object.entries(report.targets))
    console.log(
      `${name.padEnd(10)} ${String(taken + refused).padStart(9)} inputs, ${taken} taken, ${refused} refused`,
    );
  for (const { input, target, message } of report.failures)
    console.log(`FAILED input ${input} (${target}): ${message}`);
  const { from, to, seconds, growthBytes } = report;
  console.log(
    `inputs ${from} to ${to} in ${Math.round(seconds)} s, ${report.failures.length} failures, memory grew by ${Math.round(growthBytes / 1_000)} kB`,
  );
  if (!report.ok) process.exitCode = 1;
  return undefined;
});
