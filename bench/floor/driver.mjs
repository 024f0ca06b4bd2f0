/**
 * The least that could sync at all, as fast as it can honestly be made; no auth, schema, conflicts,
 * outcomes or repair.
 * @type {import("../harness/driver.mjs").Driver}
 */
export const floor = {
  name: "floor",
  server: new URL("./server.mjs", import.meta.url),
  client: new URL("./client.mjs", import.meta.url),
  bareServer: new URL("./bare-socket-server.mjs", import.meta.url),
  idleSockets: new URL("./idle-sockets.mjs", import.meta.url),
};
