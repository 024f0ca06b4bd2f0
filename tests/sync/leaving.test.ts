import { memoryStorage } from "@landfall/client/storage/memory";
import { createHub, createLocks } from "@landfall/client/tabs/origin.fixture";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fullStorage, memoryStorageWith, notebook } from "./storages.js";
import { app, siteOf } from "./versions.js";
import { type Device, type Place, bytesOf, openPlace } from "./world.js";

let place: Place;
beforeEach(() => {
  place = openPlace();
});
afterEach(() => place.close());

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Tabs of one browser, in which somebody is signed in. */
function browser(storage = memoryStorage()) {
  const who: { user: string | null } = { user: "ann" };
  const ports = { locks: createLocks(), channel: createHub(), notes: notebook() };
  const tab = (client = {}): Device =>
    place.device({ storage, ports, client: { credentials: () => who.user && `dev:${who.user}`, ...client } });
  return { who, tab, ...ports };
}

/** A storage of which one account's spaces are read only when they are let. */
function slowStorage(account: string) {
  const gate: { reading: Promise<void> | undefined } = { reading: undefined };
  const storage = memoryStorageWith((handle, name) => ({
    async snapshot(tables, space) {
      const found = await handle.snapshot(tables, space);
      if (name.includes(account)) await gate.reading;
      return found;
    },
  }));
  /** Reads nothing for so long. */
  const hold = (ms: number): void => void (gate.reading = pause(ms).then(() => undefined));
  return { storage, hold };
}

describe("rule 8: a space that is still loading when its account leaves", () => {
  it.each(["signs out", "gives way to another"])("shows nothing of it where the account %s", async (how) => {
    const { storage, hold } = slowStorage("ann");
    const { who, tab } = browser(storage);
    const before = tab();
    (await before.open()).note.create({ text: "ann's" }, { key: "n1" });
    await before.client.sync();
    await before.client.close();
    const device = tab();
    hold(200);
    const opening = device.open();
    await pause(5);
    if (how === "signs out") await device.client.signOut();
    else {
      who.user = "ben";
      await device.client.signIn();
    }
    expect((await opening).note.all()).toEqual([]);
  });

  it("sends nothing that the other had not sent", async () => {
    const { storage, hold } = slowStorage("ann");
    const { who, tab } = browser(storage);
    const leader = tab();
    const site = await leader.open();
    await leader.client.sync();
    await leader.client.spaces().invite("site-7", "ben", "writer");
    leader.offline();
    await site.note.create({ text: "ann's, unsynced" }, { key: "n2" }).saved;
    const device = tab();
    await device.open("other");
    hold(200);
    const opening = device.open();
    await pause(5);
    who.user = "ben";
    await device.client.signIn();
    const opened = await opening;
    // The other space is not this account\'s.
    await device.client.sync().catch(() => undefined);
    expect(opened.note.all()).toEqual([]);
    expect(site.note.get("n2")?.$.pending).toBe(true);
  });
});

describe("rule 8: signing out right behind a signing in of the same account", () => {
  it.each(["full", "not full"])(
    "is refused while writes are unsynced, and they get through: a disk that is %s",
    async (how) => {
      const { disk, storage } = fullStorage();
      const { tab } = browser(storage);
      const device = tab();
      const site = await device.open();
      await device.client.sync();
      device.offline();
      disk.isFull = how === "full";
      const receipt = site.note.create({ text: "unsynced" }, { key: "n1" });
      await receipt.saved.catch(() => undefined);
      const signingIn = device.client.signIn();
      await expect(device.client.signOut()).rejects.toMatchObject({ code: "unsynced" });
      await signingIn;
      disk.isFull = false;
      device.online();
      await expect.poll(() => device.client.sync().then(() => "done", String)).toBe("done");
      expect(await receipt.settled).toMatchObject({ status: "applied" });
      expect(site.note.all().length).toBe(1);
    },
  );
});

it("rule 8: a write on its way when another tab signs out is not said to be saved", async () => {
  const slow = { ms: 0 };
  const storage = memoryStorageWith((handle) => ({
    async commit(changes, fence) {
      await handle.commit(changes, fence);
      if (changes.some(({ table }) => table === "outbox")) await pause(slow.ms);
    },
  }));
  const { tab } = browser(storage);
  const [leaving, other] = [tab(), tab()];
  await leaving.open();
  const site = await other.open();
  await leaving.client.sync();
  leaving.offline();
  other.offline();
  slow.ms = 60;
  site.note.create({ text: "first" }, { key: "n1" });
  await pause(5);
  const second = site.note.create({ text: "second" }, { key: "n2" }).saved.then(
    () => "saved",
    () => "refused",
  );
  const given = await leaving.client.signOut({ unsynced: "export" });
  const isGiven = given.some(({ event }) => event.ops?.some((op) => "key" in op && op.key === "n2"));
  expect(await second).toBe(isGiven ? "saved" : "refused");
  await expect.poll(() => bytesOf(site)).toBe("[]");
});

it("rule 8: nothing is written to a local domain of whoever has signed out", async () => {
  const { tab } = browser();
  const device = tab(app(1));
  const site = await siteOf(device);
  await site.draft.create({ text: "kept" }, { key: "d1" }).saved;
  await device.client.signOut();
  expect(() => site.draft.create({ text: "lost" }, { key: "d2" })).toThrow("signed out");
});

it("a second signing out leaves alone what another tab has signed in to since", async () => {
  const { tab, notes } = browser();
  const [first, second] = [tab(), tab()];
  await first.open();
  await second.open();
  await first.client.sync();
  await first.client.signOut();
  await expect.poll(() => second.client.status.state).toBe("signed-out");
  await second.client.signIn();
  expect(await first.client.signOut()).toEqual([]);
  expect(notes.read("landfall:landfall:account")).toBe("ann");
});

it("whoever has signed out asks with no token of before", async () => {
  const { who, tab } = browser();
  const device = tab();
  await device.open();
  await device.client.sync();
  who.user = null;
  await device.client.signOut();
  await expect(device.client.spaces().list()).rejects.toMatchObject({ code: "signed-out" });
});
