/**
 * Landfall by its public API, as an app would use it: with a schema on both sides, SQLite on the server
 * and default limits.
 * @type {import("../harness/driver.mjs").Driver}
 */
export const landfall = {
  name: "landfall",
  server: new URL("./server.mjs", import.meta.url),
  client: new URL("./client.mjs", import.meta.url),
  bareServer: new URL("./server.mjs", import.meta.url),
  idleSockets: new URL("./idle-sockets.mjs", import.meta.url),
};
