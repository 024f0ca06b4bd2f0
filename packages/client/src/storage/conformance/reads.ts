import { storageTables, type StorageValue } from "../port.js";
import { entry, order, put, remove, type Check, type Expect } from "./world.js";

// U+1F600 is before U+E000 in UTF-16 and after it in UTF-8.
const keyParts = [
  "",
  "\0",
  "\0a",
  " ",
  '"',
  "'",
  "%",
  "B",
  "\\",
  "\\d800",
  "a",
  "a\0",
  "a\0b",
  "ab",
  "é",
  "e\u0301",
  "\u{1F600}",
  "\uD800",
  "\uDC00",
  "\uDC00\uD800",
  "\uE000",
  "\uFFFD",
  "\uFFFF",
  "日本",
  "__proto__",
];

function nested(depth: number): StorageValue {
  let value: StorageValue = "bottom";
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { value };
  return value;
}

const values: StorageValue[] = [
  null,
  true,
  false,
  0,
  -1.5,
  1e300,
  9007199254740991,
  5e-324,
  "",
  "null",
  '\0 \uD800 \u2028 \u{1F600} " \\ ]',
  [],
  {},
  [[], [null]],
  { a: { b: [{ c: null }, "x", 1] }, "": 1, "a.b": 2 },
  JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}'),
  "x".repeat(1_000_000),
  Array.from({ length: 5_000 }, (_, i) => ({ i, text: `item ${i}` })),
  nested(200),
];

export function checkReads(check: Check, expect: Expect): void {
  check("a fresh storage is empty in every table", async ({ open }) => {
    const storage = await open();
    for (const table of storageTables) expect(await storage.entries(table, "s")).toEqual([]);
    expect(await storage.get("rows", "s", "a", "b")).toEqual(undefined);
    expect(await storage.get("meta", "s", "a")).toEqual(undefined);
    expect(await storage.spaces()).toEqual([]);
  });

  check("entries come ordered by (a, b) in UTF-16 code units, for any strings as keys", async ({ open }) => {
    const storage = await open();
    const pairs = keyParts.flatMap((a) => keyParts.map((b): [string, string] => [a, b]));
    await storage.commit([...pairs].reverse().map(([a, b]) => put("rows", "s", a, b, [a, b])));
    const expected = pairs.sort(([a1, b1], [a2, b2]) => (a1 === a2 ? order(b1, b2) : order(a1, a2)));
    expect(await storage.entries("rows", "s")).toEqual(expected.map(([a, b]) => entry("s", a, b, [a, b])));
    for (const [a, b] of pairs) expect(await storage.get("rows", "s", a, b)).toEqual([a, b]);
  });

  check("values come back equal: nested, long, odd and empty JSON", async ({ open }) => {
    const storage = await open();
    await storage.commit(values.map((value, i) => put("local", "s", "a", String(i), value)));
    for (const [i, value] of values.entries()) {
      const stored = await storage.get("local", "s", "a", String(i));
      expect(stored).toEqual(value);
      expect(JSON.stringify(stored)).toEqual(JSON.stringify(value));
    }
    expect(await storage.entries("local", "s")).toEqual(
      values
        .map((value, i) => entry("s", "a", String(i), value))
        .sort((left, right) => order(left.b, right.b)),
    );
  });
}

export function checkSnapshots(check: Check, expect: Expect): void {
  check(
    "a snapshot has the entries of each table that was asked for, as `entries` has them",
    async ({ open }) => {
      const storage = await open();
      expect(await storage.snapshot(["rows", "outbox"], "s")).toEqual([[], []]);
      await storage.commit(
        ["s", "t"].flatMap((space) =>
          storageTables.flatMap((table) => ["b", "", "a"].map((b) => put(table, space, "a", b, [table, b]))),
        ),
      );
      const asked = ["outbox", "meta", "rows"] as const;
      const apart = await Promise.all(asked.map((table) => storage.entries(table, "s")));
      expect(apart.map(({ length }) => length)).toEqual([3, 3, 3]);
      expect(await storage.snapshot(asked, "s")).toEqual(apart);
    },
  );

  check("a snapshot has all of a commit or nothing of it, whoever commits meanwhile", async ({ open }) => {
    const [reader, writer] = [await open(), await open()];
    const commit = (n: number): Promise<void> =>
      writer.commit(storageTables.map((table) => put(table, "s", "a", "b", n)));
    await commit(0);
    for (let n = 1; n <= 20; n++) {
      const [, tables] = await Promise.all([
        commit(2 * n),
        reader.snapshot(storageTables, "s"),
        commit(2 * n + 1),
      ]);
      const numbers = tables.flatMap((entries) => entries.map(({ value }) => value));
      expect(numbers).toEqual(storageTables.map(() => numbers[0]));
    }
  });
}

export function checkSpaces(check: Check, expect: Expect): void {
  check("a space, a table and a name see nothing of their neighbours", async ({ open, factory, name }) => {
    const storage = await open();
    const spaces = ["", "s", "s\0", "s ", "S", "sa", "s\\", "\u{1F600}", "\uE000"];
    await storage.commit(
      spaces.flatMap((space) =>
        storageTables.map((table) => put(table, space, "a", "b", `${table} of ${space}`)),
      ),
    );
    for (const space of spaces) {
      for (const table of storageTables) {
        expect(await storage.entries(table, space)).toEqual([entry(space, "a", "b", `${table} of ${space}`)]);
      }
    }
    expect(await storage.spaces()).toEqual([...spaces].sort(order));
    const neighbour = await factory.open(`${name}-neighbour`);
    try {
      expect(await neighbour.spaces()).toEqual([]);
    } finally {
      await neighbour.close();
    }
  });

  check("spaces() lists a space as long as any table holds an entry of it", async ({ open }) => {
    const storage = await open();
    await storage.commit([
      put("rows", "r", "a", "b", 1),
      put("outbox", "o", "e", "", 1),
      put("meta", "r", "m", "", 1),
    ]);
    expect(await storage.spaces()).toEqual(["o", "r"]);
    await storage.commit([{ type: "clear", table: "rows", space: "r" }, remove("outbox", "o", "e", "")]);
    expect(await storage.spaces()).toEqual(["r"]);
    await storage.commit([{ type: "clear", table: "meta", space: "r", a: "m" }]);
    expect(await storage.spaces()).toEqual([]);
  });

  check("10,000 entries come back complete, in order, and are cleared at once", async ({ open, restart }) => {
    const storage = await open();
    const keys = Array.from(
      { length: 10_000 },
      (_, i) => `key-${String((i * 7_919) % 10_000).padStart(5, "0")}`,
    );
    await storage.commit(keys.map((key) => put("rows", "s", "project", key, { name: key })));
    const after = storage.persistent ? await restart() : storage;
    const expected = [...keys].sort(order).map((key) => entry("s", "project", key, { name: key }));
    expect(await after.entries("rows", "s")).toEqual(expected);
    await after.commit([{ type: "clear", table: "rows", space: "s", a: "project" }]);
    expect(await after.entries("rows", "s")).toEqual([]);
  });
}
