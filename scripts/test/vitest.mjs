import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { cacheFolder, runNode } from "../child.mjs";

/**
 * Runs vitest and counts its tests. Its own report is shown as it comes.
 *
 * @param {string} name of the run, for the file of its report
 * @param {{ node?: string, filters?: readonly string[], without?: readonly string[], env?: NodeJS.ProcessEnv }} options
 *   `filters` are parts of paths, as on vitest's command line; `without` are patterns of paths to leave out
 * @returns {Promise<import("./outcome.mjs").Outcome>}
 */
export async function runVitest(name, { node, filters = [], without = [], env = process.env }) {
  const reportFile = `${cacheFolder}/vitest-${name}.json`;
  mkdirSync(cacheFolder, { recursive: true });
  // A report of an earlier run must never be counted for one that did not get so far.
  rmSync(reportFile, { force: true });
  const { code } = await runNode(
    "node_modules/vitest/vitest.mjs",
    [
      "run",
      ...filters,
      ...without.map((path) => `--exclude=${path}`),
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${reportFile}`,
    ],
    { node, env, live: true },
  );
  if (!existsSync(reportFile)) {
    return {
      passed: 0,
      failed: 1,
      skipped: [],
      output: `vitest ended with code ${code} and left no report.`,
    };
  }
  return count(JSON.parse(readFileSync(reportFile, "utf8")), code);
}

/** @param {any} report vitest's JSON report @param {number} code @returns {import("./outcome.mjs").Outcome} */
function count(report, code) {
  let passed = 0;
  let failed = 0;
  /** @type {{ name: string, reason: string }[]} */
  const skipped = [];
  for (const file of report.testResults) {
    let failedHere = 0;
    for (const test of file.assertionResults) {
      if (test.status === "passed") passed += 1;
      else if (test.status === "failed") failedHere += 1;
      else skipped.push({ name: test.fullName, reason: reasonOf(test.fullName) });
    }
    // A file that breaks before its tests are known has none to count.
    if (file.status === "failed" && failedHere === 0) failedHere = 1;
    failed += failedHere;
  }
  // vitest also fails for what no test is to blame for, e.g. a promise that was rejected after its test.
  if (code !== 0 && failed === 0) failed = 1;
  return { passed, failed, skipped };
}

/** `tests/support/require.ts` puts what is missing into the title. @param {string} title */
function reasonOf(title) {
  const missing = /\[needs ([a-z]+)\]/.exec(title)?.[1];
  return missing === undefined
    ? "skipped by the test itself"
    : `needs ${missing}, which this machine does not have`;
}
