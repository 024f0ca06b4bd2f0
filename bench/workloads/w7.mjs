import { sleep } from "../harness/clock.mjs";
import { median } from "../harness/statistics.mjs";

const held = 10_000;

/** Pulls of each case in one process; the median is taken, for single pulls are short. */
const rounds = 9;

/** @type {import("../harness/workload.mjs").Workload} */
export const w7 = {
  id: "W7",
  title: "Rebase: pending events stay on top while a pull touches some of their records",
  sides: ["landfall"],
  metrics: {
    pending1kTouched10Ms: { label: "1,000 pending, 10 touched", unit: "ms" },
    pending1kTouched100Ms: { label: "1,000 pending, 100 touched", unit: "ms" },
    pending10kTouched10Ms: { label: "10,000 pending, 10 touched", unit: "ms" },
    pendingGrowth: { label: "10 × pending, same touched", unit: "×" },
    touchedGrowth: { label: "same pending, 10 × touched", unit: "×" },
  },
  async run(context) {
    const base = await rebase(context, { pending: 1_000, touched: 10 });
    const moreTouched = await rebase(context, { pending: 1_000, touched: 100 });
    const morePending = await rebase(context, { pending: 10_000, touched: 10 });
    return {
      pending1kTouched10Ms: base,
      pending1kTouched100Ms: moreTouched,
      pending10kTouched10Ms: morePending,
      pendingGrowth: morePending / base,
      touchedGrowth: moreTouched / base,
    };
  },
};

/**
 * @param {import("../harness/context.mjs").Context} context
 * @param {{ pending: number, touched: number }} settings
 */
async function rebase({ client: newClient, server: newServer, folder }, { pending, touched }) {
  const { server, port } = await newServer(folder());
  const other = await newClient();
  await other.call("open", { port, device: "other", joined: true });
  await other.call("queue", { from: 0, count: held });
  await other.call("upload");

  const client = await newClient();
  await client.call("open", { port, device: "rebaser" });
  await client.call("catchUp", { count: held });
  await client.call("goOffline");
  await client.call("update", { from: 0, count: pending, patch: { note: "Pending here." } });

  const times = [];
  for (let round = 0; round < rounds; round++) {
    const theirs = { from: 0, count: touched, patch: { title: `Round ${round}` } };
    await other.call("update", theirs);
    await other.call("settled");
    // What a client does off the critical path after a pull is not part of the next one.
    await sleep(200);
    const { ms } = await client.call("rebase", theirs);
    times.push(ms);
  }
  await client.call("close");
  await other.call("close");
  await server.call("stop");
  return median(times);
}
