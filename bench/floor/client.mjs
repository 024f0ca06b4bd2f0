import { WebSocket } from "ws";
import { nowMs, sleep } from "../harness/clock.mjs";
import { domain, recordFields, recordIndex, recordKey } from "../harness/records.mjs";
import { DatabaseSync } from "../harness/sqlite.mjs";

/** Events per request, as Landfall's server announces it. */
const eventsPerBatch = 500;

/**
 * The floor's client: the records in a map, unacknowledged events as the text that will be sent, one
 * socket. It sends all batches without waiting for the acknowledgement of the one before.
 */
function createFloorClient(/** @type {{ port: number, device: string }} */ { port, device }) {
  /** @type {Map<string, any>} */
  const records = new Map();
  /** @type {string[]} Events from `ackedSeq + 1` on. */
  let pending = [];
  let ackedSeq = 0;
  let seq = 0;
  let cursor = 0;
  /** @type {WebSocket | undefined} */
  let socket;
  /** Called after each received frame. */
  let onChange = (/** @type {readonly any[]} */ _rows) => {};

  const receive = (/** @type {import("ws").RawData} */ data) => {
    const frame = JSON.parse(data.toString());
    if (frame.from <= cursor) cursor = frame.cursor;
    if (frame.acked !== undefined) {
      pending = pending.slice(frame.acked - ackedSeq);
      ackedSeq = frame.acked;
      onChange([]);
      return;
    }
    for (const row of frame.rows) records.set(row.key, row);
    onChange(frame.rows);
  };

  const send = (/** @type {string} */ text) => socket?.send(text);

  /** Sends what is pending in batches; the last one asks for `extra` in the same request. */
  const sendPending = (/** @type {string} */ extra) => {
    for (let start = 0; start < pending.length; start += eventsPerBatch) {
      const last = start + eventsPerBatch >= pending.length;
      send(`{"device":"${device}","events":[${pending.slice(start, start + eventsPerBatch).join(",")}]${last ? extra : ""}}`);
    }
  };

  return {
    records,
    pendingCount: () => pending.length,
    ackedSeq: () => ackedSeq,
    seq: () => seq,
    /** @param {(rows: readonly any[]) => void} listener */
    listen: (listener) => {
      onChange = listener;
    },
    /** Resolves when `condition` holds, looked at after each received frame. */
    until: (/** @type {() => boolean} */ condition) =>
      new Promise((resolve) => {
        if (condition()) return resolve(undefined);
        onChange = () => {
          if (!condition()) return;
          onChange = () => {};
          resolve(undefined);
        };
      }),
    /** @param {string} key @param {any} fields @param {"create" | "update"} op */
    write(key, fields, op) {
      seq++;
      const id = `018f6c00-1c3d-7a52-9b6e-${seq.toString(16).padStart(12, "0")}`;
      records.set(key, { domain, key, version: 0, modifiedAt: 0, fields, stamps: { "*": id } });
      const event = `{"id":"${id}","seq":${seq},"schema":1,"ops":[{"op":"${op}","domain":"${domain}","key":"${key}","set":${JSON.stringify(fields)}}]}`;
      pending.push(event);
      if (socket !== undefined) send(`{"device":"${device}","events":[${event}]}`);
    },
    /** Connects, sends what is pending, and asks for `rows` after the cursor and to `watch`. */
    async connect(/** @type {{ rows: boolean, watch: boolean }} */ { rows, watch }) {
      const opened = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false, skipUTF8Validation: true });
      opened.on("message", receive);
      await new Promise((resolve, reject) => {
        opened.once("open", resolve);
        opened.once("error", reject);
      });
      // @ts-expect-error The underlying socket is not in the public types.
      opened._socket.setNoDelay(true);
      socket = opened;
      const extra = `${rows ? `,"cursor":${cursor}` : ""}${watch ? `,"watch":true` : ""}`;
      if (pending.length > 0) sendPending(extra);
      else if (extra !== "") send(`{"device":"${device}"${extra}}`);
    },
    async disconnect() {
      const closing = socket;
      socket = undefined;
      if (closing === undefined) return;
      const closed = new Promise((resolve) => closing.once("close", resolve));
      closing.close();
      await closed;
    },
  };
}

/** @typedef {{ from: number, count: number, patch: import("../harness/driver.mjs").Patch }} Written */

/** The floor's client role; see `harness/driver.mjs` for what each method promises. */
export function createRole() {
  /** @type {ReturnType<typeof createFloorClient>} */
  let client;
  /** @type {ReturnType<typeof createFloorClient>[]} */
  let receivers = [];
  /** @type {Promise<number[]>} */
  let allReceived;
  /** @type {string | undefined} */
  let replicaFile;

  const update = (/** @type {number} */ i, /** @type {object} */ patch) => {
    const key = recordKey(i);
    client.write(key, { ...client.records.get(key).fields, ...patch }, "update");
  };

  return {
    async open(/** @type {{ port: number, device: string, file?: string, joined?: boolean }} */ at) {
      client = createFloorClient(at);
      replicaFile = at.file;
      if (at.joined !== true) return;
      await client.connect({ rows: false, watch: false });
      await client.disconnect();
    },
    queue: async (/** @type {{ from: number, count: number }} */ { from, count }) => {
      for (let i = from; i < from + count; i++) client.write(recordKey(i), recordFields(i), "create");
    },
    async upload() {
      const start = performance.now();
      await client.connect({ rows: false, watch: false });
      await client.until(() => client.pendingCount() === 0);
      return { ms: performance.now() - start };
    },
    async catchUp(/** @type {{ count: number }} */ { count }) {
      const start = performance.now();
      await client.connect({ rows: true, watch: false });
      await client.until(() => client.records.size >= count);
      const ms = performance.now() - start;
      if (replicaFile !== undefined) storeReplica(replicaFile, client.records);
      return { ms };
    },
    goOffline: () => client.disconnect(),
    update: async (/** @type {Written} */ { from, count, patch }) => {
      for (let i = from; i < from + count; i++) update(i, patch);
    },
    settled: () => client.until(() => client.pendingCount() === 0),
    async reconnect(/** @type {Written} */ { from, count, patch }) {
      const isThere = (/** @type {any} */ { fields }) => Object.entries(patch).every(([field, value]) => fields[field] === value);
      const start = performance.now();
      await client.connect({ rows: true, watch: false });
      await client.until(() => {
        if (client.pendingCount() > 0) return false;
        for (let i = from; i < from + count; i++) if (!isThere(client.records.get(recordKey(i)))) return false;
        return true;
      });
      return { ms: performance.now() - start };
    },
    async writeSpaced(/** @type {{ from: number, count: number, spacingMs: number }} */ { from, count, spacingMs }) {
      await client.connect({ rows: false, watch: false });
      const writtenAt = [];
      for (let i = from; i < from + count; i++) {
        writtenAt.push(nowMs());
        client.write(recordKey(i), recordFields(i), "create");
        await sleep(spacingMs);
      }
      return writtenAt;
    },
    async receive(/** @type {{ port: number, clients: number, from: number, count: number }} */ { port, clients, from, count }) {
      const seenAt = /** @type {number[]} */ (Array(count).fill(0));
      let missing = clients * count;
      receivers = Array.from({ length: clients }, (_, n) => createFloorClient({ port, device: `receiver-${n}` }));
      allReceived = new Promise((resolve) => {
        for (const receiver of receivers) {
          receiver.listen((rows) => {
            for (const row of rows) {
              seenAt[recordIndex(row.key) - from] = nowMs();
              if (--missing === 0) resolve(seenAt);
            }
          });
        }
      });
      await Promise.all(receivers.map((receiver) => receiver.connect({ rows: false, watch: true })));
    },
    received: () => allReceived,
    async writeLocally(/** @type {{ count: number }} */ { count }) {
      const times = [];
      const watcher = (/** @type {Map<string, any>} */ records, /** @type {string} */ key) => records.get(key).fields.note;
      for (let n = 0; n < count; n++) {
        const i = (n * 7919) % client.records.size;
        const start = performance.now();
        update(i, { note: `note ${n}` });
        if (watcher(client.records, recordKey(i)) !== `note ${n}`) throw new Error("The write is not visible.");
        times.push(performance.now() - start);
        await sleep(0);
      }
      return times;
    },
    async reopen(/** @type {{ file: string, count: number }} */ { file, count }) {
      client = createFloorClient({ port: 0, device: "reopened" });
      const start = performance.now();
      loadReplica(file, client.records);
      const ms = performance.now() - start;
      if (client.records.size !== count) throw new Error(`The replica holds ${client.records.size} records, not ${count}.`);
      return { ms };
    },
    async close() {
      await client?.disconnect();
      await Promise.all(receivers.map((receiver) => receiver.disconnect()));
    },
  };
}

/** @param {string} file @param {Map<string, any>} records */
function storeReplica(file, records) {
  const db = new DatabaseSync(file);
  db.exec("PRAGMA journal_mode = WAL; CREATE TABLE rows (key TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID; BEGIN");
  const insert = db.prepare("INSERT INTO rows (key, row) VALUES (?, ?)");
  for (const [key, row] of records) insert.run(key, JSON.stringify(row));
  db.exec("COMMIT");
  db.close();
}

/** @param {string} file @param {Map<string, any>} records */
function loadReplica(file, records) {
  const db = new DatabaseSync(file);
  const { rows } = (db.prepare("SELECT '[' || group_concat(row, ',') || ']' AS rows FROM rows").get());
  for (const row of JSON.parse(rows)) records.set(row.key, row);
  db.close();
}
