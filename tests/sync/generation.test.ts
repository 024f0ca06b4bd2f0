import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryStorage } from "@landfall/client/storage/memory";
import { createHub, createLocks } from "@landfall/client/tabs/origin.fixture";
import { sqlite } from "@landfall/server/storage/sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fullStorage, notebook } from "./storages.js";
import { type Place, bytesOf, makeProbe, openPlace, probe, probed, settle, space } from "./world.js";

let place: Place;
beforeEach(() => {
  place = openPlace();
});
afterEach(() => place.close());

const ask = (method: string, path: string): Promise<Response> =>
  place.server.handler(
    new Request(`http://landfall.test${path}`, { method, headers: { authorization: "Bearer dev:ann" } }),
  );

describe("a space that is wiped", () => {
  it("rules 8 and 12: base goes, pending is parked, nothing is offered back, and all agree on what is written after", async () => {
    const devices = [place.device(), place.device()] as const;
    await makeProbe(devices[0]);
    const sites = [await devices[0].open(), await devices[1].open()] as const;
    await settle(...devices);
    devices[1].deafen();
    const sent = probe(sites[1], "sent");
    await expect(devices[1].client.sync()).rejects.toThrow();
    devices[1].offline();
    const waiting = sites[1].note.create({ text: "not sent" }, { key: "n1" });
    await Promise.all([sent.saved, waiting.saved]);

    expect((await ask("DELETE", `/v1/spaces/${space}`)).status).toBeLessThan(300);
    devices[1].online();
    await settle(...devices);
    for (const site of sites) expect(site.note.all()).toEqual([]);
    expect(devices.map(({ reports }) => reports)).toEqual([["wiped"], ["wiped"]]);
    expect(sites[0].inbox.current).toEqual([]);
    expect(sites[1].inbox.current.map(({ kind, code, key }) => `${kind} ${code} ${key}`)).toEqual([
      "parked wiped count",
      "parked wiped log",
      "parked wiped n1",
    ]);
    expect(await waiting.settled).toMatchObject({ status: "rejected", code: "wiped" });

    // Seqs begin anew in the new generation, and what was parked can be written again.
    sites[1].inbox.retry(waiting.id);
    await makeProbe(devices[0]);
    probe(sites[0], "after");
    await settle(devices[1], ...devices);
    expect(probed(sites[1])).toEqual({ names: ["after"], count: 1 });
    expect(sites[1].note.get("n1")?.text).toBe("not sent");
    expect(bytesOf(sites[0])).toBe(bytesOf(sites[1]));
    expect(place.clashes).toEqual([]);
  });

  it("rules 8 and 12: and wiped again while a device was away, parks what that has pending, once, and sends nothing of it", async () => {
    const devices = [place.device(), place.device()] as const;
    const [away, other] = devices;
    await makeProbe(other);
    const sites = [await away.open(), await other.open()] as const;
    await settle(...devices);
    away.deafen();
    probe(sites[0], "sent");
    await expect(away.client.sync()).rejects.toThrow();
    away.offline();
    const waiting = sites[0].note.create({ text: "not sent" }, { key: "n1" });
    await waiting.saved;
    for (const text of ["after one", "after two"]) {
      expect((await ask("DELETE", `/v1/spaces/${space}`)).status).toBeLessThan(300);
      sites[1].note.create({ text }, { key: "n1" });
      await other.client.sync().catch(() => other.client.sync());
    }
    away.online();
    await settle(...devices);
    expect(away.reports).toEqual(["wiped"]);
    expect(sites[0].inbox.current.map(({ kind, code, key }) => `${kind} ${code} ${key}`)).toEqual([
      "parked wiped count",
      "parked wiped log",
      "parked wiped n1",
    ]);
    expect(await waiting.settled).toMatchObject({ status: "rejected", code: "wiped" });
    expect(bytesOf(sites[0])).toBe(bytesOf(sites[1]));
    expect(place.clashes).toEqual([]);
  });

  it.each([
    ["what it knew of the space", ["meta"]],
    ["that and its rows", ["meta", "rows"]],
  ] as const)(
    "rules 8 and 12: parks what is pending on a device whose storage lost a part meanwhile, and sends nothing of it: %s",
    async (_what, tables) => {
      const [storage, notes] = [memoryStorage(), notebook()];
      let away = place.device({ storage, ports: { notes } });
      const other = place.device();
      await makeProbe(other);
      let site = await away.open();
      await settle(away, other);
      away.deafen();
      probe(site, "sent");
      await expect(away.client.sync()).rejects.toThrow();
      away.offline();
      await site.note.create({ text: "not sent" }, { key: "n1" }).saved;
      await away.client.close();
      const handle = await storage.open("landfall.account.ann");
      for (const each of await handle.spaces())
        await handle.commit(tables.map((table) => ({ type: "clear", table, space: each })));
      await handle.close();
      expect((await ask("DELETE", `/v1/spaces/${space}`)).status).toBeLessThan(300);

      away = place.device({ storage, ports: { notes } });
      site = await away.open();
      expect(probed(site).names).toEqual([]);
      await away.client.sync();
      expect(site.note.all()).toEqual([]);
      expect(site.inbox.current.map(({ kind, code, key }) => `${kind} ${code} ${key}`)).toEqual([
        "parked wiped count",
        "parked wiped log",
        "parked wiped n1",
      ]);
      expect(away.client.status.pending.count).toBe(0);
      const read = await other.open();
      await other.client.sync();
      expect(read.note.all()).toEqual([]);
    },
  );

  it("rules 8 and 12: what a full storage has not taken is parked in every tab, and pending in none", async () => {
    const { disk, storage } = fullStorage();
    const origin = { storage, ports: { locks: createLocks(), channel: createHub() } };
    const leader = place.device(origin);
    await makeProbe(leader);
    await leader.open();
    const follower = place.device(origin);
    const site = await follower.open();
    leader.offline();
    follower.offline();
    disk.isFull = true;
    const receipt = probe(site, "not stored");
    await expect(receipt.saved).rejects.toMatchObject({ code: "full" });
    disk.isFull = false;
    expect((await ask("DELETE", `/v1/spaces/${space}`)).status).toBeLessThan(300);
    leader.online();
    await settle(leader);
    expect(await receipt.settled).toMatchObject({ status: "rejected", code: "wiped" });
    expect([leader, follower].map(({ client }) => client.status.pending.count)).toEqual([0, 0]);
    expect(probed(site).names).toEqual([]);
  });
});

describe("a space that is restored", () => {
  let folder = "";
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "landfall-"));
    await place.replaceServer(sqlite(join(folder, "first.db")));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("rules 8 and 12: a tab that takes over in the middle of a recovery ends it, and what the server lost is in the inbox", async () => {
    const origin = { storage: memoryStorage(), ports: { locks: createLocks(), channel: createHub() } };
    const leader = place.device({
      ...origin,
      // The leader hears of the restore, and never again of anything.
      client: { onReport: (code) => code === "restored" && leader.offline() },
    });
    const site = await leader.open();
    site.note.create({ text: "old" }, { key: "n1" });
    await leader.client.sync();
    const [summary] = await leader.client.spaces().list();
    await place.storage.backup(join(folder, "backup.db"));
    site.note.create({ text: "new" }, { key: "n2" });
    await leader.client.sync();
    const follower = place.device(origin);
    const followed = await follower.open();
    await follower.client.sync();

    const backup = sqlite(join(folder, "backup.db"));
    await backup.setGeneration(space, { generation: "g2", reason: "restored", at: summary?.head ?? 0 });
    await place.replaceServer(backup);
    await expect(leader.client.sync()).rejects.toThrow();
    await leader.client.close();
    await follower.client.sync();
    expect(followed.inbox.current.map(({ kind, key }) => `${kind} ${key}`)).toEqual(["lost n2"]);
    expect(followed.note.all().map(({ key }) => key)).toEqual(["n1"]);
    expect(follower.reports).toEqual(["recovered"]);
  });

  it("rules 8 and 12: while a device was away whose storage lost what it knew of the space: what it has pending is there once", async () => {
    const [storage, notes] = [memoryStorage(), notebook()];
    let device = place.device({ storage, ports: { notes } });
    await makeProbe(device);
    let site = await device.open();
    probe(site, "kept");
    await device.client.sync();
    const [summary] = await device.client.spaces().list();
    await place.storage.backup(join(folder, "backup.db"));
    device.deafen();
    probe(site, "sent");
    await expect(device.client.sync()).rejects.toThrow();
    device.offline();
    await probe(site, "not sent").saved;
    await device.client.close();
    const handle = await storage.open("landfall.account.ann");
    for (const each of await handle.spaces())
      await handle.commit([{ type: "clear", table: "meta", space: each }]);
    await handle.close();
    const backup = sqlite(join(folder, "backup.db"));
    await backup.setGeneration(space, { generation: "g2", reason: "restored", at: summary?.head ?? 0 });
    await place.replaceServer(backup);

    device = place.device({ storage, ports: { notes } });
    site = await device.open();
    await settle(device);
    await settle(device);
    expect(probed(site)).toEqual({ names: ["kept", "not sent", "sent"], count: 3 });
    expect([device.client.status.pending.count, site.inbox.current]).toEqual([0, []]);
    expect(device.reports).toContain("restored");
  });

  it("rule 12: and wiped before that has been dealt with, offers nothing back", async () => {
    const device = place.device({ client: { onReport: (code) => code === "restored" && device.offline() } });
    const site = await device.open();
    site.note.create({ text: "old" }, { key: "n1" });
    await device.client.sync();
    const [summary] = await device.client.spaces().list();
    await place.storage.backup(join(folder, "backup.db"));
    site.note.create({ text: "new" }, { key: "n2" });
    await device.client.sync();
    const backup = sqlite(join(folder, "backup.db"));
    await backup.setGeneration(space, { generation: "g2", reason: "restored", at: summary?.head ?? 0 });
    await place.replaceServer(backup);
    await expect(device.client.sync()).rejects.toThrow();
    expect((await ask("DELETE", `/v1/spaces/${space}`)).status).toBe(200);
    device.online();
    await device.client.sync();
    expect(site.note.all()).toEqual([]);
    expect(site.inbox.current).toEqual([]);
  });

  it.each([
    ["that says so", true, "restored"],
    ["that does not know it", false, "history_lost"],
  ])(
    "rules 3, 8 and 12: by a server %s: what it lost is in the inbox of all who had it, what was pending is there once",
    async (_how, isSaid, report) => {
      const devices = [place.device(), place.device()] as const;
      const [seer, writer] = devices;
      await makeProbe(seer);
      const sites = [await seer.open(), await writer.open()] as const;
      sites[0].note.create({ text: "old" }, { key: "n1" });
      probe(sites[0], "kept");
      await settle(...devices);
      const [summary] = await seer.client.spaces().list();
      await place.storage.backup(join(folder, "backup.db"));

      // Acknowledged and seen by both, and lost by the server.
      sites[0].note.create({ text: "new" }, { key: "n2" });
      sites[0].note.update("n1", { text: "changed" });
      probe(sites[1], "lost");
      await settle(...devices);
      // Applied by the server that is gone, and never learnt of.
      writer.deafen();
      probe(sites[1], "sent");
      await expect(writer.client.sync()).rejects.toThrow();
      writer.offline();
      await probe(sites[1], "waiting").saved;

      const backup = sqlite(join(folder, "backup.db"));
      if (isSaid)
        await backup.setGeneration(space, { generation: "g2", reason: "restored", at: summary?.head ?? 0 });
      await place.replaceServer(backup);
      writer.online();
      await settle(...devices);
      await settle(...devices);

      const reader = place.device();
      const read = await reader.open();
      await reader.client.sync();
      expect(probed(read)).toEqual({ names: ["kept", "sent", "waiting"], count: 3 });
      expect(read.note.get("n1")?.text).toBe("old");
      for (const [i, site] of sites.entries()) {
        expect(bytesOf(site)).toBe(bytesOf(read));
        const { current } = site.inbox;
        expect(current.map(({ kind, key }) => `${kind} ${key}`).toSorted()).toEqual([
          "lost count",
          "lost log",
          "lost n1",
          "lost n2",
        ]);
        expect(devices[i]?.reports).toContain(report);
        expect(devices[i]?.reports).not.toContain("digest_differs");
        expect(devices[i]?.client.status).toMatchObject({ state: "live", pending: { count: 0 } });
      }

      // Either person can bring back what was lost; it is an ordinary write.
      for (const key of ["n1", "n2"]) {
        const item = sites[0].inbox.current.find((each) => each.key === key);
        sites[0].inbox.writeAgain(item?.id ?? "");
      }
      await settle(seer, writer, reader);
      expect([read.note.get("n1")?.text, read.note.get("n2")?.text]).toEqual(["changed", "new"]);
      for (const site of sites) expect(bytesOf(site)).toBe(bytesOf(read));
      expect(place.senders.size).toBe(2);
    },
  );
});
