import type { SpaceNews } from "@landfall/client/space/space-news";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isSettled, land, names, openBrowser } from "./browser.js";
import { fullStorage } from "./storages.js";
import { type Place, bytesOf, makeProbe, openPlace, probe, probed } from "./world.js";

let place: Place;
beforeEach(() => {
  place = openPlace();
});
afterEach(() => place.close());

/** A browser whose disk can be full, with one tab. */
async function open() {
  const { disk, storage } = fullStorage();
  const browser = openBrowser(place, storage);
  const leader = await browser.open();
  await makeProbe(leader.device);
  return { disk, browser, leader };
}

describe("several tabs on a disk without room", () => {
  it("rules 5 and 9: a tab that opens learns from others what no storage had room for, and settles it when it leads", async () => {
    const { disk, browser, leader } = await open();
    const writer = await browser.open();
    disk.isFull = true;
    leader.device.offline();
    await expect(probe(writer.site, "unsaved").saved).rejects.toMatchObject({ code: "full" });
    await browser.until(() => names(leader) === "unsaved");
    await browser.close(writer);
    const next = await browser.open();
    await browser.until(() => names(next) === "unsaved");
    leader.freeze();
    disk.isFull = false;
    next.device.client.sync().catch(() => undefined);
    await browser.until(() => isSettled(next));
    leader.thaw();
    await browser.until(() => isSettled(leader));
    expect([names(leader), bytesOf(leader.site)]).toEqual(["unsaved", bytesOf(next.site)]);
    expect(place.clashes).toEqual([]);
  });

  it("rules 5 and 9: a tab that reads a storage which is ahead shows its write that this had no room for once, and learns what became of it", async () => {
    const { disk, browser, leader } = await open();
    const sleeper = await browser.open();
    sleeper.deafen();
    await land(leader, "missed");
    sleeper.hear();
    sleeper.freeze();
    await land(leader, "told late");
    disk.isFull = true;
    const unsaved = probe(sleeper.site, "unsaved");
    await expect(unsaved.saved).rejects.toMatchObject({ code: "full" });
    disk.isFull = false;
    await browser.until(() => isSettled(leader) && names(leader) === "missed,told late,unsaved");
    const shown: (number | undefined)[] = [];
    sleeper.site.note.watch({}, () => shown.push(probed(sleeper.site).count));
    sleeper.thaw();
    await browser.until(() => isSettled(sleeper));
    expect(shown).toEqual([1, 2, 3]);
    expect(await unsaved.settled).toMatchObject({ status: "applied" });
    expect(bytesOf(sleeper.site)).toBe(bytesOf(leader.site));
    expect(place.clashes).toEqual([]);
  });

  it("rule 9: a tab learns what became of its write that no storage had room for also from a cut that it has read by then", async () => {
    const { disk, browser, leader } = await open();
    const reader = await browser.open();
    reader.deafen();
    disk.isFull = true;
    const unsaved = probe(reader.site, "unsaved");
    await expect(unsaved.saved).rejects.toMatchObject({ code: "full" });
    disk.isFull = false;
    await browser.until(() => isSettled(leader) && names(leader) === "unsaved");
    const cut = (reader.told as { readonly type: string }[]).findLast(({ type }) => type === "cut");
    reader.hear();
    await land(leader, "later");
    await browser.until(() => names(reader) === "later,unsaved");
    reader.tell(cut);
    await browser.until(() => isSettled(reader));
    expect(await unsaved.settled).toMatchObject({ status: "applied" });
    expect(bytesOf(reader.site)).toBe(bytesOf(leader.site));
    expect(place.clashes).toEqual([]);
  });

  it.each(["cut", "reload"])(
    "rule 3: a write that no storage had room for, and that a %s has settled, is over also for a tab that hears of it after that",
    async (type) => {
      const { disk, browser, leader } = await open();
      const [writer, witness] = [await browser.open(), await browser.open()];
      leader.device.offline();
      disk.isFull = true;
      await expect(probe(writer.site, "unsaved").saved).rejects.toMatchObject({ code: "full" });
      await browser.until(() => names(leader) === "unsaved");
      disk.isFull = false;
      leader.device.online();
      await browser.until(() => [leader, writer, witness].every(isSettled));
      const next = await browser.open();
      const told = witness.told as { readonly type: string; readonly payload: SpaceNews }[];
      const last = (kind: string) =>
        told.findLast((message) => message.type === kind) as (typeof told)[number];
      const cut = last("cut");
      const { settled } = (cut.payload as Extract<SpaceNews, { type: "cut" }>).settlement;
      next.tell(type === "cut" ? cut : { ...cut, type: "changed", payload: { type, settled } });
      next.tell(last("write"));
      await probe(next.site, "later").shown;
      await next.device.client.sync();
      expect([names(next), next.device.client.status.pending.count]).toEqual(["later,unsaved", 0]);
      expect(bytesOf(next.site)).toBe(bytesOf(leader.site));
      expect(place.clashes).toEqual([]);
    },
  );

  it("rule 3: a seq that a leader gave from memory is not given again when what had it is settled", async () => {
    const { disk, browser, leader } = await open();
    const next = await browser.open();
    disk.isFull = true;
    leader.device.deafen();
    await expect(probe(leader.site, "1 given").saved).rejects.toMatchObject({ code: "full" });
    await expect(leader.device.client.sync()).rejects.toThrow();
    leader.freeze();
    disk.isFull = false;
    next.device.client.sync().catch(() => undefined);
    await browser.until(() => isSettled(next) && names(next) === "1 given");
    const later = probe(next.site, "2 later");
    await browser.until(() => isSettled(next));
    expect(await later.settled).toMatchObject({ status: "applied" });
    expect(next.device.reports).toEqual([]);
    expect(place.clashes).toEqual([]);
  });
});
