import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decode } from "./decode.js";
import { rowDecoder } from "./exchange-answer.js";
import * as limits from "./limits.js";
import { isPlainRecord } from "./row-check.js";

const stamp = "018f0000-0000-7000-8000-000000000001";
const good = {
  domain: "point",
  key: "k1",
  version: 7,
  modifiedAt: 0,
  fields: { title: "é", note: "😀", count: -0.5, done: null, open: true, tags: ["a", { b: [1] }] },
  stamps: { "*": stamp, title: stamp },
};

let deep: unknown = 0;
for (let level = 0; level <= limits.maxDepth; level++) deep = [deep];

const oddNames = fc.constantFrom(
  ...["", ".", "..", "a b", "é", "*", "__proto__", "constructor", "prototype", "toString", "type", "deleted"],
  "n".repeat(128),
  "n".repeat(129),
);
const odd = fc.oneof(
  fc.constantFrom<unknown>(
    ...[null, undefined, true, 0, -0, -1, 0.5, 1, 2 ** 53, Infinity, Number.NaN, "\ud800", stamp],
    stamp.toUpperCase(),
    stamp.replace("-7", "-4"),
    deep,
    {},
    [],
    { "*": stamp },
    { "*": 1 },
    JSON.parse('{"__proto__":{}}'),
    JSON.parse('{"a":{"constructor":1}}'),
    Object.fromEntries(Array.from({ length: limits.maxFields }, (_, i) => [`f${i}`, i])),
    Object.fromEntries(Array.from({ length: limits.maxFields + 1 }, (_, i) => [`f${i}`, stamp])),
    Object.fromEntries(Array.from({ length: limits.maxFields + 1 }, (_, i) => [i ? `f${i}` : "*", stamp])),
    Object.fromEntries(Array.from({ length: limits.maxFields + 2 }, (_, i) => [i ? `f${i}` : "*", stamp])),
  ),
  fc.jsonValue({ maxDepth: 3 }),
  oddNames,
);

/** What is put where: a member of the row, or of its fields or stamps; or a member taken away. */
const change = fc.record({
  part: fc.constantFrom("row", "fields", "stamps"),
  name: fc.oneof(fc.constantFrom("*", "title", ...Object.keys(good)), oddNames),
  value: odd,
  gone: fc.boolean(),
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

function changed(changes: readonly Change[]): object {
  const row = structuredClone(good) as Record<string, unknown>;
  for (const { part, name, value, gone } of changes) {
    const target = part === "row" ? row : row[part];
    if (!isObject(target)) continue;
    if (gone) Reflect.deleteProperty(target, name);
    else Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
  }
  return row;
}

describe("the check of plain records", () => {
  it("says yes to exactly what the declared decoder accepts with no member beside, and errors are the decoder's", () => {
    const seen = { plain: 0, refused: 0 };
    fc.assert(
      fc.property(fc.array(change, { maxLength: 3 }), (changes) => {
        const row = changed(changes);
        const isPlain = isPlainRecord(row);
        // A member that a newer server might add has the decoder look at each member for itself.
        const declared = decode(rowDecoder, { ...row, later: null });
        const members = Object.keys(row).every((name) => Object.hasOwn(good, name));
        expect(isPlain).toBe(declared.ok && members && !("deleted" in row));
        const read = decode(rowDecoder, row);
        if (read.ok) expect(read.value).toBe(row);
        else expect(read).toEqual(declared);
        seen[isPlain ? "plain" : "refused"] += 1;
      }),
      { numRuns: 5_000 },
    );
    expect(seen.plain).toBeGreaterThan(500);
    expect(seen.refused).toBeGreaterThan(1_000);
  });

  it.each([undefined, null, 0, "row", [], [good], new Map()])("%s is no record", (value) => {
    expect(isPlainRecord(value)).toBe(false);
  });

  it("says the same of a name after it has seen more names than it keeps", () => {
    const named = (name: string): object => ({ ...good, fields: { [name]: 1 } });
    for (let i = 0; i < 10_000; i++) expect(isPlainRecord(named(`name-${i}`))).toBe(true);
    expect(isPlainRecord(named("name-9999"))).toBe(true);
    for (const name of ["", "a b", "constructor", "n".repeat(129)]) {
      expect(isPlainRecord(named(name))).toBe(false);
      expect(isPlainRecord(named(name))).toBe(false);
    }
  });
});
