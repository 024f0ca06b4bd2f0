import { platformPorts } from "@landfall/client";

/** @typedef {(url: string, init: RequestInit) => Promise<Response>} Fetch */

/** A socket that never opens, for a client without a network. */
function deadSocket() {
  /** @type {import("@landfall/client").SocketLike} */
  const socket = { onopen: null, onmessage: null, onclose: null, onerror: null, send() {}, close() {} };
  setTimeout(() => socket.onclose?.({ code: 1006, reason: "" }), 0);
  return socket;
}

/**
 * The platform's ports with a switch for the network. Off, requests fail, sockets are cut, and the client
 * is told so, as a device that loses its network is.
 */
export function switchedNetwork() {
  const platform = platformPorts();
  const { net } = platform;
  let online = false;
  /** @type {Fetch} */
  let answer = net.fetch;
  /** @type {Set<{ socket: any, closed: Promise<unknown> }>} */
  const open = new Set();
  /** @type {Set<() => void>} */
  const listeners = new Set();
  const tell = () => {
    for (const listener of listeners) listener();
  };

  /** @type {import("@landfall/client").ClientPorts} */
  const ports = {
    ...platform,
    net: {
      fetch: (url, init) =>
        online ? answer(url, init) : Promise.reject(new TypeError("There is no network.")),
      webSocket(url, protocol) {
        if (!online || net.webSocket === undefined) return deadSocket();
        const socket = net.webSocket(url, protocol);
        const entry = {
          socket,
          closed: new Promise((resolve) => /** @type {any} */ (socket).once("close", resolve)),
        };
        open.add(entry);
        void entry.closed.then(() => open.delete(entry));
        return socket;
      },
    },
    online: {
      isOnline: () => online,
      subscribe(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    locks: undefined,
    channel: undefined,
    notes: undefined,
  };

  return {
    ports,
    /** @param {Fetch} [answering] Answers the requests in place of the platform's `fetch`. */
    on(answering = net.fetch) {
      answer = answering;
      online = true;
      tell();
    },
    async off() {
      online = false;
      tell();
      const closing = [...open];
      for (const { socket } of closing) socket.terminate();
      await Promise.all(closing.map(({ closed }) => closed));
    },
    fetch: net.fetch,
  };
}
