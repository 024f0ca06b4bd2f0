/**
 * What runs in every measured process: one role (a server or a client of one driver), called by the
 * harness over the IPC channel, one request at a time.
 *
 * Started as `node child.mjs <url of the role's module>`; the module exports `createRole()`, an object
 * of async methods. The methods below are there for every role.
 */
import { watchTraffic } from "./traffic.mjs";
import { memoryUse } from "./memory.mjs";

const traffic = watchTraffic();

/** @type {Record<string, (args: any) => unknown>} */
const common = {
  memory: memoryUse,
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  traffic: () => traffic.read(),
  resetTraffic: () => traffic.reset(),
  exit: () => {
    // After the answer has been flushed; a CPU profile is written only on an orderly exit.
    setImmediate(() => process.exit(0));
  },
};

const { createRole } = await import(process.argv[2]);
const role = createRole();

/** @param {{ id: number, method: string, args: any }} request */
async function answer({ id, method, args = {} }) {
  try {
    if (!(method in role) && common[method] === undefined)
      throw new Error(`This role has no method "${method}".`);
    const result = await (method in role ? role[method](args) : common[method]?.(args));
    process.send?.({ id, result });
  } catch (error) {
    process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

process.on("message", (/** @type {any} */ request) => void answer(request));

// A child never outlives the harness, however that ends.
process.on("disconnect", () => process.exit(0));
process.send?.({ ready: true });
