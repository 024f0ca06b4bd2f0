import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type Code, limits, socketProtocol } from "@landfall/protocol";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import { rawProblem } from "../http/problem.js";
import type { ServerMetrics } from "../metrics/server-metrics.js";
import type { Connection } from "./connection.js";
import type { Hub } from "./hub.js";
import { networkOf } from "./network-address.js";

export interface SocketServerOptions {
  readonly hub: Hub;
  readonly metrics: ServerMetrics;
  /** Sockets of one address (DESIGN §13). */
  readonly maxSocketsPerAddress: number;
  /** Whose socket it is, where a proxy stands before the server; the connection's own address unless set. */
  readonly clientAddress: ((request: IncomingMessage) => string | undefined) | undefined;
}

/** The text that was sent last, with its bytes: a delta goes to all who watch the same, and is encoded for the first of them. */
let newest = { text: "", bytes: Buffer.alloc(0) };

/** A socket with what the server keeps of it on the object itself, so that its listeners need no closures. */
class ServerSocket extends WebSocket {
  connection: Connection | undefined = undefined;
  server: SocketServer | undefined = undefined;
  network = "";

  override send(text: string): void {
    if (newest.text !== text) newest = { text, bytes: Buffer.from(text) };
    super.send(newest.bytes, { binary: false });
  }
}

function makeUpgrader() {
  const options = {
    noServer: true,
    clientTracking: false,
    // Compression lets a few bytes stand for many, and costs more memory than everything else (DESIGN §13).
    perMessageDeflate: false,
    maxPayload: limits.maxSocketFrameBytes,
    maxFragments: 64,
    /** How long a socket that was told to close may take to agree. */
    closeTimeout: 3_000,
    handleProtocols: (): string => socketProtocol,
    WebSocket: ServerSocket,
  };
  return new WebSocketServer(options);
}

/** `GET /v1/socket`: upgrades, counts sockets by address, and hands frames to the hub. */
export class SocketServer {
  readonly #upgrader = makeUpgrader();
  readonly #perNetwork = new Map<string, number>();
  #open = 0;

  constructor(readonly options: SocketServerOptions) {}

  /** Sockets open just now. */
  get open(): number {
    return this.#open;
  }

  /** Takes an upgrade request for the socket's address, or refuses it as a request is refused. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { clientAddress, maxSocketsPerAddress } = this.options;
    const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
    if (!offered.includes(socketProtocol)) {
      refuseUpgrade(socket, "protocol_unsupported", `Ask for the subprotocol ${socketProtocol}.`);
      return;
    }
    const network = networkOf(clientAddress?.(request) ?? request.socket.remoteAddress ?? "");
    const sockets = this.#perNetwork.get(network) ?? 0;
    if (sockets >= maxSocketsPerAddress) {
      this.options.metrics.socketsRefused.add(1, { reason: "address" });
      refuseUpgrade(socket, "rate_limited", `This address has ${maxSocketsPerAddress} sockets open already.`);
      return;
    }
    this.#upgrader.handleUpgrade(request, socket, head, (opened) => this.#opened(opened, network));
  }

  closed(socket: ServerSocket): void {
    this.#open -= 1;
    const left = (this.#perNetwork.get(socket.network) ?? 1) - 1;
    if (left > 0) this.#perNetwork.set(socket.network, left);
    else this.#perNetwork.delete(socket.network);
  }

  #opened(socket: ServerSocket, network: string): void {
    this.#open += 1;
    this.#perNetwork.set(network, (this.#perNetwork.get(network) ?? 0) + 1);
    socket.server = this;
    socket.network = network;
    socket.on("message", onMessage).on("pong", onPong).on("close", onClose).on("error", onError);
    socket.connection = this.options.hub.open(socket);
  }
}

/** Answers an upgrade with a refusal and ends the connection. */
export function refuseUpgrade(socket: Duplex, code: Code, message: string): void {
  socket.on("error", () => socket.destroy());
  socket.end(rawProblem(code, message), () => socket.destroy());
}

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  const { connection, server } = this as ServerSocket;
  if (connection === undefined || server === undefined) return;
  if (isBinary) server.options.hub.garbage(connection);
  else server.options.hub.message(connection, (data as Buffer).toString("utf8"));
}

function onPong(this: WebSocket): void {
  const { connection, server } = this as ServerSocket;
  if (connection !== undefined) server?.options.hub.pong(connection);
}

function onClose(this: WebSocket): void {
  const { connection, server } = this as ServerSocket;
  if (connection !== undefined) server?.options.hub.gone(connection);
  server?.closed(this as ServerSocket);
}

/** A broken frame or a lost line: the close event that follows does what there is to do. */
function onError(): void {}
