import { describe, expect, test } from "vitest";
import { TestDevice, addMember, create, startMs, world } from "../exchange/device.test.fixture.js";
import { startRestoredGenerations } from "./restored-generation.js";
import { verify } from "./verify.js";

const ports = (nowMs: number) => {
  let drawn = 0;
  return {
    clock: { now: () => nowMs },
    random: { bytes: (count: number) => new Uint8Array(count).fill(++drawn) },
  };
};

describe("a storage that was brought back from a copy", () => {
  test("rule 12: every space gets a generation of its own that says restored, its parent, and the head of the copy", async () => {
    const here = await world();
    await here.engine.createSpace({ id: "ann" }, "empty");
    const device = new TestDevice(here);
    await device.write([create("p1")]);
    await device.write([create("p2")]);
    const restored = await startRestoredGenerations(here.storage, ports(1_800_000_000_000.5));
    expect(restored.map(({ space, reason, at, startedAt }) => [space, reason, at, startedAt])).toEqual([
      ["empty", "restored", 0, 1_800_000_000_000],
      ["site-7", "restored", 2, 1_800_000_000_000],
    ]);
    expect(new Set(restored.map(({ generation }) => generation)).size).toBe(2);
    expect(await device.fails([], { cursors: { project: 2 } })).toMatchObject({
      code: "generation_changed",
      reason: "restored",
      parent: here.generation,
      at: 2,
      lastSeq: 2,
    });
    expect(await new TestDevice(here).fails([], { cursors: { project: 2 } })).toMatchObject({ lastSeq: 0 });
    const [now] = await here.storage.read((snapshot) => snapshot.generations("site-7"));
    expect(now).toMatchObject({ generation: restored[1]?.generation, parent: here.generation });
  });

  test("rule 12: rows, members and ids stay; seqs start anew, and what was handled before is not handled twice", async () => {
    const here = await world();
    await addMember(here, "bob", "reader");
    const device = new TestDevice(here);
    const event = device.event([create("p1")]);
    await device.send([event]);
    const [restored] = await startRestoredGenerations(here.storage, ports(1));
    const generation = restored?.generation;
    const answer = await device.send([{ ...event, seq: 1 }], { generation, cursors: { project: 0 } });
    expect(answer).toMatchObject({ head: 1, lastSeq: 1, outcomes: [{ status: "duplicate", of: "applied" }] });
    expect(answer.rows.map(({ key }) => key)).toEqual(["p1"]);
    expect((await here.engine.members({ id: "bob" }, "site-7")).map(({ user }) => user)).toEqual([
      "ann",
      "bob",
    ]);
  });

  test("rule 6: a clock that is behind the copy, or is set back afterwards, lets nothing that is offered win over what was written since", async () => {
    const here = await world();
    const device = new TestDevice(here);
    await device.write([create("p1", { name: "old" })]);
    here.clock.nowMs += 3_600_000;
    const [restored] = await startRestoredGenerations(here.storage, ports(here.clock.nowMs));
    here.clock.nowMs -= 1_800_000;
    const writer = new TestDevice({ ...here, generation: restored?.generation ?? "" });
    const row = async () => {
      const page = await here.engine.rows({ id: "ann" }, { space: here.space, domain: "project" });
      return JSON.parse(page.rows[0] as string) as { fields: object; stamps: { "*": string } };
    };
    const { stamps } = await row();
    const lost = { "*": stamps["*"], name: "7fffffff-ffff-7000-8000-000000000001" };
    await writer.write([{ op: "offer", domain: "project", key: "p1", set: { name: "lost" }, stamps: lost }]);
    expect(await row()).toMatchObject({ fields: { name: "lost" } });
    expect((await here.storage.read((snapshot) => verify(snapshot))).findings).toEqual([]);
    await here.engine.space(here.space).write((tx) => tx["project"]?.update("p1", { name: "since" }));
    expect(await row()).toMatchObject({ fields: { name: "since" } });
  });

  test("rule 12: what was lost may be later than the copy even where the clock is behind it", async () => {
    const here = await world();
    const device = new TestDevice(here);
    await device.write([create("p1", { name: "old" })]);
    const start = (await startRestoredGenerations(here.storage, ports(startMs - 3_600_000)))[0];
    expect(start?.startedAt).toBeGreaterThanOrEqual(startMs);
  });
});
