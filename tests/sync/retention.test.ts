import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Device, type NoteSpace, type Place, bytesOf, openPlace, settle } from "./world.js";

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

it("rule 7: who was there all the time brings a key back though the server has forgotten that it was deleted", async () => {
  sites[0].note.delete("n2");
  sites[0].note.delete("n3");
  await settle(seer, away);
  await clearAway();
  away.offline();
  const back = sites[0].note.restore("n2", { text: "back" });
  const late = sites[1].note.restore("n2", { text: "too late" });
  await settle(seer);
  away.online();
  await settle(away, seer);
  expect(await back.settled).toMatchObject({ status: "applied" });
  expect(await late.settled).toMatchObject({ status: "rejected", code: "expectation_failed" });
  for (const site of sites) expect(site.note.get("n2")?.text).toBe("back");
  expect(bytesOf(sites[0])).toBe(bytesOf(sites[1]));

  // One whose copy is replaced while such a restore waits: nothing in its base tells of the delete any more.
  away.offline();
  const reset = sites[1].note.restore("n3", { text: "pending while it is read anew" });
  await reset.saved;
  for (const key of ["n4", "n5"]) sites[0].note.delete(key);
  await seer.client.sync();
  await clearAway();
  away.online();
  await settle(away, seer, away);
  expect(await reset.settled).toMatchObject({ status: "applied" });
  for (const site of sites) expect(site.note.get("n3")?.text).toBe("pending while it is read anew");
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
