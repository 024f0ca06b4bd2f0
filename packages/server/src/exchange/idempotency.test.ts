import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sqlite } from "../storage/sqlite.js";
import { TestDevice, addMember, create, update, world } from "./device.test.fixture.js";

const folder = (): string => mkdtempSync(join(tmpdir(), "landfall-"));

describe("a write happens once", () => {
  test("rule 3: the same request again gets the original outcomes and has no second effect", async () => {
    const here = await world();
    const device = new TestDevice(here);
    const events = [
      device.event([create("p1", { votes: 0 })]),
      device.event([{ op: "increment", domain: "project", key: "p1", by: { votes: 2 } }]),
      device.event([update("nowhere", { a: 1 })]),
      device.event({ void: true }),
    ];
    const first = await device.send(events, { cursors: { project: 0 } });
    const again = await device.send(events, { cursors: { project: 0 } });
    expect(first.outcomes.map(({ status }) => status)).toEqual(["applied", "applied", "rejected", "void"]);
    for (const [i, outcome] of again.outcomes.entries()) {
      const { omitted: _omitted, ...original } = first.outcomes[i] as { omitted?: unknown; status: string };
      expect(outcome).toEqual({ ...original, status: "duplicate", of: original.status });
    }
    expect(again.rows).toMatchObject([{ key: "p1", version: 2, fields: { votes: 2 } }]);
    expect(again.head).toBe(2);
  });

  test("rule 3: a request sent again in part, and with more, continues where the first one ended", async () => {
    const device = new TestDevice(await world());
    const events = [device.event([create("p1")]), device.event([create("p2")]), device.event([create("p3")])];
    await device.send(events.slice(0, 2));
    const { outcomes, lastSeq } = await device.send(events.slice(1));
    expect(outcomes.map(({ status }) => status)).toEqual(["duplicate", "applied"]);
    expect(lastSeq).toBe(3);
  });

  test("rule 3: after a restart the outcomes are those of before", async () => {
    const file = join(folder(), "a.db");
    const here = await world({ storage: sqlite(file) });
    const device = new TestDevice(here);
    const events = [device.event([create("p1", { name: "Quay" })]), device.event([create("p1")])];
    const first = await device.send(events);
    await here.engine.close();
    const storage = sqlite(file);
    const { createEngine } = await import("../engine.js");
    const later = new TestDevice(
      { ...here, storage, engine: createEngine({ storage }) },
      "ann",
      device.device,
    );
    const again = await later.send(events);
    expect(again.outcomes).toMatchObject([
      { status: "duplicate", of: "applied", index: 1 },
      { status: "duplicate", of: "rejected", code: "exists" },
    ]);
    expect(again.outcomes[0]).toMatchObject({
      modifiedAt: (first.outcomes[0] as { modifiedAt: number }).modifiedAt,
    });
    await later.world.engine.close();
  });

  test("rule 3: two connections that send the same at once have one effect between them", async () => {
    const here = await world({ storage: sqlite(join(folder(), "a.db")) });
    const device = new TestDevice(here);
    await device.write([create("p1", { votes: 0 })]);
    const events = Array.from({ length: 20 }, () =>
      device.event([{ op: "increment", domain: "project", key: "p1", by: { votes: 1 } }]),
    );
    const answers = await Promise.all([
      device.send(events),
      device.send(events),
      device.send(events.slice(0, 10)),
      device.send(events),
    ]);
    const [row] = await device.rows("project");
    expect(row).toMatchObject({ fields: { votes: 20 }, version: 21 });
    const statuses = answers.flatMap(({ outcomes }) => outcomes.map(({ status }) => status));
    expect(statuses.filter((status) => status === "applied")).toHaveLength(20);
    expect(statuses.filter((status) => status === "duplicate")).toHaveLength(50);
    await here.engine.close();
  });

  test("rule 3: the same seq with another id is a copy of the device, and the prefix that matched keeps its outcomes", async () => {
    const device = new TestDevice(await world());
    const shared = device.event([create("p1")]);
    const mine = device.event([create("p2")]);
    await device.send([shared, mine]);
    const copy = new TestDevice(device.world, "ann", device.device);
    copy.seq = 1;
    const theirs = copy.event([create("p3")]);
    const error = await copy.fails([shared, theirs]);
    expect(error).toMatchObject({
      code: "device_forked",
      outcomes: [{ seq: 1, status: "duplicate", of: "applied", index: 1 }],
    });
    expect((await device.rows("project")).map(({ key }) => key)).toEqual(["p1", "p2"]);
  });

  test("rule 3: a copy with a device id of its own sends again with `was`, and what was known stays single", async () => {
    const device = new TestDevice(await world());
    const shared = device.event([create("p1", { votes: 0 }), create("q1")]);
    const counted = device.event([{ op: "increment", domain: "project", key: "p1", by: { votes: 1 } }]);
    await device.send([shared, counted]);
    const copy = new TestDevice(device.world);
    const fresh = copy.stamp();
    const resent = [
      { ...counted, seq: 1, was: { device: device.device, seq: 2 } },
      { id: fresh, seq: 2, was: { device: device.device, seq: 3 }, ops: [create("p3")] },
    ];
    const first = await copy.send(resent);
    expect(first.outcomes).toMatchObject([
      { seq: 1, status: "duplicate", of: "applied", index: 2 },
      { seq: 2, status: "applied", index: 3 },
    ]);
    expect(first.lastSeq).toBe(2);
    const again = await copy.send(resent);
    expect(again.outcomes).toMatchObject([
      { seq: 1, status: "duplicate", of: "applied", index: 2 },
      { seq: 2, status: "duplicate", of: "applied", index: 3 },
    ]);
    expect(await device.rows("project")).toContainEqual(
      expect.objectContaining({ key: "p1", fields: { votes: 1 } }),
    );
  });

  test("rule 3: a copy that was found forked twice gets its outcome, whichever of its devices the event was known under", async () => {
    const device = new TestDevice(await world());
    const made = device.event([create("p1", { votes: 0 })]);
    const counted = device.event([{ op: "increment", domain: "project", key: "p1", by: { votes: 1 } }]);
    await device.send([made]);
    // The answer to the first fork's send was lost: what it sent is known under that fork, of which the next says nothing.
    const was = { device: device.device, seq: 2 };
    const [first, second] = [new TestDevice(device.world), new TestDevice(device.world)];
    await first.send([{ ...counted, seq: 1, was }]);
    const { outcomes } = await second.send([{ ...counted, seq: 1, was }]);
    expect(outcomes).toMatchObject([{ status: "duplicate", of: "applied", index: 2 }]);
    // Nor does the one that stayed what it was, and has the event still.
    const stayed = await device.send([counted]);
    expect(stayed.outcomes).toMatchObject([{ status: "duplicate", of: "applied", index: 2 }]);
    expect(await device.rows("project")).toContainEqual(
      expect.objectContaining({ key: "p1", fields: { votes: 1 } }),
    );
    const stranger = new TestDevice(device.world);
    const claimed = await stranger.send([{ ...counted, seq: 1 }]);
    expect(claimed.outcomes).toMatchObject([{ status: "rejected", code: "id_conflict" }]);
  });

  test("rule 3: a known id from another device that says nothing, or something wrong, of where it was is a conflict, loudly", async () => {
    const device = new TestDevice(await world());
    const event = device.event([create("p1")]);
    await device.send([event]);
    const other = new TestDevice(device.world);
    const { outcomes } = await other.send([
      { ...event, seq: 1 },
      { ...event, seq: 2, was: { device: "elsewhere", seq: 1 } },
    ]);
    expect(outcomes).toMatchObject([
      { status: "rejected", code: "id_conflict" },
      { status: "rejected", code: "id_conflict" },
    ]);
    const again = await other.send([{ ...event, seq: 1 }]);
    expect(again.outcomes).toMatchObject([{ status: "duplicate", of: "rejected", code: "id_conflict" }]);
    const bob = new TestDevice(device.world, "bob", device.device);
    await addMember(device.world, "bob", "writer");
    const foreign = await bob.send([{ ...event, seq: 1, was: { device: device.device, seq: 1 } }]);
    expect(foreign.outcomes).toMatchObject([{ status: "rejected", code: "id_conflict" }]);
  });

  test("rule 3: a device that has forgotten under which seq an event was sent gets its outcome, and no second effect", async () => {
    const device = new TestDevice(await world());
    const made = device.event([create("p1", { votes: 0 })]);
    const counted = device.event([{ op: "increment", domain: "project", key: "p1", by: { votes: 1 } }]);
    await device.send([made, counted]);
    const { outcomes } = await device.send([
      { ...counted, seq: 3 },
      { ...counted, seq: 4, was: { device: device.device, seq: 9 } },
      { id: device.stamp(), seq: 5, expect: [["project", "p1", { seq: 3 }]], ops: [update("p1", { a: 1 })] },
    ]);
    expect(outcomes).toMatchObject([
      { seq: 3, status: "duplicate", of: "applied", index: 2 },
      { seq: 4, status: "duplicate", of: "applied", index: 2 },
      { seq: 5, status: "applied", index: 3 },
    ]);
    const copy = new TestDevice(device.world);
    const moved = await copy.send([{ ...counted, seq: 1, was: { device: device.device, seq: 7 } }]);
    expect(moved.outcomes).toMatchObject([{ seq: 1, status: "duplicate", of: "applied", index: 2 }]);
    expect(await device.rows("project")).toMatchObject([{ key: "p1", fields: { votes: 1 } }]);
  });

  test("rule 7: what stands on a create that was refused depends on it under a later device too", async () => {
    const here = await world();
    await new TestDevice(here).write([create("p1", { a: 0 })]);
    const device = new TestDevice(here);
    const refused = device.event([create("p1", { a: 1 })]);
    expect((await device.send([refused])).outcomes).toMatchObject([{ status: "rejected", code: "exists" }]);
    const copy = new TestDevice(here);
    const { outcomes } = await copy.send([
      { ...refused, seq: 1, was: { device: device.device, seq: 1 } },
      { id: copy.stamp(), seq: 2, ops: [update("p1", { a: 2 })] },
    ]);
    expect(outcomes).toMatchObject([
      { status: "duplicate", of: "rejected", code: "exists" },
      { status: "rejected", code: "depends_on" },
    ]);
  });

  test("rule 3: one id under two seqs of the same request is one event", async () => {
    const device = new TestDevice(await world());
    const event = device.event([create("p1")]);
    const { outcomes, head } = await device.send([
      event,
      { ...event, seq: 2 },
      { ...event, seq: 3, was: { device: device.device, seq: 1 } },
    ]);
    expect(outcomes).toMatchObject([
      { status: "applied", index: 1 },
      { status: "duplicate", of: "applied", index: 1 },
      { status: "duplicate", of: "applied", index: 1 },
    ]);
    expect(head).toBe(1);
  });

  test("rule 3: the same event twice in one request is applied and then a duplicate", async () => {
    const device = new TestDevice(await world());
    const event = device.event([create("p1")]);
    const { outcomes, head } = await device.send([event, event]);
    expect(outcomes).toMatchObject([{ status: "applied" }, { status: "duplicate", of: "applied", index: 1 }]);
    expect(head).toBe(1);
  });

  test("rule 3: a gap is refused whole, with the seq that is expected, and nothing is handled", async () => {
    const device = new TestDevice(await world());
    const events = [device.event([create("p1")]), device.event([create("p2")]), device.event([create("p3")])];
    expect(await device.fails([events[1], events[2]])).toMatchObject({ code: "seq_gap", expected: 1 });
    expect(await device.fails([events[0], events[2]])).toMatchObject({ code: "seq_gap", expected: 1 });
    expect((await device.rows("project")).length).toBe(0);
    expect((await device.send([events[2], events[0], events[1]])).lastSeq).toBe(3);
  });

  test("rule 3: an event given up after it was sent is void, or the outcome it had", async () => {
    const device = new TestDevice(await world());
    const [applied, open] = [device.event([create("p1")]), device.event([create("p2")])];
    await device.send([applied]);
    const voids = [
      { id: applied.id, seq: 1, void: true },
      { id: open.id, seq: 2, void: true },
    ];
    expect((await device.send(voids)).outcomes).toMatchObject([
      { status: "duplicate", of: "applied", index: 1 },
      { status: "void", seq: 2 },
    ]);
    expect((await device.send([open])).outcomes).toMatchObject([{ status: "duplicate", of: "void" }]);
    expect((await device.rows("project")).map(({ key }) => key)).toEqual(["p1"]);
  });

  test("rule 3: bodies are kept above acked whatever happens, and expire far below it; the event is never new again", async () => {
    const device = new TestDevice(await world());
    const events = Array.from({ length: 600 }, (_, i) => device.event([create(`p${i}`)]));
    for (let at = 0; at < 600; at += 50) await device.send(events.slice(at, at + 50));
    await device.write([create("q1")], { acked: 400 });
    await device.write([create("q2")], { acked: 400 });
    const { outcomes, head } = await device.send(events);
    expect(head).toBe(602);
    const of = outcomes.map((outcome) => (outcome as { of: string }).of);
    expect(of.slice(400).every((what) => what === "applied")).toBe(true);
    expect(of.filter((what) => what === "expired").length).toBeGreaterThan(0);
    expect(outcomes[0]).toEqual({ id: events[0]?.id, seq: 1, status: "duplicate", of: "expired" });
  });

  test("rule 3: acked beyond what was handled is not believed", async () => {
    const device = new TestDevice(await world());
    const event = device.event([create("p1")]);
    await device.send([event], { acked: 9_000 });
    await device.write([create("p2")], { acked: 9_000 });
    expect((await device.send([event])).outcomes).toMatchObject([{ of: "applied", index: 1 }]);
  });

  test("rule 3: two users under one device id do not meet", async () => {
    const here = await world();
    await addMember(here, "bob", "writer");
    const ann = new TestDevice(here, "ann", "shared");
    const bob = new TestDevice(here, "bob", "shared");
    await ann.write([create("p1")]);
    expect(await bob.write([create("p2")])).toMatchObject({ status: "applied", seq: 1 });
    expect(await ann.write([create("p3")])).toMatchObject({ status: "applied", seq: 2 });
  });
});
