import { memoryStorage } from "@landfall/client/storage/memory";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openBrowser } from "./browser.js";
import { type Upgradable, app, fieldsOf, openUpgradable, siteIn, siteOf } from "./versions.js";
import { space } from "./world.js";

let place: Upgradable["place"];
let serve: Upgradable["serve"];
let close: Upgradable["close"];
beforeEach(() => void ({ place, serve, close } = openUpgradable()));
afterEach(() => close());

/** Has the owner of the space change who is a member. */
async function member(user: string, method: "PUT" | "DELETE"): Promise<void> {
  const response = await place.server.handler(
    new Request(`http://landfall.test/v1/spaces/${space}/members/${user}`, {
      method,
      headers: { authorization: "Bearer dev:ann", "content-type": "application/json" },
      ...(method === "PUT" && { body: '{"role":"writer"}' }),
    }),
  );
  expect(response.ok).toBe(true);
}

describe("§5.2: a record whose migration fails", () => {
  it("is reported once, apart from what read it, to one who reads it again then", async () => {
    const storage = memoryStorage();
    const device = place.device({ storage, client: app(1) });
    const site = await siteOf(device);
    site.note.create({ text: "broken" }, { key: "n1" });
    await device.client.sync();
    await device.client.close();
    const seen: unknown[] = [];
    const updated = place.device({
      storage,
      online: false,
      client: { ...app(2), onReport: (code) => seen.push(code, fieldsOf(again.note.get("n1"))) },
    });
    const again = await siteOf(updated);
    expect(fieldsOf(again.note.get("n1"))).toEqual({ text: "broken" });
    expect(seen).toEqual([]);
    await Promise.resolve();
    expect(seen).toEqual(["not_migrated", { text: "broken" }]);
  });

  it("explains itself, as any, in the version in which it shows", async () => {
    const storage = memoryStorage();
    const device = place.device({ storage, client: app(1) });
    const site = await siteOf(device);
    site.note.create({ text: "one" }, { key: "n1" });
    await device.client.sync();
    await device.client.close();
    const again = await siteOf(place.device({ storage, client: app(2), online: false }));
    expect(again.explain("note", "n1")).toMatchObject({
      view: { title: "one!" },
      base: { fields: { title: "one!", mood: "calm" } },
    });
  });
});

describe("§5.2: an outdated app whose user is no member any more", () => {
  it("says that, and not to update the app", async () => {
    const owner = place.device({ client: app(1), user: "ann" });
    await owner.open();
    await owner.client.sync();
    await member("bob", "PUT");
    const device = place.device({ client: app(1), user: "bob" });
    const site = await siteOf(device);
    site.note.create({ text: "one" }, { key: "n1" });
    await device.client.sync();
    await serve(2);
    await expect(device.client.sync()).rejects.toMatchObject({ code: "outdated" });
    await member("bob", "DELETE");
    await expect(device.client.sync()).rejects.toMatchObject({ code: "revoked" });
    expect(site.note.query({})).toEqual([]);
    const { state, reason } = device.client.status.spaces[space] ?? {};
    expect([device.client.status.state, state]).toEqual(["revoked", "revoked"]);
    expect(reason).not.toContain("Update");
  });
});

describe("§5.2: an older app in which another account signs in that a newer one has been used with", () => {
  it("rule 8: shows nothing of the account before", async () => {
    const storage = memoryStorage();
    const who = { user: "ann" };
    const device = place.device({
      storage,
      client: { ...app(1), credentials: () => `dev:${who.user}` },
    });
    const site = await siteOf(device);
    site.note.create({ text: "ann's" }, { key: "n1" });
    await device.client.sync();
    await member("ben", "PUT");
    await serve(2);
    const newer = place.device({ storage, client: app(2), user: "ben" });
    await newer.open();
    await newer.client.sync();
    await newer.client.close();
    await site.note.create({ text: "ann's too" }, { key: "n2" }).saved;
    await device.client.sync().catch(() => undefined);
    who.user = "ben";
    await device.client.signIn();
    expect(device.client.status.spaces[space]?.state).toBe("outdated");
    expect(site.note.query({})).toEqual([]);
  });
});

describe("§5.2: an older tab", () => {
  it("does not show a record of the device's own that a newer one has written", async () => {
    const browser = openBrowser(place);
    const older = await browser.open(space, app(1));
    const old = siteIn(older);
    await old.draft.create({ text: "mine" }, { key: "d1" }).saved;
    const site = siteIn(await browser.open(space, app(2)));
    await site.draft.update("d1", { title: "newer" }).saved;
    await browser.until(() => older.device.reports.includes("newer_records"));
    expect(old.draft.get("d1")).toBeUndefined();
    expect(old.draft.query({})).toEqual([]);
    expect(() => old.draft.put("d1", { text: "over it" })).toThrow("newer version");
  });

  it("shows what was written in it and is over, also once it leads; that does not count as pending, and it can sign out", async () => {
    const browser = openBrowser(place);
    const newer = await browser.open(space, app(2));
    const older = await browser.open(space, app(1));
    const [site, old] = [siteIn(newer), siteIn(older)];
    await newer.device.client.sync();
    await serve(2);
    site.note.create({ title: "one", mood: "m" }, { key: "n1" });
    await newer.device.client.sync();
    const receipt = older.site.note.create({ text: "late" }, { key: "n2" });
    const shown: unknown[] = [];
    old.note.watchRecord("n2", () => shown.push(old.note.get("n2")?.["$"]));
    expect(old.note.get("n2")).toMatchObject({ $: { pending: true } });
    await browser.until(() => site.note.get("n2") !== undefined);
    await newer.device.client.sync();
    expect(await receipt.settled).toMatchObject({ status: "applied" });
    expect(shown.at(-1)).toMatchObject({ pending: false });
    expect(older.device.client.status.pending).toMatchObject({ count: 0, bytes: 0 });
    expect(fieldsOf(old.note.get("n2"))).toEqual({ text: "late" });
    await browser.close(newer);
    await expect(older.device.client.sync()).rejects.toMatchObject({ code: "outdated" });
    expect(fieldsOf(old.note.get("n2"))).toEqual({ text: "late" });
    expect(old.note.get("n2")).toMatchObject({ $: { pending: false } });
    expect(await older.device.client.signOut()).toEqual([]);
  });

  it("rule 1: shows what was written in it as it was, also once the newer one has brought that over to send it", async () => {
    const browser = openBrowser(place);
    const newer = await browser.open(space, app(2));
    const older = await browser.open(space, app(1));
    const old = siteIn(older);
    await newer.device.client.sync();
    await old.note.create({ text: "late", body: "long" }, { key: "n2" }).saved;
    // The server is not updated yet: what the newer app has to send waits there, numbered.
    await newer.device.client.sync().catch(() => undefined);
    old.note.update("n2", { body: "longer" });
    expect(fieldsOf(old.note.get("n2"))).toEqual({ text: "late", body: "longer" });
    older.tell({ type: "changed", space, payload: { type: "reload" } });
    for (const tab of browser.tabs) await tab.time.advance(1_000);
    expect(fieldsOf(old.note.get("n2"))).toEqual({ text: "late", body: "longer" });
    expect(fieldsOf(siteIn(newer).note.get("n2"))).toEqual({ title: "late!", mood: "calm" });
  });

  it("says so to one who syncs in it, also where the newer one leads and is in step", async () => {
    const browser = openBrowser(place);
    const newer = await browser.open(space, app(2));
    const older = await browser.open(space, app(1));
    await newer.device.client.sync();
    await serve(2);
    siteIn(newer).note.create({ title: "one", mood: "m" }, { key: "n1" });
    await newer.device.client.sync();
    await expect(older.device.client.sync()).rejects.toMatchObject({ code: "outdated" });
  });
});
