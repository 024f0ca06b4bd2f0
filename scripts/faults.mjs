import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { build } from "esbuild";
import { cacheFolder, root, whenMain } from "./child.mjs";

const help = `node scripts/faults.mjs [--only NAME[,NAME…]] [--list]

Plants each fault of tests/faults into the sources, one at a time, and runs the test that must catch it.
A fault counts as passed when that test turns red, and is green without the fault.
The last line is "N passed, N failed, N skipped".
`;

/**
 * How much longer one test may run with a fault in the code than all of them do without, on this machine; a loop that
 * never ends is a fault caught as well.
 */
const patienceMs = 60_000;

/** @typedef {import("../tests/faults/fault.js").Fault} Fault */
/** @typedef {{ fault: Fault, caught: boolean, note: string, seconds: number }} Verdict */

async function main() {
  const [flag, value] = process.argv.slice(2);
  if (flag === "--help" || flag === "-h") {
    console.log(help);
    return;
  }
  const all = await loadFaults();
  if (flag === "--list") {
    for (const { name, rule, why } of all) console.log(`${name.padEnd(44)} ${rule.padEnd(8)} ${why}`);
    return;
  }
  const names = flag === "--only" ? (value ?? "").split(",") : undefined;
  const unknown = names?.filter((name) => !all.some((fault) => fault.name === name)) ?? [];
  if ((flag !== undefined && names === undefined) || unknown.length > 0) {
    throw new Error(`Not understood: ${process.argv.slice(2).join(" ")}\n\n${help}`);
  }
  const chosen = names === undefined ? all : all.filter((fault) => names.includes(fault.name));
  const verdicts = await judge(chosen);
  for (const { fault, caught, note, seconds } of verdicts) {
    console.log(
      `${caught ? "caught" : "MISSED"}  ${fault.name.padEnd(44)} ${fault.rule.padEnd(8)} ${seconds.toFixed(1).padStart(6)} s  ${note}`,
    );
  }
  const failed = verdicts.filter(({ caught }) => !caught).length;
  console.log(
    `\n${verdicts.length - failed} passed, ${failed} failed, ${all.length - chosen.length} skipped`,
  );
  if (failed > 0) process.exitCode = 1;
}

/** The faults are TypeScript, which the oldest Node that we support does not read. @returns {Promise<readonly Fault[]>} */
async function loadFaults() {
  const { outputFiles } = await build({
    entryPoints: [`${root}/tests/faults/faults.ts`],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
  });
  const text = outputFiles[0]?.text ?? "";
  const module = await import(`data:text/javascript;base64,${Buffer.from(text).toString("base64")}`);
  return module.faults;
}

/** @param {readonly Fault[]} faults @returns {Promise<Verdict[]>} */
async function judge(faults) {
  const files = [...new Set(faults.map((fault) => fault.test.file))];
  const begun = performance.now();
  const sound = await runTests("sound", files, {});
  const mostMs = performance.now() - begun + patienceMs;
  /** @type {(Verdict | undefined)[]} */
  const verdicts = faults.map(() => undefined);
  let next = 0;
  const takeInTurn = async () => {
    for (let at = next++; at < faults.length; at = next++) {
      const fault = /** @type {Fault} */ (faults[at]);
      const green = sound.tests.filter((test) => isOf(fault, test));
      const started = performance.now();
      const outcome =
        green.length === 0 || green.some(({ status }) => status !== "passed")
          ? {
              caught: false,
              note: `without the fault the test ${green.length === 0 ? "does not exist" : "is not green"}`,
            }
          : await judgeOne(fault, mostMs);
      verdicts[at] = { fault, ...outcome, seconds: (performance.now() - started) / 1000 };
    }
  };
  // Two at a time: continuous integration has two cores.
  await Promise.all([takeInTurn(), takeInTurn()]);
  return /** @type {Verdict[]} */ (verdicts);
}

/** @param {Fault} fault @param {number} mostMs */
async function judgeOne(fault, mostMs) {
  const run = await runTests(fault.name, [fault.test.file], { fault, mostMs });
  const tests = run.tests.filter((test) => isOf(fault, test));
  if (run.timedOut) return { caught: true, note: "the test did not end" };
  if (tests.length === 0) return { caught: false, note: `the test did not run: ${run.problem}` };
  const red = tests.some(({ status }) => status === "failed");
  return { caught: red, note: red ? `red: ${fault.test.file}` : `still green: ${fault.test.title}` };
}

/** @param {Fault} fault @param {{ fullName: string, file: string }} test */
function isOf(fault, { fullName, file }) {
  return file === `${root}/${fault.test.file}` && fullName.includes(fault.test.title);
}

/**
 * @param {string} name of the run
 * @param {readonly string[]} files
 * @param {{ fault?: Fault, mostMs?: number }} options without `mostMs` it may take as long as it likes
 * @returns {Promise<{ tests: { fullName: string, status: string, file: string }[], problem: string, timedOut: boolean }>}
 *   `problem` is what kept a file's tests from running
 */
async function runTests(name, files, { fault, mostMs }) {
  const reportFile = `${cacheFolder}/fault-${name}.json`;
  mkdirSync(cacheFolder, { recursive: true });
  rmSync(reportFile, { force: true });
  const only = fault === undefined ? [] : ["-t", fault.test.title.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")];
  const workers = fault === undefined ? 2 : 1;
  const { output, timedOut } = await runPatiently(
    [
      "run",
      ...files,
      ...only,
      `--maxWorkers=${workers}`,
      "--reporter=json",
      `--outputFile.json=${reportFile}`,
    ],
    { ...process.env, LANDFALL_FAULT: fault?.name ?? "" },
    mostMs,
  );
  /** @type {any} */
  let report = { testResults: [] };
  try {
    report = JSON.parse(readFileSync(reportFile, "utf8"));
  } catch {
    // A run that broke off leaves no report, which is what the caller then says.
  }
  const tests = report.testResults.flatMap((/** @type {any} */ { name: file, assertionResults }) =>
    assertionResults.map((/** @type {any} */ { fullName, status }) => ({ fullName, status, file })),
  );
  const messages = report.testResults.map((/** @type {any} */ { message }) => message).filter(Boolean);
  const problem = (messages[0] ?? output).trim().split("\n")[0];
  return { tests, problem, timedOut };
}

/**
 * Runs vitest in a process group of its own: a worker in a loop without an end hears nothing, and must be
 * ended together with the process that started it.
 *
 * @param {readonly string[]} args @param {NodeJS.ProcessEnv} env @param {number | undefined} mostMs
 * @returns {Promise<{ output: string, timedOut: boolean }>}
 */
function runPatiently(args, env, mostMs) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [`${root}/node_modules/vitest/vitest.mjs`, ...args], {
      cwd: root,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let output = "";
    let timedOut = false;
    const end = () => {
      timedOut = true;
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    };
    const timer = mostMs === undefined ? undefined : setTimeout(end, mostMs);
    child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (output += text));
    child.on("error", reject);
    child.on("close", () => {
      clearTimeout(timer);
      resolve({ output, timedOut });
    });
  });
}

await whenMain(import.meta.url, main);
