import { spawn } from "node:child_process";
import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The folder of the workspace, without a trailing slash. */
export const root = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");

/** Where scripts keep what can be made again: other Node versions, an unpacked browser, build stamps. */
export const cacheFolder = `${root}/node_modules/.cache/landfall`;

/**
 * Runs a program to its end.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, live?: boolean, shell?: boolean }} [options]
 *   `live` shows the output as it comes; otherwise it is collected.
 * @returns {Promise<{ code: number, output: string }>} `code` is 1 when a signal ended the program, or when
 *   it could not be started.
 */
export function run(command, args, { cwd = root, env = process.env, live = false, shell = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env,
      shell,
      stdio: live ? "inherit" : ["ignore", "pipe", "pipe"],
    });
    let output = "";
    child.stdout?.setEncoding("utf8").on("data", (text) => (output += text));
    child.stderr?.setEncoding("utf8").on("data", (text) => (output += text));
    child.on("error", (error) =>
      resolve({ code: 1, output: `${output}${command} could not be started: ${error.message}\n` }),
    );
    child.on("close", (code, signal) => {
      const ended = signal === null ? "" : `${command} was ended by ${signal}.\n`;
      resolve({ code: code ?? 1, output: output + ended });
    });
  });
}

/**
 * Runs a JavaScript program of an installed package on this Node, or on the one given, so that no shell and
 * no `.bin` folder takes part.
 *
 * @param {string} file relative to the workspace, e.g. `node_modules/typescript/bin/tsc`
 * @param {readonly string[]} args
 * @param {Parameters<typeof run>[2] & { node?: string }} [options]
 */
export function runNode(file, args, { node = process.execPath, ...options } = {}) {
  return run(node, [`${root}/${file}`, ...args], options);
}

/**
 * Runs npm: the one that started this script when there is one, else the one on the path.
 *
 * @param {readonly string[]} args
 * @param {Parameters<typeof run>[2]} [options]
 */
export function runNpm(args, options = {}) {
  const started = process.env.npm_execpath;
  if (started !== undefined && /npm-cli\.c?js$/.test(started))
    return run(process.execPath, [started, ...args], options);
  // On Windows npm is a batch file, which only a shell can start.
  return run("npm", args, { ...options, shell: process.platform === "win32" });
}

/**
 * Runs `work` when the file of `url` is the program itself and not an import. An error ends the process with
 * code 1 and its message alone: these are messages for people, their stack says nothing to them.
 *
 * @param {string} url the `import.meta.url` of the caller
 * @param {() => Promise<unknown>} work
 */
export async function whenMain(url, work) {
  const started = process.argv[1];
  if (started === undefined || realpathSync(started) !== fileURLToPath(url)) return;
  try {
    await work();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
