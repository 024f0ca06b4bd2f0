import { createClient } from "@landfall/client";
import { sqliteStorage } from "@landfall/client/storage/sqlite";
import { nowMs, sleep } from "../harness/clock.mjs";
import { recordFields, recordKey } from "../harness/records.mjs";
import { DatabaseSync } from "../harness/sqlite.mjs";
import { switchedNetwork } from "./network.mjs";
import { schema, space, token } from "./schema.mjs";

/** @typedef {import("../harness/driver.mjs").ClientRole} ClientRole */
/** @typedef {import("../harness/driver.mjs").Written} Written */
/** @typedef {ReturnType<typeof createSwitchedClient>} SwitchedClient */
/** @typedef {import("@landfall/client").SpaceHandle<typeof schema>} Site */

// Node loads its own fetch at the first use, which would be inside what is timed; ws is loaded by then too.
void globalThis.Response;
// So is SQLite, on both sides.
void DatabaseSync;

/** A client of an app, with a switch for its network; it starts without one. */
function createSwitchedClient(/** @type {{ port: number, file?: string | undefined }} */ { port, file }) {
  const network = switchedNetwork();
  const client = createClient({
    schema,
    url: `http://127.0.0.1:${port}`,
    credentials: () => token,
    ports: network.ports,
    ...(file === undefined ? {} : { storage: sqliteStorage(file) }),
  });
  return { client, network };
}

/** Resolves when the client holds everything and hears of changes at once. */
async function untilLive(/** @type {SwitchedClient} */ { client }) {
  await client.sync();
  while (client.status.connection !== "socket") await sleep(2);
}

/** @implements {ClientRole} */
class LandfallClientRole {
  /** @type {{ own: SwitchedClient, site: Site } | undefined} */
  #opened;
  /** @type {SwitchedClient[]} */
  #receivers = [];
  /** @type {Promise<number[]>} */
  #allReceived = Promise.resolve([]);
  /** @type {Promise<unknown>[]} Outcomes of the writes that are not known to be settled. */
  #outcomes = [];

  get #own() {
    if (this.#opened === undefined) throw new Error("No client is open.");
    return this.#opened.own;
  }

  get #point() {
    if (this.#opened === undefined) throw new Error("No client is open.");
    return this.#opened.site.point;
  }

  async open(/** @type {import("../harness/driver.mjs").Opening} */ { port, file, joined }) {
    const own = createSwitchedClient({ port, file });
    this.#opened = { own, site: await own.client.space(space, { create: joined === true }).open() };
    if (joined !== true) return;
    own.network.on();
    await own.client.sync();
    await own.network.off();
  }

  #note(/** @type {import("@landfall/client").Receipt} */ receipt) {
    this.#outcomes.push(
      receipt.settled.then((outcome) => {
        if (outcome.status !== "applied") throw new Error(`A write was ${outcome.status}.`);
      }),
    );
    return receipt.saved;
  }

  async queue(/** @type {{ from: number, count: number }} */ { from, count }) {
    const saved = [];
    for (let i = from; i < from + count; i++)
      saved.push(this.#note(this.#point.create(recordFields(i), { key: recordKey(i) })));
    await Promise.all(saved);
  }

  async update(/** @type {Written} */ { from, count, patch }) {
    const saved = [];
    for (let i = from; i < from + count; i++) saved.push(this.#note(this.#point.update(recordKey(i), patch)));
    await Promise.all(saved);
  }

  async settled() {
    await Promise.all(this.#outcomes);
    this.#outcomes = [];
  }

  /** Goes online and asks at once, as an app does when its user comes back. */
  #goOnline() {
    const { client, network } = this.#own;
    network.on();
    // What keeps it from syncing shows as a write that is not settled or a record that does not come.
    client.sync().catch((error) => console.error(error));
  }

  async upload() {
    const all = this.settled();
    const start = performance.now();
    this.#goOnline();
    await all;
    return { ms: performance.now() - start };
  }

  async catchUp(/** @type {{ count: number }} */ { count }) {
    // A view is a consistent cut (DESIGN rule 5), so with the last record come all; the workload counts them afterwards.
    const last = new Promise((resolve) =>
      this.#point.watchRecord(recordKey(count - 1), () => resolve(undefined)),
    );
    const start = performance.now();
    this.#goOnline();
    await last;
    return { ms: performance.now() - start };
  }

  async held() {
    return this.#point.all().length;
  }

  async goOffline() {
    await this.#own.network.off();
  }

  /** Resolves when every one of the records is as the patch says, in the callbacks of the client. */
  #untilThere(/** @type {Written} */ { from, count, patch }) {
    const point = this.#point;
    const isThere = (/** @type {string} */ key) =>
      Object.entries(patch).every(([field, value]) => /** @type {any} */ (point.get(key))[field] === value);
    return Promise.all(
      Array.from({ length: count }, (_, n) => {
        const key = recordKey(from + n);
        return new Promise((resolve) => {
          const stop = point.watchRecord(key, () => {
            if (!isThere(key)) return;
            stop();
            resolve(undefined);
          });
        });
      }),
    );
  }

  async reconnect(/** @type {Written} */ expected) {
    const agreed = Promise.all([this.settled(), this.#untilThere(expected)]);
    const start = performance.now();
    this.#goOnline();
    await agreed;
    return { ms: performance.now() - start };
  }

  async writeSpaced(
    /** @type {{ from: number, count: number, spacingMs: number }} */ { from, count, spacingMs },
  ) {
    this.#own.network.on();
    await untilLive(this.#own);
    const writtenAt = [];
    for (let i = from; i < from + count; i++) {
      writtenAt.push(nowMs());
      void this.#note(this.#point.create(recordFields(i), { key: recordKey(i) }));
      await sleep(spacingMs);
    }
    return writtenAt;
  }

  async receive(/** @type {import("../harness/driver.mjs").Receiving} */ { port, clients, from, count }) {
    const seenAt = /** @type {number[]} */ (Array(count).fill(0));
    // Made beforehand: what comes is looked up by its key, as an app does that has it.
    const keys = Array.from({ length: count }, (_, n) => recordKey(from + n));
    let missing = clients * count;
    /** @type {(seenAt: number[]) => void} */
    let done;
    this.#allReceived = new Promise((resolve) => {
      done = resolve;
    });
    this.#receivers = Array.from({ length: clients }, () => createSwitchedClient({ port }));
    await Promise.all(
      this.#receivers.map(async (receiver) => {
        receiver.network.on();
        const { point } = await receiver.client.space(space).open();
        let next = 0;
        point.watch(() => {
          while (next < count && point.get(keys[next]) !== undefined) {
            seenAt[next++] = nowMs();
            if (--missing === 0) done(seenAt);
          }
        });
        await untilLive(receiver);
      }),
    );
  }

  async received() {
    return this.#allReceived;
  }

  async writeLocally(/** @type {{ count: number }} */ { count }) {
    const point = this.#point;
    const held = point.all().length;
    let visibleAt = 0;
    let expected = { key: "", note: "" };
    const stop = point.watch((records) => {
      if (records.length !== held) throw new Error("The watch lost records.");
      if (point.get(expected.key)?.note === expected.note) visibleAt = performance.now();
    });
    const times = [];
    for (let n = 0; n < count; n++) {
      expected = { key: recordKey((n * 7919) % held), note: `note ${n}` };
      const start = performance.now();
      const receipt = point.update(expected.key, { note: expected.note });
      if (visibleAt < start) throw new Error("The write is not visible when the call returns.");
      times.push(visibleAt - start);
      await receipt.saved;
      await sleep(0);
    }
    stop();
    return times;
  }

  async reopen(/** @type {{ file: string, count: number }} */ { file, count }) {
    const start = performance.now();
    const own = createSwitchedClient({ port: 9, file });
    const site = await own.client.space(space).open();
    const held = await new Promise((resolve) => site.point.watch((records) => resolve(records.length))());
    const ms = performance.now() - start;
    this.#opened = { own, site };
    if (held !== count) throw new Error(`The replica holds ${held} records, not ${count}.`);
    return { ms };
  }

  async rebase(/** @type {Written} */ expected) {
    const { client, network } = this.#own;
    const visible = this.#untilThere(expected);
    let arrivedAt = 0;
    // The server is not told of the pending events, so that they are pending still when its rows come.
    network.on(async (url, init) => {
      if (arrivedAt > 0) throw new TypeError("There is no network.");
      if (!url.endsWith("/v1/exchange")) return network.fetch(url, init);
      const request = JSON.parse(/** @type {string} */ (init.body));
      for (const part of request.spaces) delete part.events;
      const response = await network.fetch(url, { ...init, body: JSON.stringify(request) });
      const text = await response.text();
      arrivedAt = performance.now();
      return new Response(text, { status: response.status });
    });
    client.sync().catch(() => undefined);
    await visible;
    const ms = performance.now() - arrivedAt;
    await network.off();
    return { ms };
  }

  async close() {
    await this.#opened?.own.client.close();
    await Promise.all(this.#receivers.map(({ client }) => client.close()));
  }
}

export function createRole() {
  return new LandfallClientRole();
}
