import { describe, expect, test } from "vitest";
import { TestDevice, addMember, create, world } from "../exchange/device.test.fixture.js";
import { startRestoredGenerations } from "./restored-generation.js";

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
    });
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
});
