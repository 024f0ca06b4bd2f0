import { describe, expect, it } from "vitest";
import * as answer from "./exchange-answer.js";
import * as reconcile from "./reconcile-message.js";
import * as request from "./exchange-request.js";
import * as event from "./event-decoder.js";
import * as info from "./info.js";
import * as socket from "./socket-message.js";
import { type Decoder, decode, decodeText } from "./decode.js";
import { limits } from "./limits.js";

// Every decoder of the package, found by what it is.
const decoders = new Map<string, Decoder<unknown>>();
for (const module of [answer, request, reconcile, event, info, socket] as readonly Record<
  string,
  unknown
>[]) {
  for (const [name, member] of Object.entries(module)) {
    if (typeof member === "object" && member !== null && "shape" in member && name !== "eventIdentityDecoder")
      decoders.set(name, member as Decoder<unknown>);
  }
}

// ---- The shapes, parsed: what a decoder says of itself is what its inputs are made from.

type Shape =
  | { readonly kind: "word"; readonly word: string }
  | { readonly kind: "literal"; readonly value: unknown }
  | { readonly kind: "list"; readonly item: Shape; readonly max: number }
  | { readonly kind: "tuple"; readonly items: readonly Shape[] }
  | {
      readonly kind: "map";
      readonly name: Shape;
      readonly item: Shape;
      readonly max: number;
      readonly required?: string;
    }
  | {
      readonly kind: "object";
      readonly members: readonly {
        readonly name: string;
        readonly required: boolean;
        readonly shape: Shape;
      }[];
      readonly open: boolean;
    }
  | { readonly kind: "either"; readonly of: readonly Shape[] };

function parseShape(text: string): Shape {
  let at = 0;
  const take = (token: string): boolean => {
    if (!text.startsWith(token, at)) return false;
    at += token.length;
    return true;
  };
  const must = (token: string): void => {
    if (!take(token))
      throw new Error(`expected ${token} at ${at} of ${text.slice(Math.max(0, at - 40), at + 40)}`);
  };
  const word = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found === undefined)
      throw new Error(`nothing at ${at} of ${text.slice(Math.max(0, at - 40), at + 40)}`);
    at += found.length;
    return found;
  };
  function braces(): Shape {
    const members: { name: string; required: boolean; shape: Shape }[] = [];
    let open = false;
    while (!take("}")) {
      if (members.length > 0) must(",");
      if (take("…")) {
        open = true;
        continue;
      }
      const start = at;
      const name = word(/[^:?]+/y);
      const required = !take("?");
      must(":");
      const shape = either();
      if (take(";")) {
        const max = Number(word(/\d+/y));
        const needed = take(";") ? word(/[^}]+/y) : undefined;
        must("}");
        const end = at;
        const key = parseShape(text.slice(start, start + name.length));
        at = end;
        return {
          kind: "map",
          name: key,
          item: shape,
          max,
          ...(needed === undefined ? {} : { required: needed }),
        };
      }
      members.push({ name, required, shape });
    }
    return { kind: "object", members, open };
  }
  function one(): Shape {
    if (take("{")) return braces();
    if (take("[")) {
      const item = either();
      must(";");
      const max = Number(word(/\d+/y));
      must("]");
      return { kind: "list", item, max };
    }
    if (take("(")) {
      const items = [either()];
      while (take(",")) items.push(either());
      must(")");
      return { kind: "tuple", items };
    }
    if (text[at] === '"') return { kind: "literal", value: JSON.parse(word(/"[^"]*"/y)) };
    const name = word(/[A-Za-z0-9+*]+/y);
    return /^(true|false|\d+)$/.test(name)
      ? { kind: "literal", value: JSON.parse(name) }
      : { kind: "word", word: name };
  }
  function either(): Shape {
    const of = [one()];
    while (take("|")) of.push(one());
    return of.length === 1 ? (of[0] as Shape) : { kind: "either", of };
  }
  const shape = either();
  if (at !== text.length) throw new Error(`left over: ${text.slice(at)}`);
  return shape;
}

// ---- Inputs at random, from a seed that a failure names.

function generator(seed: number) {
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
type Random = ReturnType<typeof generator>;

const stamps = [
  "018f0000-0000-7000-8000-000000000001",
  "00000000-0000-7000-8000-000000000000",
  "ffffffff-ffff-7fff-bfff-ffffffffffff",
];
const words: Readonly<Record<string, readonly unknown[]>> = {
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
const never: Readonly<Record<string, readonly unknown[]>> = {
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

function deepList(levels: number): unknown {
  let value: unknown = [];
  for (let i = 1; i < levels; i++) value = [value];
  return value;
}

const junk: readonly unknown[] = [
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

function nameOf(shape: Shape, random: Random, breaking: number): string {
  const name = valueOf(shape, random, breaking);
  return typeof name === "string"
    ? name
    : random.pick(["__proto__", "", "a b", "\ud800", `${"n".repeat(129)}😀`]);
}

/** A value of the shape; `breaking` says how likely each place is to hold something else. */
function valueOf(shape: Shape, random: Random, breaking: number, depth = 0): unknown {
  if (random.next() < breaking) return random.pick(junk);
  switch (shape.kind) {
    case "literal":
      return shape.value;
    case "word":
      return shape.word.startsWith("text")
        ? random.pick(["", "dev:ann", "😀", "z".repeat(Number(shape.word.slice(4)))])
        : random.pick(words[shape.word] as readonly unknown[]);
    case "either":
      return valueOf(random.pick(shape.of), random, breaking, depth);
    case "tuple":
      return shape.items.map((item) => valueOf(item, random, breaking, depth + 1));
    case "list":
      return Array.from({ length: depth > 5 ? 0 : random.below(3) }, () =>
        valueOf(shape.item, random, breaking, depth + 1),
      );
    case "map": {
      const value: Record<string, unknown> = {};
      for (let i = random.below(3); i > 0; i--)
        value[nameOf(shape.name, random, breaking)] = valueOf(shape.item, random, breaking, depth + 1);
      if (shape.required !== undefined && random.next() >= breaking)
        value[shape.required] = valueOf(shape.item, random, breaking, depth + 1);
      return value;
    }
    case "object": {
      const value: Record<string, unknown> = {};
      for (const { name, required, shape: member } of shape.members) {
        if (required ? random.next() >= breaking : random.next() < 0.5)
          value[name] = valueOf(member, random, breaking, depth + 1);
      }
      if (random.next() < breaking)
        value[random.pick(["extra", "type", "of", "deleted", "error", "void", "action"])] = random.pick(junk);
      return value;
    }
  }
}

const seed = 20_261_121;

describe("decoders are total (DESIGN §13)", () => {
  it.each([...decoders])("%s accepts what its shape says", (name, decoder) => {
    const random = generator(seed);
    const shape = parseShape(decoder.shape);
    for (let i = 0; i < 300; i++) {
      const value = valueOf(shape, random, 0);
      const result = decode(decoder, value);
      expect(
        result,
        `${name}, input ${i} of seed ${seed}: ${JSON.stringify(value)?.slice(0, 400)}`,
      ).toMatchObject({ ok: true });
    }
  });

  it.each([...decoders])("%s refuses a leaf of the wrong kind, naming the place", (name, decoder) => {
    const random = generator(seed + 1);
    const shape = parseShape(decoder.shape);
    // Events of a request are decoded one by one later on, and messages of an unknown type are passed over.
    if (name === "exchangeRequest" || name === "serverMessage") return;
    const wrong = (at: Shape): unknown =>
      at.kind === "word" ? never[at.word] && random.pick(never[at.word] as readonly unknown[]) : undefined;
    const first = shape.kind === "either" ? (shape.of[0] as Shape) : shape;
    if (first.kind !== "object") throw new Error(`${name} is no object`);
    for (let i = 0; i < 100; i++) {
      const value = valueOf(first, random, 0) as Record<string, unknown>;
      for (const member of first.members) {
        const bad = wrong(member.shape);
        if (bad === undefined) continue;
        const result = decode(decoder, { ...value, [member.name]: bad });
        expect(result.ok, `${name}.${member.name} = ${JSON.stringify(bad)}`).toBe(false);
        if (!result.ok) expect(result.message).toContain(member.name);
      }
    }
  });

  it(
    "20,000 broken inputs of all shapes: never a throw, never a long wait, always a message that can be sent back",
    { timeout: 60_000 },
    () => {
      const all = [...decoders.values()].map((decoder) => ({ decoder, shape: parseShape(decoder.shape) }));
      const random = generator(seed + 2);
      let refused = 0;
      let slowestMs = 0;
      for (let i = 0; i < 20_000; i++) {
        const { decoder, shape } = random.pick(all);
        const value =
          i % 10 === 0 ? random.pick(junk) : valueOf(shape, random, random.pick([0.02, 0.1, 0.3]));
        const began = performance.now();
        const result = decode(decoder, value);
        slowestMs = Math.max(slowestMs, performance.now() - began);
        if (result.ok) continue;
        refused += 1;
        if (result.message.length > limits.maxMessageChars || !result.message.isWellFormed())
          expect.fail(`input ${i} of seed ${seed + 2}: ${result.message}`);
      }
      expect(refused).toBeGreaterThan(10_000);
      expect(refused).toBeLessThan(19_900);
      expect(slowestMs).toBeLessThan(1_000);
      expect(({} as { polluted?: number }).polluted).toBeUndefined();
    },
  );

  it.each([...decoders])("%s: raw text of every bad kind", (_name, decoder) => {
    const deep = 100_000;
    const shape = parseShape(decoder.shape);
    const good = JSON.stringify(valueOf(shape, generator(seed), 0));
    const texts = [
      "",
      " ",
      "null",
      "{",
      "[",
      "}",
      "nul",
      "{}{}",
      '{"a":1,}',
      "\u0000",
      "\ufeff{}",
      "NaN",
      "1e400",
      "-0",
      '"\\ud800"',
      '{"__proto__":null}',
      "[".repeat(deep) + "]".repeat(deep),
      '{"spaces":'.repeat(deep) + "0" + "}".repeat(deep),
      `{"op":${"[".repeat(deep)}${"]".repeat(deep)}}`,
      `[${"0,".repeat(500_000)}0]`,
      `{${Array.from({ length: 50_000 }, (_, i) => `"k${i}":0`).join()}}`,
      `"${"é".repeat(500_000)}"`,
      good.slice(0, -1),
      good + "x",
      good.replaceAll(/\d+/g, "1e400"),
      good.replaceAll(/"[a-z]+":/g, '"__proto__":'),
    ];
    for (const text of texts) {
      const began = performance.now();
      const result = decodeText(decoder, text);
      expect(performance.now() - began).toBeLessThan(1_000);
      if (!result.ok) expect(result.message.length).toBeLessThanOrEqual(limits.maxMessageChars);
    }
    expect(decodeText(decoder, "not JSON").ok).toBe(false);
  });

  it("a message quotes its input without what could not be sent back", () => {
    const torn = `${"x".repeat(129)}😀${"y".repeat(50)}`;
    for (const value of [
      { [torn]: 1 },
      { protocol: 1, device: "d", spaces: [{ space: "s", cursors: { [torn]: 1 } }] },
      { "\ud800": 1 },
    ]) {
      const result = decode(request.exchangeRequest, value);
      expect(result.ok).toBe(false);
      if (!result.ok) expect(result.message.isWellFormed()).toBe(true);
    }
  });
});

describe("what decoders leave in place hurts nobody", () => {
  const row = { domain: "d", key: "k", version: 1, modifiedAt: 1, fields: {}, stamps: { "*": stamps[0] } };
  const open = JSON.stringify(row).slice(0, -1);

  it("a member of a newer server is kept, and passed over", () => {
    expect(decodeText(answer.rowDecoder, `${open},"later":{"a":[1]}}`)).toMatchObject({
      ok: true,
      value: { later: { a: [1] } },
    });
  });

  it("an unknown member is harmless to whoever copies, spreads or stores the row", () => {
    for (const member of [
      '"__proto__":{"polluted":1}',
      '"constructor":{}',
      '"later":{"__proto__":{}}',
      `"later":${"[".repeat(40)}${"]".repeat(40)}`,
      `"later":${"[".repeat(100_000)}${"]".repeat(100_000)}`,
      '"later":"\\ud800"',
      '"later":1e400',
    ]) {
      expect(decodeText(answer.rowDecoder, `${open},${member}}`).ok, member.slice(0, 60)).toBe(false);
    }
  });

  it("fields and values named like what reaches a prototype are refused in an op", () => {
    for (const set of [
      '{"__proto__":1}',
      '{"constructor":1}',
      '{"a":{"__proto__":1}}',
      '{"a":[{"prototype":1}]}',
      '{"a":"\\udc00"}',
      '{"a":1e400}',
      '{"":1}',
      '{"a b":1}',
      '{"*":1}',
    ]) {
      expect(decodeText(event.opDecoder, `{"op":"create","domain":"d","key":"k","set":${set}}`).ok, set).toBe(
        false,
      );
    }
  });

  it("rule 6: a row without the stamp of its create is refused", () => {
    expect(decode(answer.rowDecoder, { ...row, stamps: {} })).toMatchObject({
      ok: false,
      message: 'stamps: expected a member "*"',
    });
  });

  it("sizes are bounded: fields, members, nesting", () => {
    const op = { op: "create", domain: "d", key: "k" };
    const fields = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, i]));
    expect(decode(event.opDecoder, { ...op, set: fields(limits.maxFields) }).ok).toBe(true);
    expect(decode(event.opDecoder, { ...op, set: fields(limits.maxFields + 1) }).ok).toBe(false);
    expect(decode(event.opDecoder, { ...op, set: { a: deepList(limits.maxDepth) } }).ok).toBe(true);
    expect(decode(event.opDecoder, { ...op, set: { a: deepList(limits.maxDepth + 1) } }).ok).toBe(false);
    const many = Array.from({ length: limits.maxSetMembers + 1 }, (_, i) => i);
    expect(
      decode(event.opDecoder, { op: "add", domain: "d", key: "k", values: { s: many.slice(1) } }).ok,
    ).toBe(true);
    expect(decode(event.opDecoder, { op: "add", domain: "d", key: "k", values: { s: many } }).ok).toBe(false);
  });
});
