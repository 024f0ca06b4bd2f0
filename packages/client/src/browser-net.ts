import type { NetPort, SocketLike } from "./ports.js";

/** The network of browsers and workers, with a socket where they have one. */
export const createNet = (): NetPort => ({
  fetch: (url, init) => fetch(url, init),
  webSocket:
    typeof WebSocket === "undefined"
      ? undefined
      : (url, protocol) => new WebSocket(url, protocol) as SocketLike,
});
