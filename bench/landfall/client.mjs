import { createClient } from "@landfall/client";
import { sqliteStorage } from "@landfall/client/storage/sqlite";
import { nowMs, sleep } from "../harness/clock.mjs";
import { recordFields, recordKey } from "../harness/records.mjs";
import { schema, space, token } from "./schema.mjs";
import { switchedNetwork } from "./network.mjs";

/** @typedef {{ from: number, count: number, patch: import("../harness/driver.mjs").Patch }} Written */

/** Node loads its own fetch at the first use, which would be inside what is timed; ws is loaded by then too. */
void globalThis.Response;

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

/** @param {import("@landfall/client").Client} client */
async function untilLive(client) {
  await client.sync();
  while (client.status.connection !== "socket") await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Landfall's client role; see `harness/driver.mjs` for what each method promises. */
export function createRole() {
  /** @type {ReturnType<typeof createSwitchedClient>} */
  let own;
  /** @type {import("@landfall/client").SpaceHandle<typeof schema>} */
  let site;
  /** @type {ReturnType<typeof createSwitchedClient>[]} */
  let receivers = [];
  /** @type {Promise<number[]>} */
  let allReceived;
  /** @type {Promise<unknown>[]} Outcomes of the writes that are not known to be settled. */
  let outcomes = [];

  const written = (/** @type {import("@landfall/client").Receipt} */ receipt) => {
    outcomes.push(
      receipt.settled.then((outcome) => {
        if (outcome.status !== "applied") throw new Error(`A write was ${outcome.status}.`);
      }),
    );
    return receipt;
  };
  const settled = async () => {
    await Promise.all(outcomes);
    outcomes = [];
  };
  /** Goes online and asks at once, as an app does when its user comes back. */
  const goOnline = () => {
    own.network.on();
    // What keeps it from syncing shows as a write that is not settled or a record that does not come.
    own.client.sync().catch((error) => console.error(error));
  };
  /** Resolves when every one of the records is as a patch says, in the callbacks of the client. */
  const untilThere = (/** @type {Written} */ { from, count, patch }) =>
    Promise.all(
      Array.from({ length: count }, (_, n) => {
        const key = recordKey(from + n);
        const isThere = () => Object.entries(patch).every(([field, value]) => /** @type {any} */ (site.point.get(key))[field] === value);
        return new Promise((resolve) => {
          const stop = site.point.watchRecord(key, () => {
            if (!isThere()) return;
            stop();
            resolve(undefined);
          });
        });
      }),
    );

  return {
    async open(/** @type {{ port: number, file?: string, joined?: boolean }} */ { port, file, joined }) {
      own = createSwitchedClient({ port, file });
      site = await own.client.space(space, { create: joined === true }).open();
      if (joined !== true) return;
      own.network.on();
      await own.client.sync();
      await own.network.off();
    },
    async queue(/** @type {{ from: number, count: number }} */ { from, count }) {
      const receipts = [];
      for (let i = from; i < from + count; i++) receipts.push(written(site.point.create(recordFields(i), { key: recordKey(i) })));
      await Promise.all(receipts.map((receipt) => receipt.saved));
    },
    async upload() {
      const all = settled();
      const start = performance.now();
      goOnline();
      await all;
      return { ms: performance.now() - start };
    },
    async catchUp(/** @type {{ count: number }} */ { count }) {
      // A view is a consistent cut (DESIGN rule 5), so with the last record come all; they are counted after the clock has stopped.
      const last = new Promise((resolve) => site.point.watchRecord(recordKey(count - 1), () => resolve(undefined)));
      const start = performance.now();
      goOnline();
      await last;
      const ms = performance.now() - start;
      const readable = site.point.all().length;
      if (readable !== count) throw new Error(`The client holds ${readable} records, not ${count}.`);
      await own.client.sync();
      return { ms };
    },
    goOffline: () => own.network.off(),
    async update(/** @type {Written} */ { from, count, patch }) {
      const receipts = [];
      for (let i = from; i < from + count; i++) receipts.push(written(site.point.update(recordKey(i), patch)));
      await Promise.all(receipts.map((receipt) => receipt.saved));
    },
    settled,
    async reconnect(/** @type {Written} */ expected) {
      const agreed = Promise.all([settled(), untilThere(expected)]);
      const start = performance.now();
      goOnline();
      await agreed;
      return { ms: performance.now() - start };
    },
    async writeSpaced(/** @type {{ from: number, count: number, spacingMs: number }} */ { from, count, spacingMs }) {
      own.network.on();
      await untilLive(own.client);
      const writtenAt = [];
      for (let i = from; i < from + count; i++) {
        writtenAt.push(nowMs());
        written(site.point.create(recordFields(i), { key: recordKey(i) }));
        await sleep(spacingMs);
      }
      return writtenAt;
    },
    async receive(/** @type {{ port: number, clients: number, from: number, count: number }} */ { port, clients, from, count }) {
      const seenAt = /** @type {number[]} */ (Array(count).fill(0));
      let missing = clients * count;
      receivers = Array.from({ length: clients }, () => createSwitchedClient({ port }));
      /** @type {(seenAt: number[]) => void} */
      let done;
      allReceived = new Promise((resolve) => {
        done = resolve;
      });
      await Promise.all(
        receivers.map(async ({ client, network }) => {
          network.on();
          const { point } = await client.space(space).open();
          let next = 0;
          point.watch(() => {
            while (next < count && point.get(recordKey(from + next)) !== undefined) {
              seenAt[next++] = nowMs();
              if (--missing === 0) done(seenAt);
            }
          });
          await untilLive(client);
        }),
      );
    },
    received: () => allReceived,
    async writeLocally(/** @type {{ count: number }} */ { count }) {
      const held = site.point.all().length;
      let visibleAt = 0;
      let expected = { key: "", note: "" };
      const stop = site.point.watch((records) => {
        if (records.length !== held) throw new Error("The watch lost records.");
        if (site.point.get(expected.key)?.note === expected.note) visibleAt = performance.now();
      });
      const times = [];
      for (let n = 0; n < count; n++) {
        expected = { key: recordKey((n * 7919) % held), note: `note ${n}` };
        const start = performance.now();
        const receipt = site.point.update(expected.key, { note: expected.note });
        if (visibleAt < start) throw new Error("The write is not visible when the call returns.");
        times.push(visibleAt - start);
        await receipt.saved;
        await sleep(0);
      }
      stop();
      return times;
    },
    async reopen(/** @type {{ file: string, count: number }} */ { file, count }) {
      const start = performance.now();
      own = createSwitchedClient({ port: 9, file });
      site = await own.client.space(space).open();
      const held = await new Promise((resolve) => site.point.watch((records) => resolve(records.length))());
      const ms = performance.now() - start;
      if (held !== count) throw new Error(`The replica holds ${held} records, not ${count}.`);
      return { ms };
    },
    async rebase(/** @type {Written} */ expected) {
      const visible = untilThere(expected);
      /** @type {number | undefined} */
      let arrivedAt;
      // The server is not told of the pending events, so that they are pending still when its rows come.
      own.network.on(async (url, init) => {
        if (arrivedAt !== undefined) throw new TypeError("There is no network.");
        if (!url.endsWith("/v1/exchange")) return own.network.fetch(url, init);
        const request = JSON.parse(/** @type {string} */ (init.body));
        for (const part of request.spaces) delete part.events;
        const response = await own.network.fetch(url, { ...init, body: JSON.stringify(request) });
        const text = await response.text();
        arrivedAt = performance.now();
        return new Response(text, { status: response.status, headers: response.headers });
      });
      own.client.sync().catch(() => undefined);
      await visible;
      const ms = performance.now() - /** @type {number} */ (/** @type {unknown} */ (arrivedAt));
      await own.network.off();
      return { ms };
    },
    async close() {
      await own?.client.close();
      await Promise.all(receivers.map(({ client }) => client.close()));
    },
  };
}
