import type { Fields, Json, Op, Stamps } from "@landfall/protocol";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  type FieldChanges,
  type Migrations,
  type Schema,
  defineSchema,
  migrateAction,
  migrateFieldName,
  migrateFields,
  migrateOps,
  migrateRecord,
  readableFrom,
  records,
} from "./index.js";

const define = (version: number, migrations: Migrations<"task">): Schema =>
  defineSchema({ version, domains: { task: records({ fields: z.looseObject({}) }) }, migrations });
const on = { domain: "task", key: "k" } as const;
const double = (value: Json): Json => (value as number) * 2;

/** Version 3 changed nothing by itself. */
const schema = define(4, {
  2: {
    domains: { task: { rename: { title: "name", a: "b", b: "a" }, drop: ["x"], add: { status: "open" } } },
  },
  4: {
    domains: {
      task: {
        rename: { name: "label" },
        map: { size: double, tags: (tags) => (tags as string[]).map((tag) => tag.toLowerCase()) },
      },
    },
    actions: { close: (args) => ({ action: "finish", args: { ids: [(args as { id: string }).id] } }) },
  },
});
const value = <T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string },
): T => {
  if (!result.ok) throw new Error(result.message);
  return result.value;
};
const ops = (from: number, ...list: Op[]): readonly Op[] => value(migrateOps(schema, from, list));

describe("migrateFields: whole records", () => {
  it("runs every version in between, and only those", () => {
    const old = { title: "t", a: 1, b: 2, x: 3, size: 4 };
    expect(value(migrateFields(schema, 1, "task", old))).toEqual({
      label: "t",
      a: 2,
      b: 1,
      size: 8,
      status: "open",
    });
    expect(value(migrateFields(schema, 2, "task", { name: "t", x: 3 }))).toEqual({ label: "t", x: 3 });
    expect(value(migrateFields(schema, 4, "task", old))).toBe(old);
    expect(old).toEqual({ title: "t", a: 1, b: 2, x: 3, size: 4 });
  });

  it("adds only what is absent", () => {
    expect(value(migrateFields(schema, 1, "task", { status: "done" }))).toEqual({ status: "done" });
  });

  it("a renamed field takes the place of one of its new name", () => {
    expect(value(migrateFields(schema, 1, "task", { name: "old", title: "t", status: "" }))).toMatchObject({
      label: "t",
    });
    expect(value(migrateFields(schema, 1, "task", { title: "t", name: "old", status: "" }))).toMatchObject({
      label: "t",
    });
  });

  it("leaves other domains alone, whatever their names", () => {
    for (const domain of ["other", "__proto__", "toString"])
      expect(value(migrateFields(schema, 1, domain, { title: "t" }))).toEqual({ title: "t" });
  });
});

describe("rule 8: the outbox is migrated, never dropped (DESIGN §5.2)", () => {
  it("creates, puts and restores are whole records", () => {
    for (const op of ["create", "put", "restore"] as const) {
      expect(ops(1, { op, ...on, set: { title: "t", x: 1 } })).toEqual([
        { op, ...on, set: { label: "t", status: "open" } },
      ]);
    }
  });

  it("updates keep to what they name", () => {
    expect(ops(1, { op: "update", ...on, set: { title: "t", size: 2 }, unset: ["a", "x", "note"] })).toEqual([
      { op: "update", ...on, set: { label: "t", size: 4 }, unset: ["b", "note"] },
    ]);
    expect(ops(1, { op: "update", ...on, unset: ["title"] })).toEqual([
      { op: "update", ...on, set: {}, unset: ["label"] },
    ]);
    expect(ops(1, { op: "update", ...on, set: { title: "t" } })).toEqual([
      { op: "update", ...on, set: { label: "t" }, unset: [] },
    ]);
  });

  it("increments and set changes move to the new names", () => {
    expect(ops(1, { op: "increment", ...on, by: { a: 1, size: 3, x: 9 } })).toEqual([
      { op: "increment", ...on, by: { b: 1, size: 3 } },
    ]);
    expect(ops(3, { op: "add", ...on, values: { tags: ["A"] } })).toEqual([
      { op: "add", ...on, values: { tags: ["a"] } },
    ]);
    expect(ops(3, { op: "remove", ...on, values: { tags: ["A"] } })).toEqual([
      { op: "remove", ...on, values: { tags: ["a"] } },
    ]);
  });

  it("an op that was only about dropped fields has nothing left to do", () => {
    expect(
      ops(
        1,
        { op: "update", ...on, set: { x: 1 }, unset: [] },
        { op: "increment", ...on, by: { x: 1 } },
        { op: "add", ...on, values: { x: ["y"] } },
      ),
    ).toEqual([]);
  });

  it("deletes, and ops of domains that are gone, stay as they are", () => {
    const kept: Op[] = [
      { op: "delete", ...on },
      { op: "deleteMany", domain: "task", keys: ["k"] },
      { op: "deleteMany", domain: "task", upTo: 3 },
      { op: "create", domain: "gone", key: "k", set: { title: "t" } },
    ];
    expect(ops(1, ...kept)).toEqual(kept);
  });

  it("updating and then migrating is migrating and then updating", () => {
    const name = fc.constantFrom("title", "name", "label", "a", "b", "x", "size", "status", "other");
    const fields = fc.dictionary(name, fc.integer(), { maxKeys: 6 });
    fc.assert(
      fc.property(fields, fields, fc.integer({ min: 1, max: 4 }), (record, set, from) => {
        const whole = value(migrateFields(schema, from, "task", { ...record, ...set }));
        const [op] = ops(from, { op: "update", ...on, set });
        const updated = {
          ...value(migrateFields(schema, from, "task", record)),
          ...(op?.op === "update" ? op.set : {}),
        };
        // A field whose name another took over is dropped from the update and kept nowhere: both ways agree on that too.
        expect(updated).toEqual(whole);
      }),
    );
  });
});

describe("functions, for what renaming cannot say", () => {
  const split = define(2, {
    2: {
      domains: {
        task: {
          rename: { fullName: "name" },
          fields: (old) => {
            const [first = "", last = ""] = (old["name"] as string).split(" ");
            delete old["name"];
            return { ...old, first, last };
          },
          update: ({ set: { name, ...rest }, unset }) => ({
            set: typeof name === "string" ? { ...rest, first: name.split(" ")[0] ?? "" } : rest,
            unset,
          }),
        },
      },
    },
  });

  it("one for whole records, one for updates, after the rest", () => {
    const old: Fields = { fullName: "Ann Lee", age: 3 };
    expect(value(migrateFields(split, 1, "task", old))).toEqual({ first: "Ann", last: "Lee", age: 3 });
    expect(old).toEqual({ fullName: "Ann Lee", age: 3 });
    expect(value(migrateOps(split, 1, [{ op: "update", ...on, set: { fullName: "Bo", age: 4 } }]))).toEqual([
      { op: "update", ...on, set: { first: "Bo", age: 4 }, unset: [] },
    ]);
  });
});

describe("a field that is split in two", () => {
  type Amount = { quantity?: number; unit?: string };
  const parse = (amount: Json): Amount => {
    const [quantity, unit] = String(amount).split(" ");
    return { quantity: Number(quantity), ...(unit !== undefined && { unit }) };
  };
  const apart = define(2, {
    2: {
      domains: {
        task: {
          rename: { size: "amount" },
          fields: ({ amount, ...rest }) => ({ ...rest, ...(amount !== undefined && parse(amount)) }),
          update: ({ set: { amount, ...rest }, unset }) => {
            if (amount === undefined)
              return {
                set: rest,
                unset: unset.flatMap((name) => (name === "amount" ? ["quantity", "unit"] : name)),
              };
            const parts = parse(amount);
            return {
              set: { ...rest, ...parts },
              unset: parts.unit === undefined ? [...unset, "unit"] : unset,
            };
          },
        },
      },
    },
  });
  const migrated = (fields: Fields, stamps: Stamps) =>
    value(migrateRecord(apart, 1, "task", { fields, stamps }));

  it("rule 8: an update that clears it clears what was made of it, and one that sets it may clear a part", () => {
    expect(value(migrateOps(apart, 1, [{ op: "update", ...on, unset: ["size", "note"] }]))).toEqual([
      { op: "update", ...on, set: {}, unset: ["quantity", "unit", "note"] },
    ]);
    expect(value(migrateOps(apart, 1, [{ op: "update", ...on, set: { size: "3", done: true } }]))).toEqual([
      { op: "update", ...on, set: { quantity: 3, done: true }, unset: ["unit"] },
    ]);
  });

  it("rule 6: what is made of a field was written when that was, so that the later write still wins", () => {
    expect(migrated({ size: "2 kg", note: "n" }, { "*": "s0", size: "s5", note: "s2" })).toEqual({
      fields: { quantity: 2, unit: "kg", note: "n" },
      stamps: { "*": "s0", quantity: "s5", unit: "s5", note: "s2" },
    });
    // Cleared, which is a write as well.
    expect(migrated({ note: "n" }, { "*": "s0", size: "s5" })).toEqual({
      fields: { note: "n" },
      stamps: { "*": "s0", quantity: "s5", unit: "s5" },
    });
    expect(migrated({ size: "2 kg" }, { "*": "s0" }).stamps).toEqual({ "*": "s0" });
  });

  it("rule 6: what is made of two fields was written when the later of them was", () => {
    const joined = define(2, {
      2: {
        domains: {
          task: {
            fields: ({ first, last, ...rest }) => ({ ...rest, name: [first, last].join(" ") }),
            update: ({ set: { first, last, ...rest }, unset }) => ({
              set:
                first === undefined && last === undefined ? rest : { ...rest, name: [first, last].join(" ") },
              unset,
            }),
          },
        },
      },
    });
    for (const stamps of [
      { "*": "s0", first: "s5", last: "s2" },
      { "*": "s0", last: "s5", first: "s2" },
    ])
      expect(
        value(migrateRecord(joined, 1, "task", { fields: { first: "Ann", last: "Lee" }, stamps })).stamps,
      ).toEqual({ "*": "s0", name: "s5" });
  });

  it("rule 8: what an update both sets and clears after two fields became one is set", () => {
    const joined = define(2, {
      2: {
        domains: {
          task: {
            fields: ({ first, last, ...rest }) => ({ ...rest, name: [first, last].join(" ") }),
            update: ({ set: { first, ...set }, unset }) => ({
              set: first === undefined ? set : { ...set, name: first },
              unset: unset.map((field) => (field === "last" ? "name" : field)),
            }),
          },
        },
      },
    });
    const op: Op = { op: "update", ...on, set: { first: "Ann" }, unset: ["last", "note"] };
    expect(value(migrateOps(joined, 1, [op]))).toEqual([{ ...op, set: { name: "Ann" }, unset: ["note"] }]);
  });

  it("rule 6: what an update fails to make of one field alone is as new as that where it is made of the whole", () => {
    const joined = define(2, {
      2: {
        domains: {
          task: {
            fields: ({ first, last, ...rest }) => ({ ...rest, name: [first, last].join(" ") }),
            update: ({ set: { first, last, ...rest }, unset }) => {
              if (first === undefined || last === undefined) throw new Error("Both are needed.");
              return { set: { ...rest, name: [first, last].join(" ") }, unset };
            },
          },
        },
      },
    });
    const fields = { first: "Ann", last: "Lee", note: "n" };
    const stamps = { "*": "s0", first: "s5", last: "s2", note: "s1" };
    expect(value(migrateRecord(joined, 1, "task", { fields, stamps }))).toEqual({
      fields: { name: "Ann Lee", note: "n" },
      stamps: { "*": "s0", name: "s5", note: "s1" },
    });
    const part = { fields: { first: "Ann" }, stamps };
    expect(migrateRecord(joined, 1, "task", part)).toMatchObject({ ok: false, reason: "failed" });
  });

  it("rule 12: a row that is offered back keeps its stamps in the same way", () => {
    const offer: Op = {
      op: "offer",
      ...on,
      set: { size: "2 kg" },
      stamps: { "*": "s0", size: "s5", note: "s3" },
    };
    expect(value(migrateOps(apart, 1, [offer]))).toEqual([
      {
        ...offer,
        set: { quantity: 2, unit: "kg" },
        stamps: { "*": "s0", quantity: "s5", unit: "s5", note: "s3" },
      },
    ]);
    const cleared: Op = { op: "offer", ...on, set: {}, stamps: { "*": "s0", size: "s5" } };
    expect(value(migrateOps(apart, 1, [cleared]))).toEqual([
      { ...cleared, stamps: { "*": "s0", quantity: "s5", unit: "s5" } },
    ]);
  });

  it("a function that gives the fields alone fails, and says what it has to give", () => {
    const failing = define(2, {
      2: { domains: { task: { fields: (old) => old, update: (({ set }: FieldChanges) => set) as never } } },
    });
    for (const set of [{}, { a: 1 }] as Fields[])
      expect(migrateOps(failing, 1, [{ op: "update", ...on, set, unset: ["b"] }])).toEqual({
        ok: false,
        reason: "failed",
        message: expect.stringContaining("update gives { set, unset }") as string,
      });
  });
});

describe("functions may change what they are given", () => {
  it("and what is stored stays as it was", () => {
    const push = (old: Record<string, Json>): Fields => {
      (old["list"] as Json[]).push(2);
      return old;
    };
    const update = ({ set, unset }: { set: Record<string, Json>; unset: string[] }): FieldChanges => {
      unset.push("note");
      return { set: push(set), unset };
    };
    const pushing = define(2, { 2: { domains: { task: { fields: push, update } } } });
    const stored = { list: [1] };
    expect(value(migrateFields(pushing, 1, "task", stored))).toEqual({ list: [1, 2] });
    expect(stored).toEqual({ list: [1] });
    const op: Op = { op: "update", ...on, set: stored, unset: ["a"] };
    expect(value(migrateOps(pushing, 1, [op]))).toEqual([
      { ...op, set: { list: [1, 2] }, unset: ["a", "note"] },
    ]);
    expect(op).toEqual({ op: "update", ...on, set: { list: [1] }, unset: ["a"] });
  });
});

describe("migrateAction", () => {
  it("renames calls and reshapes their arguments", () => {
    expect(value(migrateAction(schema, 1, { action: "close", args: { id: "p" } }))).toEqual({
      action: "finish",
      args: { ids: ["p"] },
    });
    expect(value(migrateAction(schema, 4, { action: "close", args: { id: "p" } }))).toEqual({
      action: "close",
      args: { id: "p" },
    });
    expect(value(migrateAction(schema, 1, { action: "toString", args: null }))).toEqual({
      action: "toString",
      args: null,
    });
  });
});

describe("migrateFieldName: stamps move with their fields", () => {
  it("follows renames to the end, or to the drop", () => {
    const names = ["title", "a", "x", "name", "other"].map((field) =>
      value(migrateFieldName(schema, 1, "task", field)),
    );
    expect(names).toEqual(["label", "b", undefined, undefined, "other"]);
    expect(value(migrateFieldName(schema, 3, "task", "name"))).toBe("label");
    expect(value(migrateFieldName(schema, 1, "other", "title"))).toBe("title");
  });
});

describe("migrateRecord: a stored record, stamps and all", () => {
  const stamps = { "*": "s0", title: "s1", x: "s2" };

  it("stamps follow their fields, to the new name or away; that of the record stays", () => {
    const migrated = value(
      migrateRecord(schema, 1, "task", { fields: { title: "t", x: 1, size: 2 }, stamps }),
    );
    expect(migrated).toEqual({
      fields: { label: "t", size: 4, status: "open" },
      stamps: { "*": "s0", label: "s1" },
    });
    expect(value(migrateRecord(schema, 4, "task", { fields: { x: 1 }, stamps }))).toEqual({
      fields: { x: 1 },
      stamps,
    });
  });

  /** Version 2 splits a name, in records and in updates alike. */
  const split = (fields: Record<string, Json>): Fields => {
    const { name, ...rest } = fields;
    if (typeof name !== "string") return rest;
    const [first = "", last = ""] = name.split(" ");
    return { ...rest, first, last };
  };
  const splitting = define(2, {
    2: {
      domains: {
        task: { add: { size: 1 }, fields: split, update: ({ set, unset }) => ({ set: split(set), unset }) },
      },
    },
  });

  it("a field that a function made is as new as what is gone for it (rule 6)", () => {
    const record = {
      fields: { name: "Ada Byron", done: true },
      stamps: { "*": "s0", name: "s2", done: "s1" },
    };
    expect(value(migrateRecord(splitting, 1, "task", record))).toEqual({
      fields: { first: "Ada", last: "Byron", done: true, size: 1 },
      stamps: { "*": "s0", first: "s2", last: "s2", done: "s1" },
    });
  });

  it("a field that a function made is as old as the record where what is gone was never written again", () => {
    const record = { fields: { name: "Ada Byron" }, stamps: { "*": "s0", done: "s1" } };
    expect(value(migrateRecord(splitting, 1, "task", record)).stamps).toEqual({ "*": "s0", done: "s1" });
  });

  it("a function that leaves all fields where they are leaves their stamps", () => {
    const same = (fields: Fields): Fields => ({ ...fields, shout: "!" });
    const update = (changes: FieldChanges): FieldChanges => changes;
    const adding = define(2, { 2: { domains: { task: { fields: same, update } } } });
    expect(value(migrateRecord(adding, 1, "task", { fields: { title: "t" }, stamps })).stamps).toEqual(
      stamps,
    );
  });

  it("a row that is offered back is split with its stamps", () => {
    const offer = {
      op: "offer",
      ...on,
      version: 3,
      set: { name: "Ada Byron" },
      stamps: { "*": "s0", name: "s2" },
    };
    expect(value(migrateOps(splitting, 1, [offer as Op]))).toEqual([
      { ...offer, set: { first: "Ada", last: "Byron" }, stamps: { "*": "s0", first: "s2", last: "s2" } },
    ]);
  });

  it("fails where its fields cannot be brought over", () => {
    const broken = { fields: { tags: 7 }, stamps };
    expect(migrateRecord(schema, 3, "task", broken)).toMatchObject({ ok: false, reason: "failed" });
  });
});

describe("readableFrom: which older apps read the rows as they are", () => {
  const from = (...migrations: Migrations<"task">[number][]): number =>
    readableFrom(
      define(migrations.length + 1, Object.fromEntries(migrations.map((each, i) => [i + 2, each]))),
    );
  const add = { domains: { task: { add: { a: 1 } } } };
  const nothing = { domains: { task: { drop: [], rename: {}, map: {} } } };

  it("those since which fields were only added, whatever became of the calls of actions", () => {
    expect(from()).toBe(1);
    expect(from(add, nothing, { actions: { a: (args) => ({ action: "b", args }) } }, add)).toBe(1);
    expect(readableFrom(define(4, {}))).toBe(1);
  });

  it("none from before a rename, a drop, a map or a function", () => {
    const same = (fields: Fields): Fields => fields;
    for (const change of [
      { drop: ["a"] },
      { rename: { a: "b" } },
      { map: { a: double } },
      { fields: same, update: (changes: FieldChanges) => changes },
    ]) {
      expect(from({ domains: { task: change } })).toBe(2);
      expect(from(add, { domains: { task: change } }, add)).toBe(3);
    }
  });
});

describe("migrations are total", () => {
  it("what was made under a later version waits for an update", () => {
    expect(migrateOps(schema, 5, [])).toEqual({
      ok: false,
      reason: "newer",
      message: "Made under schema version 5; this side has 4. Update it.",
    });
    expect(migrateFields(schema, Number.NaN, "task", {})).toMatchObject({ reason: "newer" });
    expect(migrateOps(schema, 0, []).ok).toBe(true);
  });

  const broken: readonly (readonly [string, unknown, string])[] = [
    [
      "throws",
      () => {
        throw new Error("boom");
      },
      "boom",
    ],
    ["gives nothing", () => undefined, "not JSON"],
    ["gives a list", () => [], "object of fields"],
    ["gives a date", () => ({ at: new Date(0) }), "at: [object Date]"],
    ["gives a field that cannot be", () => ({ "a b": 1 }), '"a b" cannot be the name of a field'],
  ];
  it.each(broken)("a function that %s is a failure with a reason", (_, change, message) => {
    const fn = change as () => Fields;
    const update = ({ unset }: FieldChanges): FieldChanges => ({ set: fn(), unset });
    const failing = define(2, {
      2: { domains: { task: { fields: fn, update } }, actions: { close: fn as never } },
    });
    const failed = { ok: false, reason: "failed", message: expect.stringContaining(message) as string };
    expect(migrateFields(failing, 1, "task", {})).toEqual(failed);
    expect(migrateOps(failing, 1, [{ op: "put", ...on, set: { a: 1 } }])).toEqual(failed);
    expect(migrateOps(failing, 1, [{ op: "update", ...on, set: { a: 1 } }])).toMatchObject({
      ok: false,
      reason: "failed",
    });
    expect(migrateAction(failing, 1, { action: "close", args: {} })).toMatchObject({
      ok: false,
      reason: "failed",
    });
  });

  it("a map that fails, or gives what is not JSON, is a failure", () => {
    for (const map of [
      () => {
        throw new Error("boom");
      },
      () => Number.NaN,
    ]) {
      const failing = define(2, { 2: { domains: { task: { map: { a: map } } } } });
      expect(migrateFields(failing, 1, "task", { a: 1 })).toMatchObject({ ok: false, reason: "failed" });
      expect(migrateFields(failing, 1, "task", { b: 1 })).toEqual({ ok: true, value: { b: 1 } });
    }
  });
});
