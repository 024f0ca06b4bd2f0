import { subscribe } from "node:diagnostics_channel";

/**
 * Counts what crosses the TCP sockets that this process accepts, by Node's own counters of each socket,
 * and the HTTP requests that it serves. It sees every byte, headers and handshakes included, whatever
 * library owns the socket.
 */
export function watchTraffic() {
  /** @type {Set<import("node:net").Socket>} */
  const open = new Set();
  const closed = { bytesIn: 0, bytesOut: 0 };
  /** @type {{ bytesIn: number, bytesOut: number }} */
  let origin = { bytesIn: 0, bytesOut: 0 };
  /** @type {string[]} */
  let requests = [];

  subscribe("net.server.socket", (message) => {
    const { socket } = /** @type {{ socket: import("node:net").Socket }} */ (message);
    open.add(socket);
    socket.once("close", () => {
      open.delete(socket);
      closed.bytesIn += socket.bytesRead;
      closed.bytesOut += socket.bytesWritten;
    });
  });
  subscribe("http.server.request.start", (message) => {
    const { request } = /** @type {{ request: import("node:http").IncomingMessage }} */ (message);
    requests.push(`${request.method} ${request.url}`);
  });

  const total = () => {
    let { bytesIn, bytesOut } = closed;
    for (const socket of open) {
      bytesIn += socket.bytesRead;
      bytesOut += socket.bytesWritten;
    }
    return { bytesIn, bytesOut };
  };

  return {
    /** Bytes in and out and the requests since the last reset. */
    read: () => {
      const { bytesIn, bytesOut } = total();
      return { bytesIn: bytesIn - origin.bytesIn, bytesOut: bytesOut - origin.bytesOut, requests };
    },
    reset: () => {
      origin = total();
      requests = [];
    },
  };
}
