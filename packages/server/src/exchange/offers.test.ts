import type { OfferOp } from "@landfall/protocol";
import { defineSchema, records } from "@landfall/schema";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { startRestoredGeneration } from "../operations/restored-generation.js";
import { systemRandom } from "../platform.js";
import { TestDevice, type World, addMember, create, startMs, update, world } from "./device.test.fixture.js";

const stampAt = (ms: number, tail = 1): string => {
  const time = ms.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${tail.toString(16).padStart(12, "0")}`;
};
const offer = (key: string, set: object, stamps: object): OfferOp =>
  ({ op: "offer", domain: "project", key, set, stamps }) as OfferOp;
const offerDelete = (key: string, deletedAt: number): OfferOp => ({
  op: "offer",
  domain: "project",
  key,
  deletedAt,
});

/** A space with a record, restored a minute after the start, with its server a minute on. */
async function restored(options: Parameters<typeof world>[0] = {}) {
  const here = await world(options);
  const { clock, storage, engine } = here;
  const device = new TestDevice(here);
  await device.write([create("p1", { name: "old", ...(options.schema ? {} : { votes: 1 }) })]);
  clock.nowMs += 60_000;
  const start = await storage.write(here.space, (transaction) =>
    startRestoredGeneration(transaction, { clock: { now: () => clock.nowMs }, random: systemRandom }),
  );
  clock.nowMs += 60_000;
  const now: World = { ...here, generation: start?.generation ?? "" };
  const writer = new TestDevice(now, "ann");
  const read = async (key: string) => {
    const page = await engine.rows({ id: "ann" }, { space: here.space, domain: "project", keys: [key] });
    return page.rows.map((text) => JSON.parse(text) as Record<string, unknown>)[0];
  };
  const born = ((await read("p1")) as { stamps: { "*": string } }).stamps["*"];
  return { here: now, writer, read, born, device, before: here };
}

describe("rule 12: rows that are offered back", () => {
  test("a record that was lost comes back under the stamps that it had, and offered again changes nothing", async () => {
    const { writer, read, here } = await restored();
    const lost = offer(
      "p9",
      { name: "Quay", n: 3 },
      { "*": stampAt(startMs + 1_000), name: stampAt(startMs + 2_000) },
    );
    expect(await writer.write([lost])).toMatchObject({ status: "applied", index: 2 });
    const row = await read("p9");
    expect(row).toMatchObject({
      fields: { name: "Quay", n: 3 },
      stamps: { "*": stampAt(startMs + 1_000), name: stampAt(startMs + 2_000) },
    });
    const other = new TestDevice(here, "ann");
    expect(await other.write([lost])).toMatchObject({ status: "applied" });
    expect(await read("p9")).toEqual(row);
  });

  test("fields merge by their stamps: later ones win on either side, and what lost is told", async () => {
    const { writer, read, born } = await restored();
    await writer.write([update("p1", { name: "after the restore" })]);
    const outcome = await writer.write([
      offer(
        "p1",
        { name: "lost", note: "lost too" },
        { "*": born, name: stampAt(startMs + 5_000), note: stampAt(startMs + 5_000) },
      ),
    ]);
    expect(outcome).toMatchObject({ status: "applied", superseded: [{ key: "p1", field: "name" }] });
    expect(await read("p1")).toMatchObject({
      fields: { name: "after the restore", note: "lost too", votes: 1 },
    });
    // A field that has a stamp and no value was unset.
    await writer.write([offer("p1", {}, { "*": born, note: stampAt(startMs + 6_000) })]);
    expect((await read("p1"))?.["fields"]).not.toHaveProperty("note");
  });

  test("whatever order rows are offered in, by however many, the record is the same", async () => {
    const offers = [1, 2, 3].map((n) =>
      offer(
        "p9",
        { [`f${n}`]: n, shared: n },
        { "*": stampAt(startMs), [`f${n}`]: stampAt(startMs + n), shared: stampAt(startMs + n) },
      ),
    );
    const texts = new Set<string>();
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0, 2, 1],
      [2, 0, 1, 0],
    ]) {
      const { writer, read } = await restored();
      for (const i of order) await writer.write([offers[i] as OfferOp]);
      const { fields, stamps } = (await read("p9")) as { fields: object; stamps: object };
      texts.add(JSON.stringify([fields, stamps]));
    }
    expect([...texts]).toHaveLength(1);
  });

  test("a delete that was lost wins, and what is offered after it is refused", async () => {
    const { writer, read, here } = await restored();
    expect(await writer.write([offerDelete("p1", startMs + 5_000)])).toMatchObject({ status: "applied" });
    expect(await read("p1")).toMatchObject({ deleted: true });
    expect(await writer.write([offerDelete("p1", startMs + 5_000)])).toMatchObject({ status: "applied" });
    // Nobody brings back what was made and deleted again in the part that was lost.
    await writer.write([offerDelete("p7", startMs + 5_000)]);
    const other = new TestDevice(here, "ann");
    expect(await other.write([offer("p7", { name: "a" }, { "*": stampAt(startMs + 1_000) })])).toMatchObject({
      status: "rejected",
      code: "deleted",
    });
  });

  test("a record that was made since is another one: a lost delete leaves it, and a lost record does not mix with it", async () => {
    const { writer, read } = await restored();
    await writer.write([create("p9", { name: "new" })]);
    await writer.write([offerDelete("p9", startMs + 5_000)]);
    expect(await read("p9")).toMatchObject({ fields: { name: "new" } });
    expect(
      await writer.write([offer("p9", { name: "lost" }, { "*": stampAt(startMs + 1_000) })]),
    ).toMatchObject({
      status: "rejected",
      code: "exists",
    });
  });

  test("rule 6: what is offered never wins over what was written since, whatever stamps it claims", async () => {
    const { writer, read, born, here } = await restored();
    await writer.write([update("p1", { name: "after the restore" })]);
    const far = stampAt(startMs + 10 * 365 * 86_400_000);
    await writer.write([
      offer("p1", { name: "forged", note: "forged" }, { "*": born, name: far, note: far }),
    ]);
    const row = (await read("p1")) as { fields: object; stamps: Record<string, string>; version: number };
    expect(row.fields).toMatchObject({ name: "after the restore", note: "forged" });
    expect((row.stamps["note"] ?? "") < stampAt(startMs + 60_001)).toBe(true);
    await writer.write([offer("p1", { note: "forged" }, { "*": born, note: far })]);
    expect((await read("p1"))?.["version"]).toBe(row.version);
    await writer.write([create("p8", { name: "made since" })]);
    await writer.write([offerDelete("p8", startMs + 10 * 365 * 86_400_000)]);
    expect(await read("p8")).toMatchObject({ fields: { name: "made since" } });
    expect(here.generation).not.toBe("");
  });

  test("readers may not, and nobody after the time is over, or in a space that was not restored", async () => {
    const { here, writer, before } = await restored({ recoveryMs: 3_600_000 });
    await addMember(here, "bob", "reader");
    const lost = offer("p9", { name: "Quay" }, { "*": stampAt(startMs) });
    expect(await new TestDevice(here, "bob").write([lost])).toMatchObject({ code: "forbidden" });
    here.clock.nowMs += 3_600_000;
    expect(await writer.write([lost])).toMatchObject({ status: "rejected", code: "recovery_over" });
    const plain = await world();
    expect(await new TestDevice(plain).write([lost])).toMatchObject({ code: "recovery_over" });
    expect(before.space).toBe(here.space);
  });

  test("the answer to a client of the generation before says until when, and no longer when it is over or was wiped", async () => {
    const { here, device } = await restored({ recoveryMs: 3_600_000 });
    const error = () => device.fails([]);
    expect(await error()).toMatchObject({
      code: "generation_changed",
      reason: "restored",
      at: 1,
      recoverUntil: startMs + 60_000 + 3_600_000,
    });
    here.clock.nowMs += 3_600_000;
    expect(await error()).not.toHaveProperty("recoverUntil");
    await here.engine.wipeSpace({ id: "ann" }, here.space);
    expect(await error()).toMatchObject({ reason: "wiped" });
    expect(await error()).not.toHaveProperty("recoverUntil");
  });

  test("an offer is a record or a delete, and a schema's rules hold for it", async () => {
    const fields = z.object({ name: z.string(), votes: z.number().optional() });
    const schema = defineSchema({ version: 1, domains: { project: records({ fields }) } });
    const { writer, read } = await restored({ schema });
    const both = { ...offer("p9", { name: "a" }, { "*": stampAt(startMs) }), deletedAt: 5 };
    expect(await writer.write([both as unknown as OfferOp])).toMatchObject({ code: "invalid" });
    const wrong = offer("p9", { name: 7 }, { "*": stampAt(startMs) });
    expect(await writer.write([wrong])).toMatchObject({ status: "rejected", code: "invalid" });
    const elsewhere = { ...wrong, domain: "nowhere" };
    expect(await writer.write([elsewhere as OfferOp])).toMatchObject({ code: "unknown_domain" });
    expect(await read("p9")).toBeUndefined();
  });
});

test("rules 7 and 12: a detail is not offered back under a parent that was deleted, whichever of the two came first", async () => {
  const schema = defineSchema({
    version: 1,
    domains: {
      project: records({ fields: z.object({ name: z.string() }) }),
      point: records({
        fields: z.object({ projectId: z.string() }),
        parent: { domain: "project", field: "projectId", onDelete: "cascade" },
      }),
    },
  });
  const detail = (key: string): OfferOp => ({
    ...offer(key, { projectId: "p1" }, { "*": stampAt(startMs + 1_000) }),
    domain: "point",
  });
  const { writer, here } = await restored({ schema });
  expect(await writer.write([detail("c1")])).toMatchObject({ status: "applied" });
  expect(await writer.write([offerDelete("p1", startMs + 2_000)])).toMatchObject({ status: "applied" });
  expect(await writer.write([detail("c2")])).toMatchObject({
    status: "rejected",
    code: "deleted",
    message: expect.stringContaining("project p1") as string,
  });
  const page = await here.engine.rows({ id: "ann" }, { space: here.space, domain: "point" });
  expect(page.rows.map((text) => JSON.parse(text) as object)).toMatchObject([{ key: "c1", deleted: true }]);
});
