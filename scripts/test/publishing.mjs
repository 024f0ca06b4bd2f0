import { mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { cacheFolder, root, runNode, runNpm } from "../child.mjs";
import { fromExit, sum } from "./outcome.mjs";

/**
 * Packs every package as it would be published and has publint and attw look at the tarballs: what is wrong
 * with exports and types shows only there.
 *
 * @returns {Promise<import("./outcome.mjs").Outcome>}
 */
export async function checkPublishing() {
  const folder = `${cacheFolder}/tarballs`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const packages = readdirSync(`${root}/packages`).filter((name) => !isPrivate(name));
  const pack = await runNpm([
    "pack",
    "--pack-destination",
    folder,
    ...packages.map((name) => `--workspace=packages/${name}`),
  ]);
  if (pack.code !== 0) return fromExit(pack);
  const tarballs = readdirSync(folder).map((name) => `${folder}/${name}`);
  const outcomes = [];
  for (const tarball of tarballs) {
    outcomes.push(fromExit(await runNode("node_modules/publint/src/cli.js", ["run", tarball, "--strict"])));
    const args = [tarball, "--profile", "esm-only", "--no-emoji", "--no-color", "--format", "ascii"];
    outcomes.push(fromExit(await runNode("node_modules/@arethetypeswrong/cli/dist/index.js", args)));
  }
  return sum(outcomes);
}

/** @param {string} name of a folder under `packages/` */
function isPrivate(name) {
  return JSON.parse(readFileSync(`${root}/packages/${name}/package.json`, "utf8")).private === true;
}
