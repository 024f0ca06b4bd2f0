import { WebSocket } from "ws";
import { domain } from "../harness/records.mjs";

/** Events per request, as many as Landfall's server takes. */
const eventsPerBatch = 500;

/**
 * The floor's client: the records in a map, unacknowledged events as the text that will be sent, one
 * socket. It sends all batches without waiting for the acknowledgement of the one before.
 */
export class FloorClient {
  /** @type {Map<string, any>} */
  records = new Map();
  /** Called after each received frame, with its rows. */
  onChange = (/** @type {readonly any[]} */ _rows) => {};
  /** @type {string[]} Events from `#ackedSeq + 1` on. */
  #pending = [];
  #ackedSeq = 0;
  #seq = 0;
  #cursor = 0;
  /** @type {WebSocket | undefined} */
  #socket;
  #url;
  #device;

  /** @param {{ port: number, device: string }} at */
  constructor({ port, device }) {
    this.#url = `ws://127.0.0.1:${port}`;
    this.#device = device;
  }

  get pendingCount() {
    return this.#pending.length;
  }

  /** @param {string} text */
  #receive(text) {
    const frame = JSON.parse(text);
    if (frame.from <= this.#cursor) this.#cursor = frame.cursor;
    if (frame.acked !== undefined) {
      this.#pending = this.#pending.slice(frame.acked - this.#ackedSeq);
      this.#ackedSeq = frame.acked;
      this.onChange([]);
      return;
    }
    for (const row of frame.rows) this.records.set(row.key, row);
    this.onChange(frame.rows);
  }

  /** Sends what is pending in batches; the last one asks for `extra` in the same request. */
  #sendPending(/** @type {string} */ extra) {
    for (let start = 0; start < this.#pending.length; start += eventsPerBatch) {
      const last = start + eventsPerBatch >= this.#pending.length;
      this.#send(this.#pending.slice(start, start + eventsPerBatch).join(","), last ? extra : "");
    }
  }

  /** @param {string} events @param {string} extra */
  #send(events, extra) {
    this.#socket?.send(`{"device":"${this.#device}","events":[${events}]${extra}}`);
  }

  /**
   * Resolves when `condition` holds, looked at after each received frame.
   * @param {() => boolean} condition
   */
  until(condition) {
    return new Promise((resolve) => {
      if (condition()) return resolve(undefined);
      this.onChange = () => {
        if (!condition()) return;
        this.onChange = () => {};
        resolve(undefined);
      };
    });
  }

  /** Shows a write at once, and sends it at once where there is a connection. */
  write(/** @type {string} */ key, /** @type {any} */ fields, /** @type {"create" | "update"} */ op) {
    const seq = ++this.#seq;
    const id = `018f6c00-1c3d-7a52-9b6e-${seq.toString(16).padStart(12, "0")}`;
    this.records.set(key, { domain, key, version: 0, modifiedAt: 0, fields, stamps: { "*": id } });
    const event = `{"id":"${id}","seq":${seq},"schema":1,"ops":[{"op":"${op}","domain":"${domain}","key":"${key}","set":${JSON.stringify(fields)}}]}`;
    this.#pending.push(event);
    this.#send(event, "");
  }

  /**
   * Connects, sends what is pending, and asks for `rows` after the cursor and to `watch`.
   * @param {{ rows: boolean, watch: boolean }} wanted
   */
  async connect({ rows, watch }) {
    const opened = new WebSocket(this.#url, { perMessageDeflate: false, skipUTF8Validation: true });
    opened.on("message", (data) => this.#receive(data.toString()));
    await new Promise((resolve, reject) => {
      opened.once("open", resolve);
      opened.once("error", reject);
    });
    // @ts-expect-error The underlying socket is not in the public types.
    opened._socket.setNoDelay(true);
    this.#socket = opened;
    const extra = `${rows ? `,"cursor":${this.#cursor}` : ""}${watch ? `,"watch":true` : ""}`;
    if (this.#pending.length > 0) this.#sendPending(extra);
    else if (extra !== "") opened.send(`{"device":"${this.#device}"${extra}}`);
  }

  async disconnect() {
    const closing = this.#socket;
    this.#socket = undefined;
    if (closing === undefined) return;
    const closed = new Promise((resolve) => closing.once("close", resolve));
    closing.close();
    await closed;
  }
}
