import { WebSocketServer } from "ws";

/** A `ws` server that accepts sockets and does nothing: what 1,000 idle connections cost at least. */
export function createRole() {
  /** @type {WebSocketServer} */
  let server;
  return {
    async start() {
      server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
      await new Promise((resolve) => server.once("listening", resolve));
      return { port: /** @type {import("node:net").AddressInfo} */ (server.address()).port };
    },
    async stop() {
      for (const socket of server.clients) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
