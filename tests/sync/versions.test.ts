import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { type ClientStorageFactory, StorageError } from "@landfall/client";
import { memoryStorage } from "@landfall/client/storage/memory";
import { startRestoredGenerations } from "@landfall/server/operations";
import { sqlite } from "@landfall/server/storage/sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Tab, openBrowser } from "./browser.js";
import { memoryStorageWith } from "./storages.js";
import { type Upgradable, type Version, app, fieldsOf, openUpgradable, siteIn, siteOf } from "./versions.js";
import { type Device, settle, space } from "./world.js";

let place: Upgradable["place"];
let folder: Upgradable["folder"];
let serve: Upgradable["serve"];
let close: Upgradable["close"];
let storage: ClientStorageFactory;
let restores = 0;
beforeEach(() => {
  ({ place, folder, serve, close } = openUpgradable());
  storage = memoryStorage();
});
afterEach(() => close());

const deviceOf = (version: Version, online = true): Device =>
  place.device({ storage, client: app(version), online });
const another = (version: Version): Device => place.device({ client: app(version), user: "ann" });
/** Compares the digests of all that stands still. */
const compare = async (): Promise<void> => {
  place.time.pass(1_000);
  await place.time.settled();
};

/** The server goes on from its backup. */
async function restore(version: Version): Promise<void> {
  copyFileSync(join(folder, "copy.db"), join(folder, `restored-${++restores}.db`));
  const restored = sqlite(join(folder, `restored-${restores}.db`));
  const random = { bytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)) };
  await startRestoredGenerations(restored, { clock: place.time.clock, random });
  await place.replaceServer(restored, app(version));
}

/** A device of the first version that has a note, and is closed. */
async function filled(): Promise<void> {
  const device = deviceOf(1);
  const site = await siteOf(device);
  site.note.create({ text: "one", body: "by the river", marks: ["m"] }, { key: "n1" });
  site.note.create({ text: "two" }, { key: "n2" });
  await site.draft.create({ text: "mine" }, { key: "d1" }).saved;
  await device.client.sync();
  await device.client.close();
}
const first = { title: "one!", mood: "calm" };

describe("§5.2: an app that was updated", () => {
  it("reads what the device holds as its version has it, and writes over it, without a server; then all agree", async () => {
    await filled();
    const device = deviceOf(2, false);
    const site = await siteOf(device);
    expect(fieldsOf(site.note.get("n1"))).toEqual(first);
    expect(site.note.query({ where: { title: "two!" } }).map((note) => note["key"])).toEqual(["n2"]);
    site.note.update("n1", { title: "mine" });
    site.note.increment("n2", { votes: 2 });
    await site.actions.shout({ key: "n2" }).shown;
    expect(fieldsOf(site.note.get("n1"))).toEqual({ title: "mine", mood: "calm" });
    expect(fieldsOf(site.note.get("n2"))).toEqual({ title: "two!", mood: "shouting two!" });
    expect(site.note.get("n2")).toMatchObject({ votes: 2 });

    await serve(2);
    device.online();
    const other = another(2);
    const theirs = await siteOf(other);
    await settle(device, other);
    await compare();
    for (const each of [site, theirs]) {
      expect(fieldsOf(each.note.get("n1"))).toEqual({ title: "mine", mood: "calm" });
      expect(fieldsOf(each.note.get("n2"))).toEqual({ title: "two!", mood: "shouting two!" });
      expect(each.note.get("n2")).toMatchObject({ votes: 2 });
    }
    expect([...device.reports, ...other.reports]).toEqual([]);
  });

  it("reads the rows of a server that is not, and their digests agree; its writes wait", async () => {
    await filled();
    const device = deviceOf(2);
    const old = another(1);
    const theirs = await siteOf(old);
    const site = await siteOf(device);
    await settle(device, old);
    theirs.note.update("n1", { text: "newer" });
    await settle(old, device);
    expect(fieldsOf(site.note.get("n1"))).toEqual({ title: "newer!", mood: "calm" });
    await compare();
    expect(device.reports).toEqual([]);
    site.note.update("n1", { title: "mine" });
    await expect(device.client.sync()).rejects.toMatchObject({ code: "outdated" });
    expect(fieldsOf(site.note.get("n1"))).toEqual({ title: "mine", mood: "calm" });
    await serve(2);
    await settle(device);
    expect(site.note.get("n1")).toMatchObject({ title: "mine", $: { pending: false } });
  });

  it("rule 5: shows what it has as it was, where what the server has brought over cannot be stored", async () => {
    await filled();
    const disk = { isFull: false };
    storage = memoryStorageWith(
      (handle) => ({
        commit: async (changes, fence) => {
          if (disk.isFull && changes.some(({ table }) => table === "rows"))
            throw new StorageError("full", "No room is left on this device.");
          return handle.commit(changes, fence);
        },
      }),
      storage,
    );
    const device = deviceOf(2);
    await siteOf(device);
    await device.client.sync();
    await serve(2);
    disk.isFull = true;
    await expect(device.client.sync()).rejects.toThrow("No room");
    await device.client.close();
    const again = await siteOf(deviceOf(2, false));
    expect(fieldsOf(again.note.get("n1"))).toEqual(first);
  });

  it("shows a record as it is where its migration fails, and says so once", async () => {
    const device = deviceOf(1);
    const site = await siteOf(device);
    site.note.create({ text: "broken" }, { key: "n1" });
    site.note.create({ text: "whole" }, { key: "n2" });
    await device.client.sync();
    await device.client.close();
    const updated = deviceOf(2, false);
    const again = await siteOf(updated);
    for (let look = 0; look < 2; look++) {
      expect(again.note.query({}).map(fieldsOf)).toEqual([
        { text: "broken" },
        { title: "whole!", mood: "calm" },
      ]);
      again.note.increment("n2", { votes: 1 });
    }
    await Promise.resolve();
    expect(updated.reports).toEqual(["not_migrated"]);
  });
});

describe("§5.2: an app that was not updated", () => {
  it("takes nothing in that it cannot read, says so, keeps what it has and what is written, and goes on once it is updated", async () => {
    await filled();
    const device = deviceOf(1);
    const site = await siteOf(device);
    await device.client.sync();
    await serve(2);
    site.note.update("n1", { text: "mine" });
    await expect(device.client.sync()).rejects.toMatchObject({ code: "outdated" });
    const { state, reason } = device.client.status.spaces[space] ?? {};
    expect({ state, reason }).toEqual({
      state: "outdated",
      reason: expect.stringContaining("Update the app"),
    });
    expect(fieldsOf(site.note.get("n1"))).toEqual({ text: "mine", body: "by the river" });
    await site.note.increment("n2", { votes: 1 }).saved;
    await expect(device.client.sync()).rejects.toMatchObject({ code: "outdated" });
    // What it cannot read is not sent to it again and again, and what it writes goes.
    expect(place.asked.at(-1)).toMatchObject({ events: [{ seq: 3 }, { seq: 4 }] });
    expect(place.asked.at(-1)?.cursors).toEqual({});
    expect(site.note.get("n2")).toMatchObject({ text: "two", votes: 1, $: { pending: true } });
    await device.client.close();

    const updated = deviceOf(2);
    const again = await siteOf(updated);
    await settle(updated);
    await compare();
    expect(fieldsOf(again.note.get("n1"))).toEqual({ title: "mine!", mood: "calm" });
    expect(again.note.get("n2")).toMatchObject({ title: "two!", votes: 1, $: { pending: false } });
    expect([...device.reports, ...updated.reports]).toEqual([]);
  });

  it("rule 12: and knows, on a new device too, that the space was wiped, so that nothing of it comes back", async () => {
    await serve(2);
    const owner = another(2);
    const theirs = await siteOf(owner);
    await owner.client.sync();
    const device = deviceOf(1);
    const site = await siteOf(device);
    await site.note.create({ text: "mine" }, { key: "k1" }).saved;
    for (let sync = 0; sync < 2; sync++)
      await expect(device.client.sync()).rejects.toMatchObject({ code: "outdated" });
    await owner.client.sync();
    expect(theirs.note.get("k1")).toMatchObject({ title: "mine!" });
    const wipe = { method: "DELETE", headers: { authorization: "Bearer dev:ann" } };
    await place.server.handler(new Request(`http://landfall.test/v1/spaces/${space}`, wipe));
    await device.client.close();

    const again = deviceOf(1);
    const { inbox } = await siteOf(again);
    await expect(again.client.sync()).rejects.toMatchObject({ code: "outdated" });
    await owner.client.sync();
    expect(theirs.note.query({})).toEqual([]);
    expect(inbox.current).toMatchObject([{ kind: "parked", key: "k1", tried: { text: "mine" } }]);
  });

  it("goes on where newer ones have only added to the rows", async () => {
    await serve(2);
    const device = another(2);
    const site = await siteOf(device);
    site.note.create({ title: "one", mood: "good" }, { key: "n1" });
    await device.client.sync();
    await serve(3);
    site.note.update("n1", { mood: "better" });
    await settle(device);
    await compare();
    expect(fieldsOf(site.note.get("n1"))).toEqual({ title: "one", mood: "better", pinned: false });
    expect(device.client.status.state).toBe("live");
    expect(device.reports).toEqual([]);
  });

  it("put in place of the newer one, does not show what that has stored, and loses nothing of it", async () => {
    await serve(2);
    const device = deviceOf(2);
    const site = await siteOf(device);
    site.note.create({ title: "one", mood: "good" }, { key: "n1" });
    await device.client.sync();
    device.offline();
    await site.note.update("n1", { title: "mine" }).saved;
    await device.client.close();

    const older = deviceOf(1);
    const before = await siteOf(older);
    expect(before.note.query({})).toEqual([]);
    await expect(older.client.sync()).rejects.toMatchObject({ code: "outdated" });
    expect(older.client.status.state).toBe("outdated");
    await older.client.close();

    const again = deviceOf(2);
    const after = await siteOf(again);
    await settle(again);
    expect(after.note.get("n1")).toMatchObject({ title: "mine", mood: "good", $: { pending: false } });
  });
});

describe("§5.2: a server that is brought back to before its upgrade", () => {
  it("rule 12: is read again by an app that it had left behind", async () => {
    await filled();
    const device = deviceOf(1);
    const site = await siteOf(device);
    await device.client.sync();
    await place.storage.backup(join(folder, "copy.db"));
    await serve(2);
    site.note.update("n2", { text: "mine" });
    await expect(device.client.sync()).rejects.toMatchObject({ code: "outdated" });
    await restore(1);
    const seen = new Set<unknown>();
    site.note.watchRecord("n2", () => seen.add(site.note.get("n2")?.["text"]));
    await settle(device);
    expect([...seen]).toEqual(["mine"]);
    await compare();
    expect(device.client.status.state).toBe("live");
    expect(fieldsOf(site.note.get("n1"))).toEqual({ text: "one", body: "by the river" });
    expect(site.note.get("n2")).toMatchObject({ text: "mine", $: { pending: false } });
    expect(site.inbox.current).toEqual([]);
  });

  it("rule 12: what a newer app has stored of it an older one leaves to that", async () => {
    await filled();
    await place.storage.backup(join(folder, "copy.db"));
    await serve(2);
    const device = deviceOf(2);
    const site = await siteOf(device);
    site.note.create({ title: "newer", mood: "good" }, { key: "n3" });
    await device.client.sync();
    await device.client.close();
    await restore(1);
    const older = deviceOf(1);
    await siteOf(older);
    await expect(older.client.sync()).rejects.toMatchObject({ code: "outdated" });
    await older.client.close();
    await restore(2);
    const again = deviceOf(2);
    const after = await siteOf(again);
    await settle(again);
    expect(after.note.get("n3")).toMatchObject({ title: "newer", $: { pending: false } });
  });

  it("goes on being read by an app that had read what a newer one only added to", async () => {
    await serve(2);
    const device = deviceOf(2);
    const site = await siteOf(device);
    site.note.create({ title: "one", mood: "good" }, { key: "n1" });
    await device.client.sync();
    await serve(3);
    await device.client.sync();
    await serve(2);
    for (let sync = 0; sync < 2; sync++) {
      await settle(device);
      expect(device.client.status.state).toBe("live");
    }
    await device.client.close();
    const again = await siteOf(deviceOf(2, false));
    expect(fieldsOf(again.note.get("n1"))).toEqual({ title: "one", mood: "good", pinned: false });
  });

  it("rule 12: of what an older app had read of it refuses what it cannot take, and goes on with what is written", async () => {
    await serve(2);
    const early = another(2);
    await early.open();
    await early.client.sync();
    await place.storage.backup(join(folder, "copy.db"));
    await serve(3);
    const device = deviceOf(2);
    const site = await siteOf(device);
    site.note.create({ title: "one", mood: "good" }, { key: "n1" });
    await device.client.sync();
    expect(fieldsOf(site.note.get("n1"))).toEqual({ title: "one", mood: "good", pinned: false });

    await restore(2);
    await settle(device);
    site.note.create({ title: "two", mood: "good" }, { key: "n2" });
    await settle(device);
    expect(device.client.status).toMatchObject({ state: "live", pending: { count: 0 } });
    // It has a field that this server does not know.
    expect(site.inbox.current).toMatchObject([{ kind: "lost", key: "n1", tried: { title: "one" } }]);
    expect(site.note.get("n2")).toMatchObject({ title: "two", $: { pending: false } });
  });
});

describe("§5.2: records of the device's own", () => {
  it("show in each version as it has them; what a newer app has written an older one leaves alone, and says so", async () => {
    await filled();
    for (const [version, draft] of [
      [2, { title: "mine!" }],
      [1, { text: "mine" }],
      [2, { title: "mine!" }],
    ] as const) {
      const device = deviceOf(version, false);
      const site = await siteOf(device);
      expect(fieldsOf(site.draft.get("d1"))).toEqual(draft);
      if (version === 2) await site.draft.put("d2", { title: "newer" }).saved;
      await device.client.close();
    }
    const older = deviceOf(1, false);
    const site = await siteOf(older);
    expect(site.draft.query({}).map(fieldsOf)).toEqual([{ text: "mine" }]);
    expect(older.reports).toEqual(["newer_records"]);
    expect(() => site.draft.put("d2", { text: "over it" })).toThrow("newer version");
    await older.client.close();
    expect(fieldsOf((await siteOf(deviceOf(2, false))).draft.get("d2"))).toEqual({ title: "newer" });
  });
});

describe("§5.2: two tabs of an updated app that open at the same moment", () => {
  it("rule 8: neither writes over what the other has written of the device's own", async () => {
    await filled();
    const readings: (() => void)[] = [];
    const slow = memoryStorageWith(
      (handle) => ({
        snapshot: async (tables, id) => {
          const read = await handle.snapshot(tables, id);
          if (id === space && readings.length < 2) await new Promise<void>((go) => void readings.push(go));
          return read;
        },
      }),
      storage,
    );
    const browser = openBrowser(place, slow);
    const opening = [browser.open(space, app(2)), browser.open(space, app(2))] as const;
    await expect.poll(() => readings.length).toBe(2);
    readings[0]?.();
    const [first] = await Promise.race(opening.map(async (tab) => [await tab]));
    const site = siteIn(first as Tab);
    await site.draft.update("d1", { title: "by the first" }).saved;
    readings[1]?.();
    const tabs = await Promise.all(opening);
    await browser.until(() => tabs.every((tab) => siteIn(tab).draft.get("d1")?.["title"] === "by the first"));
    for (const tab of tabs) await tab.device.client.close();
    expect(fieldsOf((await siteOf(deviceOf(2, false))).draft.get("d1"))).toEqual({ title: "by the first" });
  });
});

describe("§5.2: what is kept for people, or offered back", () => {
  it("rule 12: rows of an older version are offered back as the server has them now", async () => {
    const early = another(1);
    await early.open();
    await early.client.sync();
    await place.storage.backup(join(folder, "copy.db"));
    await filled();
    const device = deviceOf(2, false);
    const site = await siteOf(device);
    await restore(2);
    device.online();
    const other = another(2);
    const theirs = await siteOf(other);
    await settle(device, other);
    for (const each of [site, theirs]) expect(fieldsOf(each.note.get("n1"))).toMatchObject({ title: "one!" });
    expect(site.inbox.current).toEqual([]);
  });

  it("rule 9: what an older app put into the inbox is written again as this one has it", async () => {
    await filled();
    const [device, other] = [deviceOf(1), another(1)];
    const [site, theirs] = [await siteOf(device), await siteOf(other)];
    await settle(device, other);
    device.offline();
    site.note.update("n1", { text: "mine" });
    theirs.note.delete("n1");
    await settle(other);
    device.online();
    await settle(device);
    expect(site.inbox.current).toMatchObject([{ before: { body: "by the river" } }]);
    await device.client.close();

    await serve(2);
    const updated = deviceOf(2);
    const again = await siteOf(updated);
    const [item] = again.inbox.current;
    expect(item).toMatchObject({ tried: { title: "mine!" }, before: { title: "one!", mood: "calm" } });
    const { key } = again.inbox.keepCopy(item?.id ?? "");
    await settle(updated);
    expect(fieldsOf(again.note.get(key))).toEqual({ title: "mine!", mood: "calm" });
    expect(again.inbox.current).toEqual([]);
  });

  it("rules 8 and 9: a value that lost before both were updated can be written again, its answer having been lost", async () => {
    await filled();
    const [device, other] = [deviceOf(1), another(1)];
    const [site, theirs] = [await siteOf(device), await siteOf(other)];
    await settle(device, other);
    device.offline();
    site.note.update("n1", { text: "mine", body: "mine too" });
    place.time.pass(1_000);
    theirs.note.update("n1", { text: "theirs", body: "theirs too" });
    await settle(other);
    device.deafen();
    await device.client.sync().catch(() => undefined);
    await device.client.close();

    await serve(2);
    const updated = deviceOf(2);
    const again = await siteOf(updated);
    await settle(updated);
    const items = again.inbox.current;
    expect(items).toMatchObject([
      { field: "body", choices: ["dismiss"] },
      { field: "title", tried: "mine!", won: "theirs!", choices: ["writeAgain", "dismiss"] },
    ]);
    again.inbox.writeAgain(items[1]?.id ?? "");
    await settle(updated);
    expect(fieldsOf(again.note.get("n1"))).toEqual({ title: "mine!", mood: "calm" });
  });

  it("rule 9: what was written as a guest of an older app, and not adopted, is kept as this one has it", async () => {
    let token: string | null = null;
    const guest = place.device({
      storage,
      client: { ...app(1), firstSync: "server", credentials: () => token },
    });
    const site = await siteOf(guest);
    await site.note.create({ text: "mine" }, { key: "g1" }).saved;
    token = "dev:ann";
    await guest.client.signIn();
    await settle(guest);
    await guest.client.close();

    await serve(2);
    const updated = deviceOf(2);
    const again = await siteOf(updated);
    const [item] = again.inbox.current;
    expect(item).toMatchObject({ code: "not_adopted", tried: { title: "mine!" } });
    const { key } = again.inbox.keepCopy(item?.id ?? "");
    await settle(updated);
    expect(fieldsOf(again.note.get(key))).toEqual({ title: "mine!", mood: "calm" });
  });
});

describe("§5.2: tabs of two versions", () => {
  it("the newer one takes the lead; the older one shows what it had, says that it is outdated, and its writes get through", async () => {
    await filled();
    const browser = openBrowser(place, storage);
    const older = await browser.open(space, app(1));
    const old = siteIn(older);
    await older.device.client.sync();
    const newer = await browser.open(space, app(2));
    const site = siteIn(newer);
    expect(fieldsOf(site.note.get("n1"))).toEqual(first);
    await serve(2);
    old.note.update("n1", { text: "by the older" });
    await browser.until(() => site.note.get("n1")?.["title"] === "by the older!");
    await browser.until(() => older.device.client.status.state === "outdated");
    expect(fieldsOf(old.note.get("n1"))).toEqual({ text: "by the older", body: "by the river" });
    // The older tab led until the newer one was there.
    site.note.update("n2", { title: "by the newer" });
    expect(fieldsOf(old.note.get("n2"))).toEqual({ text: "two" });
    await newer.device.client.sync();
    expect(older.device.client.status.state).toBe("outdated");
    expect(fieldsOf(site.note.get("n1"))).toEqual({ title: "by the older!", mood: "calm" });
    expect(site.note.get("n2")).toMatchObject({ title: "by the newer", $: { pending: false } });
  });

  it("where the newer one leads, the older one is told, and what it writes gets through", async () => {
    await filled();
    const browser = openBrowser(place, storage);
    const newer = await browser.open(space, app(2));
    const site = siteIn(newer);
    await newer.device.client.sync();
    const older = await browser.open(space, app(1));
    const old = siteIn(older);
    expect(fieldsOf(old.note.get("n1"))).toEqual({ text: "one", body: "by the river" });
    await serve(2);
    await newer.device.client.sync();
    await browser.until(() => older.device.client.status.state === "outdated");
    expect(older.device.client.status.reason).toContain("Update the app");
    expect(fieldsOf(old.note.get("n1"))).toEqual({ text: "one", body: "by the river" });
    const receipt = older.site.note.update("n1", { text: "late" });
    await browser.until(() => site.note.get("n1")?.["title"] === "late!");
    await newer.device.client.sync();
    expect(await receipt.settled).toMatchObject({ status: "applied" });
    expect(site.note.get("n1")).toMatchObject({ title: "late!", $: { pending: false } });
    expect(older.device.client.status.state).toBe("outdated");
  });

  it("rule 9: what the newer one has put into the inbox the older one leaves to it", async () => {
    await filled();
    await serve(2);
    const browser = openBrowser(place, storage);
    const older = await browser.open(space, app(1));
    const newer = await browser.open(space, app(2));
    const [old, site] = [siteIn(older), siteIn(newer)];
    await newer.device.client.sync();
    const other = another(2);
    const theirs = await siteOf(other);
    await settle(other);
    newer.device.offline();
    site.note.update("n1", { title: "mine", mood: "glad" });
    theirs.note.delete("n1");
    await settle(other);
    newer.device.online();
    await newer.device.client.sync();
    await browser.until(() => old.inbox.current.length > 0);
    const [item] = old.inbox.current;
    expect(item).toMatchObject({ code: "deleted", choices: ["dismiss"] });
    expect(() => old.inbox.retry(item?.id ?? "")).toThrow("That item is not for retry");
    expect(site.inbox.current).toMatchObject([{ choices: ["retry", "keepCopy", "dismiss"] }]);
    const { key } = site.inbox.keepCopy(item?.id ?? "");
    expect(fieldsOf(site.note.get(key))).toEqual({ title: "mine", mood: "glad" });
    await browser.until(() => old.inbox.current.length === 0);
  });
});
