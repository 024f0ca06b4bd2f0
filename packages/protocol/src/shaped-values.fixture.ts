import type { Shape } from "./shape.fixture.js";

/** Inputs at random, from a seed that a failure names. */
export function generator(seed: number) {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (n: number): number => Math.floor(next() * n);
  const pick = <T>(of: readonly T[]): T => of[below(of.length)] as T;
  return { next, below, pick };
}
export type Random = ReturnType<typeof generator>;

export const stamps = [
  "018f0000-0000-7000-8000-000000000001",
  "00000000-0000-7000-8000-000000000000",
  "ffffffff-ffff-7fff-bfff-ffffffffffff",
];
/** What fits each word of a shape. */
export type Words = Readonly<Record<string, readonly unknown[]>>;
export const standardWords: Words = {
  bool: [true, false],
  uint: [0, 1, 131, Number.MAX_SAFE_INTEGER, -0],
  "uint+": [1, 41, Number.MAX_SAFE_INTEGER],
  number: [0, -0, 1.5, -1e308, 5e-324],
  id: ["a", "site-7", "A.b_c~d:e-f", "x".repeat(128), "toString", "hasOwnProperty"],
  field: ["name", "toString", "valueOf", "0", "__proto", "x".repeat(128)],
  "*": ["*"],
  stamp: stamps,
  member: ["", "é", 0, -1.5, true],
  base64url65536: ["", "AAA", "AAIC0YOSEDno9nMpkDYu1e7Ik4E", "-_"],
  hex32: ["0".repeat(32), "0123456789abcdef0123456789abcdef"],
  json32: [null, true, 0, "", "😀", [], {}, [[[]]], { a: { b: [null] } }, { toString: 1, "": 2 }],
};

/** What no such word accepts. */
export const never: Readonly<Record<string, readonly unknown[]>> = {
  bool: [0, "true", null],
  uint: [-1, 0.5, 2 ** 53, "1", null, Infinity],
  "uint+": [0, -1, 1.5, "1", []],
  number: ["1", null, Infinity, {}],
  id: ["", ".", "..", "a/b", "x".repeat(129), "__proto__", "constructor", "é", 1, null],
  stamp: ["", "018F0000-0000-7000-8000-000000000001", "018f0000-0000-4000-8000-000000000001", 1, null],
  member: [null, [], {}, "\ud800", Infinity],
  base64url65536: ["=", "AA==", "a b", "é", "+/", "A".repeat(87_383), 1, null, []],
  hex32: ["0".repeat(31), "0".repeat(33), "G".repeat(32), 0],
  json32: [
    "\udfff",
    Infinity,
    JSON.parse('{"a":{"__proto__":1}}'),
    JSON.parse('{"constructor":1}'),
    deepList(33),
  ],
};

export function deepList(levels: number): unknown {
  let value: unknown = [];
  for (let i = 1; i < levels; i++) value = [value];
  return value;
}

export const junk: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  -1,
  1.5,
  1e308,
  Infinity,
  -Infinity,
  Number.NaN,
  2 ** 53,
  "",
  "x",
  "__proto__",
  "\ud800",
  "é",
  [],
  {},
  [[]],
  [null],
  { a: 1 },
  deepList(200),
  Array.from({ length: 5_000 }, () => 0),
  "y".repeat(20_000),
  JSON.parse('{"__proto__":{"polluted":1}}'),
  JSON.parse('{"constructor":{"prototype":{"polluted":1}}}'),
  { toString: 1, valueOf: 1 },
  { type: {}, status: [], of: {}, op: null },
  { type: "constructor" },
  { op: "__proto__" },
  { status: "duplicate", of: "toString" },
  { length: 3, 0: 1 },
];

function nameOf(shape: Shape, random: Random, breaking: number, words: Words): string {
  const name = valueOf(shape, random, breaking, words);
  return typeof name === "string"
    ? name
    : random.pick(["__proto__", "", "a b", "\ud800", `${"n".repeat(129)}😀`]);
}

/** A value of the shape; `breaking` says how likely each place is to hold something else. */
export function valueOf(
  shape: Shape,
  random: Random,
  breaking: number,
  words = standardWords,
  depth = 0,
): unknown {
  if (random.next() < breaking) return random.pick(junk);
  switch (shape.kind) {
    case "literal":
      return shape.value;
    case "word":
      return shape.word.startsWith("text")
        ? random.pick(["", "dev:ann", "😀", "z".repeat(Number(shape.word.slice(4)))])
        : random.pick(words[shape.word] as readonly unknown[]);
    case "either":
      return valueOf(random.pick(shape.of), random, breaking, words, depth);
    case "tuple":
      return shape.items.map((item) => valueOf(item, random, breaking, words, depth + 1));
    case "list":
      return Array.from({ length: depth > 5 ? 0 : random.below(3) }, () =>
        valueOf(shape.item, random, breaking, words, depth + 1),
      );
    case "map": {
      const value: Record<string, unknown> = {};
      for (let i = random.below(3); i > 0; i--)
        value[nameOf(shape.name, random, breaking, words)] = valueOf(
          shape.item,
          random,
          breaking,
          words,
          depth + 1,
        );
      if (shape.required !== undefined && random.next() >= breaking)
        value[shape.required] = valueOf(shape.item, random, breaking, words, depth + 1);
      return value;
    }
    case "object": {
      const value: Record<string, unknown> = {};
      for (const { name, required, shape: member } of shape.members) {
        if (required ? random.next() >= breaking : random.next() < 0.5)
          value[name] = valueOf(member, random, breaking, words, depth + 1);
      }
      if (random.next() < breaking)
        value[random.pick(["extra", "type", "of", "deleted", "error", "void", "action"])] = random.pick(junk);
      return value;
    }
  }
}
