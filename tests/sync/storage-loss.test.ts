import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ClientStorageFactory, StorageError } from "@landfall/client";
import type { StorageTable } from "@landfall/client/storage/port";
import { memoryStorage } from "@landfall/client/storage/memory";
import { loadSqlite } from "@landfall/client/storage/sqlite-driver";
import { sqliteStorage } from "@landfall/client/storage/sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fullStorage, notebook } from "./storages.js";
import { type NoteSpace, type Place, bytesOf, makeProbe, openPlace, probe, probed, settle } from "./world.js";

let place: Place;
let folder = "";
beforeEach(() => {
  place = openPlace();
  folder = mkdtempSync(join(tmpdir(), "landfall-"));
});
afterEach(async () => {
  await place.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What the server has, as a new device gets it. */
async function readAnew(): Promise<NoteSpace> {
  const reader = place.device();
  const read = await reader.open();
  await reader.client.sync();
  return read;
}

describe("a storage that cannot be opened", () => {
  const never: ClientStorageFactory = {
    ...memoryStorage(),
    open: () => Promise.reject(new StorageError("unavailable", "This browser keeps nothing here.")),
  };
  const { disk, storage: full } = fullStorage();
  disk.isFull = true;

  it.each([
    ["is not there", never, "This browser keeps nothing here."],
    ["has no room from the start", full, "No room is left on this device."],
  ])(
    "rule 8: when it %s, memory stands in, says so, calls no write saved, and everything reaches the server",
    async (_why, storage, problem) => {
      const device = place.device({ storage });
      const site = await device.open();
      expect(device.client.status.storage).toMatchObject({ kind: "memory", persistent: false });
      expect(device.client.status.storage.problem).toContain(problem);
      expect(device.reports).toEqual(["storage"]);
      const receipt = site.note.create({ text: "kept by the server" }, { key: "n1" });
      await expect(receipt.saved).rejects.toThrow(problem);
      await device.client.sync();
      expect(await receipt.settled).toMatchObject({ status: "applied" });
      const read = await readAnew();
      expect(bytesOf(read)).toBe(bytesOf(site));
    },
  );
});

describe("a storage that is full", () => {
  it("rules 3, 8 and 9: a write reaches the server all the same, the status says why it is not kept here, and with room again all is well", async () => {
    const { disk, storage } = fullStorage();
    const device = place.device({ storage });
    await makeProbe(device);
    const site = await device.open();
    disk.isFull = true;
    const receipt = probe(site, "unsaved");
    await expect(receipt.saved).rejects.toMatchObject({ code: "full" });
    expect(probed(site)).toEqual({ names: ["unsaved"], count: 1 });
    await expect(device.client.sync()).rejects.toThrow("No room is left");
    expect(device.client.status).toMatchObject({
      pending: { count: 1 },
      storage: { problem: "No room is left on this device." },
    });
    expect(device.reports).toEqual(["storage"]);
    const read = await readAnew();
    expect(probed(read)).toEqual({ names: ["unsaved"], count: 1 });

    disk.isFull = false;
    await device.client.sync();
    expect(await receipt.settled).toMatchObject({ status: "applied" });
    expect(device.client.status).toMatchObject({ pending: { count: 0 }, storage: { problem: null } });
    expect(bytesOf(site)).toBe(bytesOf(read));
  });

  it("rules 3 and 8: what was sent from memory and what is written after a crash are there once each, whatever their seqs", async () => {
    const { disk, storage } = fullStorage();
    let device = place.device({ storage });
    await makeProbe(device);
    let site = await device.open();
    probe(site, "saved");
    await device.client.sync();
    disk.isFull = true;
    await expect(probe(site, "unsaved").saved).rejects.toMatchObject({ code: "full" });
    await expect(device.client.sync()).rejects.toThrow("No room is left");
    // It ends without a word, and starts with what its storage has.
    device.offline();
    disk.isFull = false;
    device = place.device({ storage });
    site = await device.open();
    await probe(site, "after").saved;
    await settle(device);
    await settle(device);
    const names = ["after", "saved", "unsaved"];
    expect(probed(site)).toEqual({ names, count: 3 });
    const read = await readAnew();
    expect(bytesOf(read)).toBe(bytesOf(site));
    expect(device.client.status.pending.count).toBe(0);
  });

  it("rules 3 and 8: a start without any room still sends what waits", async () => {
    const { disk, storage } = fullStorage();
    let device = place.device({ storage });
    await makeProbe(device);
    device.offline();
    await probe(await device.open(), "waiting").saved;
    await device.client.close();
    disk.isFull = true;
    device = place.device({ storage });
    const site = await device.open();
    expect(probed(site)).toEqual({ names: ["waiting"], count: 1 });
    await expect(device.client.sync()).rejects.toThrow("No room is left");
    const read = await readAnew();
    expect(probed(read)).toEqual({ names: ["waiting"], count: 1 });
  });

  it("rules 3 and 8: a file that may not grow: every write is on the server once, and with a larger file all agree", async () => {
    const file = join(folder, "small.db");
    const notes = notebook();
    const start = (maxBytes?: number) =>
      place.device({
        storage: sqliteStorage(file, maxBytes === undefined ? {} : { maxBytes }),
        ports: { notes },
      });
    let device = start(100_000);
    let site = await device.open();
    const saved = Array.from({ length: 40 }, (_, i) =>
      site.note.create({ text: "x".repeat(5_000) }, { key: `n${i}` }).saved.then(
        () => true,
        () => false,
      ),
    );
    const kept = (await Promise.all(saved)).filter((isKept) => isKept).length;
    expect(kept).toBeLessThan(40);
    for (let i = 0; i < 3; i++) await device.client.sync().catch(() => undefined);
    expect(device.client.status.storage.problem).toContain("no room is left");
    expect((await readAnew()).note.all()).toHaveLength(40);
    await device.client.close();
    device = start();
    site = await device.open();
    await settle(device);
    expect(bytesOf(site)).toBe(bytesOf(await readAnew()));
    expect(site.note.all()).toHaveLength(40);
    expect(device.client.status).toMatchObject({ pending: { count: 0 }, storage: { problem: null } });
  });
});

describe("a storage that is gone at the next start", () => {
  it.each([
    ["with unsynced writes", 2, "2 unsynced writes were in it and are lost."],
    ["with nothing unsynced", 0, "Nothing unsynced was in it."],
  ])("rule 8: %s: base is fetched again, and how much was lost is said", async (_how, unsynced, text) => {
    const notes = notebook();
    const start = () => place.device({ storage: sqliteStorage(join(folder, "app.db")), ports: { notes } });
    let device = start();
    await makeProbe(device);
    let site = await device.open();
    probe(site, "synced");
    await device.client.sync();
    device.offline();
    for (let i = 0; i < unsynced; i++) await probe(site, `unsynced ${i}`).saved;
    await expect.poll(() => notes.read("landfall:landfall.account.ann")).toContain(`"pending":${unsynced}`);
    await device.client.close();
    const gone = await sqliteStorage(join(folder, "app.db")).open("landfall.account.ann");
    await gone.destroy(() => true);

    device = start();
    site = await device.open();
    expect(device.client.status.storage).toMatchObject({ kind: "sqlite", persistent: true });
    expect(device.client.status.storage.problem).toContain("evicted or deleted");
    expect(device.client.status.storage.problem).toContain(text);
    expect(device.reports).toEqual([unsynced > 0 ? "unsynced_lost" : "storage"]);
    expect(site.note.all()).toEqual([]);
    await device.client.sync();
    expect(probed(site)).toEqual({ names: ["synced"], count: 1 });
    // The lost installation's seqs are not this one's.
    probe(site, "after");
    await device.client.sync();
    expect(probed(site)).toEqual({ names: ["after", "synced"], count: 2 });
    expect([place.clashes, device.client.status.pending.count]).toEqual([[], 0]);
    await device.client.close();
    // It is said once: the next start finds its data.
    device = start();
    site = await device.open();
    expect(device.client.status.storage.problem).toBeNull();
    expect(probed(site)).toEqual({ names: ["after", "synced"], count: 2 });
  });
});

describe("a storage of which a part is gone at the next start", () => {
  const file = (): string => join(folder, "app-landfall.account.ann.db");
  const start = () => place.device({ storage: sqliteStorage(join(folder, "app.db")) });

  /** A device that has synced, sent a write whose answer was lost, and written one more that was never sent. */
  async function before(): Promise<void> {
    const device = start();
    await makeProbe(device);
    const site = await device.open();
    probe(site, "synced");
    await device.client.sync();
    device.deafen();
    await probe(site, "unheard").saved;
    await device.client.sync().catch(() => undefined);
    device.offline();
    await probe(site, "unsent").saved;
    await device.client.close();
  }

  it.each([
    ["rows", ["storage"], ["synced", "unheard", "unsent"]],
    ["meta", ["storage"], ["synced", "unheard", "unsent"]],
    ["outbox", ["unsynced_lost"], ["synced", "unheard"]],
    ["inbox", ["storage"], ["synced", "unheard", "unsent"]],
  ] as const)(
    "rules 3 and 8: %s: it is said, base is right again, nothing that is still there is lost or counts twice",
    async (table, reports, names) => {
      await before();
      const driver = await loadSqlite();
      const db = new driver(file());
      db.exec(`DROP TABLE "${table}"`);
      db.close();

      const device = start();
      const site = await device.open();
      expect(device.client.status.storage.problem).toContain(
        "A part of the data stored on this device is gone",
      );
      await settle(device);
      expect(probed(site)).toEqual({ names, count: names.length });
      probe(site, "zz after");
      await settle(device);
      expect(probed(site)).toEqual({ names: [...names, "zz after"], count: names.length + 1 });
      expect(device.reports).toEqual(reports);
      expect([place.clashes, device.client.status.pending.count, site.inbox.current]).toEqual([[], 0, []]);
      const read = await readAnew();
      expect(bytesOf(read)).toBe(bytesOf(site));
    },
  );

  /** A device with a write that waits, whose disk loses a table and then has no room. */
  async function fullAndWithout(table: StorageTable) {
    const { disk, storage: inner } = fullStorage();
    const storage: ClientStorageFactory = {
      ...inner,
      open: async (name) => ({ ...(await inner.open(name)), persistent: true }),
    };
    const device = place.device({ storage });
    await makeProbe(device);
    device.offline();
    await probe(await device.open(), "unsynced").saved;
    await device.client.close();
    const handle = await storage.open("landfall.account.ann");
    for (const space of await handle.spaces()) await handle.commit([{ type: "clear", table, space }]);
    await handle.close();
    disk.isFull = true;
    return { disk, storage };
  }

  it("rule 8: where there is no room to mend it either, what is lost is said at once, and again until it is mended", async () => {
    const { disk, storage } = await fullAndWithout("outbox");
    let device = place.device({ storage });
    await device.open();
    expect(device.reports).toEqual(["unsynced_lost"]);
    expect(device.client.status.storage).toMatchObject({ kind: "memory", persistent: false });
    expect(device.client.status.storage.problem).toMatch(/No room is left.*Unsynced writes .* are lost/);
    await device.client.close();
    disk.isFull = false;
    device = place.device({ storage });
    await device.open();
    expect(device.reports).toEqual(["unsynced_lost"]);
    await device.client.close();
    device = place.device({ storage });
    await device.open();
    expect([device.reports, device.client.status.storage.problem]).toEqual([[], null]);
  });

  it.each(["inbox", "local"] as const)(
    "rules 3 and 8: without room, what waits is sent all the same where only %s is gone",
    async (table) => {
      const { storage } = await fullAndWithout(table);
      const device = place.device({ storage });
      const site = await device.open();
      expect(device.client.status.storage.problem).toContain("A part of the data stored on this device");
      expect(probed(site)).toEqual({ names: ["unsynced"], count: 1 });
      await expect(device.client.sync()).rejects.toThrow("No room is left");
      const read = await readAnew();
      expect(probed(read)).toEqual({ names: ["unsynced"], count: 1 });
    },
  );
});
