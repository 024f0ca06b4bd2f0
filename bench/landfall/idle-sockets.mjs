import { WebSocket } from "ws";
import { domain } from "../harness/records.mjs";
import { space, token } from "./schema.mjs";

/** @param {WebSocket} socket @param {string} event */
function once(socket, event) {
  return new Promise((resolve, reject) => {
    socket.once(event, resolve);
    socket.once("close", (code, reason) =>
      reject(new Error(`The server closed a socket: ${code} ${String(reason)}`)),
    );
    socket.once("error", reject);
  });
}

/** Sockets that say hello, watch the domain, and stay idle, as those of idle clients do. */
export function createRole() {
  /** @type {WebSocket[]} */
  const sockets = [];
  return {
    /** @param {{ port: number, sockets: number }} at */
    async connect({ port, sockets: count }) {
      const response = await fetch(`http://127.0.0.1:${port}/v1/spaces`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ space }),
      });
      if (!response.ok)
        throw new Error(`The space could not be made: ${response.status} ${await response.text()}`);
      for (let n = 0; n < count; n++) {
        const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/socket`, "landfall.v1", {
          perMessageDeflate: false,
        });
        await once(socket, "open");
        socket.send(JSON.stringify({ type: "hello", token, device: `device-${n}` }));
        await once(socket, "message");
        socket.send(JSON.stringify({ type: "watch", spaces: { [space]: [domain] } }));
        sockets.push(socket);
      }
    },
    async close() {
      for (const socket of sockets) socket.terminate();
    },
  };
}
