const sizes = { "10k": 10_000, "100k": 100_000 };

/** @type {import("../harness/workload.mjs").Workload} */
export const w2 = {
  id: "W2",
  title: "Cold catch-up: until 10,000 and 100,000 records are readable in a new client",
  sides: ["floor", "landfall"],
  metrics: {
    readable10kMs: { label: "10,000 readable", unit: "ms" },
    readable100kMs: { label: "100,000 readable", unit: "ms" },
    growth: { label: "time per record, 100k to 10k", unit: "×" },
    serverPeakBytes: { label: "server peak memory, 100k", unit: "bytes" },
    clientPeakBytes: { label: "client peak memory, 100k", unit: "bytes" },
    downBytes: { label: "bytes down, 100k", unit: "bytes" },
    serverCpuMs: { label: "server CPU, 100k", unit: "ms" },
    clientCpuMs: { label: "client CPU, 100k", unit: "ms" },
  },
  async run(context) {
    const small = await catchUp(context, sizes["10k"]);
    const large = await catchUp(context, sizes["100k"]);
    return {
      ...large,
      readable10kMs: small.readableMs,
      readable100kMs: large.readableMs,
      growth: large.readableMs / sizes["100k"] / (small.readableMs / sizes["10k"]),
    };
  },
};

/**
 * @param {import("../harness/context.mjs").Context} context
 * @param {number} count
 */
async function catchUp({ client: newClient, server: newServer, seeded }, count) {
  const { server, port } = await newServer(await seeded(count));
  const client = await newClient();
  await client.call("open", { port, device: "newcomer" });
  await server.call("resetTraffic");
  const serverCpu = await server.call("cpu");
  const clientCpu = await client.call("cpu");
  const { ms } = await client.call("catchUp", { count });
  const metrics = {
    readableMs: ms,
    serverCpuMs: (await server.call("cpu")) - serverCpu,
    clientCpuMs: (await client.call("cpu")) - clientCpu,
    serverPeakBytes: (await server.call("memory")).peakBytes,
    clientPeakBytes: (await client.call("memory")).peakBytes,
    downBytes: (await server.call("traffic")).bytesOut,
  };
  const held = await client.call("held");
  if (held !== count) throw new Error(`The client holds ${held} records, not ${count}.`);
  await client.call("close");
  await server.call("stop");
  return metrics;
}
