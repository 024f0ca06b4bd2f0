import { type Json, sameJson } from "@landfall/protocol";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type OrderBy, type Where, SchemaError, compareBy, compareValues, matches, select } from "./index.js";

type Row = {
  key: string;
  name: string;
  size?: number | null;
  tags: string[];
  at?: { x: number; y?: number };
};
const row = (key: string, fields: Partial<Row> = {}): Row => ({ key, name: key, tags: [], ...fields });

const json = fc.jsonValue({ maxDepth: 3 }).map((text) => text as Json);
const value = fc.oneof(
  fc.constantFrom<Json>(null, true, false, 0, -1, 2, 10, "", "a", "b", "10", [], [1], {}, { a: 1 }),
  json,
);

describe("select", () => {
  it("refuses options and orders that there are not", () => {
    const ask = (query: object) => select([row("a")], query);
    expect(() => ask({ were: {} })).toThrow(
      new SchemaError('query: there is no option "were". Known are: where, orderBy, limit, after.'),
    );
    for (const orderBy of [["name"], [["name"]], [["name", "up"]], { name: "asc" }])
      expect(() => ask({ orderBy })).toThrow(
        new SchemaError('orderBy: must be a field, or a list of [field, "asc" or "desc"].'),
      );
    expect(ask({ orderBy: [["name", "desc"]], limit: undefined })).toHaveLength(1);
  });
});

describe("compareValues: the order that every query uses", () => {
  it("goes by kind, then by value", () => {
    const sorted: Json[] = [
      null,
      false,
      true,
      -1,
      0,
      2,
      10,
      "",
      "10",
      "2",
      "B",
      "a",
      "ä",
      [],
      [1],
      [1, 2],
      [2],
      {},
      { a: 1 },
      { a: 2 },
      { a: 2, b: 0 },
      { b: 0 },
    ];
    expect([...sorted].reverse().sort(compareValues)).toEqual(sorted);
    expect(compareValues(undefined, null)).toBe(0);
    expect(compareValues(undefined, false)).toBeLessThan(0);
  });

  it("is a total order in which equal means equal JSON", () => {
    fc.assert(
      fc.property(value, value, value, (a, b, c) => {
        expect(Math.sign(compareValues(a, b)) + Math.sign(compareValues(b, a))).toBe(0);
        expect(compareValues(a, b) === 0).toBe(sameJson(a, b));
        const [least, , most] = [a, b, c].sort(compareValues) as [Json, Json, Json];
        expect(compareValues(least, most)).toBeLessThanOrEqual(0);
        expect(
          [a, b, c].every((one) => compareValues(least, one) <= 0 && compareValues(one, most) <= 0),
        ).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("matches", () => {
  const one = row("a", { name: "n", size: 5, tags: ["x"], at: { x: 1, y: 2 } });
  const yes: Where<Row>[] = [
    {},
    { name: "n" },
    { key: "a" },
    { size: 5 },
    { tags: ["x"] },
    { tags: { has: "x" } },
    { at: { eq: { y: 2, x: 1 } } },
    { size: {} },
    { size: { gt: 4, lt: 6, gte: 5, lte: 5, ne: 4, eq: 5, in: [1, 5] } },
    { name: { gte: "n" }, size: { ne: null } },
    { key: { in: ["a", "b"] } },
  ];
  const no: Where<Row>[] = [
    { name: "m" },
    { key: "b" },
    { size: null },
    { tags: [] },
    { tags: { has: "y" } },
    { at: { eq: { x: 1 } } },
    { name: "n", size: 6 },
    { size: { gt: 5 } },
    { size: { lt: 5 } },
    { size: { gt: 4, lt: 5 } },
    { size: { in: [] } },
    { size: { in: undefined as never } },
    { name: { ne: "n" } },
    { size: { gt: "4" as never } },
    { size: { lt: "4" as never } },
    { name: { gt: 5 as never } },
    { name: { lt: 5 as never } },
  ];
  it.each(yes.map((where) => [JSON.stringify(where), where] as const))("%s holds", (_, where) =>
    expect(matches(where, one)).toBe(true),
  );
  it.each(no.map((where) => [JSON.stringify(where), where] as const))("%s does not hold", (_, where) =>
    expect(matches(where, one)).toBe(false),
  );

  it("an absent field equals null, and is in no order", () => {
    for (const absent of [row("a"), row("a", { size: null })]) {
      expect(matches<Row>({ size: null }, absent)).toBe(true);
      expect(matches<Row>({ size: undefined }, absent)).toBe(true);
      expect(matches<Row>({ size: { in: [1, null] } }, absent)).toBe(true);
      expect(matches<Row>({ size: { ne: null } }, absent)).toBe(false);
      for (const where of [{ lt: 1 }, { lte: 1 }, { gt: 1 }, { gte: 1 }, { lte: null as never }])
        expect(matches<Row>({ size: where }, absent)).toBe(false);
    }
    expect(matches<Row>(undefined, row("a"))).toBe(true);
  });

  it("a comparison that does not exist is refused", () => {
    expect(() => matches<Row>({ name: { equals: "x" } as never }, one)).toThrow(SchemaError);
    expect(() => matches<Row>({ size: { let: 1 } as never }, one)).toThrow(
      'there is no comparison "let". They are eq,',
    );
  });
});

describe("select: one answer on every side", () => {
  const rows = [row("c", { size: 1 }), row("a", { size: 2 }), row("b", { size: 1 }), row("d")];
  const keys = (found: readonly Row[]): string => found.map(({ key }) => key).join("");

  it("orders by key, and breaks ties by key", () => {
    expect(keys(select(rows, {}))).toBe("abcd");
    expect(keys(select(rows, { orderBy: "size" }))).toBe("dbca");
    expect(keys(select(rows, { orderBy: [["size", "desc"]] }))).toBe("abcd");
    expect(
      keys(
        select(rows, {
          orderBy: [
            ["size", "desc"],
            ["key", "desc"],
          ],
        }),
      ),
    ).toBe("acbd");
  });

  it("pages with limit and after", () => {
    expect(keys(select(rows, { limit: 2 }))).toBe("ab");
    expect(keys(select(rows, { limit: 2, after: "b" }))).toBe("cd");
    expect(keys(select(rows, { orderBy: "size", limit: 2, after: "d" }))).toBe("bc");
    expect(keys(select(rows, { limit: 0 }))).toBe("");
    expect(keys(select(rows, { limit: -1 }))).toBe("");
  });

  it("goes on after a record that does not match, and after a key that is gone", () => {
    expect(keys(select(rows, { where: { size: 1 }, after: "a" }))).toBe("bc");
    expect(keys(select(rows, { after: "bb" }))).toBe("cd");
    expect(keys(select(rows, { orderBy: "size", after: "bb" }))).toBe("");
    expect(keys(select([], { after: "a" }, () => rows[1]))).toBe("");
    expect(keys(select(rows, { orderBy: "size", after: "bb" }, () => row("bb", { size: 1 })))).toBe("ca");
  });

  it("leaves what it is given as it is", () => {
    const given = Object.freeze([...rows]);
    select(given, { orderBy: "size" });
    expect(given).toEqual(rows);
  });

  it("equals a naive reading of the query, whatever the order of the records", () => {
    const size = fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined });
    const record = fc.record({ name: fc.constantFrom("x", "y"), size });
    const direction = fc.constantFrom("asc" as const, "desc" as const);
    const naiveRank = (n: number | undefined): number => n ?? -1;
    fc.assert(
      fc.property(
        fc.array(record, { maxLength: 12 }),
        fc.constantFrom("x", "y"),
        direction,
        direction,
        fc.nat(11),
        fc.nat(5),
        fc.infiniteStream(fc.nat()),
        (list, name, bySize, byName, at, limit, seeds) => {
          const all = list.map((fields, i): Row => ({
            key: `k${String.fromCharCode(97 + i)}`,
            tags: [],
            ...fields,
          }));
          const orderBy: OrderBy<Row> = [
            ["size", bySize],
            ["name", byName],
          ];
          const naive = [...all].sort((a, b) => {
            const sizes = naiveRank(a.size ?? undefined) - naiveRank(b.size ?? undefined);
            const names = a.name === b.name ? 0 : a.name < b.name ? -1 : 1;
            return (
              (bySize === "asc" ? sizes : -sizes) ||
              (byName === "asc" ? names : -names) ||
              (a.key < b.key ? -1 : 1)
            );
          });
          const pivot = naive[at];
          const expected = naive.filter((r, i) => r.name === name && (!pivot || i > at)).slice(0, limit);
          const shuffled = all
            .map((r) => [seeds.next().value as number, r] as const)
            .sort(([a], [b]) => a - b)
            .map(([, r]) => r);
          expect(
            select(shuffled, { where: { name }, orderBy, limit, ...(pivot && { after: pivot.key }) }),
          ).toEqual(expected);
          expect([...shuffled].sort(compareBy<Row>(orderBy))).toEqual(naive);
        },
      ),
    );
  });
});
