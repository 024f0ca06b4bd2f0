import { memoryStorage } from "@landfall/client/storage/memory";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Place, bytesOf, openPlace, settle } from "./world.js";

const yearMs = 365 * 86_400_000;

let place: Place;
beforeEach(() => {
  place = openPlace();
});
afterEach(() => place.close());

/** A clock that is wrong by so much, or has stopped at a time. */
interface WrongClock {
  wrongMs: number;
  stoppedAtMs?: number | undefined;
  now(): number;
}

function wrongBy(wrongMs: number): WrongClock {
  return {
    wrongMs,
    now() {
      return this.stoppedAtMs ?? place.time.clock.now() + this.wrongMs;
    },
  };
}

const device = (clock: WrongClock = wrongBy(0), storage = memoryStorage()) =>
  place.device({ storage, ports: { clock } });

describe("a wrong clock", () => {
  it.each([
    ["years ahead", 5 * yearMs],
    ["years behind", -5 * yearMs],
  ])("rule 6: %s neither wins over later writes nor stops, and a person is told", async (_how, wrongMs) => {
    const wrong = device(wrongBy(wrongMs));
    const right = device();
    const [here, there] = [await wrong.open(), await right.open()];
    const made = here.note.create({ text: "from the wrong clock" }, { key: "n1" });
    await settle(wrong, right);
    expect(await made.settled).toMatchObject({ status: "applied" });
    expect(wrong.client.status.clockSkewMs).toBe(wrongMs);
    expect(right.client.status.clockSkewMs).toBe(0);

    // After seeing it, and at the same time.
    there.note.update("n1", { text: "later" });
    await settle(right, wrong);
    expect([here.note.get("n1")?.text, there.note.get("n1")?.text]).toEqual(["later", "later"]);
    here.note.update("n1", { text: "later still" });
    await settle(wrong, right);
    expect([here.note.get("n1")?.text, there.note.get("n1")?.text]).toEqual(["later still", "later still"]);

    // Later, without having seen it: what the wrong clock wrote has reached the server before.
    right.offline();
    here.note.update("n1", { text: "unseen", body: "here" });
    await wrong.client.sync();
    place.time.pass(1_000);
    there.note.update("n1", { text: "last" });
    right.online();
    await settle(right, wrong);
    expect(here.note.get("n1")).toMatchObject({ text: "last", body: "here" });
    expect(bytesOf(here)).toBe(bytesOf(there));
    expect([wrong.client.status.state, wrong.client.status.pending.count]).toEqual(["live", 0]);
    expect([...wrong.reports, ...right.reports]).toEqual([]);
  });

  it("rule 6: years behind, but told the time once, wins over what was written before it", async () => {
    const [wrong, right] = [device(wrongBy(-5 * yearMs)), device()];
    const [here, there] = [await wrong.open(), await right.open()];
    here.note.create({ text: "first" }, { key: "n1" });
    await settle(wrong, right);
    wrong.offline();
    there.note.update("n1", { text: "before" });
    await right.client.sync();
    place.time.pass(1_000);
    here.note.update("n1", { text: "after" });
    wrong.online();
    await settle(wrong, right);
    expect([here.note.get("n1")?.text, there.note.get("n1")?.text]).toEqual(["after", "after"]);
    expect(here.inbox.current).toEqual([]);
    expect(bytesOf(here)).toBe(bytesOf(there));
  });

  it("rules 6, 8 and 9: years behind and never told the time, it loses, and the loss is in the inbox", async () => {
    const [wrong, right] = [device(wrongBy(-5 * yearMs)), device()];
    const there = await right.open();
    there.note.put("n1", { text: "before" });
    await right.client.sync();
    wrong.offline();
    const here = await wrong.open();
    here.note.put("n1", { text: "behind" });
    expect(here.note.get("n1")?.text).toBe("behind");
    wrong.online();
    await settle(wrong, right);
    expect([here.note.get("n1")?.text, there.note.get("n1")?.text]).toEqual(["before", "before"]);
    expect(here.inbox.current).toMatchObject([
      { kind: "superseded", key: "n1", field: "text", tried: "behind", won: "before" },
    ]);
    here.inbox.writeAgain(here.inbox.current[0]?.id ?? "");
    await settle(wrong, right);
    expect([here.note.get("n1")?.text, there.note.get("n1")?.text]).toEqual(["behind", "behind"]);
    expect(here.inbox.current).toEqual([]);
  });

  it("rule 6: jumping back, while it runs and between two starts, it never writes under an older stamp than before", async () => {
    const clock = wrongBy(yearMs);
    const storage = memoryStorage();
    const first = device(clock, storage);
    let site = await first.open();
    const ids = [site.note.create({ text: "0" }, { key: "n1" }).id];
    await first.client.sync();
    for (const wrongMs of [0, -3 * yearMs, 2 * yearMs, -yearMs]) {
      clock.wrongMs = wrongMs;
      ids.push(site.note.update("n1", { text: `${wrongMs}` }).id);
      expect(site.note.get("n1")?.text).toBe(`${wrongMs}`);
      await first.client.sync();
    }
    await first.client.close();
    clock.wrongMs = -4 * yearMs;
    const again = device(clock, storage);
    site = await again.open();
    const last = site.note.update("n1", { text: "last" });
    ids.push(last.id);
    await again.client.sync();
    expect(await last.settled).toMatchObject({ status: "applied" });
    expect(ids).toEqual(ids.toSorted());
    expect(new Set(ids).size).toBe(ids.length);
    const reader = device();
    const read = await reader.open();
    await reader.client.sync();
    expect(read.note.get("n1")?.text).toBe("last");
    expect(again.client.status.clockSkewMs).toBe(-4 * yearMs);
    expect([again.client.status.state, ...first.reports, ...again.reports]).toEqual(["live"]);
  });

  it("rule 6: standing still, it gives every write a stamp of its own, in order, and syncs on", async () => {
    const clock = wrongBy(0);
    clock.stoppedAtMs = place.time.clock.now();
    const stopped = device(clock);
    const site = await stopped.open();
    // More than the counter of a stamp has room for in one millisecond.
    const written = Array.from({ length: 5_000 }, (_, i) => site.note.put(`n${i % 100}`, { text: `${i}` }));
    await stopped.client.sync();
    const outcomes = await Promise.all(written.map(({ settled }) => settled));
    expect(outcomes.every((outcome) => outcome.status === "applied" && !outcome.superseded)).toBe(true);
    const ids = written.map(({ id }) => id);
    expect(ids).toEqual(ids.toSorted());
    expect(new Set(ids).size).toBe(ids.length);
    const reader = device();
    const read = await reader.open();
    await reader.client.sync();
    expect(
      read.note
        .all()
        .map(({ text }) => Number(text))
        .toSorted((a, b) => a - b),
    ).toEqual(Array.from({ length: 100 }, (_, i) => 4_900 + i));
    expect(stopped.client.status).toMatchObject({ state: "live", pending: { count: 0 } });
  });

  it("rule 6: whatever the clocks do, who writes after seeing another's value wins over it", async () => {
    const jump = fc.constantFrom(-4 * yearMs, -yearMs, -60_000, 0, 60_000, yearMs, 4 * yearMs);
    const turn = fc.record({ who: fc.nat(2), wrongMs: jump, isStopped: fc.boolean() });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { minLength: 5, maxLength: 20 }), async (turns) => {
        const id = `space-${run++}`;
        const clocks = [wrongBy(0), wrongBy(0), wrongBy(0)];
        const devices = clocks.map((clock) => device(clock));
        const sites = await Promise.all(devices.map((each) => each.open(id)));
        for (const [i, { who, wrongMs, isStopped }] of turns.entries()) {
          const [clock, one, site] = [clocks[who], devices[who], sites[who]];
          if (!clock || !one || !site) throw new Error("There are three devices.");
          clock.wrongMs = wrongMs;
          clock.stoppedAtMs = isStopped ? place.time.clock.now() + wrongMs : undefined;
          await one.client.sync();
          site.note.put("n1", { text: `${i}` });
          await one.client.sync();
          expect(site.note.get("n1")?.text).toBe(`${i}`);
          expect(site.inbox.current).toEqual([]);
        }
        await settle(...devices);
        const [first, ...others] = sites.map(bytesOf);
        expect(JSON.parse(first ?? "")).toMatchObject([{ text: `${turns.length - 1}` }]);
        expect(others).toEqual([first, first]);
        expect(devices.flatMap(({ reports }) => reports)).toEqual([]);
        await Promise.all(devices.map(({ client }) => client.close()));
      }),
      { numRuns: 20 },
    );
    expect(place.clashes).toEqual([]);
  });
});
