import { describe, expect, it } from "vitest";
import { isIdentifier } from "./identifier.js";
import { randomIdentifier, randomUuid } from "./ports.js";

/** Counts through the bytes, so that every byte value comes up equally often. */
function counting() {
  let at = 0;
  return { bytes: (count: number) => Uint8Array.from({ length: count }, () => at++ & 0xff) };
}

describe("random names", () => {
  it("an identifier is 20 characters, each as likely as the other", () => {
    const random = counting();
    const seen = new Map<string, number>();
    for (let i = 0; i < 252 * 20; i++) {
      const text = randomIdentifier(random);
      expect(text).toHaveLength(20);
      expect(isIdentifier(text)).toBe(true);
      for (const character of text) seen.set(character, (seen.get(character) ?? 0) + 1);
    }
    expect(seen.size).toBe(36);
    const counts = [...seen.values()];
    expect(Math.max(...counts) / Math.min(...counts)).toBeLessThan(1.1);
  });

  it("skips the bytes that would favour some characters", () => {
    let first = true;
    const random = {
      bytes: (count: number) => new Uint8Array(count).fill(first ? ((first = false), 255) : 37),
    };
    expect(randomIdentifier(random)).toBe("1".repeat(20));
  });

  it("a UUID has version 4 and variant 10", () => {
    expect(randomUuid({ bytes: (count) => new Uint8Array(count) })).toBe(
      "00000000-0000-4000-8000-000000000000",
    );
    expect(randomUuid({ bytes: (count) => new Uint8Array(count).fill(255) })).toBe(
      "ffffffff-ffff-4fff-bfff-ffffffffffff",
    );
  });
});
