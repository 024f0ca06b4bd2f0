import { nowMs, sleep } from "../harness/clock.mjs";
import { recordFields, recordIndex, recordKey } from "../harness/records.mjs";
import { FloorClient } from "./floor-client.mjs";
import { loadReplica, storeReplica } from "./replica-file.mjs";

/** @typedef {import("../harness/driver.mjs").ClientRole} ClientRole */
/** @typedef {import("../harness/driver.mjs").Written} Written */

/** @implements {ClientRole} */
class FloorClientRole {
  /** @type {FloorClient | undefined} */
  #opened;
  /** @type {FloorClient[]} */
  #receivers = [];
  /** @type {Promise<number[]>} */
  #allReceived = Promise.resolve([]);
  /** @type {string | undefined} */
  #replicaFile;

  get #client() {
    if (this.#opened === undefined) throw new Error("No client is open.");
    return this.#opened;
  }

  async open(/** @type {import("../harness/driver.mjs").Opening} */ { port, device, file, joined }) {
    this.#opened = new FloorClient({ port, device });
    this.#replicaFile = file;
    if (joined !== true) return;
    await this.#client.connect({ rows: false, watch: false });
    await this.#client.disconnect();
  }

  async queue(/** @type {{ from: number, count: number }} */ { from, count }) {
    for (let i = from; i < from + count; i++) this.#client.write(recordKey(i), recordFields(i), "create");
  }

  async upload() {
    const start = performance.now();
    await this.#client.connect({ rows: false, watch: false });
    await this.settled();
    return { ms: performance.now() - start };
  }

  async catchUp(/** @type {{ count: number }} */ { count }) {
    const { records } = this.#client;
    const start = performance.now();
    await this.#client.connect({ rows: true, watch: false });
    await this.#client.until(() => records.size >= count);
    const ms = performance.now() - start;
    if (this.#replicaFile !== undefined) storeReplica(this.#replicaFile, records);
    return { ms };
  }

  async held() {
    return this.#client.records.size;
  }

  async goOffline() {
    await this.#client.disconnect();
  }

  #update(/** @type {number} */ i, /** @type {import("../harness/driver.mjs").Patch} */ patch) {
    const key = recordKey(i);
    this.#client.write(key, { ...this.#client.records.get(key).fields, ...patch }, "update");
  }

  async update(/** @type {Written} */ { from, count, patch }) {
    for (let i = from; i < from + count; i++) this.#update(i, patch);
  }

  async settled() {
    await this.#client.until(() => this.#client.pendingCount === 0);
  }

  async reconnect(/** @type {Written} */ { from, count, patch }) {
    const isThere = (/** @type {number} */ i) => {
      const { fields } = this.#client.records.get(recordKey(i));
      return Object.entries(patch).every(([field, value]) => fields[field] === value);
    };
    const start = performance.now();
    await this.#client.connect({ rows: true, watch: false });
    await this.#client.until(() => {
      if (this.#client.pendingCount > 0) return false;
      for (let i = from; i < from + count; i++) if (!isThere(i)) return false;
      return true;
    });
    return { ms: performance.now() - start };
  }

  async writeSpaced(
    /** @type {{ from: number, count: number, spacingMs: number }} */ { from, count, spacingMs },
  ) {
    await this.#client.connect({ rows: false, watch: false });
    const writtenAt = [];
    for (let i = from; i < from + count; i++) {
      writtenAt.push(nowMs());
      this.#client.write(recordKey(i), recordFields(i), "create");
      await sleep(spacingMs);
    }
    return writtenAt;
  }

  async receive(/** @type {import("../harness/driver.mjs").Receiving} */ { port, clients, from, count }) {
    const seenAt = /** @type {number[]} */ (Array(count).fill(0));
    let missing = clients * count;
    this.#receivers = Array.from(
      { length: clients },
      (_, n) => new FloorClient({ port, device: `receiver-${n}` }),
    );
    this.#allReceived = new Promise((resolve) => {
      const see = (/** @type {readonly any[]} */ rows) => {
        for (const row of rows) {
          seenAt[recordIndex(row.key) - from] = nowMs();
          if (--missing === 0) resolve(seenAt);
        }
      };
      for (const receiver of this.#receivers) receiver.onChange = see;
    });
    await Promise.all(this.#receivers.map((receiver) => receiver.connect({ rows: false, watch: true })));
  }

  async received() {
    return this.#allReceived;
  }

  async writeLocally(/** @type {{ count: number }} */ { count }) {
    const { records } = this.#client;
    const held = records.size;
    const times = [];
    for (let n = 0; n < count; n++) {
      const i = (n * 7919) % held;
      const start = performance.now();
      this.#update(i, { note: `note ${n}` });
      if (records.get(recordKey(i)).fields.note !== `note ${n}`) throw new Error("The write is not visible.");
      times.push(performance.now() - start);
      await sleep(0);
    }
    return times;
  }

  async reopen(/** @type {{ file: string, count: number }} */ { file, count }) {
    this.#opened = new FloorClient({ port: 9, device: "reopened" });
    const { records } = this.#opened;
    const start = performance.now();
    loadReplica(file, records);
    const ms = performance.now() - start;
    if (records.size !== count) throw new Error(`The replica holds ${records.size} records, not ${count}.`);
    return { ms };
  }

  async close() {
    await this.#opened?.disconnect();
    await Promise.all(this.#receivers.map((receiver) => receiver.disconnect()));
  }
}

export function createRole() {
  return new FloorClientRole();
}
