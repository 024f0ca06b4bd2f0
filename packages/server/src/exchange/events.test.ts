import { type ExchangeRequest, limits, makeStamp } from "@landfall/protocol";
import { describe, expect, test } from "vitest";
import { TestDevice, addMember, create, remove, startMs, update, world } from "./device.test.fixture.js";

describe("last writer wins by effective stamp", () => {
  test("rule 6: the later stamp wins, whatever the order of arrival, and the loser is named with what won", async () => {
    const here = await world();
    const [early, late] = [new TestDevice(here), new TestDevice(here)];
    await early.write([create("p1", { name: "a", status: "open" })]);
    here.clock.nowMs += 1_000;
    const older = early.event([update("p1", { name: "older", note: "kept" })]);
    here.clock.nowMs += 1_000;
    const newer = late.event([update("p1", { name: "newer" })]);
    here.clock.nowMs += 1_000;
    await late.send([newer]);
    const { outcomes, rows } = await early.send([older], { cursors: { project: 0 } });
    expect(outcomes).toMatchObject([
      {
        status: "applied",
        index: 3,
        superseded: [{ domain: "project", key: "p1", field: "name", by: newer.id }],
      },
    ]);
    expect(rows).toMatchObject([
      {
        version: 3,
        fields: { name: "newer", note: "kept", status: "open" },
        stamps: { name: newer.id, note: older.id },
      },
    ]);
  });

  test("rule 6: a clock that runs ahead gains only what its event waited, and is told its effective stamp", async () => {
    const here = await world();
    const [ahead, honest] = [new TestDevice(here), new TestDevice(here)];
    ahead.skewMs = 10 * 365 * 86_400_000;
    const outcome = await ahead.write([create("p1", { name: "from the future" })]);
    expect(outcome).toMatchObject({ status: "applied", eff: expect.any(String) as string });
    const { eff } = outcome as { eff: string };
    expect(eff.slice(19)).toBe(ahead.stamp().slice(19));
    expect(Number.parseInt(eff.replaceAll("-", "").slice(0, 12), 16)).toBe(here.clock.nowMs);
    here.clock.nowMs += 5;
    expect(await honest.write([update("p1", { name: "now" })])).not.toHaveProperty("superseded");
    expect(await honest.rows("project")).toMatchObject([{ fields: { name: "now" } }]);
  });

  test("rule 6: modifiedAt rises strictly from commit to commit, though the server's clock stands still or goes back", async () => {
    const here = await world();
    const device = new TestDevice(here);
    const times: number[] = [];
    for (const step of [0, 0, -5_000, 0, 20_000]) {
      here.clock.nowMs += step;
      times.push(((await device.write([create(`p${times.length}`)])) as { modifiedAt: number }).modifiedAt);
    }
    for (let i = 1; i < times.length; i++) expect(times[i]).toBeGreaterThan(times[i - 1] as number);
    expect(times.at(-1)).toBe(here.clock.nowMs);
  });

  test("§5.3: all of one commit share modifiedAt, and it can move in ticks", async () => {
    const here = await world({ modifiedAtTickMs: 10 });
    const device = new TestDevice(here);
    here.clock.nowMs += 3;
    const { outcomes } = await device.send([device.event([create("p1")]), device.event([create("p2")])]);
    const times = outcomes.map((outcome) => (outcome as { modifiedAt: number }).modifiedAt);
    expect(times).toEqual([startMs, startMs]);
    expect(await device.write([create("p3")])).toMatchObject({ modifiedAt: startMs + 10 });
  });

  test("rule 6: exchanges that share a commit share its modifiedAt, and their receipts still rise", async () => {
    const here = await world();
    const devices = [new TestDevice(here), new TestDevice(here), new TestDevice(here)];
    const before = here.engine.stats().commits;
    const answers = await Promise.all(
      devices.map((device, i) => device.send([device.event([create(`p${i}`)])])),
    );
    expect(here.engine.stats().commits - before).toBe(1);
    const outcomes = answers.flatMap((answer) => answer.outcomes) as { index: number; modifiedAt: number }[];
    expect(new Set(outcomes.map(({ modifiedAt }) => modifiedAt)).size).toBe(1);
    expect(new Set(outcomes.map(({ index }) => index))).toEqual(new Set([1, 2, 3]));
  });

  test("§6: an op whose every field is superseded changes neither version nor digest, though its event has an index", async () => {
    const here = await world();
    const [early, late] = [new TestDevice(here), new TestDevice(here)];
    const older = early.stamp();
    here.clock.nowMs += 100;
    await late.write([create("p1", { name: "a" })]);
    const before = await late.send([], { cursors: { project: 0 } });
    const { outcomes, rows, digests } = await early.send(
      [{ id: older, seq: 1, ops: [update("p1", { name: "b" })] }],
      { cursors: { project: 0 } },
    );
    expect(outcomes).toMatchObject([{ status: "applied", index: 2, superseded: [{ field: "name" }] }]);
    expect(rows).toEqual(before.rows);
    expect(digests?.["project"]).toEqual({ ...before.digests?.["project"], index: 2 });
  });

  test("rule 6: counters and sets apply in commit order, each once", async () => {
    const here = await world();
    const [a, b] = [new TestDevice(here), new TestDevice(here)];
    await a.write([create("p1", { votes: 1, tags: ["b"] })]);
    const first = a.event([{ op: "increment", domain: "project", key: "p1", by: { votes: 2 } }]);
    const second = b.event([{ op: "add", domain: "project", key: "p1", values: { tags: ["a", "b"] } }]);
    await b.send([second]);
    await a.send([first]);
    await b.write([{ op: "remove", domain: "project", key: "p1", values: { tags: ["b"] } }]);
    expect(await a.rows("project")).toMatchObject([{ fields: { votes: 3, tags: ["a"] } }]);
  });
});

describe("deletes", () => {
  test("rule 7: a delete beats updates that did not see it, and leaves a tombstone; later writes are told", async () => {
    const here = await world();
    const [a, b] = [new TestDevice(here), new TestDevice(here)];
    await a.write([create("p1", { name: "a" })]);
    const unseen = b.event([update("p1", { name: "b" })]);
    await a.write([remove("p1")]);
    expect((await b.send([unseen])).outcomes).toMatchObject([{ status: "rejected", code: "deleted" }]);
    expect(await a.write([create("p1")])).toMatchObject({ status: "rejected", code: "deleted" });
    expect(await b.write([remove("p1")])).toMatchObject({ status: "applied", index: 3 });
    expect(await a.rows("project")).toMatchObject([{ key: "p1", version: 2, deleted: true }]);
    expect(await a.write([update("p9", {})])).toMatchObject({ status: "rejected", code: "missing" });
  });

  test("rule 7: restore needs an expect on the tombstone, and begins a new incarnation to which older writes lose", async () => {
    const here = await world();
    const device = new TestDevice(here);
    const old = new TestDevice(here);
    await device.write([create("p1", { name: "a", note: "n" })]);
    const older = old.event([update("p1", { name: "old" })]);
    here.clock.nowMs += 10;
    await device.write([remove("p1")]);
    const restore = { op: "restore", domain: "project", key: "p1", set: { name: "back" } } as const;
    expect(await device.write([restore])).toMatchObject({ status: "rejected", code: "expectation_failed" });
    expect(await device.write({ ops: [restore], expect: [["project", "p1", 1]] })).toMatchObject({
      code: "expectation_failed",
    });
    const outcome = await device.write({ ops: [restore], expect: [["project", "p1", 2]] });
    expect(outcome).toMatchObject({ status: "applied", index: 3 });
    expect((await old.send([older])).outcomes).toMatchObject([
      { status: "applied", superseded: [{ field: "name", by: outcome.id }] },
    ]);
    expect(await device.rows("project")).toMatchObject([
      { fields: { name: "back" }, stamps: { "*": outcome.id } },
    ]);
    expect(await device.write({ ops: [restore], expect: [["project", "p1", 3]] })).toMatchObject({
      status: "rejected",
      code: "exists",
    });
  });

  test("§6: deleteMany takes keys, or all up to a version, and never what arrived later", async () => {
    const here = await world();
    const device = new TestDevice(here);
    for (const key of ["p1", "p2", "p3", "p4"]) await device.write([create(key)]);
    await device.write([update("p1", { touched: true })]);
    expect(await device.write([{ op: "deleteMany", domain: "project", upTo: 3 }])).toMatchObject({
      status: "applied",
      index: 6,
    });
    const live = async (): Promise<string[]> =>
      (await device.rows("project")).filter(({ deleted }) => !deleted).map(({ key }) => key);
    expect(await live()).toEqual(["p4", "p1"]);
    expect(
      await device.write([{ op: "deleteMany", domain: "project", keys: ["p1", "p2", "nowhere"] }]),
    ).toMatchObject({ status: "applied" });
    expect(await live()).toEqual(["p4"]);
  });
});

describe("events stand by themselves", () => {
  test("rule 9: malformed and refused events are rejected alone, with a code, and their neighbours go on", async () => {
    const device = new TestDevice(await world());
    const events: unknown[] = [
      device.event([create("p1")]),
      device.event([{ op: "explode" } as never]),
      { id: device.stamp(), seq: ++device.seq, ops: "none" },
      { id: device.stamp(), seq: ++device.seq },
      device.event([create("p2"), update("p2", { a: 1 })]),
      {
        id: device.stamp(),
        seq: ++device.seq,
        ops: [{ op: "create", domain: "project", key: "k", set: JSON.parse('{"__proto__":1}') as object }],
      },
      {
        id: device.stamp(),
        seq: ++device.seq,
        ops: [{ op: "create", domain: "project", key: "k", set: { a: "\ud800" } }],
      },
      device.event([create("../../etc")]),
      device.event([create("p1")]),
      device.event({ action: "closeProject", args: {} }),
      device.event([create("p3")]),
    ];
    const { outcomes } = await device.send(events);
    expect(outcomes.map((outcome) => ("code" in outcome ? outcome.code : outcome.status))).toEqual([
      "applied",
      "invalid",
      "invalid",
      "invalid",
      "invalid",
      "invalid",
      "invalid",
      "invalid",
      "exists",
      "unknown_action",
      "applied",
    ]);
    expect((await device.rows("project")).map(({ key, version }) => [key, version])).toEqual([
      ["p1", 1],
      ["p3", 2],
    ]);
  });

  test("rule 9: an event applies whole or not at all", async () => {
    const device = new TestDevice(await world());
    await device.write([create("p1", { n: 1 })]);
    const before = await device.send([], { cursors: { project: 0 } });
    expect(
      await device.write([update("p1", { n: 2 }), create("p2"), update("nowhere", { n: 1 })]),
    ).toMatchObject({ status: "rejected", code: "missing" });
    const after = await device.send([], { cursors: { project: 0 } });
    expect(after.rows).toEqual(before.rows);
    expect(after.digests).toEqual(before.digests);
    expect(after.head).toBe(1);
  });

  test("§6: events without an identity fail the space's part, since they could get no outcome", async () => {
    const device = new TestDevice(await world());
    const good = device.event([create("p1")]);
    expect(await device.fails([good, { seq: 2, ops: [] }])).toMatchObject({
      code: "invalid_space",
      message: expect.stringContaining("events[1]") as string,
    });
    expect(
      await device.fails([good, { id: makeStamp(1, 0, "8000-000000000001"), seq: 1.5, ops: [] }]),
    ).toMatchObject({ code: "invalid_space" });
    expect(await device.rows("project")).toEqual([]);
  });

  test("§13: a record that outgrows the limit is too_large, whole or by small steps", async () => {
    const device = new TestDevice(await world());
    const text = "x".repeat(100_000);
    expect(await device.write([create("p1", { a: text, b: text, c: text })])).toMatchObject({
      status: "rejected",
      code: "too_large",
    });
    expect(await device.write([create("p1", { a: text, b: text })])).toMatchObject({ status: "applied" });
    expect(await device.write([update("p1", { c: text })])).toMatchObject({
      status: "rejected",
      code: "too_large",
    });
    expect(
      await device.write(Array.from({ length: 6 }, (_, i) => create(`q${i}`, { a: "y".repeat(200_000) }))),
    ).toMatchObject({ status: "rejected", code: "too_large" });
    expect(200_000 * 6).toBeGreaterThan(limits.maxBatchBytes);
  });

  test("rule 3: a full space defers what would add to it, and all that follows; other events still read", async () => {
    const here = await world({ limits: { maxRowsPerSpace: 2 } });
    const device = new TestDevice(here);
    const events = [
      device.event([create("p1"), create("p2")]),
      device.event([create("p3")]),
      device.event([remove("p1")]),
    ];
    const { outcomes, lastSeq } = await device.send(events);
    expect(outcomes).toMatchObject([
      { status: "applied" },
      { status: "deferred", code: "quota_exceeded" },
      { status: "deferred", code: "quota_exceeded" },
    ]);
    expect(lastSeq).toBe(1);
    const again = await device.send([{ ...events[1], void: true, ops: undefined }, events[2]]);
    expect(again.outcomes).toMatchObject([{ status: "void" }, { status: "applied" }]);
  });
});

describe("bounds", () => {
  test("§13: without a schema a space has a bounded number of domains, in one event and over all", async () => {
    const device = new TestDevice(await world());
    const ops = Array.from({ length: limits.maxDomains }, (_, i) => create("k", {}, `d${i}`));
    expect(await device.write([...ops, create("k", {}, "more")])).toMatchObject({
      status: "rejected",
      code: "invalid",
    });
    expect(await device.write(ops)).toMatchObject({ status: "applied" });
    expect(await device.write([create("k", {}, "more")])).toMatchObject({
      status: "rejected",
      code: "invalid",
    });
    expect(await device.write([create("l", {}, "d0")])).toMatchObject({ status: "applied" });
  });

  test("rule 7: rejected creates that a device has not acknowledged are all remembered; past a bound its events wait", async () => {
    const device = new TestDevice(await world());
    const keys = Array.from({ length: 900 }, (_, i) => `k${i}`);
    for (const part of [0, 300, 600])
      await device.write(keys.slice(part, part + 300).map((key) => create(key, { text: "theirs" })));
    const copy = new TestDevice(device.world);
    for (let i = 0; i < 12; i++)
      expect(await copy.write(keys.map((key) => create(key)))).toMatchObject({ code: "exists" });
    const waiting = copy.event([update("k0", { text: "mine" })]);
    expect((await copy.send([waiting])).outcomes).toMatchObject([{ status: "deferred", code: "busy" }]);
    expect((await copy.send([waiting], { acked: 11 })).outcomes).toMatchObject([
      { status: "rejected", code: "depends_on" },
    ]);
  });
});

describe("expectations", () => {
  test("§6: an event is conditional on versions, 0 standing for no row", async () => {
    const device = new TestDevice(await world());
    await device.write([create("p1")]);
    expect(
      await device.write({
        ops: [update("p1", { a: 1 })],
        expect: [
          ["project", "p1", 1],
          ["project", "p2", 0],
        ],
      }),
    ).toMatchObject({ status: "applied" });
    expect(
      await device.write({ ops: [update("p1", { a: 2 })], expect: [["project", "p1", 1]] }),
    ).toMatchObject({ status: "rejected", code: "expectation_failed" });
    expect(
      await device.write({ ops: [update("p1", { a: 2 })], expect: [["project", "p1", 0]] }),
    ).toMatchObject({ status: "rejected" });
  });

  test("§6: {seq: n} expects what an own event produced, in the same request or an earlier one", async () => {
    const device = new TestDevice(await world());
    const events = [
      device.event([create("p1")]),
      device.event({ ops: [update("p1", { a: 1 })], expect: [["project", "p1", { seq: 1 }]] }),
    ];
    expect((await device.send(events)).outcomes).toMatchObject([
      { status: "applied" },
      { status: "applied" },
    ]);
    expect(
      await device.write({ ops: [update("p1", { a: 2 })], expect: [["project", "p1", { seq: 2 }]] }),
    ).toMatchObject({ status: "applied" });
    expect(
      await device.write({ ops: [update("p1", { a: 3 })], expect: [["project", "p1", { seq: 2 }]] }),
    ).toMatchObject({ code: "expectation_failed" });
    const rejected = device.event([create("p1")]);
    const chained = device.event({
      ops: [update("p1", { a: 4 })],
      expect: [["project", "p1", { seq: rejected.seq }]],
    });
    expect((await device.send([rejected, chained])).outcomes).toMatchObject([
      { code: "exists" },
      { code: "expectation_failed" },
    ]);
  });

  test("rule 7: what depends on a rejected create is rejected, though another's record has the key", async () => {
    const here = await world();
    const [a, b] = [new TestDevice(here), new TestDevice(here)];
    await a.write([create("p1", { name: "theirs" })]);
    const events = [
      b.event([create("p1", { name: "mine" })]),
      b.event([update("p1", { name: "mine again" })]),
      b.event([{ op: "deleteMany", domain: "project", keys: ["p1"] }]),
    ];
    expect((await b.send(events)).outcomes).toMatchObject([
      { code: "exists" },
      { code: "depends_on" },
      { code: "depends_on" },
    ]);
    expect(await b.write([remove("p1")])).toMatchObject({ code: "depends_on" });
    expect(await b.rows("project")).toMatchObject([{ fields: { name: "theirs" } }]);
    expect(await b.write([update("p1", { name: "knowingly" })], { acked: 1 })).toMatchObject({
      status: "applied",
    });
  });

  test("rule 7: a create that succeeds later ends the dependence", async () => {
    const device = new TestDevice(await world());
    const bad = device.event([create("p1", { a: 1 }), create("p1", { a: 2 })]);
    const events = [bad, device.event([create("p1", { a: 3 })]), device.event([update("p1", { a: 4 })])];
    expect((await device.send(events)).outcomes).toMatchObject([
      { code: "invalid" },
      { status: "applied" },
      { status: "applied" },
    ]);
  });
});

describe("access", () => {
  test("§6: a reader reads, and its events are forbidden one by one", async () => {
    const here = await world();
    await addMember(here, "rita", "reader");
    await new TestDevice(here).write([create("p1")]);
    const rita = new TestDevice(here, "rita");
    const { outcomes, rows } = await rita.send([rita.event([create("p2")]), rita.event({ void: true })], {
      cursors: { project: 0 },
    });
    expect(outcomes).toMatchObject([{ status: "rejected", code: "forbidden" }, { status: "void" }]);
    expect(rows).toMatchObject([{ key: "p1" }]);
  });

  test("§13: to a stranger a space is exactly as if it were not there, whatever is sent", async () => {
    const here = await world();
    const stranger = new TestDevice(here, "eve");
    const nowhere = new TestDevice({ ...here, space: "nowhere" }, "eve");
    for (const [events, asking] of [
      [[], {}],
      [[], { cursors: { project: 900 } }],
      [[], { generation: undefined }],
      [[create("p1")], {}],
      [[{ bad: true }], {}],
    ] as const) {
      const ask = (device: TestDevice): Promise<unknown> =>
        device.fails(
          events.map((op) => ("op" in op ? device.event([op]) : op)),
          asking,
        );
      expect(await ask(stranger)).toEqual(await ask(nowhere));
    }
    expect(await stranger.fails([])).toMatchObject({ code: "not_found" });
    expect(await new TestDevice(here).rows("project")).toEqual([]);
  });

  test("rule 8: a former member is told so, and nothing of its events is recorded", async () => {
    const here = await world();
    await addMember(here, "bob", "writer");
    const bob = new TestDevice(here, "bob");
    await bob.write([create("p1")]);
    await here.engine.removeMember({ id: "ann" }, here.space, "bob");
    const waiting = bob.event([create("p2")]);
    expect(await bob.fails([waiting])).toMatchObject({ code: "revoked" });
    await addMember(here, "bob", "writer");
    expect((await bob.send([waiting])).outcomes).toMatchObject([{ status: "applied", seq: 2 }]);
  });

  test("§6: spaces of one request are independent", async () => {
    const here = await world();
    const other = await here.engine.createSpace({ id: "ann" }, "site-8");
    const device = new TestDevice(here);
    const request = {
      protocol: 1 as const,
      device: device.device,
      spaces: [
        { space: "nowhere", cursors: {}, events: [device.event([create("p1")])] },
        {
          space: here.space,
          cursors: { project: 0 },
          events: [{ id: device.stamp(), seq: 1, ops: [create("p1")] }],
        },
        {
          space: "site-8",
          cursors: { project: 0 },
          generation: other.generation,
          events: [{ id: device.stamp(), seq: 5, ops: [create("p1")] }],
        },
      ],
    };
    const answer = JSON.parse(await here.engine.exchange({ id: "ann" }, request as ExchangeRequest)) as {
      spaces: { space: string; head?: number; error?: { code: string } }[];
    };
    expect(answer.spaces).toMatchObject([
      { space: "nowhere", error: { code: "not_found" } },
      { space: "site-7", head: 1 },
      { space: "site-8", error: { code: "seq_gap" } },
    ]);
  });
});
