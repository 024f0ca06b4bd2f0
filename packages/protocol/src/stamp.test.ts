import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  isStamp,
  isTail,
  makeStamp,
  makeTail,
  maxStampCounter,
  maxStampMs,
  stampReading,
  stampTail,
} from "./stamp.js";
import { stampMaker } from "./stamp-maker.js";

const ms = fc.oneof(
  fc.constantFrom(0, 1, 2 ** 32 - 1, 2 ** 32, maxStampMs),
  fc.maxSafeInteger().map((n) => Math.abs(n) % (maxStampMs + 1)),
);
const counter = fc.oneof(
  fc.constantFrom(0, 1, maxStampCounter),
  fc.integer({ min: 0, max: maxStampCounter }),
);
const tail = fc.uint8Array({ minLength: 8, maxLength: 8 }).map(makeTail);
const parts = fc.tuple(ms, counter, tail);

/** The 16 bytes of RFC 9562 §5.7, laid out apart from the code under test. */
function bytesOf(at: number, count: number, end: string): bigint {
  const tailBits = BigInt(`0x${end.replace("-", "")}`);
  return (BigInt(at) << 80n) | (7n << 76n) | (BigInt(count) << 64n) | tailBits;
}

describe("rule 6: stamps", () => {
  it("rule 6: the order of texts is the order of the 16 bytes", () => {
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        const texts = [makeStamp(...a), makeStamp(...b)] as const;
        const bytes = [bytesOf(...a), bytesOf(...b)] as const;
        expect(texts[0] < texts[1]).toBe(bytes[0] < bytes[1]);
        expect(texts[0] === texts[1]).toBe(bytes[0] === bytes[1]);
      }),
    );
  });

  it("rule 6: a stamp gives back what it was made of, and is a UUID of version 7 and variant 10", () => {
    fc.assert(
      fc.property(parts, ([at, count, end]) => {
        const stamp = makeStamp(at, count, end);
        expect(stamp).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(isStamp(stamp)).toBe(true);
        const make = stampMaker(end);
        expect([make(maxStampMs, maxStampCounter), make(at, count)][1]).toBe(stamp);
        expect(stampReading(stamp)).toEqual({ ms: at, counter: count });
        expect(stampTail(stamp)).toBe(end);
        expect(BigInt(`0x${stamp.replaceAll("-", "")}`)).toBe(bytesOf(at, count, end));
      }),
    );
  });

  it("reads the example of RFC 9562, appendix A.6", () => {
    const stamp = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
    expect(isStamp(stamp)).toBe(true);
    expect(stampReading(stamp)).toEqual({ ms: Date.UTC(2022, 1, 22, 19, 22, 22), counter: 0xcc3 });
    expect(makeStamp(0x017f22e279b0, 0xcc3, "98c4-dc0c0c07398f")).toBe(stamp);
  });

  it("holds at its bounds", () => {
    expect(makeStamp(0, 0, makeTail(new Uint8Array(8)))).toBe("00000000-0000-7000-8000-000000000000");
    expect(makeStamp(maxStampMs, maxStampCounter, makeTail(new Uint8Array(8).fill(255)))).toBe(
      "ffffffff-ffff-7fff-bfff-ffffffffffff",
    );
  });

  it.each([
    "",
    "018f6c00-0000-7000-8000-00000000000",
    "018f6c00-0000-7000-8000-0000000000000",
    "018f6c00-0000-7000-8000-000000000000\n",
    "018F6C00-0000-7000-8000-000000000000",
    "018f6c00-0000-4000-8000-000000000000",
    "018f6c00-0000-7000-c000-000000000000",
    "018f6c00-0000-7000-7000-000000000000",
    "018f6c000000-7000-8000-000000000000-",
    " 18f6c00-0000-7000-8000-000000000000",
    "018f6c00–0000-7000-8000-000000000000",
  ])("is strict about what a stamp is: %j is none", (text) => {
    expect(isStamp(text)).toBe(false);
  });

  it("rule 3: a tail carries 62 random bits, so that two copies of an installation diverge", () => {
    const seen = new Set<string>();
    for (let bit = 0; bit < 64; bit++) {
      const random = new Uint8Array(8);
      random[Math.floor(bit / 8)] = 0x80 >> (bit % 8);
      const end = makeTail(random);
      expect(isTail(end)).toBe(true);
      seen.add(end);
    }
    // The two variant bits are fixed and give the same tail as no bit at all.
    expect(seen.size).toBe(63);
    expect(isTail("c000-000000000000")).toBe(false);
  });
});
