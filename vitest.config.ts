import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { plant } from "./tests/faults/plant.js";
import { LongestFirst } from "./tests/support/longest-first.js";

const packages = fileURLToPath(new URL("./packages/", import.meta.url));

// Tests run on the sources: a subpath of a package is the same path under its src folder.
export default defineConfig({
  plugins: plant(process.env["LANDFALL_FAULT"]),
  resolve: {
    alias: [
      { find: /^#net$/, replacement: `${packages}client/src/node-net.ts` },
      { find: /^@landfall\/([a-z-]+)$/, replacement: `${packages}$1/src/index.ts` },
      { find: /^@landfall\/([a-z-]+)\/(.+)$/, replacement: `${packages}$1/src/$2.ts` },
    ],
  },
  test: {
    include: [
      "packages/*/src/**/*.test.{ts,tsx}",
      "tests/**/*.test.{ts,tsx}",
      "examples/*/src/**/*.test.{ts,tsx}",
    ],
    setupFiles: ["tests/support/seed.ts"],
    // How long something may take before it counts as one that hangs, also on a machine with much else to do. No test
    // measures time: how fast something is, `bench/` measures.
    testTimeout: 240_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 120_000 } },
    pool: "forks",
    // A process of its own for each file costs as much as a third of all tests: they leave nothing behind instead.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    maxWorkers: 2,
  },
});
