import { memoryStorage } from "@landfall/client/storage/memory";
import { createHub, createLocks } from "@landfall/client/tabs/origin.fixture";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openBrowser } from "./browser.js";
import { notebook } from "./storages.js";
import { type Device, type Place, openPlace } from "./world.js";

let place: Place;
beforeEach(() => {
  place = openPlace();
});
afterEach(() => place.close());

/** A browser that people sign in to and out of. */
function browser() {
  const who: { user: string | null } = { user: "ann" };
  const storage = memoryStorage();
  const ports = { locks: createLocks(), channel: createHub(), notes: notebook() };
  const tab = (options: { readonly online?: boolean } = {}): Device =>
    place.device({
      storage,
      ports,
      client: { credentials: () => who.user && `dev:${who.user}` },
      ...options,
    });
  return { who, tab };
}

const spacesOf = async ({ client }: Device): Promise<readonly string[]> =>
  (await client.spaces().list()).map(({ space }) => space);

describe("§8: a space that is to be created", () => {
  it.each(["ann", "ben"])(
    "is, though it was opened while nobody was signed in: for %s, who comes",
    async (user) => {
      const { who, tab } = browser();
      const device = tab();
      await device.open("first");
      await device.client.sync();
      await device.client.signOut();
      const site = await device.open("second");
      who.user = user;
      await device.client.signIn();
      const receipt = site.note.create({ text: "theirs" });
      expect(await receipt.settled).toMatchObject({ status: "applied" });
      expect(await spacesOf(device)).toEqual(user === "ann" ? ["first", "second"] : ["second"]);
    },
  );

  it("is, though its account signed out before it ever was, and came back", async () => {
    const { tab } = browser();
    const device = tab({ online: false });
    const site = await device.open("first");
    site.note.create({ text: "thrown away" });
    await device.client.signOut({ unsynced: "discard" });
    device.online();
    await device.client.signIn();
    await device.client.sync();
    expect(await spacesOf(device)).toEqual(["first"]);
  });

  it("is not created for another account, which would keep its own out, unless the app opens it for that", async () => {
    const { who, tab } = browser();
    const device = tab({ online: false });
    const site = await device.open("of-ann");
    await site.note.create({ text: "ann's" }).saved;
    who.user = "ben";
    await device.client.signIn();
    device.online();
    await expect(device.client.sync()).rejects.toThrow("no such space");
    expect(await spacesOf(device)).toEqual([]);
    who.user = "ann";
    await device.client.signIn();
    await device.client.sync();
    expect(await spacesOf(device)).toEqual(["of-ann"]);
    who.user = "ben";
    await device.client.signIn();
    await device.open("of-ben");
    await expect(device.client.sync()).rejects.toThrow("no such space");
    expect(await spacesOf(device)).toEqual(["of-ben"]);
  });

  it.each(["the tab that leads", "another tab"])("is, though it was open in %s already", async (where) => {
    const { tab } = browser();
    const leader = tab();
    await leader.client.space("later").open();
    await expect(leader.client.sync()).rejects.toThrow("no such space");
    const other = tab();
    await other.client.space("later").open();
    const device = where === "another tab" ? other : leader;
    await device.open("later");
    await expect.poll(() => spacesOf(device), { timeout: 4_000 }).toEqual(["later"]);
    await device.client.sync();
  });

  it("is, though it was opened in a tab that does not lead while nobody was signed in", async () => {
    const { tab } = browser();
    const [leader, other] = [tab(), tab()];
    await leader.open("first");
    await other.open("first");
    await leader.client.sync();
    await leader.client.signOut();
    await expect.poll(() => other.client.status.state).toBe("signed-out");
    await other.open("second");
    await leader.client.signIn();
    await leader.client.sync();
    await other.client.signIn();
    await expect.poll(() => spacesOf(other), { timeout: 4_000 }).toEqual(["first", "second"]);
  });

  const isOpenIn = "and the one that leads next has it open";
  it.each([isOpenIn, "and the one that leads next does not have it open"])(
    "is, though the tab that leads closes before it hears, %s",
    async (how) => {
      const tabs = openBrowser(place);
      const leader = await tabs.open("first");
      const next = await tabs.open("first");
      const wisher = await tabs.open("first");
      const before = how === isOpenIn ? [leader, next, wisher] : [wisher];
      for (const { device } of before) await device.client.space("later").open();
      await expect(leader.device.client.sync()).rejects.toThrow("no such space");
      leader.deafen();
      await wisher.device.open("later");
      await tabs.close(leader);
      await tabs.until(() => wisher.device.client.status.spaces["later"]?.state === "live");
      expect(await spacesOf(wisher.device)).toEqual(["first", "later"]);
    },
  );

  it("is, though its account had opened it in vain before a guest did", async () => {
    const storage = memoryStorage();
    const who: { user: string | null } = { user: "ann" };
    const start = () =>
      place.device({ storage, client: { credentials: () => who.user && `dev:${who.user}` } });
    const before = start();
    await before.client.space("later").open();
    await before.client.close();
    who.user = null;
    const device = start();
    await device.open("later");
    who.user = "ann";
    await device.client.signIn();
    await device.client.sync();
    expect(await spacesOf(device)).toEqual(["later"]);
  });
});
