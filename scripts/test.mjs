import { build } from "./build.mjs";
import { whenMain } from "./child.mjs";
import { setUp } from "./setup.mjs";
import { sum } from "./test/outcome.mjs";
import { steps } from "./test/steps.mjs";

const help = `npm test [-- --only STEP[,STEP…]]

Sets up, builds and checks everything; ends with code 0 only when nothing failed.
The last line is "N passed, N failed, N skipped". What could not run on this machine
is counted as skipped and named above that line, unless LANDFALL_REQUIRE names what
was missing (a list of: postgres, nats, chromium): then it has failed.

Steps:
${steps.map(({ name, what }) => `  ${name.padEnd(12)}${what}`).join("\n")}
`;

/** @typedef {import("./test/outcome.mjs").Outcome} Outcome */
/** @typedef {(typeof steps)[number]} Step */

async function main() {
  const chosen = chooseSteps(process.argv.slice(2));
  if (chosen === undefined) {
    console.log(help);
    return;
  }
  const needsBuild = chosen.some((step) => step.needsBuild);
  const prepared = await runStep({
    name: needsBuild ? "build" : "setup",
    what: needsBuild ? "install and build" : "install",
    quiet: false,
    work: async () => {
      await (needsBuild ? build() : setUp());
      return { passed: 1, failed: 0, skipped: [] };
    },
  });
  // Without an install, or with an old build, whatever else could be said would be about other code.
  if (prepared.failed > 0) {
    printTotals(prepared);
    return;
  }
  const quiet = chosen.filter((step) => step.quiet);
  /** @type {Outcome[]} */
  const outcomes = [prepared];
  const takeInTurn = async () => {
    for (let step = quiet.shift(); step !== undefined; step = quiet.shift())
      outcomes.push(await runStep(step));
  };
  // Two at a time: the checks are single programs and continuous integration has two cores.
  await Promise.all([takeInTurn(), takeInTurn()]);
  for (const step of chosen) if (!step.quiet) outcomes.push(await runStep(step));
  printTotals(sum(outcomes));
}

/** The steps to run, or undefined when help is wanted. @param {readonly string[]} args */
function chooseSteps(args) {
  if (args.length === 0) return steps;
  if (args.includes("--help") || args.includes("-h")) return undefined;
  const [flag, names] = args;
  const wanted = names?.split(",") ?? [];
  const unknown = wanted.filter((name) => !steps.some((step) => step.name === name));
  if (flag !== "--only" || args.length !== 2 || unknown.length > 0) {
    throw new Error(`Not understood: ${args.join(" ")}\n\n${help}`);
  }
  return steps.filter(({ name }) => wanted.includes(name));
}

/** @param {Pick<Step, "name" | "what" | "quiet" | "work">} step @returns {Promise<Outcome>} */
async function runStep({ name, quiet, work, what }) {
  if (!quiet) console.log(`\n${name}: ${what}`);
  const started = performance.now();
  /** @type {Outcome} */
  let outcome;
  try {
    outcome = await work();
  } catch (error) {
    outcome = {
      passed: 0,
      failed: 1,
      skipped: [],
      output: error instanceof Error ? error.message : String(error),
    };
  }
  const { failed, output, note } = outcome;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const text = note === undefined ? what : `${what}: ${note}`;
  console.log(`${failed === 0 ? "ok    " : "FAILED"} ${name.padEnd(11)} ${seconds.padStart(6)} s  ${text}`);
  if (failed > 0 && output !== undefined && output !== "") console.log(`\n${output.trimEnd()}\n`);
  return outcome;
}

/** @param {Outcome} total */
function printTotals({ passed, failed, skipped }) {
  console.log("");
  for (const reason of new Set(skipped.map((one) => one.reason))) {
    const names = skipped.filter((one) => one.reason === reason).map(({ name }) => name);
    console.log(`Skipped, ${reason}:\n${names.map((name) => `  ${name}`).join("\n")}`);
  }
  console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  if (failed > 0) process.exitCode = 1;
}

await whenMain(import.meta.url, main);
