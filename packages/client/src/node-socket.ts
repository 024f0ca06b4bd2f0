import { WebSocket as NodeSocket } from "ws";
import type { SocketLike } from "./ports.js";

/** More than a server of ours ever says in one frame; what is larger closes the socket before it is buffered (DESIGN §13). */
const maxPayload = 4_194_304;

/** The socket of Node: the same package in every version of Node, and without compression (DESIGN §13). */
export const webSocket: ((url: string, protocol: string) => SocketLike) | undefined = (url, protocol) =>
  new NodeSocket(url, protocol, {
    perMessageDeflate: false,
    maxPayload,
    followRedirects: false,
  }) as SocketLike;
