import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClientPorts, ClientStorageFactory, SettledOutcome } from "@landfall/client";
import { sqliteStorage } from "@landfall/client/storage/sqlite";
import { memoryStorage } from "@landfall/client/storage/memory";
import { storageTables } from "@landfall/client/storage/port";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isSettled, land, openBrowser } from "./browser.js";
import {
  type Device,
  type NoteSpace,
  type Place,
  bytesOf,
  makeProbe,
  openPlace,
  probe,
  probed,
  settle,
} from "./world.js";

let place: Place;
let folder = "";
beforeEach(() => {
  place = openPlace();
  folder = mkdtempSync(join(tmpdir(), "landfall-"));
});
afterEach(async () => {
  await place.close();
  rmSync(folder, { recursive: true, force: true });
});

const stored = (name: string): ClientStorageFactory => sqliteStorage(join(folder, name, "app.db"));
const installed = (name: string, online = true): Device => place.device({ storage: stored(name), online });
const clone = (from: string, to: string): void =>
  cpSync(join(folder, from), join(folder, to), { recursive: true });

/** A disk that takes more turns of the event loop than it takes to read an answer. */
const slowly = (factory: ClientStorageFactory): ClientStorageFactory => ({
  ...factory,
  open: async (name) => {
    const storage = await factory.open(name);
    const spaces = storage.spaces.bind(storage);
    return Object.assign(storage, {
      spaces: async () => {
        for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
        return spaces();
      },
    });
  },
});

/** What became of an event, at first or at a retry. */
const effectOf = (outcome: SettledOutcome): string =>
  `${outcome.id} ${outcome.status === "duplicate" ? outcome.of : outcome.status}`;

/** What one storage has, another one has as well from now on. */
async function copyAll(from: ClientStorageFactory, to: ClientStorageFactory): Promise<void> {
  const name = "landfall.account.ann";
  const [source, target] = [await from.open(name), await to.open(name)];
  for (const space of await source.spaces())
    for (const table of storageTables)
      for (const { a, b, value } of await source.entries(table, space))
        await target.commit([{ type: "put", table, space, a, b, value }]);
}

describe("a cloned installation", () => {
  it("rules 3 and 8: found forked twice, with the answer lost in between: every write is there once, and none is refused", async () => {
    const first = installed("one");
    await makeProbe(first);
    await first.client.close();
    clone("one", "two");
    const one = installed("one");
    probe(await one.open(), "of the first");
    await one.client.sync();

    // It becomes a device of its own, and never hears what became of what it then sends.
    const two: Device = place.device({
      storage: stored("two"),
      online: false,
      client: { onReport: (code) => code === "device_forked" && two.deafen() },
    });
    const there = await two.open();
    await probe(there, "of the second").saved;
    two.online();
    await expect(two.client.sync()).rejects.toThrow();
    two.offline();
    await two.client.close();
    clone("two", "three");
    const three = installed("three");
    probe(await three.open(), "of the third");
    await three.client.sync();

    const again = installed("two", false);
    const site = await again.open();
    const receipts = [probe(site, "of the second, later"), probe(site, "and again")];
    await Promise.all(receipts.map(({ saved }) => saved));
    again.online();
    await settle(again, three, one, again);
    expect(again.reports).toEqual(["device_forked"]);
    for (const { settled } of receipts) expect(await settled).toMatchObject({ status: "applied" });
    expect(probed(site)).toEqual({
      names: ["and again", "of the first", "of the second", "of the second, later", "of the third"],
      count: 5,
    });
    expect([site.inbox.current, again.client.status.pending.count]).toEqual([[], 0]);
  });

  it("rules 3 and 8: both copies write on; the second to come becomes a device of its own, and every write of both is there once, under its id", async () => {
    const original = installed("one");
    for (const id of ["site-7", "site-8"]) await makeProbe(original, id);
    const sites = [await original.open("site-7"), await original.open("site-8")];
    for (const site of sites) probe(site, "sent");
    original.deafen();
    await expect(original.client.sync()).rejects.toThrow();
    original.offline();
    await Promise.all(sites.map((site) => probe(site, "waiting").saved));
    await original.client.close();
    clone("one", "two");

    const [first, second] = [installed("one"), installed("two", false)];
    const here = await first.open("site-7");
    // The other space is open in one copy only.
    const there = [await second.open("site-7"), await second.open("site-8")] as const;
    const receipts = [
      probe(here, "of the first"),
      probe(there[0], "of the second"),
      probe(there[1], "of the second"),
    ];
    await first.client.sync();
    second.online();
    await settle(second, first);
    expect(first.reports).toEqual([]);
    expect(second.reports).toEqual(["device_forked"]);
    for (const { id, settled } of receipts) expect(effectOf(await settled)).toBe(`${id} applied`);
    await settle(first, second);
    expect(place.senders.size).toBe(2);

    const reader = place.device();
    for (const [id, sitesOfIt, names] of [
      ["site-7", [here, there[0]], ["of the first", "of the second", "sent", "waiting"]],
      ["site-8", [await first.open("site-8"), there[1]], ["of the second", "sent", "waiting"]],
    ] as const) {
      const read = await reader.open(id);
      await settle(reader, first, second);
      expect(probed(read)).toEqual({ names, count: names.length });
      for (const site of sitesOfIt) expect(bytesOf(site)).toBe(bytesOf(read));
    }
    expect([first, second].map(({ client }) => client.status.pending.count)).toEqual([0, 0]);
    expect([...here.inbox.current, ...there[0].inbox.current, ...there[1].inbox.current]).toEqual([]);
  });

  it("rule 3: a tab that finds the installation copied gives away a write too that another tab stored and never told of", async () => {
    const [storage, copied] = [memoryStorage(), memoryStorage()];
    const browser = openBrowser(place, storage);
    const leader = await browser.open();
    await makeProbe(leader.device);
    const other = await browser.open();
    leader.deafen();
    await probe(other.site, "never told").saved;
    await copyAll(storage, copied);
    const copy = place.device({ storage: copied });
    await copy.open();
    await settle(copy);
    await browser.close(other);
    probe(leader.site, "of the leader");
    await browser.until(() => isSettled(leader));
    expect(leader.device.reports).toEqual(["device_forked"]);
    leader.hear();
    const reader = await browser.open();
    await land(reader, "later");
    await browser.until(() => isSettled(leader) && isSettled(reader));
    expect(probed(leader.site)).toEqual({ names: ["later", "never told", "of the leader"], count: 3 });
    expect([leader.site.inbox.current, leader.device.client.status.pending.count]).toEqual([[], 0]);
  });

  it("rule 3: a copy that finds itself out in two spaces of one answer becomes one new device, and goes on", async () => {
    const ids = ["site-7", "site-8"] as const;
    const original = installed("one");
    for (const id of ids) await makeProbe(original, id);
    await original.client.close();
    clone("one", "two");
    const begin = async (name: string, ports: Partial<ClientPorts> = {}) => {
      const device = place.device({ storage: slowly(stored(name)), ports });
      return { device, sites: await Promise.all(ids.map((id) => device.open(id))) };
    };
    const fetch = (): Promise<never> => Promise.reject(new TypeError("There is no network."));
    for (const name of ["one", "two"]) {
      const { device, sites } = await begin(name, { net: { fetch, webSocket: undefined } });
      for (const site of sites) await probe(site, `of ${name}`).saved;
      await device.client.close();
    }
    const first = await begin("one");
    await first.device.client.sync();
    const second = await begin("two");
    await settle(second.device, first.device);
    expect([first, second].map(({ device }) => device.reports)).toEqual([[], ["device_forked"]]);
    expect(place.senders.size).toBe(2);
    for (const { sites } of [first, second])
      for (const site of sites) expect(probed(site)).toEqual({ names: ["of one", "of two"], count: 2 });
  });

  it("rule 5: what the same answer settles of another space counts once in the view of a copy that finds itself out", async () => {
    const ids = ["site-7", "site-8"] as const;
    const original = installed("one");
    for (const id of ids) await makeProbe(original, id);
    await original.client.close();
    clone("one", "two");
    const first = installed("one");
    probe(await first.open("site-7"), "of the first");
    await first.client.sync();

    const second = installed("two");
    const [here, there] = [await second.open("site-7"), await second.open("site-8")];
    const shown: unknown[] = [];
    there.note.live().subscribe(() => shown.push(probed(there).count));
    second.offline();
    await Promise.all([here, there].map((site) => probe(site, "of the second").saved));
    second.online();
    await settle(second);
    expect(second.reports).toEqual(["device_forked"]);
    expect([...new Set(shown)]).toEqual([1]);
    expect(probed(here)).toEqual({ names: ["of the first", "of the second"], count: 2 });
  });

  it("rules 3 and 8: whatever three copies do and in whatever order, with answers lost and restarts, nothing is lost and nothing doubled", async () => {
    const doing = fc.constantFrom(
      "write" as const,
      "write" as const,
      "sync" as const,
      "loseAnswer" as const,
      "restart" as const,
    );
    const steps = fc.array(fc.record({ who: fc.nat(2), what: doing }), { minLength: 10, maxLength: 40 });
    let run = 0;
    let forks = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(3), steps, async (waiting, todo) => {
        const id = `space-${run++}`;
        const original = installed(`${id}-0`);
        await makeProbe(original, id);
        original.offline();
        const names: string[] = [];
        const write = (site: NoteSpace) => {
          names.push(`${names.length}`.padStart(3, "0"));
          return probe(site, names.at(-1) ?? "").saved;
        };
        const begin = await original.open(id);
        for (let i = 0; i < waiting; i++) await write(begin);
        await original.client.close();
        for (const copy of [1, 2]) clone(`${id}-0`, `${id}-${copy}`);
        const devices = [0, 1, 2].map((copy) => installed(`${id}-${copy}`));
        const sites = await Promise.all(devices.map((device) => device.open(id)));
        for (const { who, what } of todo) {
          const device = devices[who] as Device;
          if (what === "write") await write(sites[who] as NoteSpace);
          else if (what === "sync") await device.client.sync();
          else if (what === "loseAnswer") {
            device.deafen();
            await device.client.sync().catch(() => undefined);
            device.online();
          } else {
            forks += device.reports.length;
            await device.client.close();
            devices[who] = installed(`${id}-${who}`);
            sites[who] = await devices[who].open(id);
          }
        }
        await settle(...devices);
        for (const site of sites) expect(probed(site)).toEqual({ names, count: names.length });
        expect(new Set(sites.map(bytesOf)).size).toBe(1);
        const reports = devices.flatMap((device) => device.reports);
        forks += reports.length;
        expect(reports.filter((code) => code !== "device_forked")).toEqual([]);
        expect(sites.flatMap((site) => site.inbox.current)).toEqual([]);
        await Promise.all(devices.map(({ client }) => client.close()));
      }),
      { numRuns: 15 },
    );
    expect(forks).toBeGreaterThan(0);
  });
});
