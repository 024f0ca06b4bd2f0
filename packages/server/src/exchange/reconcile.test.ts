import {
  type ReconcileAnswer,
  type ReconcileRequest,
  ReconcileItems,
  Reconciliation,
  type Row,
  decodeText,
  fromBase64Url,
  limits,
  portableSha256,
  reconcileAnswer,
  rowElement,
  toBase64Url,
} from "@landfall/protocol";
import { defineSchema, records } from "@landfall/schema";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { sqlite } from "../storage/sqlite.js";
import { TestDevice, type World, addMember, create, remove, update, world } from "./device.test.fixture.js";

const hash = portableSha256;
const ann = { id: "ann" };
const itemOf = (row: Row) => ({
  order: row.version,
  id: row.key,
  digest: row.deleted ? 0n : rowElement(hash, row),
});

async function ask(
  { engine, space, generation }: World,
  request: Partial<ReconcileRequest>,
  user = ann,
): Promise<ReconcileAnswer & { readonly bytes: number }> {
  const whole: ReconcileRequest = {
    protocol: 1,
    space,
    generation,
    domain: "project",
    upTo: 0,
    frame: "",
    ...request,
  };
  const text = await engine.reconcile(user, whole);
  const answer = decodeText(reconcileAnswer, text);
  if (!answer.ok) throw new Error(answer.message);
  return { ...answer.value, bytes: text.length + JSON.stringify(whole).length };
}

/** Reconciles a copy of the domain with the server as it is. */
async function reconcile(here: World, copy: readonly Row[], upTo: number) {
  const asking = new Reconciliation(
    hash,
    ReconcileItems.of(copy.filter(({ deleted }) => !deleted).map(itemOf)),
  );
  let bytes = 0;
  let rounds = 0;
  const send = async (frame: Uint8Array, keys?: readonly string[]) => {
    rounds += 1;
    const answer = await ask(here, { upTo, frame: toBase64Url(frame), ...(keys ? { keys } : {}) });
    bytes += answer.bytes;
    return answer;
  };
  for (let frame = asking.next(); frame; frame = asking.next())
    expect(asking.take(fromBase64Url((await send(frame)).frame) as Uint8Array)).toBeUndefined();
  const rows = new Map<string, Row>();
  const wanting = asking.want(limits.maxReconcileRows);
  if (wanting) for (const row of (await send(wanting)).rows) rows.set(row.key, row);
  const have = asking.have.map(({ id }) => id);
  if (have.length > 0) for (const row of (await send(new Uint8Array(0), have)).rows) rows.set(row.key, row);
  return { have: have.sort(), rows, bytes, rounds };
}

const readAll = async ({ engine, space }: World): Promise<{ rows: Row[]; head: number }> => {
  const page = await engine.rows(ann, { space, domain: "project", limit: 10_000 });
  return { rows: page.rows.map((text) => JSON.parse(text) as Row), head: page.head };
};

async function filled(count: number, here?: World): Promise<{ here: World; device: TestDevice }> {
  const place = here ?? (await world());
  const device = new TestDevice(place);
  for (let n = 0; n < count; n += 500)
    await device.send(
      Array.from({ length: Math.min(500, count - n) }, (_, i) =>
        device.event([create(`p${n + i}`, { name: `Å "${n + i}"`, stamps: { a: 1 } })]),
      ),
    );
  return { here: place, device };
}

describe("rule 10: POST /v1/reconcile", () => {
  test("a copy that is equal: one round, 0.5 kB with all that is around the frames", async () => {
    const { here } = await filled(3_000);
    const { rows, head } = await readAll(here);
    expect(await reconcile(here, rows, head)).toMatchObject({ have: [], rounds: 1 });
    expect((await reconcile(here, rows, head)).bytes).toBeLessThanOrEqual(500);
  });

  test("finds what a copy lacks, has too much, and has with another content, and sends exactly those rows", async () => {
    const { here, device } = await filled(2_000);
    await device.write([remove("p7"), remove("p1900")]);
    const { rows, head } = await readAll(here);
    const damaged = rows
      .filter(({ key }) => key !== "p3" && key !== "p1999")
      .map((row) => (row.key === "p1500" && !row.deleted ? { ...row, fields: { name: "another" } } : row))
      .concat({ ...(rows[0] as Row), key: "ghost" });
    const found = await reconcile(here, damaged, head);
    expect(found.have).toEqual(["ghost", "p1500"]);
    expect([...found.rows.keys()].sort()).toEqual(["p1500", "p1999", "p3"]);
    for (const row of found.rows.values()) expect(rows).toContainEqual(row);
    // A delete that the copy has missed: the row that it still has is answered with its tombstone.
    const alive = rows.map((row) =>
      row.key === "p7" ? { ...(rows[5] as Row), key: "p7", version: 8 } : row,
    );
    expect((await reconcile(here, alive, head)).rows.get("p7")).toMatchObject({ deleted: true });
  });

  test("what is written between the rounds is no difference, and the index goes on from where it was", async () => {
    const { here, device } = await filled(300);
    const { rows, head } = await readAll(here);
    await reconcile(here, rows, head);
    await device.write([create("new")]);
    await device.write([update("p5", { name: "moved" }), remove("p6")]);
    const found = await reconcile(here, rows, head);
    // Rows that have moved on look as if the server had lost them; it says where they are by now.
    expect(found.have).toEqual(["p5", "p6"]);
    expect([...found.rows.values()].map(({ version }) => version > head)).toEqual([true, true]);
    const now = await readAll(here);
    expect(await reconcile(here, now.rows, now.head)).toMatchObject({ have: [], rounds: 1 });
  });

  test("deletes that were cleared away do not stay in the index", async () => {
    const { here, device } = await filled(50);
    const before = await readAll(here);
    await reconcile(here, before.rows, before.head);
    await device.write([remove("p9")]);
    const { head, rows } = await readAll(here);
    await here.storage.write(here.space, async (transaction) => {
      await transaction.open("server", "ann");
      await transaction.pruneTombstones("project", head);
    });
    expect(await reconcile(here, rows, head)).toMatchObject({ have: [], rounds: 1 });
  });

  test("rows beyond what an answer may hold are said to be left over", async () => {
    const here = await world({ limits: { maxPageBytes: 2_000 } });
    await filled(200, here);
    const { head } = await readAll(here);
    const keys = Array.from({ length: 200 }, (_, n) => `p${n}`);
    const first = await ask(here, { upTo: head, keys });
    expect(first.more).toBe(true);
    const came = new Set(first.rows.map(({ key }) => key));
    expect(came.size).toBeGreaterThan(0);
    expect(came.size).toBeLessThan(200);
  });

  test("another generation, and a head that is behind: the answer says so and nothing else", async () => {
    const { here } = await filled(10);
    const empty = { frame: "", rows: [], generation: here.generation, head: 10 };
    expect(await ask(here, { generation: "other", upTo: 10, keys: ["p1"] })).toMatchObject(empty);
    expect(await ask(here, { upTo: 11, keys: ["p1"] })).toMatchObject(empty);
  });

  test("§13: who is no member, or no longer, gets what one gets of a space that does not exist", async () => {
    const { here } = await filled(10);
    await addMember(here, "bob", "reader");
    expect((await ask(here, { upTo: 10, keys: ["p1"] }, { id: "bob" })).rows).toHaveLength(1);
    await here.engine.removeMember(ann, here.space, "bob");
    const refusal = async (user: string, request: Partial<ReconcileRequest>) =>
      ask(here, request, { id: user }).then(
        () => "answered",
        (error: unknown) => JSON.stringify([error, (error as Error).message]),
      );
    const nowhere = await refusal("eve", { space: "nowhere" });
    expect(nowhere).toContain("not_found");
    expect(await refusal("bob", { upTo: 10, keys: ["p1"] })).toBe(nowhere);
    expect(await refusal("eve", { upTo: 10, keys: ["p1"] })).toBe(nowhere);
    expect(await refusal("eve", { frame: "AB" })).toBe(nowhere);
    expect(await refusal("eve", { generation: "other" })).toBe(nowhere);
  });

  test("a frame that cannot be read is refused", async () => {
    const { here } = await filled(1);
    for (const frame of ["A", "AAQ", "____"])
      await expect(ask(here, { frame })).rejects.toMatchObject({ code: "invalid_request" });
  });

  test("rows of an older schema are brought over before they are compared", async () => {
    const storage = sqlite(":memory:");
    const fields = z.object({ name: z.string().optional(), n: z.number().optional() });
    const at = (version: number) =>
      defineSchema({
        version,
        domains: { project: records({ fields }) },
        ...(version > 1 ? { migrations: { 2: { domains: { project: { map: { name: () => "b" } } } } } } : {}),
      });
    const here = await world({ storage, schema: at(1) });
    const device = new TestDevice(here);
    await device.write({ schema: 1, ops: [create("p1", { name: "a" })] });
    const { createEngine } = await import("../engine.js");
    const later = { ...here, engine: createEngine({ storage, schema: at(2) }) };
    await ask(later, { upTo: 1 });
    const { rows, head } = await readAll(later);
    expect(rows).toMatchObject([{ fields: { name: "b" } }]);
    expect(await reconcile(later, rows, head)).toMatchObject({ have: [], rounds: 1 });
  });

  test("§13: whoever names domains without end makes the server keep no end of indexes", async () => {
    const waiting = new Set<object>();
    const after = (): (() => void) => {
      const timer = {};
      waiting.add(timer);
      return () => void waiting.delete(timer);
    };
    const here = await world({ timers: { after } });
    for (let i = 0; i < 1_200; i++) await ask(here, { domain: `d${i}` });
    expect(waiting.size).toBeGreaterThan(500);
    expect(waiting.size).toBeLessThanOrEqual(1_000);
  });
});
