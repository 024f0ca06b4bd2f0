import { WebSocket as NodeSocket } from "ws";
import { createNodeFetch } from "./node-fetch.js";
import type { NetPort, SocketLike } from "./ports.js";

/** More than a server of ours ever says in one frame; what is larger closes the socket before it is buffered (DESIGN §13). */
const maxPayload = 4_194_304;

/** The network of Node: HTTP by its own client, and one socket in every version of Node, without compression (DESIGN §13). */
export const createNet = (): NetPort => ({
  fetch: createNodeFetch(),
  webSocket: (url, protocol) =>
    new NodeSocket(url, protocol, {
      perMessageDeflate: false,
      maxPayload,
      followRedirects: false,
    }) as SocketLike,
});
