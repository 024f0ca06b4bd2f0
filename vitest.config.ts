import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { plant } from "./tests/faults/plant.js";

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
    testTimeout: 60_000,
    pool: "forks",
    maxWorkers: 2,
  },
});
