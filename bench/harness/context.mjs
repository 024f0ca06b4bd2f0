import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withProcesses } from "./process.mjs";

/** How many records warm a server before it is measured: as many as the compiler needs to have seen all that is hot. */
const warmUpRecords = 20_000;

/** How many single writes warm a server that will be measured by single writes. */
const warmUpWrites = 2_000;

/** How many records one seeding client queues at a time. */
const seedSlice = 10_000;

/**
 * What one run of a workload works with.
 * @typedef {object} Context
 * @property {import("./driver.mjs").Driver} driver
 * @property {(flags?: string[]) => Promise<import("./process.mjs").Child>} client A process with the client role.
 * @property {(dataDir: string, warm?: { live: boolean }) => Promise<{ server: import("./process.mjs").Child, port: number }>} server
 *   A started server, warmed: servers run for long, so their code is compiled when a request comes. Clients start cold.
 *   With `live`, by writes that are passed on one by one, too.
 * @property {(module: URL, label: string, flags?: string[]) => Promise<import("./process.mjs").Child>} start
 * @property {() => string} folder A new, empty folder that is deleted after the benchmark.
 * @property {(count: number) => Promise<string>} seeded A server's data folder with so many records, made once; only to be read.
 */

/**
 * Gives contexts for the runs of a benchmark and deletes their files at the end.
 *
 * @template T
 * @param {(contextFor: <R>(driver: import("./driver.mjs").Driver, options: { profileDir?: string }, run: (context: Context) => Promise<R>) => Promise<R>) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withContexts(work) {
  const root = mkdtempSync(join(tmpdir(), "landfall-bench-"));
  const folder = () => mkdtempSync(join(root, "run-"));
  /** @type {Map<string, Promise<string>>} */
  const seeds = new Map();
  const seeded = (/** @type {import("./driver.mjs").Driver} */ driver, /** @type {number} */ count) => {
    const name = `${driver.name} ${count}`;
    const seed = seeds.get(name) ?? makeSeed(driver, count, folder());
    seeds.set(name, seed);
    return seed;
  };
  try {
    return await work((driver, { profileDir }, run) =>
      withProcesses({ profileDir }, (start) =>
        run({
          driver,
          folder,
          start,
          seeded: (count) => seeded(driver, count),
          client: (flags) => start(driver.client, `${driver.name}-client`, flags),
          server: async (dataDir, { live } = { live: false }) => {
            const server = await start(driver.server, `${driver.name}-server`);
            await warmUp(driver, server, folder(), live);
            const { port } = await server.call("start", { dataDir });
            return { server, port };
          },
        }),
      ),
    );
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/**
 * Has a server take and give some records on data of its own, then stops it.
 * @param {import("./driver.mjs").Driver} driver
 * @param {import("./process.mjs").Child} server
 * @param {string} dataDir
 * @param {boolean} live
 */
async function warmUp(driver, server, dataDir, live) {
  const { port } = await server.call("start", { dataDir });
  await upload(driver, port, warmUpRecords);
  await withProcesses({}, async (start) => {
    const reader = await start(driver.client, "warm-up");
    await reader.call("open", { port, device: "reader" });
    await reader.call("catchUp", { count: warmUpRecords });
    await reader.call("close");
  });
  if (live) await passOn(driver, port);
  await server.call("stop");
}

/**
 * Has one client write and another see each write, one by one.
 * @param {import("./driver.mjs").Driver} driver
 * @param {number} port
 */
async function passOn(driver, port) {
  await withProcesses({}, async (start) => {
    const writes = { from: warmUpRecords, count: warmUpWrites };
    const writer = await start(driver.client, "warm-up");
    const reader = await start(driver.client, "warm-up");
    await writer.call("open", { port, device: "writer", joined: true });
    await reader.call("receive", { port, clients: 1, ...writes });
    await writer.call("writeSpaced", { ...writes, spacingMs: 1 });
    await reader.call("received");
    await writer.call("close");
    await reader.call("close");
  });
}

/**
 * @param {import("./driver.mjs").Driver} driver
 * @param {number} count
 * @param {string} dataDir
 */
async function makeSeed(driver, count, dataDir) {
  await withProcesses({}, async (start) => {
    const server = await start(driver.server, "seed");
    const { port } = await server.call("start", { dataDir });
    await upload(driver, port, count);
    await server.call("stop");
    const stored = await server.call("count");
    if (stored !== count) throw new Error(`Seeding ${driver.name} stored ${stored} records, not ${count}.`);
  });
  return dataDir;
}

/**
 * @param {import("./driver.mjs").Driver} driver
 * @param {number} port
 * @param {number} count
 */
async function upload(driver, port, count) {
  await withProcesses({}, async (start) => {
    const writer = await start(driver.client, "upload");
    await writer.call("open", { port, device: "seeder", joined: true });
    for (let from = 0; from < count; from += seedSlice) {
      await writer.call("queue", { from, count: Math.min(seedSlice, count - from) });
      await writer.call("upload");
      await writer.call("goOffline");
    }
    await writer.call("close");
  });
}
