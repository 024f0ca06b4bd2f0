import { memoryStorage } from "@landfall/client/storage/memory";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Device, type NoteSpace, type Place, bytesOf, openPlace, settle, space } from "./world.js";

const dayMs = 86_400_000;
let place: Place;
let seer: Device;
let away: Device;
let sites: readonly [NoteSpace, NoteSpace];

/** Two devices of one account that hold the same twelve notes. */
beforeEach(async () => {
  place = openPlace();
  [seer, away] = [place.device(), place.device()];
  sites = [await seer.open(), await away.open()];
  for (let i = 1; i <= 12; i++) sites[0].note.create({ text: `note ${i}` }, { key: `n${i}` });
  await settle(seer, away);
});
afterEach(() => place.close());

const keys = (site: NoteSpace): string[] => site.note.all().map(({ key }) => key);

async function clearAway(): Promise<void> {
  place.time.pass(91 * dayMs);
  await place.server.sweep();
}

describe("a device that was away for longer than deletes are remembered", () => {
  it("rules 5, 7 and 8: is reset: what was deleted goes, what it has not sent stays and is applied, and all agree", async () => {
    away.offline();
    const edited = sites[1].note.update("n1", { body: "written while away" });
    const made = sites[1].note.create({ text: "made while away" }, { key: "n99" });
    const deleted = sites[1].note.delete("n4");
    const counted = sites[1].note.increment("n5", { votes: 3 });
    await Promise.all([edited.saved, made.saved, deleted.saved, counted.saved]);
    sites[0].note.delete("n2");
    sites[0].note.delete("n3");
    sites[0].note.update("n5", { text: "changed" });
    await seer.client.sync();
    await clearAway();
    expect(place.server.stats().retention.tombstones).toBe(2);

    let held: string[] | undefined;
    sites[1].note.watch({}, (notes) => (held = notes.map(({ key }) => key)));
    away.online();
    await settle(away, seer, away);
    expect(await edited.settled).toMatchObject({ status: "applied" });
    expect(await made.settled).toMatchObject({ status: "applied" });
    expect(keys(sites[1])).toEqual(keys(sites[0]));
    expect(keys(sites[1])).not.toContain("n2");
    expect(held).not.toContain("n3");
    expect(keys(sites[1])).not.toContain("n4");
    expect(sites[0].note.get("n1")).toMatchObject({ text: "note 1", body: "written while away" });
    expect(sites[0].note.get("n5")).toMatchObject({ text: "changed", votes: 3 });
    expect(bytesOf(sites[0])).toBe(bytesOf(sites[1]));
    expect(sites[1].inbox.current).toEqual([]);
    expect([...seer.reports, ...away.reports]).toEqual([]);
  });

  it("rules 8 and 9: hears of an edit of what was deleted and forgotten, and of one of what was made anew since", async () => {
    away.offline();
    const lost = sites[1].note.update("n2", { text: "too late" });
    await lost.saved;
    sites[0].note.delete("n2");
    sites[0].note.delete("n3");
    await seer.client.sync();
    await clearAway();
    // A key whose delete is forgotten may be taken again, by whoever has not heard of it.
    const fresh = place.device();
    (await fresh.open()).note.create({ text: "another" }, { key: "n3" });
    await settle(fresh);
    away.online();
    await settle(away, seer);
    expect(await lost.settled).toMatchObject({ status: "rejected", code: "missing" });
    expect(sites[1].inbox.current.map(({ kind, key }) => `${kind} ${key}`)).toEqual(["rejected n2"]);
    expect(sites[1].note.get("n2")).toBeUndefined();
    expect(sites[1].note.get("n3")?.text).toBe("another");
    expect(bytesOf(sites[0])).toBe(bytesOf(sites[1]));
  });

  it("rule 5: is reset again when it is away again, and is not reset when nothing was deleted meanwhile", async () => {
    for (const key of ["n2", "n3", "n4"]) {
      away.offline();
      const waiting = sites[1].note.increment("n1", { votes: 1 });
      await waiting.saved;
      sites[0].note.delete(key);
      await seer.client.sync();
      await clearAway();
      away.online();
      await settle(away, seer);
      expect(keys(sites[1])).not.toContain(key);
      expect(bytesOf(sites[0])).toBe(bytesOf(sites[1]));
    }
    expect(sites[0].note.get("n1")?.votes).toBe(3);
    away.offline();
    await clearAway();
    away.online();
    await settle(away, seer);
    expect(bytesOf(sites[0])).toBe(bytesOf(sites[1]));
    expect([...seer.reports, ...away.reports]).toEqual([]);
  });
});

it("rule 7: who has not heard of it brings a key back though the server has forgotten that it was deleted", async () => {
  sites[0].note.delete("n2");
  sites[0].note.delete("n3");
  await settle(seer, away);
  seer.offline();
  away.offline();
  await clearAway();
  const back = sites[0].note.restore("n2", { text: "back" });
  const late = sites[1].note.restore("n2", { text: "too late" });
  // The copy is replaced while this restore waits: nothing in base tells of the delete any more.
  const reset = sites[1].note.restore("n3", { text: "pending while it is read anew" });
  await Promise.all([late.saved, reset.saved]);
  seer.online();
  await settle(seer);
  for (const key of ["n4", "n5"]) sites[0].note.delete(key);
  await seer.client.sync();
  await clearAway();
  away.online();
  await settle(away, seer, away);
  expect(await back.settled).toMatchObject({ status: "applied" });
  expect(await late.settled).toMatchObject({ status: "rejected", code: "expectation_failed" });
  expect(await reset.settled).toMatchObject({ status: "applied" });
  for (const site of sites) {
    expect(site.note.get("n2")?.text).toBe("back");
    expect(site.note.get("n3")?.text).toBe("pending while it is read anew");
  }
  expect(bytesOf(sites[0])).toBe(bytesOf(sites[1]));
  expect([...seer.reports, ...away.reports]).toEqual([]);
});

it("rules 3 and 7: a server that has cleared away all that it may still knows every event, and serves a new device", async () => {
  for (let i = 1; i <= 12; i++) sites[0].note.delete(`n${i}`);
  sites[0].note.create({ text: "last" }, { key: "n99" });
  await settle(seer, away);
  away.deafen();
  const unheard = sites[1].note.create({ text: "was its answer lost?" }, { key: "n100" });
  await expect(away.client.sync()).rejects.toThrow();
  away.offline();
  await clearAway();
  away.online();
  await settle(away, seer);
  expect(await unheard.settled).toMatchObject({ status: "applied" });
  const fresh = place.device();
  const read = await fresh.open();
  await fresh.client.sync();
  expect(keys(read)).toEqual(["n100", "n99"]);
  for (const site of sites) expect(bytesOf(site)).toBe(bytesOf(read));
  expect(place.clashes).toEqual([]);
});

/** The deletes that a device remembers of these keys. */
const remembered = (site: NoteSpace, ...of: string[]): string[] =>
  of.filter((key) => site.explain("note", key).base?.deleted);

describe("a device that is there all the time forgets deletes as the server does", () => {
  it("§6: those at and before the horizon, in memory and as stored; a later one stays", async () => {
    const stored = memoryStorage();
    const kept = place.device({ storage: stored });
    const site = await kept.open();
    for (const key of ["n2", "n3"]) sites[0].note.delete(key);
    await settle(seer, kept);
    place.time.pass(80 * dayMs);
    sites[0].note.delete("n4");
    await settle(seer, kept);
    expect(remembered(site, "n2", "n3", "n4")).toEqual(["n2", "n3", "n4"]);
    place.time.pass(11 * dayMs);
    await place.server.sweep();
    await settle(seer, kept);
    expect(place.server.stats().retention.tombstones).toBe(2);
    expect(remembered(site, "n2", "n3", "n4")).toEqual(["n4"]);
    expect(remembered(sites[0], "n2", "n3", "n4")).toEqual(["n4"]);
    expect(bytesOf(site)).toBe(bytesOf(sites[0]));

    await kept.client.close();
    const again = place.device({ storage: stored, online: false });
    const reopened = await again.open();
    expect(remembered(reopened, "n2", "n3", "n4")).toEqual(["n4"]);
    expect(bytesOf(reopened)).toBe(bytesOf(sites[0]));
    expect([...seer.reports, ...kept.reports, ...again.reports]).toEqual([]);
  });

  it("rule 7: one that a pending event stands on stays", async () => {
    const full = openPlace({ server: { limits: { maxRowsPerSpace: 2 } } });
    try {
      const device = full.device();
      const site = await device.open();
      for (const key of ["n1", "n2"]) site.note.create({ text: key }, { key });
      await settle(device);
      for (const key of ["n1", "n2"]) site.note.delete(key);
      for (const key of ["n3", "n4"]) site.note.create({ text: key }, { key });
      await settle(device);
      // The space holds all that it may: what brings a record back waits, and what has changed is read meanwhile.
      await site.note.restore("n1", { text: "back" }).saved;
      full.time.pass(91 * dayMs);
      await full.server.sweep();
      await expect(device.client.sync()).rejects.toThrow("The server asked to send some writes later");
      expect(remembered(site, "n1", "n2")).toEqual(["n1"]);
      expect(site.note.get("n1")?.text).toBe("back");
      expect(device.client.status.pending.count).toBe(1);
    } finally {
      await full.close();
    }
  });

  it("§6: base that was let go of deletes is mended and compared as ever, and a key that was forgotten can be made anew", async () => {
    sites[0].note.delete("n2");
    await settle(seer, away);
    await clearAway();
    await settle(seer, away);
    expect(remembered(sites[0], "n2")).toEqual([]);
    const made = sites[0].note.create({ text: "anew" }, { key: "n2" });
    expect(sites[0].note.get("n2")?.text).toBe("anew");
    await settle(seer, away);
    expect(await made.settled).toMatchObject({ status: "applied" });
    expect(sites[1].note.get("n2")?.text).toBe("anew");
    sites[1].note.delete("n2");
    await settle(away, seer);
    expect(remembered(sites[0], "n2")).toEqual(["n2"]);
    place.time.pass(60_000);
    await settle(seer, away);
    expect(seer.client.status.spaces[space]).toMatchObject({ state: "live", repairing: [], repairedRows: 0 });
    expect(bytesOf(sites[0])).toBe(bytesOf(sites[1]));
    expect([...seer.reports, ...away.reports]).toEqual([]);
  });
});
