import { sleep } from "../harness/clock.mjs";

const sockets = 1_000;

/** @type {import("../harness/workload.mjs").Workload} */
export const w5 = {
  id: "W5",
  title: "Idle: server memory for each of 1,000 sockets, beside a bare ws server",
  sides: ["floor", "landfall"],
  metrics: {
    perSocketBytes: { label: "resident a socket, after gc", unit: "bytes" },
    perSocketBeforeGcBytes: { label: "resident a socket, before gc", unit: "bytes" },
    perSocketHeapBytes: { label: "heap a socket, after gc", unit: "bytes" },
    serverBytes: { label: "resident without sockets, after gc", unit: "bytes" },
  },
  async run({ driver, start, folder }) {
    const server = await start(driver.bareServer, `${driver.name}-server`, ["--expose-gc"]);
    const { port } = await server.call("start", { dataDir: folder() });
    const idle = await start(driver.idleSockets, `${driver.name}-idle`);
    const before = await server.call("memory", { gc: true });
    await idle.call("connect", { port, sockets });
    await sleep(1_000);
    const connected = await server.call("memory");
    const collected = await server.call("memory", { gc: true });
    await idle.call("close");
    await server.call("stop");
    return {
      perSocketBytes: (collected.residentBytes - before.residentBytes) / sockets,
      perSocketBeforeGcBytes: (connected.residentBytes - before.residentBytes) / sockets,
      perSocketHeapBytes: (collected.heapBytes - before.heapBytes) / sockets,
      serverBytes: before.residentBytes,
    };
  },
};
