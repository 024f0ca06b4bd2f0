import { type ClientStorageFactory, StorageError } from "@landfall/client";
import type { PendingEvent } from "@landfall/client/replica/pending-event";
import { memoryStorage } from "@landfall/client/storage/memory";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Tab, isSettled, land, names, openBrowser } from "./browser.js";
import { memoryStorageWith } from "./storages.js";
import { type Place, bytesOf, makeProbe, openPlace, probe, probed } from "./world.js";

let place: Place;
beforeEach(() => {
  place = openPlace();
});
afterEach(() => place.close());

/** A storage that answers what it is asked of single writes when it is let: another tab keeps it busy. */
function busyStorage() {
  const asked: (() => void)[] = [];
  const busy = { isOn: false };
  const storage = memoryStorageWith((handle) => ({
    async get(table, ...key) {
      if (busy.isOn && table === "outbox") await new Promise<void>((answer) => asked.push(answer));
      return handle.get(table, ...key);
    },
  }));
  return { storage, asked, busy };
}

/** A storage that stores the seqs of events, and says so only when it is let: the tab that gave them freezes there. */
function silentStorage() {
  const silence = { isOn: false, kept: [] as (() => void)[] };
  const storage = memoryStorageWith((handle) => ({
    async commit(changes, fence) {
      await handle.commit(changes, fence);
      const isNumbered = changes.some(
        (change) =>
          change.type === "put" &&
          change.table === "outbox" &&
          (change.value as PendingEvent).seq !== undefined,
      );
      if (!silence.isOn || !isNumbered) return;
      await new Promise<void>((tell) => silence.kept.push(tell));
    },
  }));
  return { storage, silence };
}

/** A storage that takes writes, and says so only when it is let: the tab that wrote them freezes there. */
function heldStorage() {
  const held = { isOn: false, kept: [] as (() => void)[] };
  const storage = memoryStorageWith((handle) => ({
    async commit(changes, fence) {
      await handle.commit(changes, fence);
      if (held.isOn) await new Promise<void>((tell) => held.kept.push(tell));
    },
  }));
  return { storage, held };
}

/** A storage that nobody can open. */
const tornStorage = (): ClientStorageFactory => ({
  ...memoryStorage(),
  open: () => Promise.reject(new StorageError("unavailable", "The file is damaged.")),
});

describe("several tabs", () => {
  it("rules 1, 5 and 9: a tab that never leads writes, reads, syncs and learns every outcome", async () => {
    const browser = openBrowser(place);
    const leader = await browser.open();
    await makeProbe(leader.device);
    const follower = await browser.open();
    const receipt = probe(follower.site, "by the follower");
    await follower.device.client.sync();
    expect(await receipt.settled).toMatchObject({ status: "applied", id: receipt.id });
    expect(bytesOf(follower.site)).toBe(bytesOf(leader.site));

    probe(leader.site, "by the leader");
    await browser.until(() => names(follower) === "by the follower,by the leader" && isSettled(follower));
    const other = place.device();
    const theirs = await other.open();
    await other.client.sync();
    probe(theirs, "by another device");
    await other.client.sync();
    await follower.device.client.sync();
    expect(names(follower)).toBe("by another device,by the follower,by the leader");
    expect(bytesOf(follower.site)).toBe(bytesOf(leader.site));
    expect([follower.device.exchanges, place.clashes, place.senders.size]).toEqual([0, [], 2]);
    expect([...leader.device.reports, ...follower.device.reports]).toEqual([]);
  });

  it.each([
    ["no further back than it, without asking the storage", false, []],
    ["further back, having asked the storage of all that wait at once", true, [1, 19]],
  ])("a tab shows what it hears of a tab that stands %s, which is busy", async (_, isBack, questions) => {
    const { storage, asked, busy } = busyStorage();
    const browser = openBrowser(place, storage);
    const leader = await browser.open();
    await makeProbe(leader.device);
    const writer = await browser.open();
    if (isBack) {
      writer.deafen();
      leader.site.note.create({ text: "missed" });
      await leader.device.client.sync();
    }
    const other = await browser.open();
    leader.device.offline();
    busy.isOn = true;
    const written = Array.from({ length: 20 }, (__, at) => `${at}`.padStart(2, "0"));
    for (const name of written) await probe(writer.site, name).saved;
    const asking: number[] = [];
    while (asked.length > 0) {
      asking.push(asked.length);
      for (const answer of asked.splice(0)) answer();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(asking).toEqual(questions);
    expect(names(other)).toBe(written.join());
  });

  it("rule 5: a tab that missed a cut reads the storage, and passes over a cut that it has read", async () => {
    const browser = openBrowser(place);
    const leader = await browser.open();
    await makeProbe(leader.device);
    const follower = await browser.open();
    follower.deafen();
    await land(leader, "missed");
    expect(names(follower)).toBe("");
    follower.hear();
    await land(leader, "heard");
    await browser.until(() => names(follower) === "heard,missed");
    follower.hearAgain();
    await land(leader, "later");
    await browser.until(() => names(follower) === "heard,later,missed");
    expect(bytesOf(follower.site)).toBe(bytesOf(leader.site));
    expect([...leader.device.reports, ...follower.device.reports]).toEqual([]);
  });

  it.each([
    ["no further back than it", false],
    ["further back, for it missed a cut", true],
  ])(
    "rule 5: a tab that wakes shows what was written first before what was written later, by a tab that stood %s",
    async (_, isBack) => {
      const browser = openBrowser(place);
      const leader = await browser.open();
      await makeProbe(leader.device);
      const [writer, sleeper] = [await browser.open(), await browser.open()];
      if (isBack) writer.deafen();
      await land(sleeper, "0 before");
      leader.device.offline();
      const own = probe(sleeper.site, "1 its own");
      await own.saved;
      sleeper.freeze();
      await probe(writer.site, "2 first").saved;
      const begun = leader.device.exchanges;
      leader.device.freeze("after");
      leader.device.online();
      await browser.until(() => leader.device.exchanges > begun);
      await probe(writer.site, "3 later").saved;
      // The answer to what was written first arrives, and what was written later stops on its way.
      leader.device.thaw();
      leader.device.freeze("before");
      await browser.until(() => leader.device.client.status.pending.count === 1);

      const shown = new Set<string>();
      sleeper.site.note.live().subscribe(() => shown.add(names(sleeper)));
      sleeper.thaw();
      await browser.until(() => names(sleeper) === "0 before,1 its own,2 first,3 later");
      expect([...shown].filter((each) => each.includes("3") && !each.includes("2"))).toEqual([]);
      // What became of its own write stands in the news of the cut that it slept through.
      expect(await own.settled).toMatchObject({ status: "applied" });
      leader.device.thaw();
    },
  );

  it.each([
    ["has heard of it", true],
    ["has not", false],
  ])(
    "rule 3: a write that its tab tells of only when it was settled is shown once by all, where that tab %s",
    async (_, hasHeard) => {
      const { storage, held } = heldStorage();
      const browser = openBrowser(place, storage);
      const leader = await browser.open();
      await makeProbe(leader.device);
      const [writer, follower] = [await browser.open(), await browser.open()];
      held.isOn = true;
      const { settled } = probe(writer.site, "late");
      await browser.until(() => held.kept.length > 0);
      held.isOn = false;
      // Whoever opens tells of it in the place of its tab; this follower misses that, and hears of its end alone.
      follower.deafen();
      if (!hasHeard) writer.deafen();
      leader.device.freeze("before");
      const opened = await browser.open();
      await browser.until(() => names(leader) === "late");
      follower.hear();
      leader.device.thaw();
      await browser.until(() => isSettled(leader) && names(follower) === "late");
      const last = await browser.open();
      const tabs = [leader, follower, opened, last];
      const shown = new Set<number | undefined>();
      for (const { site } of tabs) site.note.live().subscribe(() => shown.add(probed(site).count));
      for (const tell of held.kept) tell();
      writer.hear();
      await new Promise((resolve) => setImmediate(resolve));
      // Nothing is left to be settled of it, so that nothing is sent again.
      expect(tabs.map(isSettled)).toEqual([true, true, true, true]);
      leader.site.note.create({ text: "from here on all hear all" });
      await leader.device.client.sync();
      await browser.until(() => [...tabs, writer].every(isSettled));
      expect([...shown]).toEqual([1]);
      expect(await settled).toMatchObject({ status: hasHeard ? "applied" : "duplicate" });
    },
  );

  it("rule 8: where each has only its own memory in place of a storage, each reaches the server by itself", async () => {
    const browser = openBrowser(place, tornStorage());
    const [one, other] = [await browser.open(), await browser.open()];
    await makeProbe(one.device);
    await other.device.client.sync();
    const receipts = [probe(one.site, "by the one"), probe(other.site, "by the other")];
    await browser.until(() => isSettled(one) && isSettled(other));
    for (const { settled } of receipts) expect(await settled).toMatchObject({ status: "applied" });
    await Promise.all([one, other].map(({ device }) => device.client.sync()));
    expect([names(one), bytesOf(one.site)]).toEqual(["by the one,by the other", bytesOf(other.site)]);
    expect([place.clashes, place.senders.size]).toEqual([[], 2]);
  });

  it("rule 5: a leader that froze before it told of the seqs it gave leaves no other order of writes behind", async () => {
    const { storage, silence } = silentStorage();
    const browser = openBrowser(place, storage);
    const leader = await browser.open();
    await makeProbe(leader.device);
    const [next, follower] = [await browser.open(), await browser.open()];
    silence.isOn = true;
    await next.site.note.create({ text: "made" }, { key: "n1" }).saved;
    await browser.until(() => silence.kept.length > 0);
    leader.freeze();
    silence.isOn = false;
    next.device.deafen();
    await next.site.note.delete("n1").saved;
    const shown: unknown[] = [];
    next.device.client.sync().catch(() => undefined);
    await browser.until(() => next.device.exchanges > 0);
    follower.site.note.live().subscribe(() => shown.push(follower.site.note.get("n1")));
    // What it has heard until then is shown by then.
    await probe(follower.site, "last").shown;
    expect([follower.site.note.get("n1"), ...new Set(shown)]).toEqual([undefined, undefined]);
    leader.thaw();
    for (const tell of silence.kept) tell();
  });

  it("rules 3 and 8: the second takes over when the leader closes, with its writes and its seqs", async () => {
    const browser = openBrowser(place);
    const first = await browser.open();
    await makeProbe(first.device);
    const second = await browser.open();
    first.device.deafen();
    probe(first.site, "sent");
    await expect(first.device.client.sync()).rejects.toThrow();
    first.device.offline();
    await probe(first.site, "not sent").saved;
    probe(second.site, "by the second");
    await browser.until(() => names(second) === "by the second,not sent,sent");
    await browser.close(first);
    await second.device.client.sync();
    expect(probed(second.site)).toEqual({ names: ["by the second", "not sent", "sent"], count: 3 });
    expect(isSettled(second)).toBe(true);
    const reader = place.device();
    const read = await reader.open();
    await reader.client.sync();
    expect(bytesOf(second.site)).toBe(bytesOf(read));
    expect([place.clashes, place.senders.size, ...second.device.reports]).toEqual([[], 1]);
  });

  it("rule 8: a space that only one tab has open is synced by whoever leads next, though it is another tab", async () => {
    const browser = openBrowser(place);
    const leader = await browser.open("first");
    await browser.open("first");
    const third = await browser.open("first");
    const site = await third.device.open("other");
    await third.device.client.sync();
    await browser.close(leader);
    const elsewhere = place.device();
    (await elsewhere.open("other")).note.create({ text: "from elsewhere" }, { key: "n1" });
    await elsewhere.client.sync();
    await browser.until(() => site.note.get("n1") !== undefined);
    expect(third.device.client.status.spaces["other"]?.state).toBe("live");
  });

  it("rule 9: who asked a leader to sync is answered by the next one, when it closes before it has", async () => {
    const browser = openBrowser(place);
    const leader = await browser.open();
    await makeProbe(leader.device);
    const [next, asking] = [await browser.open(), await browser.open()];
    leader.freeze("before");
    probe(asking.site, "waits");
    const synced = asking.device.client.sync();
    leader.thaw();
    await browser.close(leader);
    await synced;
    expect([next.device.exchanges > 0, asking.device.exchanges]).toEqual([true, 0]);
    expect(names(asking)).toBe("waits");
    expect(isSettled(asking)).toBe(true);
  });

  it.each(["before", "after"] as const)(
    "rules 3 and 5: a leader that froze with a request under way, %s the server had it, wakes and changes nothing",
    async (where) => {
      const browser = openBrowser(place);
      const leader = await browser.open();
      await makeProbe(leader.device);
      const follower = await browser.open();
      leader.freeze(where);
      const begun = leader.device.exchanges;
      const receipt = probe(leader.site, "by the frozen");
      await receipt.saved;
      await browser.until(() => leader.device.exchanges > begun);
      probe(follower.site, "by the other");
      await browser.until(() => names(follower) === "by the frozen,by the other" && isSettled(follower));
      expect(follower.device.exchanges).toBeGreaterThan(0);

      const before = await browser.stored();
      const exchanges = leader.device.exchanges;
      leader.thaw();
      await browser.until(() => isSettled(leader));
      expect(await browser.stored()).toBe(before);
      expect(leader.device.exchanges).toBe(exchanges);
      expect(bytesOf(leader.site)).toBe(bytesOf(follower.site));
      await receipt.settled;
      // It follows now: what it writes goes through the other.
      const later = probe(leader.site, "later");
      await leader.device.client.sync();
      expect(await later.settled).toMatchObject({ status: "applied" });
      expect(leader.device.exchanges).toBe(exchanges);
      expect(probed(follower.site)).toEqual({ names: ["by the frozen", "by the other", "later"], count: 3 });
      expect([place.clashes, place.senders.size]).toEqual([[], 1]);
      expect([...leader.device.reports, ...follower.device.reports]).toEqual([]);
    },
  );

  it("rules 3, 5 and 8: whatever three tabs do, frozen, woken, closed and opened, every write counts once and no seq is used twice", async () => {
    const doing = fc.constantFrom(
      "write" as const,
      "write" as const,
      "freeze" as const,
      "thaw" as const,
      "reopen" as const,
      "pass" as const,
    );
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ who: fc.nat(2), what: doing }), { minLength: 8, maxLength: 30 }),
        async (steps) => {
          const id = `space-${run++}`;
          const browser = openBrowser(place);
          const tabs = [await browser.open(id)];
          await makeProbe(tabs[0]!.device, id);
          tabs.push(await browser.open(id), await browser.open(id));
          const written: string[] = [];
          for (const { who, what } of steps) {
            const tab = tabs[who] as Tab;
            // A frozen tab does nothing but wake.
            if (what === "thaw") tab.thaw();
            else if (!tab.isFrozen) {
              if (what === "write") {
                written.push(`${written.length}`.padStart(2, "0"));
                await probe(tab.site, written.at(-1) ?? "").saved;
              } else if (what === "freeze") tab.freeze();
              else if (what === "pass") await tab.time.advance(15_000);
              else {
                await browser.close(tab);
                tabs[who] = await browser.open(id);
              }
            }
          }
          for (const tab of tabs) tab.thaw();
          await browser.until(() => tabs.every((tab) => isSettled(tab) && names(tab) === written.join()));
          for (const { site } of tabs)
            expect(probed(site)).toEqual({ names: written, count: written.length });
          const reader = place.device();
          const read = await reader.open(id);
          await reader.client.sync();
          for (const { site } of tabs) expect(bytesOf(site)).toBe(bytesOf(read));
          expect(place.clashes).toEqual([]);
          expect(tabs.flatMap(({ device }) => device.reports)).toEqual([]);
          await Promise.all(tabs.map((tab) => browser.close(tab)));
        },
      ),
      { numRuns: 15 },
    );
  });
});
