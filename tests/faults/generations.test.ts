import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SqliteStorage } from "@landfall/server/storage/sqlite";
import { sqlite } from "@landfall/server/storage/sqlite";
import { decodeText, reconcileAnswer } from "@landfall/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Device, type ServerEnd } from "./device.js";
import { bareEngine, count, counted, create, space, today, user } from "./requests.js";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "landfall-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

let now = today;
const make = (id: string, number: number): Promise<Device> =>
  Device.make({ space, id, domains: ["a"], number, now: () => now++ });

async function serve(storage: SqliteStorage) {
  const { engine, ask } = await bareEngine({ storage });
  const server: ServerEnd = {
    whole: (request) => engine.exchange(user, request),
    stream: (request) => engine.exchangeStream(user, request),
  };
  return { engine, ask, server };
}

async function sync(device: Device, server: ServerEnd): Promise<void> {
  for (
    let round = 0;
    round < 12 && (round === 0 || device.more || device.session.exchanges.sendable > 0);
    round++
  ) {
    await device.ask(server, { events: 10, limit: 100, stream: round % 2 === 1 });
    await device.deliver("all");
  }
}

const kinds = (device: Device): string[] =>
  [...device.session.inbox.values()].map(({ kind, key }) => `${kind} ${key}`).sort();

describe("rule 12: another generation", () => {
  it("rules 8 and 12: wiped: base goes, pending is parked, nothing is offered back", async () => {
    const storage = sqlite(":memory:");
    const { ask, server } = await serve(storage);
    const device = await make("d1", 1);
    await device.write([create("k")]);
    await sync(device, server);
    await device.write([count("k", 5)]);
    await device.write([create("l")]);
    await storage.setGeneration(space, { generation: "g2", reason: "wiped", at: 0 });
    await sync(device, server);
    expect([...device.base().keys()]).toEqual([]);
    expect(device.view("a", "k")).toBeUndefined();
    expect(kinds(device)).toEqual(["parked k", "parked l"]);
    expect(device.session.outbox.count).toBe(0);
    expect(await counted(ask, "l").catch(() => undefined)).toBeUndefined();
    await device.write([create("m")]);
    await sync(device, server);
    expect([...device.base().keys()]).toEqual(["a/m"]);
    await device.restart();
    expect([...device.base().keys()]).toEqual(["a/m"]);
    expect(kinds(device)).toEqual(["parked k", "parked l"]);
    expect(device.reports.filter((code) => code !== "wiped")).toEqual([]);
  });

  /** A server whose history goes back to a backup that was made after the first write. */
  async function restored(isSaid: boolean) {
    const first = sqlite(join(folder, "first.db"));
    const before = await serve(first);
    const device = await make("d1", 1);
    const other = await make("d2", 2);
    await device.write([create("k")]);
    await sync(device, before.server);
    await first.backup(join(folder, "backup.db"));
    // After the backup: a change, and a record that the server will not know.
    await device.write([count("k", 5)]);
    await device.write([create("l")]);
    await sync(device, before.server);
    await sync(other, before.server);
    await device.write([count("k", 100)]);
    await before.engine.close();
    const second = sqlite(join(folder, "backup.db"));
    if (isSaid) await second.setGeneration(space, { generation: "g2", reason: "restored", at: 1 });
    return { device, other, ...(await serve(second)) };
  }

  it.each([
    ["that says so", true, "restored"],
    ["that does not know it", false, "history_lost"],
  ])(
    "rules 8 and 12: a server restored %s: base is fetched again, what it lost is kept, what was pending goes on",
    async (_how, isSaid, report) => {
      const { device, other, server, engine } = await restored(isSaid);
      await sync(device, server);
      await sync(other, server);
      await sync(device, server);
      for (const each of [device, other]) {
        expect(each.view("a", "k")?.["n"]).toBe(100);
        expect(each.view("a", "l")).toBeUndefined();
        expect(each.reports).toContain(report);
        expect(each.reports).not.toContain("digest_differs");
        // The increment before the restore had been acknowledged, and is as lost as the record.
        expect(kinds(each)).toEqual(["lost k", "lost l"]);
        expect(each.session.outbox.count).toBe(0);
      }
      await engine.close();
    },
  );

  it("rules 8 and 12: a crash while base is fetched again loses nothing of what was kept", async () => {
    const { device, server, engine } = await restored(true);
    await device.ask(server, { events: 0, limit: 100, stream: false });
    await device.deliver("all");
    expect(device.reports).toEqual(["restored"]);
    await device.restart();
    expect(device.view("a", "l")).toBeDefined();
    await sync(device, server);
    expect(device.view("a", "l")).toBeUndefined();
    expect(device.view("a", "k")?.["n"]).toBe(100);
    expect(kinds(device)).toEqual(["lost k", "lost l"]);
    expect(device.reports).toEqual(["restored", "recovered"]);
    await engine.close();
  });
});

describe("rule 10: a difference", () => {
  it("rule 10: is found, reported and mended by itself", async () => {
    const { server, engine } = await serve(sqlite(":memory:"));
    const device = await make("d1", 1);
    device.reconcile = async (request) => {
      const answer = decodeText(reconcileAnswer, await engine.reconcile(user, request));
      if (!answer.ok) throw new Error(answer.message);
      return answer.value;
    };
    await device.write([create("k")]);
    await sync(device, server);
    const [entry] = await device.storage.entries("rows", space);
    const damaged = { ...(entry?.value as object), fields: { n: 666 } };
    await device.storage.commit([{ type: "put", table: "rows", space, a: "a", b: "k", value: damaged }]);
    await device.restart();
    expect(device.view("a", "k")?.["n"]).toBe(666);
    await sync(device, server);
    device.timers.run();
    await expect.poll(() => device.reports).toEqual(["digest_differs", "repaired"]);
    expect(device.view("a", "k")?.["n"]).toBe(0);
    await device.restart();
    expect(device.view("a", "k")?.["n"]).toBe(0);
    await sync(device, server);
    device.timers.run();
    expect(device.reports).toEqual(["digest_differs", "repaired"]);
    expect(kinds(device)).toEqual([]);
  });
});
