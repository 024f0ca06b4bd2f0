import { memoryStorage } from "@landfall/client/storage/memory";
import type { LockPort } from "@landfall/client/ports";
import { StorageError, termName } from "@landfall/client/storage/port";
import { createHub, createLocks } from "@landfall/client/tabs/origin.fixture";
import { createVirtualTime } from "@landfall/client/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openBrowser } from "./browser.js";
import { memoryStorageWith } from "./storages.js";
import { type Upgradable, app, fieldsOf, openUpgradable, siteIn, siteOf } from "./versions.js";
import { space } from "./world.js";

let place: Upgradable["place"];
let serve: Upgradable["serve"];
let close: Upgradable["close"];
beforeEach(() => void ({ place, serve, close } = openUpgradable()));
afterEach(() => close());

interface CutMessage {
  readonly type: "cut";
  readonly space: string;
  readonly payload: { readonly settlement: { readonly settled: unknown } };
}
const isCut = (message: unknown): boolean => (message as { readonly type: string }).type === "cut";

/** Two tabs, of which the older one is outdated: the server has gone on, and so has the newer one, which has made n1. */
async function twoTabs() {
  const browser = openBrowser(place);
  const newer = await browser.open(space, app(2));
  const older = await browser.open(space, app(1));
  const [site, old] = [siteIn(newer), siteIn(older)];
  await newer.device.client.sync();
  await serve(2);
  site.note.create({ title: "one", mood: "calm" }, { key: "n1" });
  await newer.device.client.sync();
  await browser.until(() => older.device.client.status.state === "outdated");
  return { browser, newer, older, site, old };
}

describe("§5.2: what becomes of the writes of an outdated tab", () => {
  it("rule 9: one that is refused leaves its view, and is in its inbox too", async () => {
    const { newer, older, old } = await twoTabs();
    const receipt = older.site.note.create({ text: "late" }, { key: "n1" });
    expect(fieldsOf(old.note.get("n1"))).toEqual({ text: "late" });
    await receipt.saved;
    await newer.device.client.sync();
    expect(await receipt.settled).toMatchObject({ status: "rejected" });
    expect(old.note.get("n1")).toBeUndefined();
    expect(older.device.client.status.pending.count).toBe(0);
    expect(old.inbox.current.length).toBe(1);
  });

  it("rule 9: one that was refused leaves its view, although the first word of it was lost", async () => {
    const { newer, older, old } = await twoTabs();
    newer.device.deafen();
    const receipt = older.site.note.create({ text: "late" }, { key: "n1" });
    await receipt.saved;
    await newer.device.client.sync().catch(() => undefined);
    newer.device.online();
    await newer.device.client.sync();
    expect(await receipt.settled).toMatchObject({ status: "duplicate", of: "rejected" });
    expect(old.note.get("n1")).toBeUndefined();
  });

  it("rule 9: one that was refused leaves its view where the tab is told to read the storage", async () => {
    const { browser, newer, older, old } = await twoTabs();
    const receipt = older.site.note.create({ text: "late" }, { key: "n1" });
    await receipt.saved;
    older.deafen();
    await newer.device.client.sync();
    older.hear();
    const cut = older.told.findLast((message) => isCut(message)) as CutMessage;
    const payload = { type: "reload", settled: cut.payload.settlement.settled };
    older.tell({ type: "changed", space: cut.space, payload });
    expect(await receipt.settled).toMatchObject({ status: "rejected" });
    for (const tab of browser.tabs) await tab.time.advance(1_000);
    expect(old.note.get("n1")).toBeUndefined();
  });

  it("rule 9: of one that was settled while it heard nothing it learns from the next cut", async () => {
    const { browser, newer, older, site, old } = await twoTabs();
    const receipt = older.site.note.create({ text: "late" }, { key: "n2" });
    await receipt.saved;
    older.deafen();
    await newer.device.client.sync();
    older.hear();
    site.note.create({ title: "more", mood: "calm" }, { key: "n3" });
    await newer.device.client.sync();
    for (const tab of browser.tabs) await tab.time.advance(30_000);
    expect(older.device.client.status.pending.count).toBe(0);
    expect((await receipt.settled).status).toBe("duplicate");
    expect(old.note.get("n2")).toMatchObject({ text: "late", $: { pending: false } });
    await old.note.update("n2", { text: "later" }).saved;
    expect(old.note.get("n2")).toMatchObject({ text: "later", $: { pending: true } });
  });
});

describe("§5.2: a guest who signs in to an account that a newer version of the app has used", () => {
  async function signedIn(firstSync: "local" | "server") {
    const storage = memoryStorage();
    const who: { token: string | null } = { token: null };
    await serve(2);
    const newer = place.device({ storage, client: app(2), user: "ann" });
    await newer.open();
    await newer.client.sync();
    await newer.client.close();
    const guest = place.device({ storage, client: { ...app(1), firstSync, credentials: () => who.token } });
    const site = await siteOf(guest);
    await site.note.create({ text: "mine" }, { key: "g1" }).saved;
    site.note.increment("g1", { votes: 1 });
    who.token = "dev:ann";
    await guest.client.signIn();
    return site;
  }

  it("rule 5: sees once what was made as a guest and is stamped anew", async () => {
    expect((await signedIn("local")).note.get("g1")).toMatchObject({ text: "mine", votes: 1 });
  });

  it("rule 8: sees in the inbox alone what was put there", async () => {
    const site = await signedIn("server");
    expect(site.note.get("g1")).toBeUndefined();
    expect(site.inbox.current.length).toBe(2);
  });
});

describe("§8: a tab of a newer version that cannot lead", () => {
  it("leaves the lead to the older one for a while", async () => {
    const memory = memoryStorage();
    const locks = createLocks();
    const hub = createHub();
    let steals = 0;
    const counted: LockPort = {
      request(name, options, hold) {
        if ("steal" in options && options.steal) steals += 1;
        return locks.request(name, options, hold);
      },
    };
    const [first, second] = [createVirtualTime({ seed: 1 }), createVirtualTime({ seed: 2 })];
    const older = place.device({
      storage: memory,
      client: app(1),
      ports: { ...first, locks: counted, channel: hub },
    });
    const site = await siteOf(older);
    await older.client.sync();
    const broken = memoryStorageWith(
      (handle) => ({
        commit: async (changes, fence) => {
          if (changes.some((change) => "a" in change && change.a === termName))
            throw new StorageError("unavailable", "It does not answer.");
          return handle.commit(changes, fence);
        },
      }),
      memory,
    );
    const newer = place.device({
      storage: broken,
      client: app(2),
      ports: { ...second, locks: counted, channel: hub },
    });
    void newer.open().catch(() => undefined);
    site.note.create({ text: "x" }, { key: "k" });
    for (let i = 0; i < 300; i++) for (const time of [first, second]) await time.advance(100);
    expect(steals).toBeGreaterThan(0);
    expect(steals).toBeLessThan(4);
    expect(older.client.status.pending.count).toBe(0);
  });
});
