import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const childFile = fileURLToPath(new URL("./child.mjs", import.meta.url));

/** How long one call may take before the run is given up. */
const callTimeoutMs = 120_000;

/**
 * One measured process. `call` runs a method of its role and gives its result.
 * @typedef {object} Child
 * @property {(method: string, args?: object) => Promise<any>} call
 * @property {() => Promise<void>} end Ends the process, by force if it does not go by itself.
 */

/**
 * Starts processes and ends every one of them, whatever happens in between.
 *
 * @template T
 * @param {{ profileDir?: string }} options With `profileDir`, each process writes a CPU profile there.
 * @param {(start: (module: URL, label: string, nodeFlags?: string[]) => Promise<Child>) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withProcesses({ profileDir }, work) {
  /** @type {Child[]} */
  const children = [];
  try {
    return await work(async (module, label, nodeFlags = []) => {
      const profile = profileDir === undefined ? [] : profileFlags(profileDir, label);
      const child = await startChild(module, [...nodeFlags, ...profile]);
      children.push(child);
      return child;
    });
  } finally {
    await Promise.all(children.map((child) => child.end()));
  }
}

let profiles = 0;

/**
 * @param {string} profileDir
 * @param {string} label
 */
function profileFlags(profileDir, label) {
  profiles++;
  return [
    "--cpu-prof",
    "--cpu-prof-interval=200",
    `--cpu-prof-dir=${profileDir}`,
    `--cpu-prof-name=${label}-${profiles}.cpuprofile`,
  ];
}

/**
 * @param {URL} module
 * @param {string[]} nodeFlags
 * @returns {Promise<Child>}
 */
async function startChild(module, nodeFlags) {
  const child = fork(childFile, [module.href], {
    execArgv: ["--no-warnings", ...nodeFlags],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  const waiting = new Map();
  let nextId = 1;
  const exited = new Promise((resolve) => child.once("exit", resolve));

  await new Promise((resolve, reject) => {
    child.once("exit", (code) =>
      reject(new Error(`A process for ${module.href} ended with code ${code} before it was ready.`)),
    );
    child.on("message", (/** @type {any} */ message) => {
      if (message.ready === true) return resolve(undefined);
      const call = waiting.get(message.id);
      waiting.delete(message.id);
      if (message.error === undefined) call?.resolve(message.result);
      else call?.reject(new Error(message.error));
    });
  });
  child.once("exit", (code) => {
    for (const call of waiting.values())
      call.reject(new Error(`The process for ${module.href} ended with code ${code} during a call.`));
    waiting.clear();
  });

  /** @type {Child["call"]} */
  const call = (method, args) => {
    const id = nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`"${method}" of ${module.href} took more than ${callTimeoutMs} ms.`)),
        callTimeoutMs,
      );
      const settle = (/** @type {(value: any) => void} */ then) => (/** @type {any} */ value) => {
        clearTimeout(timer);
        then(value);
      };
      waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
      child.send({ id, method, args });
    });
  };
  const end = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const force = setTimeout(() => child.kill("SIGKILL"), 10_000);
    if (child.connected) child.send({ id: 0, method: "exit" });
    await exited;
    clearTimeout(force);
  };
  return { call, end };
}
