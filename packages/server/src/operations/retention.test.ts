import { describe, expect, test } from "vitest";
import {
  TestDevice,
  type World,
  create,
  remove,
  startMs,
  update,
  world,
} from "../exchange/device.test.fixture.js";
import { Sightings } from "../access/sightings.js";
import { sqlite } from "../storage/sqlite.js";
import { Retention, type RetentionOptions, retentionDefaults } from "./retention.js";
import { verify } from "./verify.js";

const dayMs = 86_400_000;

async function start(retention: RetentionOptions = {}): Promise<{ here: World; device: TestDevice }> {
  const here = await world({ retention });
  return { here, device: new TestDevice(here) };
}

const stateOf = async ({
  storage,
  space,
}: World): Promise<{ horizon: number | undefined; tombstones: number }> =>
  storage.read(async (snapshot) => ({
    horizon: (await snapshot.space(space, ""))?.domains.find(({ domain }) => domain === "project")?.horizon,
    tombstones: (await snapshot.tombstones(space, "project", 1e6)).length,
  }));

describe("tombstones", () => {
  test("rule 7: are kept for as long as is said and not longer; the horizon is the newest that went", async () => {
    const { here, device } = await start({ tombstonesMs: 10 * dayMs });
    for (let i = 1; i <= 4; i++) await device.write([create(`p${i}`)]);
    await device.write([remove("p1")]);
    here.clock.nowMs += dayMs;
    await device.write([remove("p2")]);
    await device.write([create("p5")]);
    here.clock.nowMs = startMs + 10 * dayMs - 1;
    await here.engine.sweep();
    expect(await stateOf(here)).toEqual({ horizon: 0, tombstones: 2 });
    here.clock.nowMs = startMs + 10 * dayMs + 100;
    await here.engine.sweep();
    expect(await stateOf(here)).toEqual({ horizon: 5, tombstones: 1 });
    here.clock.nowMs += 2 * dayMs;
    await here.engine.sweep();
    expect(await stateOf(here)).toEqual({ horizon: 6, tombstones: 0 });
    await here.engine.sweep();
    expect(await stateOf(here)).toEqual({ horizon: 6, tombstones: 0 });
    expect(here.engine.stats().retention).toEqual({ sweeps: 4, failures: 0, tombstones: 2, outcomes: 0 });
    expect((await here.storage.read((snapshot) => verify(snapshot))).findings).toEqual([]);
  });

  test("rule 7: whoever has seen the newest delete that went is not reset, whoever has not is, and is reset once", async () => {
    const { here, device } = await start();
    for (let i = 1; i <= 3; i++) await device.write([create(`p${i}`)]);
    await device.write([remove("p1")]);
    await device.write([create("p4")]);
    here.clock.nowMs += retentionDefaults.tombstonesMs + 1_000;
    await here.engine.sweep();
    const ask = (cursor: number) => device.send([], { cursors: { project: cursor } });
    expect(await ask(3)).toMatchObject({ reset: ["project"], cursors: { project: 5 } });
    expect(await ask(4)).not.toHaveProperty("reset");
    expect(await ask(5)).not.toHaveProperty("reset");
    await device.write([remove("p4")]);
    here.clock.nowMs += retentionDefaults.tombstonesMs + 1_000;
    await here.engine.sweep();
    expect(await ask(5)).toMatchObject({ reset: ["project"], cursors: { project: 6 } });
    expect(await ask(6)).not.toHaveProperty("reset");
  });

  test("rule 7: a restore that expects a tombstone which is gone brings the key back, and expects no other version", async () => {
    const { here, device } = await start();
    const other = new TestDevice(here);
    for (const key of ["p1", "p2"]) await device.write([create(key, { name: key })]);
    for (const key of ["p1", "p2"]) await device.write([remove(key)]);
    const restore = (key: string, version: number | { readonly seq: number }) => ({
      ops: [{ op: "restore", domain: "project", key, set: { name: "again" } } as const],
      expect: [["project", key, version] as const],
    });
    expect(await device.write(restore("p1", 9))).toMatchObject({ code: "expectation_failed" });
    here.clock.nowMs += retentionDefaults.tombstonesMs + 1_000;
    await here.engine.sweep();
    expect(await device.write(restore("p1", 0))).toMatchObject({ code: "missing" });
    expect(await device.write(restore("p1", 5))).toMatchObject({ code: "expectation_failed" });
    const guarded = { ops: [update("p3", {})], expect: [["project", "p1", 3] as const] };
    expect(await device.write(guarded)).toMatchObject({ code: "expectation_failed" });
    const brought = await device.write(restore("p1", 3));
    expect(brought).toMatchObject({ status: "applied", index: 5 });
    expect(await device.write(restore("p2", { seq: 4 }))).toMatchObject({ status: "applied", index: 6 });
    expect(await other.write(restore("p1", 3))).toMatchObject({ code: "expectation_failed" });
    expect(await device.rows("project")).toMatchObject([
      { key: "p1", version: 5, fields: { name: "again" }, stamps: { "*": brought.id } },
      { key: "p2", version: 6, fields: { name: "again" } },
    ]);
    expect((await here.storage.read((snapshot) => verify(snapshot))).findings).toEqual([]);
  });

  test("rule 5: a scan that deletes are cleared away under is not reset in its middle, and one that began before them is, each time", async () => {
    const { here, device } = await start({ tombstonesMs: 60_000 });
    for (let i = 1; i <= 6; i++) await device.write([create(`p${i}`)]);
    const first = await device.send([], { cursors: { project: 0 }, limit: 2 });
    await device.write([remove("p1")]);
    here.clock.nowMs += 61_000;
    await here.engine.sweep();
    const second = await device.send([], { cursors: first.cursors, scan: first.scan ?? {}, limit: 2 });
    expect(second).toMatchObject({ reset: ["project"], scan: { project: 7 }, more: true });
    await device.write([remove("p2")]);
    here.clock.nowMs += 61_000;
    await here.engine.sweep();
    const third = await device.send([], { cursors: second.cursors, scan: second.scan ?? {}, limit: 2 });
    expect(third).toMatchObject({ reset: ["project"], scan: { project: 8 }, more: true });
    await here.engine.sweep();
    const last = await device.send([], { cursors: third.cursors, scan: third.scan ?? {}, limit: 9 });
    expect(last).toMatchObject({ more: false, cursors: { project: 8 } });
    expect(last).not.toHaveProperty("reset");
    expect([...third.rows, ...last.rows].map(({ key }) => key)).toEqual(["p3", "p4", "p5", "p6"]);
  });

  test("§7: go in small transactions, however many an event has made, and others write between them", async () => {
    const { here, device } = await start();
    const keys = Array.from({ length: 900 }, (_, i) => `p${i}`);
    for (let round = 0; round < 3; round++) {
      const own = keys.map((key) => `${key}-${round}`);
      await device.write(own.map((key) => create(key)));
    }
    await device.write([{ op: "deleteMany", domain: "project", upTo: 3 }]);
    here.clock.nowMs += retentionDefaults.tombstonesMs + 1_000;
    const before = here.storage.stats().batches;
    const sweeping = here.engine.sweep();
    const written = device.write([create("between")]);
    await Promise.all([sweeping, written]);
    expect(here.storage.stats().batches - before).toBe(4);
    expect(await stateOf(here)).toEqual({ horizon: 4, tombstones: 0 });
    expect((await here.storage.read((snapshot) => verify(snapshot))).findings).toEqual([]);
  });
});

describe("outcomes", () => {
  test("rule 3: of a device that was not heard of for long go as far as it has acknowledged them, and no further", async () => {
    const { here, device } = await start();
    const events = Array.from({ length: 6 }, (_, i) => device.event([create(`p${i}`)]));
    await device.send(events.slice(0, 4));
    await device.send(events.slice(4), { acked: 3 });
    here.clock.nowMs += retentionDefaults.outcomesMs - 1;
    await here.engine.sweep();
    const ask = async () =>
      (await device.send(events)).outcomes.map((outcome) => (outcome as { of?: string }).of);
    expect(await ask()).toEqual(Array.from({ length: 6 }, () => "applied"));
    here.clock.nowMs += 2;
    await here.engine.sweep();
    // The first four lie together and go together, so the fourth keeps the three company.
    expect(await ask()).toEqual(Array.from({ length: 6 }, () => "applied"));
    expect(here.engine.stats().retention.outcomes).toBe(3);
    await device.send([device.event([update("p1", { n: 1 })])], { acked: 4 });
    here.clock.nowMs += retentionDefaults.outcomesMs + 1;
    await here.engine.sweep();
    expect(await ask()).toEqual(["expired", "expired", "expired", "expired", "applied", "applied"]);
    expect((await here.storage.read((snapshot) => verify(snapshot))).findings).toEqual([]);
  });

  test("rule 3: of a device that went quiet go too where it acknowledged them by reading alone, whatever the server's memory of it", async () => {
    const { here, device } = await start();
    const events = Array.from({ length: 6 }, (_, i) => device.event([create(`p${i}`)]));
    await device.send(events);
    const silent = new TestDevice(here);
    await silent.send([silent.event([create("q1")])]);
    // What it says of seqs that it never sent is not believed.
    await device.send([], { acked: 60, cursors: { project: 0 } });
    await here.engine.sweep();
    const writers = await here.storage.read(async (snapshot) =>
      snapshot.writers(here.space, (await snapshot.space(here.space, ""))?.state.generation ?? ""),
    );
    expect(new Map(writers.map(({ lastSeq, acked, expired }) => [lastSeq, { acked, expired }]))).toEqual(
      new Map([
        [1, { acked: 0, expired: 0 }],
        [6, { acked: 6, expired: 0 }],
      ]),
    );
    here.clock.nowMs += retentionDefaults.outcomesMs + 1;
    await here.engine.sweep();
    expect(here.engine.stats().retention.outcomes).toBe(6);
    const again = (await device.send(events)).outcomes.map((outcome) => (outcome as { of?: string }).of);
    expect(again).toEqual(Array.from({ length: 6 }, () => "expired"));
    expect((await here.storage.read((snapshot) => verify(snapshot))).findings).toEqual([]);
  });
});

describe("sweeping by itself", () => {
  /** Timers that a test runs by hand. */
  function handTimers() {
    const waiting: { readonly afterMs: number; readonly run: () => void }[] = [];
    const after = (afterMs: number, run: () => void): (() => void) => {
      const timer = { afterMs, run };
      waiting.push(timer);
      return () => void (waiting.includes(timer) && waiting.splice(waiting.indexOf(timer), 1));
    };
    return { waiting, ports: { after } };
  }

  test("comes again and again, also after it failed, until the server closes", async () => {
    const timers = handTimers();
    const here = await world({ timers: timers.ports });
    here.engine.startSweeping();
    expect(timers.waiting.map(({ afterMs }) => afterMs)).toEqual([60_000]);
    const tick = async (): Promise<void> => {
      timers.waiting.shift()?.run();
      await here.engine.sweep().catch(() => undefined);
      await new Promise((resolve) => setImmediate(resolve));
    };
    await tick();
    expect(timers.waiting.map(({ afterMs }) => afterMs)).toEqual([3_600_000]);
    const { read } = here.storage;
    Object.assign(here.storage, { read: () => Promise.reject(new Error("no disk")) });
    await tick();
    Object.assign(here.storage, { read });
    expect(here.engine.stats().retention).toMatchObject({ sweeps: 1, failures: 1 });
    await tick();
    expect(here.engine.stats().retention).toMatchObject({ sweeps: 2, failures: 1 });
    await here.engine.close();
    expect(timers.waiting).toEqual([]);
  });

  test("goes on with the other spaces where one fails, and says so", async () => {
    const { here, device } = await start();
    await here.engine.createSpace({ id: "ann" }, "a-broken");
    await device.write([create("p1")]);
    await device.write([remove("p1")]);
    here.clock.nowMs += retentionDefaults.tombstonesMs + 1_000;
    const { read } = here.storage;
    const failing: typeof read = (view) =>
      read.call(here.storage, (snapshot) =>
        view(
          new Proxy(snapshot, {
            get: (target, name) => {
              if (name === "space")
                return (space: string) => {
                  if (space === "a-broken") throw new Error("this page of the disk is gone");
                  return target.space(space, "");
                };
              const member: unknown = Reflect.get(target, name);
              return typeof member === "function" ? (member.bind(target) as unknown) : member;
            },
          }),
        ),
      ) as never;
    Object.assign(here.storage, { read: failing });
    await here.engine.sweep();
    Object.assign(here.storage, { read });
    expect(await stateOf(here)).toEqual({ horizon: 2, tombstones: 0 });
    expect(here.engine.stats().retention).toMatchObject({ sweeps: 1, failures: 1, tombstones: 1 });
  });

  test("lets other work have a turn among many spaces, and ends when the server closes meanwhile", async () => {
    const timers = handTimers();
    const here = await world({ timers: timers.ports });
    await Promise.all(Array.from({ length: 250 }, (_, i) => here.engine.createSpace({ id: "ann" }, `s${i}`)));
    const sweeping = here.engine.sweep();
    while (timers.waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
    timers.waiting.shift()?.run();
    while (timers.waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await here.engine.close();
    await sweeping;
    expect(here.engine.stats().retention.sweeps).toBe(0);
  });

  test("refuses times that could not work", () => {
    const ports = {
      storage: sqlite(":memory:"),
      sightings: new Sightings(),
      clock: { now: () => 0 },
      timers: handTimers().ports,
    };
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    for (const ms of [0, -1, 59_999, Number.NaN])
      expect(() => new Retention({ tombstonesMs: ms }, { ...ports, logger })).toThrow(
        "retention.tombstonesMs",
      );
    expect(
      () => new Retention({ tombstonesMs: Infinity, outcomesMs: 60_000 }, { ...ports, logger }),
    ).not.toThrow();
  });
});
