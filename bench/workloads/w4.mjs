const held = 10_000;
const different = 10;

/** @type {import("../harness/workload.mjs").Workload} */
export const w4 = {
  id: "W4",
  title: "Reconnect: both sides hold 10,000 records, 10 changed on each",
  sides: ["floor", "landfall"],
  metrics: {
    agreeMs: { label: "from connecting until both agree", unit: "ms" },
    roundTrips: { label: "round trips after connect", unit: "" },
    wireBytes: { label: "bytes on the wire, both ways", unit: "bytes" },
    upBytes: { label: "bytes up", unit: "bytes" },
    downBytes: { label: "bytes down", unit: "bytes" },
  },
  async run({ client: newClient, server: newServer, folder }) {
    const { server, port } = await newServer(folder(), { live: true });
    const client = await newClient();
    await client.call("open", { port, device: "traveller", joined: true });
    await client.call("queue", { from: 0, count: held });
    await client.call("upload");
    await client.call("goOffline");

    const other = await newClient();
    await other.call("open", { port, device: "other" });
    await other.call("catchUp", { count: held });
    const theirs = { from: 0, count: different, patch: { note: "Seen from the other side." } };
    await other.call("update", theirs);
    await other.call("settled");
    await other.call("close");

    await client.call("update", { from: 5_000, count: different, patch: { note: "Written on the road." } });
    await server.call("resetTraffic");
    const { ms } = await client.call("reconnect", theirs);
    const { bytesIn, bytesOut, requests } = await server.call("traffic");
    await client.call("close");
    await server.call("stop");
    return {
      agreeMs: ms,
      upBytes: bytesIn,
      downBytes: bytesOut,
      wireBytes: bytesIn + bytesOut,
      roundTrips: roundTrips(requests),
    };
  },
};

/**
 * A side that syncs over one socket makes its one round trip there; over HTTP, each exchange is one.
 * @param {readonly string[]} requests
 */
function roundTrips(requests) {
  return Math.max(1, requests.filter((request) => request.startsWith("POST /v1/exchange")).length);
}
