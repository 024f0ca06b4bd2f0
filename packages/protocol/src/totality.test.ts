import { describe, expect, it } from "vitest";
import * as answer from "./exchange-answer.js";
import * as request from "./exchange-request.js";
import * as event from "./event-decoder.js";
import { countReads, mostReads } from "./counted-reads.fixture.js";
import { decode, decodeText } from "./decode.js";
import { shapeOf } from "./declared-shape.js";
import { decoders } from "./declared-decoders.fixture.js";
import * as limits from "./limits.js";
import { type Shape, parseShape } from "./shape.fixture.js";
import { deepList, generator, junk, never, stamps, valueOf } from "./shaped-values.fixture.js";

const seed = 20_261_121;

describe("decoders are total (DESIGN §13)", () => {
  it.each([...decoders])("%s accepts what its shape says", (name, decoder) => {
    const random = generator(seed);
    const shape = parseShape(shapeOf(decoder));
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
    const shape = parseShape(shapeOf(decoder));
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

  it("20,000 broken inputs of all shapes: never a throw, never more work than the input is large, always a message that can be sent back", () => {
    const all = [...decoders.values()].map((decoder) => ({ decoder, shape: parseShape(shapeOf(decoder)) }));
    const random = generator(seed + 2);
    let refused = 0;
    for (let i = 0; i < 20_000; i++) {
      const { decoder, shape } = random.pick(all);
      const value = i % 10 === 0 ? random.pick(junk) : valueOf(shape, random, random.pick([0.02, 0.1, 0.3]));
      const counted = countReads(value);
      const result = decode(decoder, counted.value);
      if (counted.reads() > mostReads(value))
        expect.fail(`input ${i} of seed ${seed + 2} was read ${counted.reads()} times`);
      if (result.ok) continue;
      refused += 1;
      if (result.message.length > limits.maxMessageChars || !result.message.isWellFormed())
        expect.fail(`input ${i} of seed ${seed + 2}: ${result.message}`);
    }
    expect(refused).toBeGreaterThan(10_000);
    expect(refused).toBeLessThan(19_900);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  it.each([...decoders])("%s: raw text of every bad kind", (_name, decoder) => {
    const deep = 100_000;
    const shape = parseShape(shapeOf(decoder));
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
      const result = decodeText(decoder, text);
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
