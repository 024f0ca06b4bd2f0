import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { cacheFolder, root } from "../child.mjs";
import { sources } from "../sources.mjs";

/**
 * A deliberate mistake, as `packages/simulation/src/bugs` and `tests/faults` have them.
 *
 * @typedef {{ name: string, file: string, find: string, replace: string }} Bug
 */

/** Plants a mistake while its file is read. @param {Bug} bug @returns {import("esbuild").Plugin} */
const planting = (bug) => ({
  name: "landfall-bug",
  setup(building) {
    building.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      if (path.replaceAll("\\", "/") !== `${root.replaceAll("\\", "/")}/${bug.file}`) return undefined;
      const { planted } = await load("tests/faults/fault.ts");
      return { contents: planted(bug, readFileSync(path, "utf8")), loader: "ts" };
    });
  },
});

/**
 * Bundles a TypeScript file of the workspace into the cache folder, from the sources of all packages.
 *
 * @param {string} entry relative to the workspace
 * @param {string} name of the bundle, different where the text may be
 * @param {Bug} [bug] planted into the bundle; the sources stay as they are
 * @returns {Promise<string>} the bundle's path
 */
export async function bundle(entry, name, bug) {
  const { outputFiles } = await build({
    entryPoints: [`${root}/${entry}`],
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    sourcemap: "inline",
    external: ["@photostructure/sqlite", "ws"],
    plugins: [sources("node"), ...(bug === undefined ? [] : [planting(bug)])],
    logLevel: "silent",
  });
  mkdirSync(cacheFolder, { recursive: true });
  const file = `${cacheFolder}/${name}.mjs`;
  // Another run may read the file at this moment.
  writeFileSync(`${file}.${process.pid}`, outputFiles[0]?.contents ?? "");
  renameSync(`${file}.${process.pid}`, file);
  return file;
}

/** Imports a TypeScript file of the workspace, which the oldest Node that we support does not read by itself. @param {string} entry @returns {Promise<any>} */
export async function load(entry) {
  return import(`${await bundle(entry, entry.replaceAll(/[^a-z0-9]+/g, "-"))}?${process.pid}`);
}
