import { createServer } from "node:http";
import { join } from "node:path";
// @ts-expect-error Sender is exported, but not in the public types.
import { Sender, WebSocketServer } from "ws";
import { countRecords, openStore } from "./store.mjs";

/** Rows per frame of a catch-up: about 90 kB, which measured best for speed and for memory. */
const pageRows = 250;

/** Frames of one catch-up that may wait for the network, so that reading and sending overlap and memory stays bounded. */
const framesInFlight = 2;

/**
 * One running server: raw `ws`, JSON and SQLite, and nothing that a sync could do without.
 * @param {string} file
 */
function openFloorServer(file) {
  const store = openStore(file);
  /** @type {Set<import("ws").WebSocket>} */
  const watching = new Set();

  /** Takes one message: events to commit, a cursor to send rows after, the wish to watch, or all of them. */
  const receive = (/** @type {import("ws").WebSocket} */ socket, /** @type {string} */ text) => {
    const { device, events, cursor, watch } = JSON.parse(text);
    const before = store.head();
    if (events !== undefined) {
      const modifiedAt = Date.now();
      const rows = store.apply(device, events, modifiedAt);
      if (rows.length > 0 && watching.size > 0) announce(socket, rows, before);
      socket.send(
        `{"acked":${events[events.length - 1].seq},"from":${before},"cursor":${store.head()},"modifiedAt":${modifiedAt}}`,
      );
    }
    if (watch === true) watching.add(socket);
    if (cursor !== undefined) stream(socket, cursor, before);
  };

  /** Sends new rows to every other watcher: one frame, built once and written as it is to each socket. */
  const announce = (
    /** @type {import("ws").WebSocket} */ author,
    /** @type {readonly string[]} */ rows,
    /** @type {number} */ from,
  ) => {
    const text = Buffer.from(`{"from":${from},"cursor":${store.head()},"rows":[${rows.join(",")}]}`);
    const options = { fin: true, rsv1: false, opcode: 1, mask: false, readOnly: true };
    const frame = Buffer.concat(/** @type {Buffer[]} */ (Sender.frame(text, options)));
    for (const socket of watching) if (socket !== author) /** @type {any} */ (socket)._socket.write(frame);
  };

  /** Streams all rows of versions in (cursor, upTo]. */
  const stream = (
    /** @type {import("ws").WebSocket} */ socket,
    /** @type {number} */ cursor,
    /** @type {number} */ upTo,
  ) => {
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

  const http = createServer();
  const sockets = new WebSocketServer({ server: http, perMessageDeflate: false });
  sockets.on("connection", (socket) => {
    // @ts-expect-error The underlying socket is not in the public types.
    socket._socket.setNoDelay(true);
    socket.on("message", (data) => receive(socket, data.toString()));
    socket.on("close", () => watching.delete(socket));
  });
  return { store, http, sockets };
}

/** @typedef {import("../harness/driver.mjs").ServerRole} ServerRole */

/** @implements {ServerRole} */
class FloorServerRole {
  /** @type {ReturnType<typeof openFloorServer> | undefined} */
  #running;
  #file = "";

  async start(/** @type {{ dataDir: string }} */ { dataDir }) {
    this.#file = join(dataDir, "floor.db");
    this.#running = openFloorServer(this.#file);
    const { http } = this.#running;
    await new Promise((resolve) => http.listen(0, "127.0.0.1", () => resolve(undefined)));
    return { port: /** @type {import("node:net").AddressInfo} */ (http.address()).port };
  }

  async count() {
    return countRecords(this.#file);
  }

  async stop() {
    if (this.#running === undefined) return;
    const { store, http, sockets } = this.#running;
    this.#running = undefined;
    for (const socket of sockets.clients) socket.terminate();
    sockets.close();
    await new Promise((resolve) => http.close(resolve));
    store.close();
  }
}

export function createRole() {
  return new FloorServerRole();
}
