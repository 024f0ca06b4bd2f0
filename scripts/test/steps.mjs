import { existsSync } from "node:fs";
import { measureBundle } from "../bundle-size.mjs";
import { root, runNode } from "../child.mjs";
import { findNode, otherNodeMajors, whyNoOtherNodes } from "./node-versions.mjs";
import { fromExit } from "./outcome.mjs";
import { checkPublishing } from "./publishing.mjs";
import { runVitest } from "./vitest.mjs";

/** Long tests of what the code decides, which is the same on every Node: models, fuzzing, and the kit's own faults. */
const aboutLogic = [
  "packages/**/*.model.test.ts",
  "packages/**/*-fuzz.test.ts",
  "packages/cli/src/conformance-faults.test.ts",
];

/** The one trip from end to end that is also made on the other versions of Node. */
const smokeTest = "tests/end-to-end/smoke.test.ts";

/**
 * The steps of `npm test` after set-up, in order. Those that are `quiet` collect their output, so two of them
 * may run at the same time.
 *
 * @type {readonly {
 *   name: string,
 *   what: string,
 *   needsBuild: boolean,
 *   quiet: boolean,
 *   work: () => Promise<import("./outcome.mjs").Outcome>,
 * }[]}
 */
export const steps = [
  {
    name: "types",
    what: "type check of the tests and scripts",
    needsBuild: false,
    quiet: true,
    work: async () =>
      fromExit(await runNode("node_modules/typescript/bin/tsc", ["-b", "tsconfig.test.json", "--pretty"])),
  },
  {
    name: "lint",
    what: "oxlint with type information",
    needsBuild: true,
    quiet: true,
    work: async () => fromExit(await runNode("node_modules/oxlint/bin/oxlint", ["--deny-warnings"])),
  },
  {
    name: "format",
    what: "oxfmt --check",
    needsBuild: false,
    quiet: true,
    work: async () => fromExit(await runNode("node_modules/oxfmt/bin/oxfmt", ["--check"])),
  },
  {
    name: "unused",
    what: "knip: files, exports and dependencies that nothing uses",
    needsBuild: false,
    quiet: true,
    work: async () => fromExit(await runNode("node_modules/knip/bin/knip.js", ["--no-progress"])),
  },
  {
    name: "publishing",
    what: "publint and attw on the packed packages",
    needsBuild: true,
    quiet: true,
    work: checkPublishing,
  },
  {
    name: "size",
    what: "size of the client in a web app",
    needsBuild: true,
    quiet: true,
    work: async () => {
      const { bytes, limitBytes, chunks } = await measureBundle();
      const note = `${bytes} of at most ${limitBytes} bytes`;
      if (bytes <= limitBytes) return { passed: 1, failed: 0, skipped: [], note };
      return { passed: 0, failed: 1, skipped: [], note, output: JSON.stringify(chunks, null, 2) };
    },
  },
  {
    name: "tests",
    what: `all tests on this Node, ${process.version}`,
    needsBuild: true,
    quiet: false,
    work: () => runVitest("all", {}),
  },
  ...otherNodeMajors.map((major) => ({
    name: `node-${major}`,
    what: `the packages' tests and one from end to end on Node ${major}`,
    needsBuild: true,
    quiet: false,
    work: () => runOnNode(major),
  })),
];

/** @param {number} major @returns {Promise<import("./outcome.mjs").Outcome>} */
async function runOnNode(major) {
  const why = whyNoOtherNodes();
  if (why !== undefined) return { passed: 0, failed: 0, skipped: [{ name: `node-${major}`, reason: why }] };
  // vitest takes a filter that finds nothing for a narrow choice; here it would be a check that is gone.
  if (!existsSync(`${root}/${smokeTest}`)) throw new Error(`${smokeTest} is missing.`);
  const { path, version } = await findNode(major);
  // The tests of the packages include the conformance suites of the ports.
  return {
    ...(await runVitest(`node-${major}`, {
      node: path,
      filters: ["packages/", smokeTest],
      without: aboutLogic,
    })),
    note: version,
  };
}
