import { createServer } from "node:http";
import { join } from "node:path";
// @ts-expect-error Sender is exported, but not in the public types.
import { Sender, WebSocketServer } from "ws";
import { countRecords, openStore } from "./store.mjs";

/** Rows per frame of a catch-up: about 90 kB, which measured best for speed and for memory. */
const pageRows = 250;

/** Frames of one catch-up that may wait for the network, so that reading and sending overlap and memory stays bounded. */
const framesInFlight = 2;

/** The floor's server: raw `ws`, JSON and SQLite, and nothing that a sync could do without. */
export function createRole() {
  /** @type {ReturnType<typeof openStore>} */
  let store;
  /** @type {import("node:http").Server} */
  let http;
  /** @type {WebSocketServer} */
  let sockets;
  /** @type {string} */
  let file;
  /** @type {Set<import("ws").WebSocket>} */
  const watching = new Set();

  /**
   * @param {import("ws").WebSocket} socket
   * @param {import("ws").RawData} data
   */
  const receive = (socket, data) => {
    const { device, events, cursor, watch } = JSON.parse(data.toString());
    const before = store.head();
    if (events !== undefined) {
      const modifiedAt = Date.now();
      const rows = store.apply(device, events, modifiedAt);
      if (rows.length > 0 && watching.size > 0) announce(socket, rows, before);
      socket.send(`{"acked":${events[events.length - 1].seq},"from":${before},"cursor":${store.head()},"modifiedAt":${modifiedAt}}`);
    }
    if (watch === true) watching.add(socket);
    if (cursor !== undefined) stream(socket, cursor, before);
  };

  /**
   * Sends new rows to every other watcher: one frame, built once and written as it is to each socket.
   * @param {import("ws").WebSocket} author
   * @param {readonly string[]} rows
   * @param {number} from
   */
  const announce = (author, rows, from) => {
    const text = Buffer.from(`{"from":${from},"cursor":${store.head()},"rows":[${rows.join(",")}]}`);
    const frame = Buffer.concat(
      /** @type {Buffer[]} */ (Sender.frame(text, { fin: true, rsv1: false, opcode: 1, mask: false, readOnly: true })),
    );
    for (const socket of watching) if (socket !== author) /** @type {any} */ (socket)._socket.write(frame);
  };

  /**
   * Streams all rows of versions in (cursor, upTo].
   * @param {import("ws").WebSocket} socket
   * @param {number} cursor
   * @param {number} upTo
   */
  const stream = (socket, cursor, upTo) => {
    let inFlight = 0;
    let done = false;
    const fill = () => {
      while (!done && inFlight < framesInFlight) {
        const page = store.page(cursor, upTo, pageRows);
        if (page === undefined) {
          done = true;
          return;
        }
        cursor = page.cursor;
        inFlight++;
        socket.send(page.frame, () => {
          inFlight--;
          fill();
        });
      }
    };
    fill();
  };

  return {
    /** @param {{ dataDir: string }} at */
    async start({ dataDir }) {
      file = join(dataDir, "floor.db");
      store = openStore(file);
      http = createServer();
      sockets = new WebSocketServer({ server: http, perMessageDeflate: false });
      sockets.on("connection", (socket) => {
        // @ts-expect-error The underlying socket is not in the public types.
        socket._socket.setNoDelay(true);
        socket.on("message", (data) => receive(socket, data));
        socket.on("close", () => watching.delete(socket));
      });
      await new Promise((resolve) => http.listen(0, "127.0.0.1", () => resolve(undefined)));
      return { port: /** @type {import("node:net").AddressInfo} */ (http.address()).port };
    },
    count: async () => countRecords(file),
    async stop() {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      await new Promise((resolve) => http.close(resolve));
      store.close();
    },
  };
}
