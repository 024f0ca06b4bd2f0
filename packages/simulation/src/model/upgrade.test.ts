import type { Json, Op, RecordRow } from "@landfall/protocol";
import { migrateAction, migrateFieldName, migrateOps, migrateRecord } from "@landfall/schema";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stampOf } from "../history.fixture.js";
import { schemas } from "../schema.js";
import { fromWire, stampsOf, type LiveRow } from "./model-row.js";
import { plainMigration } from "./plain-migration.js";
import { Upgrade } from "./upgrade.js";

const fields = {
  note: fc.record(
    { title: fc.string(), body: fc.string(), votes: fc.nat(9), marks: fc.subarray(["a", "b", "c"]) },
    { requiredKeys: [] },
  ),
  folder: fc.record(
    { name: fc.constantFrom("box", "box 3", "a b c"), color: fc.string() },
    { requiredKeys: [] },
  ),
  task: fc.record({ folder: fc.string(), number: fc.nat(9), done: fc.boolean() }, { requiredKeys: [] }),
  purse: fc.record({ coins: fc.nat(99) }, { requiredKeys: [] }),
};
type Domain = keyof typeof fields;
const domains = Object.keys(fields) as Domain[];
const stamp = fc.integer({ min: 1, max: 99 }).map((ms) => stampOf(ms, 1));
const setOf = (domain: Domain) => fields[domain] as unknown as fc.Arbitrary<RecordRow["fields"]>;

const op = fc.constantFrom(...domains).chain((domain): fc.Arbitrary<Op> => {
  const on = { domain, key: "k" };
  return fc
    .oneof(
      fc.record({ op: fc.constantFrom("create", "put", "restore"), set: setOf(domain) }),
      fc
        .record({
          op: fc.constant("update"),
          set: setOf(domain),
          unset: fc.subarray(["body", "color", "name"]),
        })
        // No op does both with a field.
        .map((update) => ({
          ...update,
          unset: update.unset.filter((field) => !Object.hasOwn(update.set, field)),
        })),
      fc.record({
        op: fc.constant("offer"),
        set: setOf(domain),
        stamps: fc.record(
          { "*": stamp, body: stamp, coins: stamp, color: stamp, name: stamp },
          { requiredKeys: ["*"] },
        ),
      }),
      fc.constantFrom(
        { op: "increment", by: { votes: 2 } },
        { op: "add", values: { marks: ["a"] } },
        { op: "delete" },
        { op: "offer", deletedAt: 3 },
      ),
    )
    .map((rest) => ({ ...rest, ...on }));
});

describe("the model's migration", () => {
  const upgrade = new Upgrade(plainMigration);
  const second = schemas[2];

  it("agrees with the product's on ops", () => {
    fc.assert(
      fc.property(fc.array(op, { maxLength: 3 }), (ops) => {
        const now = ops.flatMap((one) => upgrade.op(one) ?? []);
        expect(migrateOps(second, 1, ops)).toEqual({ ok: true, value: now });
      }),
    );
  });

  it("agrees with it on records, and leaves one that does not change the same", () => {
    const record = fc.constantFrom(...domains).chain((domain) =>
      fc.record({
        domain: fc.constant(domain),
        fields: setOf(domain),
        stamps: fc.record(
          { "*": stamp, body: stamp, coins: stamp, done: stamp, name: stamp },
          { requiredKeys: ["*"] },
        ),
      }),
    );
    fc.assert(
      fc.property(record, (made) => {
        const row = fromWire({ ...made, key: "k", version: 1, modifiedAt: 1 }) as LiveRow;
        const now = upgrade.row(row);
        const value = { fields: now.fields, stamps: stampsOf(now) };
        expect(migrateRecord(second, 1, made.domain, made as unknown as RecordRow)).toEqual({
          ok: true,
          value,
        });
        const old = { fields: row.fields, stamps: stampsOf(row) };
        expect(now === row).toBe(JSON.stringify(sorted(value)) === JSON.stringify(sorted(old)));
      }),
    );
  });

  it("agrees with it on names and calls", () => {
    for (const [domain, field] of [
      ["note", "body"],
      ["note", "title"],
      ["folder", "color"],
      ["folder", "name"],
      ["purse", "coins"],
      ["task", "done"],
      ["draft", "text"],
    ] as const)
      expect(migrateFieldName(second, 1, domain, field)).toEqual({
        ok: true,
        value: plainMigration.nameOf(domain, field),
      });
    const calls: readonly { readonly action: string; readonly args: Json }[] = [
      { action: "pay", args: { from: "a", to: "b", coins: 3 } },
      { action: "revive", args: { key: "n", title: "t" } },
    ];
    for (const call of calls)
      expect(migrateAction(second, 1, call)).toEqual({
        ok: true,
        value: plainMigration.call(call.action, call.args),
      });
  });
});

/** The same members in one order. */
const sorted = ({ fields: of, stamps }: { readonly fields: object; readonly stamps: object }) =>
  [of, stamps].map((members) => Object.entries(members).toSorted(([a], [b]) => (a < b ? -1 : 1)));
