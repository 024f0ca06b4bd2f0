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

const { createRole } = await import((process.argv[2]));
const role = createRole();

process.on("message", async (/** @type {{ id: number, method: string, args: any }} */ request) => {
  const { id, method, args } = request;
  try {
    const call = role[method] ?? common[method];
    if (call === undefined) throw new Error(`This role has no method "${method}".`);
    process.send?.({ id, result: await call(args ?? {}) });
  } catch (error) {
    process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});

// A child never outlives the harness, however that ends.
process.on("disconnect", () => process.exit(0));
process.send?.({ ready: true });
