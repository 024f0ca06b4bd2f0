import { raiseTerm } from "@landfall/client/client-storage";
import { noRules, type ReplicaRules } from "@landfall/client/replica/rules";
import { Staging } from "@landfall/client/replica/staging";
import { memoryStorage } from "@landfall/client/storage/memory";
import { type ClientStorage, FencedError, StorageError, storageTables } from "@landfall/client/storage/port";
import type { RecordRow, Row } from "@landfall/protocol";
import { describe, expect, it } from "vitest";
import { Device } from "./device.js";
import { bareEngine, count, counted, create, idOf, space, today, user } from "./requests.js";

/** All that a storage holds of the space. */
async function contents(storage: ClientStorage): Promise<string> {
  const tables = await Promise.all(storageTables.map((table) => storage.entries(table, space)));
  return JSON.stringify(tables);
}

async function copyOf(storage: ClientStorage): Promise<ClientStorage> {
  const copy = await memoryStorage().open("copy");
  for (const table of storageTables) {
    const entries = await storage.entries(table, space);
    await copy.commit(entries.map(({ a, b, value }) => ({ type: "put", table, space, a, b, value })));
  }
  return copy;
}

async function installations() {
  const { engine, ask } = await bareEngine();
  let now = today;
  const make = (id: string, number: number, storage?: ClientStorage) =>
    Device.make({ space, id, domains: ["a"], number, now: () => now++, ...(storage ? { storage } : {}) });
  const server = {
    whole: (request: never) => engine.exchange(user, request),
    stream: (request: never) => engine.exchangeStream(user, request),
  };
  const sync = async (device: Device): Promise<void> => {
    for (
      let round = 0;
      round < 10 && (round === 0 || device.more || device.session.exchanges.sendable > 0);
      round++
    ) {
      await device.ask(server, { events: 10, limit: 100, stream: true });
      await device.deliver("all");
    }
  };
  return { make, server, sync, ask };
}

describe("a tab that reads the storage anew", () => {
  it("rule 6: writes what is newer than all that it has read there", async () => {
    const { make, sync } = await installations();
    const leader = await make("d1", 1);
    // The clock of this machine is behind, and it has heard nothing of the server's yet.
    const options = { space, id: "d1", domains: ["a"], number: 2, now: () => today - 60_000 };
    const follower = await Device.make({ ...options, storage: leader.storage });
    const other = await make("d2", 3);
    await other.write([create("k")]);
    await sync(other);
    await sync(leader);
    await follower.session.otherTabs.reload();
    const stamps = [...follower.base().values()].flatMap((row) => Object.values((row as RecordRow).stamps));
    expect(stamps).not.toHaveLength(0);
    const id = await follower.write([create("mine")]);
    for (const stamp of stamps) expect(id > stamp).toBe(true);
  });
});

describe("a user's action", () => {
  it("rule 1: writes a pending event and nothing else; to roll it back is to drop it", async () => {
    const { make, sync, ask } = await installations();
    const device = await make("d1", 1);
    await device.write([create("k")]);
    await sync(device);
    const confirmed = JSON.stringify([...device.base()]);
    const stored = async () =>
      JSON.stringify(
        await Promise.all(
          (["rows", "meta", "inbox", "local"] as const).map((table) => device.storage.entries(table, space)),
        ),
      );
    const before = await stored();
    await device.write([count("k", 5)]);
    await device.write([{ op: "delete", domain: "a", key: "k" }]);
    await device.write([create("l")]);
    expect([device.view("a", "k"), device.view("a", "l")?.["n"]]).toEqual([undefined, 0]);
    expect(JSON.stringify([...device.base()])).toBe(confirmed);
    expect(await stored()).toBe(before);
    expect(await device.storage.entries("outbox", space)).toHaveLength(3);
    // Somebody else was first with that key, and changed the other record: the create is dropped, the rest stands.
    const other = { op: "update", domain: "a", key: "k", set: { name: "other" } } as const;
    await ask("d2", {
      events: [
        { id: idOf(2, 1), seq: 1, ops: [{ op: "create", domain: "a", key: "l", set: { n: 7 } }, other] },
      ],
    });
    await sync(device);
    expect([device.view("a", "k"), device.view("a", "l")?.["n"]]).toEqual([undefined, 7]);
    expect(device.session.outbox.count).toBe(0);
    expect([...device.session.inbox.values()].map(({ kind, code }) => [kind, code])).toEqual([
      ["rejected", "exists"],
    ]);
  });
});

describe("a cloned installation", () => {
  it("rule 3: the copy goes on as a new device; nothing is lost, doubled or refused", async () => {
    const { make, sync, ask } = await installations();
    const first = await make("d1", 1);
    await first.write([create("k")]);
    await sync(first);
    await first.write([count("k", 1)]);
    await first.write([count("k", 10)]);
    // Both have been given their seqs, and nobody knows whether they arrived.
    await first.session.exchanges.request({ events: 10, bytes: 1_000_000, first: true });
    const second = await make("d1", 2, await copyOf(first.storage));
    await sync(first);
    await first.write([count("k", 100)]);
    await sync(first);
    await second.write([count("k", 1_000)]);
    await sync(second);
    await sync(first);
    expect(await counted(ask, "k")).toBe(1_111);
    expect([first.view("a", "k")?.["n"], second.view("a", "k")?.["n"]]).toEqual([1_111, 1_111]);
    expect(second.id).toBe("d1-copy");
    expect([...second.settled.values()].map(({ status }) => status)).toEqual(["applied"]);
    expect([first.session.inbox.size, second.session.inbox.size]).toEqual([0, 0]);
    expect([first.session.outbox.count, second.session.outbox.count]).toEqual([0, 0]);
    expect(second.reports).toEqual(["device_forked"]);
  });
});

describe("a storage that is slow", () => {
  it("rule 8: a write that is on its way to the storage stays when the storage is read again", async () => {
    const { make, sync, ask } = await installations();
    const storage = await memoryStorage().open("slow");
    let open = (): void => undefined;
    let gate: Promise<void> = Promise.resolve();
    const device = await make("d1", 1, {
      ...storage,
      commit: async (changes, fence) => {
        await gate;
        return storage.commit(changes, fence);
      },
    });
    gate = new Promise((resolve) => (open = resolve));
    const written = device.write([create("k")]);
    await device.session.otherTabs.reload();
    expect(device.view("a", "k")).toBeDefined();
    open();
    await written;
    expect(device.session.exchanges.sendable).toBe(1);
    await sync(device);
    expect(await counted(ask, "k")).toBe(0);
  });

  it("rule 8: a write that gets to the storage while that is being read again stays", async () => {
    const { make, sync, ask } = await installations();
    const storage = await memoryStorage().open("slow");
    let open = (): void => undefined;
    let gate: Promise<void> = Promise.resolve();
    const device = await make("d1", 1, {
      ...storage,
      entries: async (table, space) => {
        const found = await storage.entries(table, space);
        await gate;
        return found;
      },
    });
    gate = new Promise((resolve) => (open = resolve));
    const reloaded = device.session.otherTabs.reload();
    await device.write([create("k")]);
    open();
    await reloaded;
    expect(device.view("a", "k")).toBeDefined();
    expect(device.session.exchanges.sendable).toBe(1);
    await sync(device);
    expect(await counted(ask, "k")).toBe(0);
  });
});

describe("a storage without room", () => {
  /** A device that has counted 1, and then 2, and had no room for the numbers that it gave to both. */
  async function withoutRoom() {
    const world = await installations();
    const storage = await memoryStorage().open("full");
    let isFull = false;
    const device = await world.make("d1", 1, {
      ...storage,
      commit: async (changes, fence) => {
        if (isFull) throw new StorageError("full", "No room is left on this device.");
        return storage.commit(changes, fence);
      },
    });
    await device.write([create("k")]);
    await world.sync(device);
    for (const more of [1, 2]) await device.write([count("k", more)]);
    isFull = true;
    // The numbers are given, and their request gets lost.
    await device.session.exchanges.request({ events: 10, bytes: 1_000_000, first: true });
    isFull = false;
    return { ...world, device };
  }

  /** After a crash it writes once more, and all counts once. */
  async function countsAll({
    device,
    server,
    sync,
    ask,
  }: Awaited<ReturnType<typeof withoutRoom>>): Promise<void> {
    await device.restart();
    await device.ask(server, { events: 1, limit: 100, stream: true });
    await device.deliver("all");
    await sync(device);
    await device.write([count("k", 10)]);
    await sync(device);
    expect(await counted(ask, "k")).toBe(13);
    expect(device.reports).toEqual([]);
    expect(device.session.outbox.count).toBe(0);
  }

  it("rule 3: a number that it did not take is given again after a crash, although a cut was stored meanwhile", async () => {
    const world = await withoutRoom();
    // Other spaces use up what the next one may send.
    await world.device.ask(world.server, { events: 0, limit: 100, stream: true });
    await world.device.deliver("all");
    await countsAll(world);
  });

  it("rule 3: a number that it did not take is given again after a crash, although the one before was stored meanwhile", async () => {
    const world = await withoutRoom();
    await world.device.ask(world.server, { events: 1, limit: 100, stream: true });
    await countsAll(world);
  });
});

describe("two leaders of one installation", () => {
  it("rule 3: a leader that froze and woke changes nothing, and gives no seq", async () => {
    const { make, server, sync, ask } = await installations();
    const frozen = await make("d1", 1);
    frozen.term = await raiseTerm(frozen.storage);
    await frozen.write([create("k")]);
    await frozen.write([count("k", 1)]);
    await frozen.ask(server, { events: 1, limit: 100, stream: false });
    const next = await make("d1", 2, frozen.storage);
    next.term = await raiseTerm(next.storage);
    await sync(next);
    await next.write([count("k", 10)]);
    await sync(next);
    const before = await contents(next.storage);
    await expect(frozen.deliver("all")).rejects.toThrow(FencedError);
    expect(await contents(next.storage)).toBe(before);
    await frozen.write([count("k", 100)]);
    await expect(
      frozen.session.exchanges.request({ events: 10, bytes: 1_000_000, first: true }),
    ).rejects.toThrow(FencedError);
    await next.session.otherTabs.reload();
    await sync(next);
    expect(await counted(ask, "k")).toBe(111);
    expect(next.session.inbox.size).toBe(0);
  });
});

describe("what is staged", () => {
  const rules: ReplicaRules = {
    domain: () => noRules,
    runAction: () => Promise.reject(new Error("There are no actions here.")),
  };
  const row = (key: string, version: number): RecordRow => ({
    domain: "a",
    key,
    version,
    modifiedAt: version,
    fields: { n: version },
    stamps: { "*": idOf(1, version) },
  });
  const staging = (base: readonly Row[], cursor: number) =>
    new Staging({
      cursors: { a: cursor },
      reset: [],
      rules,
      baseRow: (_domain, key) => base.find((each) => each.key === key),
    });
  const head = { space, generation: "g1", head: 9, lastSeq: 0, outcomes: [], reset: [] };
  const end = { head: 9, lastSeq: 0, more: false, scan: {}, digests: {}, horizons: {} };

  it("rule 5: a row never replaces one of a higher version, in what is staged or in base", () => {
    const part = staging([row("k", 7), row("l", 2)], 2);
    part.begin(head, new Map());
    part.rows([row("m", 8), row("m", 5), row("k", 6), row("l", 3)]);
    part.end({ ...end, cursors: { a: 9 } });
    const versions = [...(part.toCut().rows.get("a") ?? [])].map(([key, { version }]) => [key, version]);
    expect(versions).toEqual([
      ["m", 8],
      ["l", 3],
    ]);
  });

  it("rule 5: no cursor moves back", () => {
    const part = staging([], 6);
    part.begin(head, new Map());
    part.checkpoint({ cursors: { a: 8 }, scan: {} });
    part.checkpoint({ cursors: { a: 4 }, scan: {} });
    expect(part.cursors).toEqual({ a: 8 });
    const late = staging([], 6);
    late.begin(head, new Map());
    late.end({ ...end, cursors: { a: 5 } });
    expect(late.toCut().cursors).toEqual({ a: 6 });
  });
});
