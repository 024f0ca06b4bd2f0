import type { SocketLike } from "./ports.js";

/** The socket of browsers and workers, where they have one. */
export const webSocket: ((url: string, protocol: string) => SocketLike) | undefined =
  typeof WebSocket === "undefined"
    ? undefined
    : (url, protocol) => new WebSocket(url, protocol) as SocketLike;
