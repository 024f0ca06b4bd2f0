import { WebSocket } from "ws";

/** Sockets that connect and stay idle. */
export function createRole() {
  /** @type {WebSocket[]} */
  const sockets = [];
  return {
    /** @param {{ port: number, sockets: number }} at */
    async connect({ port, sockets: count }) {
      for (let n = 0; n < count; n++) {
        const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
        await new Promise((resolve, reject) => {
          socket.once("open", resolve);
          socket.once("error", reject);
        });
        sockets.push(socket);
      }
    },
    async close() {
      for (const socket of sockets) socket.terminate();
    },
  };
}
