import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHub, createLocks } from "@landfall/client/tabs/origin.fixture";
import { memoryStorage } from "@landfall/client/storage/memory";
import { startRestoredGenerations } from "@landfall/server/operations";
import { type SqliteStorage, sqlite } from "@landfall/server/storage/sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type Device,
  type NoteSpace,
  type Place,
  type ServerChange,
  bytesOf,
  makeProbe,
  openPlace,
  probe,
  probed,
  settle,
  space,
} from "./world.js";

let place: Place;
let folder = "";
let copies = 0;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "landfall-"));
  place = openPlace();
  await place.replaceServer(sqlite(join(folder, "first.db")));
});
afterEach(async () => {
  await place.close();
  rmSync(folder, { recursive: true, force: true });
});

const random = { bytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)) };

async function backup(): Promise<string> {
  const file = join(folder, `copy-${++copies}.db`);
  await place.storage.backup(file);
  return file;
}

/** Brings the server back from a copy, as `landfall restore` does. @param recoveryMs how long it takes back what it lost. */
async function restore(
  file: string,
  { isSaid = true, ...options }: { readonly isSaid?: boolean } & ServerChange = {},
): Promise<SqliteStorage> {
  const storage = sqlite(file);
  if (isSaid) await startRestoredGenerations(storage, { clock: place.time.clock, random });
  await place.replaceServer(storage, options);
  return storage;
}

const inboxOf = (site: NoteSpace): string[] =>
  site.inbox.current.map(({ kind, key }) => `${kind} ${key}`).toSorted();
const texts = (site: NoteSpace) => Object.fromEntries(site.note.all().map(({ key, text }) => [key, text]));

/** A device that hears of the restore and is cut off at once. */
function cutOff(code: string, options: Parameters<Place["device"]>[0] = {}): Device {
  const device: Device = place.device({
    ...options,
    client: { onReport: (told) => told === code && device.offline() },
  });
  return device;
}

describe("a server that is restored, in its recovery window", () => {
  it("rules 8 and 12: what only the clients have is offered back and merged, whoever comes first; what cannot be is told", async () => {
    const devices = [place.device(), place.device(), place.device()] as const;
    const [seer, writer, away] = devices;
    await makeProbe(seer);
    const sites = [await seer.open(), await writer.open(), await away.open()] as const;
    for (const key of ["n1", "n3", "n4"]) sites[0].note.create({ text: "old" }, { key });
    probe(sites[0], "kept");
    await settle(...devices);
    const copy = await backup();

    // Confirmed to all three, and lost by the server.
    sites[0].note.update("n1", { text: "changed" });
    sites[0].note.create({ text: "new" }, { key: "n2" });
    sites[0].note.increment("n2", { votes: 3 });
    sites[0].note.delete("n3");
    probe(sites[1], "lost");
    await settle(...devices);
    // The third is away from here on, with a write on a record that the server will not know.
    away.offline();
    const onLost = sites[2].note.update("n2", { body: "from away" });
    await onLost.saved;
    sites[0].note.update("n1", { body: "newest" });
    await settle(seer, writer);
    // Applied by the server that is gone, and never learnt of.
    writer.deafen();
    probe(sites[1], "sent");
    await expect(writer.client.sync()).rejects.toThrow();
    writer.offline();

    await restore(copy);
    // Somebody writes to the restored server before anybody has offered anything.
    const late = place.device();
    const lateSite = await late.open();
    await late.client.sync();
    lateSite.note.update("n4", { text: "since the restore" });
    lateSite.note.update("n3", { text: "nobody knew that it had been deleted" });
    await late.client.sync();

    await settle(seer);
    away.online();
    writer.online();
    await settle(...devices, late);
    await settle(...devices, late);

    expect(texts(lateSite)).toEqual({
      count: "how many",
      log: "which",
      n1: "changed",
      n2: "new",
      n4: "since the restore",
    });
    expect(lateSite.note.get("n1")).toMatchObject({ body: "newest" });
    expect(lateSite.note.get("n2")).toMatchObject({ body: "from away", votes: 0 });
    // What was pending counts once; counters and sets of what was confirmed are for people.
    expect(probed(lateSite)).toEqual({ names: ["kept", "sent"], count: 2 });
    expect(inboxOf(sites[0])).toEqual(["lost count", "lost log", "lost n2"]);
    expect(inboxOf(sites[1])).toEqual(["lost count", "lost log", "lost n2"]);
    // By the time that the third comes, the server's count is the number that it had.
    expect(inboxOf(sites[2])).toEqual(["lost log", "lost n2"]);
    for (const [i, site] of sites.entries()) {
      expect(bytesOf(site)).toBe(bytesOf(lateSite));
      expect(devices[i]?.reports).toEqual(["restored", "recovered"]);
      expect(devices[i]?.client.status).toMatchObject({ state: "live", pending: { count: 0 } });
    }
    expect(place.clashes).toEqual([]);
    // Nobody offers again: all is as it was.
    const before = bytesOf(lateSite);
    await settle(...devices, late);
    expect(bytesOf(lateSite)).toBe(before);
  });

  it("rule 12: a crash between what has come and what is offered loses nothing; the view shows it all the while", async () => {
    const storage = memoryStorage();
    // The process ends with the very cut that brings what the server has.
    const first: Device = place.device({
      storage,
      client: { onReport: (told) => void (told === "recovered" && first.client.close()) },
    });
    const site = await first.open();
    site.note.create({ text: "old" }, { key: "n1" });
    await first.client.sync();
    const copy = await backup();
    site.note.create({ text: "new" }, { key: "n2" });
    await first.client.sync();
    await restore(copy);
    await expect(first.client.sync()).rejects.toThrow();
    expect(texts(site)).toEqual({ n1: "old", n2: "new" });
    await first.client.close();

    const again = place.device({ storage, online: false });
    const reopened = await again.open();
    expect(again.client.status.pending.count).toBe(1);
    again.online();
    expect(texts(reopened)).toEqual({ n1: "old", n2: "new" });
    await again.client.sync();
    const reader = place.device();
    const read = await reader.open();
    await reader.client.sync();
    expect(texts(read)).toEqual({ n1: "old", n2: "new" });
    expect(inboxOf(reopened)).toEqual([]);
  });

  it("rule 12: restored twice before the first recovery has ended: what both have lost is offered", async () => {
    const device = cutOff("restored");
    const site = await device.open();
    site.note.create({ text: "old" }, { key: "n1" });
    await device.client.sync();
    const copy = await backup();
    site.note.create({ text: "new" }, { key: "n2" });
    await device.client.sync();

    const second = await restore(copy);
    await expect(device.client.sync()).rejects.toThrow();
    // The second history has gone further than the first when it is copied and lost in its turn.
    const other = place.device();
    const others = await other.open();
    for (const key of ["m1", "m2", "m3"]) others.note.create({ text: "of the second" }, { key });
    await other.client.sync();
    const again = join(folder, `copy-${++copies}.db`);
    await second.backup(again);
    await restore(again);
    device.online();
    await device.client.sync().catch(() => undefined);
    device.online();
    await settle(device, other);
    await settle(device, other);
    expect(texts(others)).toEqual({
      n1: "old",
      n2: "new",
      m1: "of the second",
      m2: "of the second",
      m3: "of the second",
    });
    expect(bytesOf(site)).toBe(bytesOf(others));
    expect(inboxOf(site)).toEqual([]);
  });

  it("rules 5 and 12: a tab that does not lead shows the new history too, where a version has another content there", async () => {
    const [storage, locks, hub] = [memoryStorage(), createLocks(), createHub()];
    const tab = () => place.device({ storage, ports: { locks, channel: hub } });
    const first = tab();
    await makeProbe(first);
    const copy = await backup();
    const shown = [await first.open(), await tab().open()] as const;
    shown[0].note.create({ text: "lost" }, { key: "n1" });
    await settle(first);
    await expect.poll(() => texts(shown[1])).toMatchObject({ n1: "lost" });
    await restore(copy);
    place.time.pass(1_000);
    const other = place.device();
    (await other.open()).note.create({ text: "given anew" }, { key: "n1" });
    await settle(other);
    await settle(first);
    expect(texts(shown[0])).toMatchObject({ n1: "given anew" });
    await expect.poll(() => bytesOf(shown[1])).toBe(bytesOf(shown[0]));
  });

  it("rules 5 and 12: what the restored server has already of what is pending is never shown twice", async () => {
    const device = place.device();
    await makeProbe(device);
    const site = await device.open();
    await settle(device);
    device.deafen();
    for (const name of ["sent 1", "sent 2", "sent 3"]) await probe(site, name).saved;
    await expect(device.client.sync()).rejects.toThrow();
    device.offline();
    const copy = await backup();
    const receipt = probe(site, "waiting");
    await receipt.saved;
    // Their outcomes do not come all at once with the rows.
    await restore(copy, { limits: { maxEventsPerRequest: 1 } });
    const counts: (number | undefined)[] = [];
    site.note.watch({}, () => counts.push(probed(site).count));
    device.online();
    await settle(device);
    await settle(device);
    expect(await receipt.settled).toMatchObject({ status: "applied" });
    expect(counts.length).toBeGreaterThan(1);
    expect(new Set(counts)).toEqual(new Set([4]));
    expect(probed(site)).toEqual({ names: ["sent 1", "sent 2", "sent 3", "waiting"], count: 4 });
  });

  it("rules 8 and 12: what the server refuses, as from a reader, and what comes when the time is over, is in the inbox", async () => {
    const owner = place.device();
    const site = await owner.open();
    site.note.create({ text: "old" }, { key: "n1" });
    await owner.client.sync();
    await owner.client.spaces().invite(space, "bob", "reader");
    const reader = place.device({ user: "bob" });
    const read = await reader.open();
    const copy = await backup();
    site.note.create({ text: "new" }, { key: "n2" });
    await settle(owner, reader);
    await restore(copy);
    await settle(reader);
    expect(inboxOf(read)).toEqual(["lost n2"]);
    expect(read.inbox.current[0]).toMatchObject({
      code: "forbidden",
      choices: ["writeAgain", "keepCopy", "dismiss"],
    });
    expect(texts(read)).toEqual({ n1: "old" });

    const later = await backup();
    await restore(later, { recoveryMs: 0 });
    await settle(owner);
    expect(inboxOf(site)).toEqual(["lost n2"]);
    site.inbox.writeAgain(site.inbox.current[0]?.id ?? "");
    await settle(owner, reader);
    expect(texts(read)).toEqual({ n1: "old", n2: "new" });
  });
});

describe("a server that has lost history and does not know it", () => {
  it("rules 8 and 12: a crash before base has been fetched again loses nothing of what was kept aside", async () => {
    const storage = memoryStorage();
    const first = cutOff("history_lost", { storage });
    const site = await first.open();
    site.note.create({ text: "old" }, { key: "n1" });
    await first.client.sync();
    const copy = await backup();
    site.note.create({ text: "new" }, { key: "n2" });
    await first.client.sync();
    await restore(copy, { isSaid: false });
    await expect(first.client.sync()).rejects.toThrow();
    await first.client.close();
    // The server goes on until nobody's cursor is ahead of it any more.
    const other = place.device();
    const others = await other.open();
    for (const key of ["m1", "m2", "m3"]) {
      others.note.create({ text: "since" }, { key });
      await other.client.sync();
    }

    const again = place.device({ storage });
    const reopened = await again.open();
    await again.client.sync();
    expect(texts(reopened)).toEqual(texts(others));
    expect(inboxOf(reopened)).toEqual(["lost n2"]);
  });
});
