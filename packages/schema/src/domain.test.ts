import type { StandardSchemaV1 } from "@standard-schema/spec";
import { mergeRecord } from "@landfall/protocol";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { counter, defineSchema, describeIssues, records, set } from "./index.js";

const { task, vote, free } = defineSchema({
  version: 1,
  domains: {
    task: records({
      fields: z
        .object({
          name: z.string().trim().min(1),
          done: z.boolean().default(false),
          note: z.string().optional(),
          from: z.number().optional(),
          to: z.number().optional(),
        })
        .refine(({ from = 0, to = 0 }) => from <= to, { message: "ends before it starts", path: ["to"] }),
    }),
    vote: records({
      fields: z.object({ title: z.string(), count: z.number().max(10), tags: z.array(z.string()) }),
      merge: { count: counter(), tags: set() },
    }),
    free: records({ fields: z.looseObject({}) }),
  },
}).domains;

const issue = (path: readonly (string | number)[], message: string): object => ({
  ok: false,
  issues: [{ path, message: expect.stringContaining(message) as string }],
});

describe("validate: a whole record", () => {
  it("fills defaults and normalises", () => {
    expect(task.validate({ name: " a " })).toEqual({ ok: true, value: { name: "a", done: false } });
  });

  it("says where and what is wrong", () => {
    const result = task.validate({ name: 1 });
    expect(result).toMatchObject({ ok: false, issues: [{ path: ["name"] }] });
    expect(task.validate({ name: "a", from: 2, to: 1 })).toEqual(issue(["to"], "ends before it starts"));
    expect(
      describeIssues([
        { path: ["a", 0], message: "no" },
        { path: [], message: "bad" },
      ]),
    ).toBe("a.0: no; bad");
  });

  it("refuses fields that the domain does not have, instead of dropping them", () => {
    expect(task.validate({ name: "a", nam: "b" })).toEqual(issue(["nam"], "no such field"));
  });

  it("leaves out what is undefined", () => {
    expect(task.validate({ name: "a", note: undefined })).toEqual({
      ok: true,
      value: { name: "a", done: false },
    });
  });

  it.each([null, undefined, 1, "x", [], true])("%s is no record", (input) => {
    expect(task.validate(input)).toEqual(issue([], "an object of fields"));
  });

  it("leaves out, in silence, an old field that nobody touched", () => {
    expect(task.validate({ name: "a", done: true, old: 1 }, ["name"])).toEqual({
      ok: true,
      value: { name: "a", done: true },
    });
    expect(task.validate({ name: "a", old: 1 }, ["old"])).toEqual(issue(["old"], "no such field"));
  });

  it("keeps no negative zero, which JSON would bend", () => {
    const result = free.validate({ n: -0 });
    expect(result.ok && Object.is(result.value["n"], 0)).toBe(true);
  });

  it("keeps nothing of the app's objects", () => {
    const inner = { list: [1] };
    const result = free.validate({ inner });
    inner.list.push(2);
    expect(result).toEqual({ ok: true, value: { inner: { list: [1] } } });
  });

  it.each([
    ["a date", { at: new Date(0) }, ["at"], "[object Date]"],
    ["NaN", { n: Number.NaN }, ["n"], "NaN is not JSON"],
    ["infinity", { n: [1, Number.POSITIVE_INFINITY] }, ["n", 1], "Infinity"],
    ["a bigint", { n: 1n }, ["n"], "bigint"],
    ["a function", { f: { g: () => 1 } }, ["f", "g"], "function"],
    ["a hole", { l: [undefined] }, ["l", 0], "undefined"],
    ["a map", { m: new Map() }, ["m"], "[object Map]"],
    ["half a pair", { s: "\ud800" }, ["s"], "surrogate"],
    ["half a pair in a name", { s: { "\udc00": 1 } }, ["s", "\udc00"], "name"],
    ["a prototype's name", { s: JSON.parse('{"__proto__":{"x":1}}') as unknown }, ["s", "__proto__"], "name"],
    ["a field called constructor", { constructor: 1 }, ["constructor"], "field name"],
    ["a field with a space", { "a b": 1 }, ["a b"], "field name"],
    ["a field called key", { key: "k" }, ["key"], "shows its own key"],
  ])("refuses %s, which the wire could not carry", (_, input, path, message) => {
    expect(free.validate(input)).toEqual(issue(path, message));
  });

  it("bounds depth and the number of fields", () => {
    const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
    expect(free.validate({ deep: nested(32) }).ok).toBe(true);
    expect(free.validate({ deep: nested(33) })).toMatchObject({ ok: false });
    const loop: unknown[] = [];
    loop.push(loop, loop);
    expect(free.validate({ loop })).toMatchObject({ ok: false });
    const many = (count: number): object =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, i]));
    expect(free.validate(many(256)).ok).toBe(true);
    expect(free.validate(many(257))).toEqual(issue([], "at most 256 fields"));
  });

  it("is total, and what it accepts is JSON that validates again to itself", () => {
    fc.assert(
      fc.property(fc.anything(), (input) => {
        const result = free.validate(input);
        if (!result.ok) return;
        expect(JSON.parse(JSON.stringify(result.value))).toEqual(result.value);
        expect(free.validate(result.value)).toEqual(result);
      }),
    );
  });
});

describe("validate: counters and sets", () => {
  it("an absent counter is 0, an absent set is empty", () => {
    expect(vote.validate({ title: "t" })).toEqual({ ok: true, value: { title: "t", count: 0, tags: [] } });
    expect(vote.complete({ title: "t", count: 3 })).toEqual({ title: "t", count: 3, tags: [] });
    const whole = { title: "t", count: 1, tags: [] };
    expect(vote.complete(whole)).toBe(whole);
  });

  it("a set has each member once", () => {
    expect(vote.validate({ title: "t", tags: ["b", "a", "b"] })).toMatchObject({
      value: { tags: ["b", "a"] },
    });
  });

  it.each([
    ["count", "1", "finite number"],
    ["count", null, "finite number"],
    ["count", Number.NaN, "finite number"],
    ["count", 11, ""],
    ["tags", "a", "list of strings"],
    ["tags", [null], "list of strings"],
    ["tags", [["a"]], "list of strings"],
    ["tags", { 0: "a" }, "list of strings"],
  ])("%s cannot be %j", (field, value, message) => {
    expect(vote.validate({ title: "t", [field]: value })).toEqual(issue([field], message));
  });

  it("what is valid here is what protocol merges", () => {
    const checked = vote.validate({ title: "t", count: 2, tags: ["b", "a", "b"] });
    if (!checked.ok) throw new Error("valid");
    const stamp = "01900000-0000-7000-8000-000000000000";
    const merged = mergeRecord(
      undefined,
      { op: "create", domain: "vote", key: "v", set: checked.value },
      stamp,
      vote.fieldKind,
    );
    expect(merged).toMatchObject({ ok: true, state: { fields: { title: "t", count: 2, tags: ["a", "b"] } } });
  });
});

describe("validatePatch: an update over the record as it is", () => {
  const current = { name: "a", done: true, note: "n", from: 3, to: 5 };

  it("gives the fields to set as validated", () => {
    expect(task.validatePatch(current, { set: { name: " b " }, unset: ["note"] })).toEqual({
      ok: true,
      set: { name: "b" },
    });
    expect(task.validatePatch(current, { set: { done: true } })).toEqual({ ok: true, set: { done: true } });
    expect(task.validatePatch(current, {})).toEqual({ ok: true, set: {} });
  });

  it("does not write defaults that the patch does not name", () => {
    expect(task.validatePatch({ name: "a" }, { set: { note: "x" } })).toEqual({
      ok: true,
      set: { note: "x" },
    });
  });

  it("holds the fields against each other", () => {
    expect(task.validatePatch(current, { set: { to: 2 } })).toEqual(issue(["to"], "ends before it starts"));
    expect(task.validatePatch(current, { unset: ["name"] })).toMatchObject({
      ok: false,
      issues: [{ path: ["name"] }],
    });
  });

  it("refuses what neither keeps nor clears, or both", () => {
    expect(task.validatePatch(current, { set: { note: undefined } })).toEqual(
      issue(["note"], "name it in unset"),
    );
    expect(task.validatePatch(current, { set: { note: "x" }, unset: ["note"] })).toEqual(
      issue(["note"], "either set or unset"),
    );
    expect(task.validatePatch(current, { unset: ["done"] })).toEqual(issue(["done"], "has a default"));
    expect(task.validatePatch(current, { set: { nam: "x" } })).toEqual(issue(["nam"], "no such field"));
  });

  it("§5.2: leaves alone what a newer version of the app has put there, where it is given as it is", () => {
    const where = { x: 1 };
    const newer = { ...current, mood: "good", where };
    expect(task.validatePatch(newer, { set: { ...structuredClone(newer), name: "b" } })).toEqual({
      ok: true,
      set: { ...current, name: "b" },
    });
    expect(task.validatePatch(newer, { set: { mood: "bad" } })).toEqual(issue(["mood"], "no such field"));
    expect(task.validatePatch(current, { set: { mood: "good" } })).toEqual(issue(["mood"], "no such field"));
    expect(task.validatePut({ ...newer, name: "b" }, newer)).toEqual({
      ok: true,
      set: { ...current, name: "b" },
    });
    expect(task.validatePut({ ...newer, mood: "bad" }, newer)).toEqual(issue(["mood"], "no such field"));
    expect(task.validatePut(newer)).toMatchObject({ ok: false });
  });

  it("leaves counters and sets to their own ops", () => {
    const standing = { title: "t", count: 1, tags: ["a"] };
    expect(vote.validatePatch(standing, { set: { count: 2 } })).toEqual(
      issue(["count"], "change it with increment"),
    );
    expect(vote.validatePatch(standing, { unset: ["tags"] })).toEqual(
      issue(["tags"], "change it with add and remove"),
    );
    expect(vote.validatePatch({ title: "t" }, { set: { title: "u" } })).toMatchObject({
      ok: true,
      set: { title: "u" },
    });
  });
});

describe("validatePut: a record that may be there already", () => {
  it("sets all but counters and sets", () => {
    expect(vote.validatePut({ title: "t" })).toEqual({ ok: true, set: { title: "t" } });
    expect(vote.validatePut({ title: "t", count: 1 })).toEqual(issue(["count"], "put leaves it alone"));
    expect(task.validatePut({ name: "a" })).toMatchObject({ ok: true, set: { name: "a", done: false } });
    expect(task.validatePut({})).toMatchObject({ ok: false, issues: [{ path: ["name"] }] });
    expect(task.validatePut(null)).toMatchObject({ ok: false });
  });
});

describe("any Standard Schema validator will do", () => {
  type Validate = StandardSchemaV1<{ a: string }>["~standard"]["validate"];
  const made = (validate: Validate): unknown => {
    const fields: StandardSchemaV1<{ a: string }> = { "~standard": { version: 1, vendor: "test", validate } };
    return defineSchema({ version: 1, domains: { d: records({ fields }) } }).domains.d.validate({ a: "x" });
  };

  it("its output is what counts", () => {
    expect(made((value) => ({ value: value as { a: string } }))).toEqual({ ok: true, value: { a: "x" } });
    expect(made(() => ({ value: "x" as never }))).toEqual(issue([], "not an object of fields"));
  });

  it("paths in either form are read", () => {
    expect(made(() => ({ issues: [{ message: "m", path: [{ key: "a" }, 0, Symbol.for("s")] }] }))).toEqual(
      issue(["a", 0, "Symbol(s)"], "m"),
    );
  });

  it("one that throws is an issue", () => {
    expect(
      made(() => {
        throw new Error("boom");
      }),
    ).toEqual(issue([], "The validator failed: Error: boom"));
  });

  it("one that answers later is an issue, and its rejection ends nothing", () => {
    expect(
      made(async () => {
        throw new Error("late");
      }),
    ).toEqual(issue([], "asynchronous"));
    const slow = defineSchema({
      version: 1,
      domains: { d: records({ fields: z.object({ a: z.string().refine(async () => true) }) }) },
    });
    expect(slow.domains.d.validate({ a: "x" })).toEqual(issue([], "asynchronous"));
  });
});
