import { StorageError } from "@landfall/client";
import { memoryStorage } from "@landfall/client/storage/memory";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openBrowser } from "./browser.js";
import { fullStorage, memoryStorageWith } from "./storages.js";
import { app, siteIn, siteOf } from "./versions.js";
import { type Place, openPlace, space } from "./world.js";

let place: Place;
beforeEach(() => {
  place = openPlace({ server: app(1) });
});
afterEach(() => place.close());

const pause = () => new Promise((resolve) => setTimeout(resolve, 5));

/** Two tabs on a storage whose readings can be held back, and which can refuse what is of the device alone. */
async function twoTabs() {
  const disk = { isFull: false, reading: 0 };
  let held: Promise<void> = Promise.resolve();
  /** What writes of that text wait for, before they are stored or after. */
  const slow = { text: "", before: Promise.resolve(), after: Promise.resolve() };
  const storage = memoryStorageWith(
    (handle) => ({
      snapshot: async (tables, id) => {
        const read = await handle.snapshot(tables, id);
        disk.reading += 1;
        await held;
        disk.reading -= 1;
        return read;
      },
      get: async (table, id, a, b) => {
        const read = await handle.get(table, id, a, b);
        if (table !== "local") return read;
        disk.reading += 1;
        await held;
        disk.reading -= 1;
        return read;
      },
      commit: async (changes, fence) => {
        if (disk.isFull && changes.some(({ table }) => table === "local"))
          throw new StorageError("full", "No room is left on this device.");
        const isSlow = slow.text !== "" && JSON.stringify(changes).includes(slow.text);
        if (isSlow) await slow.before;
        await handle.commit(changes, fence);
        if (isSlow) await slow.after;
      },
    }),
    memoryStorage(),
  );
  const browser = openBrowser(place, storage);
  const [leader, sleeper] = [await browser.open(space, app(1)), await browser.open(space, app(1))];
  const [site, asleep] = [siteIn(leader), siteIn(sleeper)];
  await site.draft.create({ text: "mine" }, { key: "d1" }).saved;
  await site.draft.create({ text: "as it was" }, { key: "d2" }).saved;
  await browser.until(() => asleep.draft.get("d2") !== undefined);
  /** What is told meanwhile the one tab does not hear; then it hears of a cut, and that it has missed one. */
  const sleepWhile = async (work: () => Promise<unknown>): Promise<void> => {
    sleeper.deafen();
    await work();
    leader.site.note.create({ text: "missed" });
    await leader.device.client.sync();
    sleeper.hear();
    leader.site.note.put("heard", { text: "heard" });
    await leader.device.client.sync();
  };
  const woken = () => browser.until(() => sleeper.site.note.get("heard")?.$.pending === false);
  const hold = (): (() => void) => {
    let go = (): void => undefined;
    held = new Promise((resolve) => (go = resolve));
    return go;
  };
  return { browser, leader, disk, slow, site, asleep, sleepWhile, woken, hold };
}

it("rule 6: what a tab writes over a record of the device's own wins over what it has heard of it", async () => {
  const { browser, leader, site, asleep } = await twoTabs();
  // Its clock is ahead of the other's.
  await leader.time.advance(600_000);
  await site.draft.update("d1", { text: "theirs" }).saved;
  await browser.until(() => asleep.draft.get("d1")?.["text"] === "theirs");
  asleep.draft.update("d1", { text: "mine again" });
  expect(asleep.draft.get("d1")).toMatchObject({ text: "mine again" });
});

it.each([
  ["behind", "before"],
  ["ahead of", "after"],
] as const)(
  "§8: stored %s what another tab wrote, an own write shows until it is, and from then on what is stored",
  async (_, where) => {
    const { browser, leader, slow, site, asleep } = await twoTabs();
    let go = (): void => undefined;
    slow[where] = new Promise((resolve) => (go = resolve));
    slow.text = "mine again";
    const { saved } = site.draft.update("d1", { text: "mine again" });
    await pause();
    await asleep.draft.update("d1", { text: "theirs" }).saved;
    await leader.time.advance(100);
    await asleep.draft.update("d2", { text: "heard" }).saved;
    await browser.until(() => site.draft.get("d2")?.["text"] === "heard");
    const meanwhile = site.draft.get("d1");
    go();
    await saved;
    expect(meanwhile).toMatchObject({ text: "mine again" });
    const last = where === "before" ? "mine again" : "theirs";
    const texts = () => [site, asleep].map(({ draft }) => draft.get("d1")?.["text"]);
    await browser.until(() => texts().every((text) => text === last));
    await browser.until(() => true);
    expect(texts()).toEqual([last, last]);
  },
);

it("§8: what is written while what another tab wrote is looked at stays, and shows in both", async () => {
  const { browser, disk, site, asleep, hold } = await twoTabs();
  const go = hold();
  await site.draft.update("d1", { text: "theirs" }).saved;
  await browser.until(() => disk.reading > 0);
  await asleep.draft.update("d1", { text: "mine" }).saved;
  const shown: unknown[] = [];
  asleep.draft.watchRecord("d1", () => shown.push(asleep.draft.get("d1")?.["text"]));
  go();
  await browser.until(() => site.draft.get("d1")?.["text"] === "mine");
  await pause();
  expect(asleep.draft.get("d1")).toMatchObject({ text: "mine" });
  expect(shown).not.toContain("theirs");
});

it("rule 8: one that had no room is not shown to whoever signs in next", async () => {
  const { disk, storage } = fullStorage();
  const who = { user: "ann" };
  const device = place.device({ storage, client: { ...app(1), credentials: () => `dev:${who.user}` } });
  const site = await siteOf(device);
  disk.isFull = true;
  await expect(site.draft.create({ text: "ann's" }, { key: "d1" }).saved).rejects.toThrow("No room");
  disk.isFull = false;
  expect(site.draft.get("d1")).toMatchObject({ text: "ann's" });
  who.user = "ben";
  await device.client.signIn();
  expect(site.draft.query({})).toEqual([]);
});

describe("§8: a tab that wakes", () => {
  it("shows what others have written of the device's own, and tells only of what differs", async () => {
    const { site, asleep, sleepWhile, woken } = await twoTabs();
    const same = asleep.draft.get("d2");
    await sleepWhile(async () => {
      await site.draft.update("d1", { text: "changed" }).saved;
      await site.draft.create({ text: "new" }, { key: "d3" }).saved;
    });
    await woken();
    expect(asleep.draft.query({}).map(({ text }) => text)).toEqual(["changed", "as it was", "new"]);
    expect(asleep.draft.get("d2")).toBe(same);
  });

  it("keeps what is written in it while it reads the storage", async () => {
    const { browser, disk, asleep, sleepWhile, woken, hold } = await twoTabs();
    const go = hold();
    await sleepWhile(async () => undefined);
    await browser.until(() => disk.reading > 0);
    await asleep.draft.update("d1", { text: "meanwhile" }).saved;
    const shown: unknown[] = [];
    asleep.draft.watchRecord("d1", () => shown.push(asleep.draft.get("d1")?.["text"]));
    go();
    await woken();
    expect([asleep.draft.get("d1")?.["text"], ...shown]).toEqual(["meanwhile"]);
  });

  it("keeps what was written in it and had no room, until another tab has stored something else", async () => {
    const { browser, disk, site, asleep, sleepWhile, woken } = await twoTabs();
    disk.isFull = true;
    await expect(asleep.draft.update("d1", { text: "no room" }).saved).rejects.toMatchObject({
      code: "full",
    });
    disk.isFull = false;
    await sleepWhile(async () => undefined);
    await woken();
    expect(asleep.draft.get("d1")).toMatchObject({ text: "no room" });
    await site.draft.update("d1", { text: "heard" }).saved;
    await browser.until(() => asleep.draft.get("d1")?.["text"] === "heard");
    await sleepWhile(() => site.draft.update("d1", { text: "missed" }).saved);
    await browser.until(() => asleep.draft.get("d1")?.["text"] === "missed");
  });
});
