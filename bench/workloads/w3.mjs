import { percentile } from "../harness/statistics.mjs";

/**
 * The pause with 100 receivers leaves time to deliver one write before the next, so that latency is
 * measured and not a backlog.
 */
const cases = {
  one: { receivers: 1, writes: 500, spacingMs: 3 },
  hundred: { receivers: 100, writes: 150, spacingMs: 25 },
};

/** Writes at the start that are not counted: the clients' code is compiled while they pass. */
const uncounted = 50;

/** @type {import("../harness/workload.mjs").Workload} */
export const w3 = {
  id: "W3",
  title: "Live: from a write at A until it is visible at B, and at the last of 100",
  sides: ["floor", "landfall"],
  metrics: {
    "one.p50Ms": { label: "1 receiver, p50", unit: "ms" },
    "one.p99Ms": { label: "1 receiver, p99", unit: "ms" },
    "hundred.p50Ms": { label: "last of 100 receivers, p50", unit: "ms" },
    "hundred.p99Ms": { label: "last of 100 receivers, p99", unit: "ms" },
    "one.serverCpuMs": { label: "server CPU a write, 1 receiver", unit: "ms" },
    "hundred.serverCpuMs": { label: "server CPU a write, 100 receivers", unit: "ms" },
    "hundred.receiversCpuMs": { label: "receivers' CPU a write, 100", unit: "ms" },
  },
  async run(context) {
    const one = await propagate(context, cases.one);
    const hundred = await propagate(context, cases.hundred);
    return {
      "one.p50Ms": one.p50Ms,
      "one.p99Ms": one.p99Ms,
      "one.serverCpuMs": one.serverCpuMs,
      "hundred.p50Ms": hundred.p50Ms,
      "hundred.p99Ms": hundred.p99Ms,
      "hundred.serverCpuMs": hundred.serverCpuMs,
      "hundred.receiversCpuMs": hundred.receiversCpuMs,
    };
  },
};

/**
 * @param {import("../harness/context.mjs").Context} context
 * @param {{ receivers: number, writes: number, spacingMs: number }} settings
 */
async function propagate({ client: newClient, server: newServer, folder }, { receivers, writes, spacingMs }) {
  const { server, port } = await newServer(folder(), { live: true });
  const writer = await newClient();
  const reader = await newClient();
  const count = writes + uncounted;
  await writer.call("open", { port, device: "writer", joined: true });
  await writer.call("queue", { from: 0, count: 1 });
  await writer.call("upload");
  await reader.call("receive", { port, clients: receivers, from: 1, count });
  const serverCpu = await server.call("cpu");
  const readerCpu = await reader.call("cpu");
  const writtenAt = await writer.call("writeSpaced", { from: 1, count, spacingMs });
  const seenAt = await reader.call("received");
  const serverCpuMs = ((await server.call("cpu")) - serverCpu) / count;
  const receiversCpuMs = ((await reader.call("cpu")) - readerCpu) / count;
  await writer.call("close");
  await reader.call("close");
  await server.call("stop");
  const latencies = seenAt
    .map((/** @type {number} */ at, /** @type {number} */ i) => at - writtenAt[i])
    .slice(uncounted);
  return {
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    serverCpuMs,
    receiversCpuMs,
  };
}
