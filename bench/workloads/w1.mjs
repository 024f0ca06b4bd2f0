const records = 10_000;

/** @type {import("../harness/workload.mjs").Workload} */
export const w1 = {
  id: "W1",
  title: "Upload: 10,000 creates queued offline, until all are acknowledged durable",
  sides: ["floor", "landfall"],
  metrics: {
    acknowledgedMs: { label: "all acknowledged", unit: "ms" },
    upBytes: { label: "bytes up", unit: "bytes" },
    downBytes: { label: "bytes down", unit: "bytes" },
    serverCpuMs: { label: "server CPU", unit: "ms" },
    clientCpuMs: { label: "client CPU", unit: "ms" },
  },
  async run({ client: newClient, server: newServer, folder }) {
    const { server, port } = await newServer(folder());
    const client = await newClient();
    await client.call("open", { port, device: "uploader", joined: true });
    await client.call("queue", { from: 0, count: records });
    await server.call("resetTraffic");
    const serverCpu = await server.call("cpu");
    const clientCpu = await client.call("cpu");
    const { ms } = await client.call("upload");
    const metrics = {
      acknowledgedMs: ms,
      serverCpuMs: (await server.call("cpu")) - serverCpu,
      clientCpuMs: (await client.call("cpu")) - clientCpu,
    };
    const { bytesIn, bytesOut } = await server.call("traffic");
    const stored = await server.call("count");
    if (stored !== records)
      throw new Error(`The server stored ${stored} records of ${records} that were acknowledged.`);
    await client.call("close");
    await server.call("stop");
    return { ...metrics, upBytes: bytesIn, downBytes: bytesOut };
  },
};
