import { join } from "node:path";
import { percentile } from "../harness/statistics.mjs";

const held = 10_000;
const writes = 2_000;

/** @type {import("../harness/workload.mjs").Workload} */
export const w6 = {
  id: "W6",
  title: "Local: a write until a watch callback has it, and a stored replica reopened, 10,000 records held",
  sides: ["floor", "landfall"],
  metrics: {
    visibleP50Ms: { label: "write to visible, p50", unit: "ms" },
    visibleP99Ms: { label: "write to visible, p99", unit: "ms" },
    reopenMs: { label: "stored replica reopened", unit: "ms" },
  },
  async run({ client: newClient, server: newServer, seeded, folder }) {
    const { server, port } = await newServer(await seeded(held));
    const file = join(folder(), "replica.db");
    const client = await newClient();
    await client.call("open", { port, device: "field", file });
    await client.call("catchUp", { count: held });
    await client.call("close");
    await server.call("stop");
    const again = await newClient();
    const { ms } = await again.call("reopen", { file, count: held });
    const times = await again.call("writeLocally", { count: writes });
    await again.call("close");
    return { visibleP50Ms: percentile(times, 0.5), visibleP99Ms: percentile(times, 0.99), reopenMs: ms };
  },
};
