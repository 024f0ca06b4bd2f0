import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { portableSha256 } from "./sha256.js";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const native = (data: Uint8Array | string): string => createHash("sha256").update(data).digest("hex");

/** The whole part of a root of any degree, by halving. */
function wholeRoot(value: bigint, degree: bigint): bigint {
  let low = 0n;
  let high = value;
  while (low < high) {
    const middle = (low + high + 1n) / 2n;
    if (middle ** degree <= value) low = middle;
    else high = middle - 1n;
  }
  return low;
}

describe("SHA-256", () => {
  it("gives what FIPS 180-4 and its examples say", () => {
    expect(hex(portableSha256(""))).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect(hex(portableSha256("abc"))).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
    expect(hex(portableSha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))).toBe(
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    );
    expect(hex(portableSha256("a".repeat(1_000_000)))).toBe(
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    );
  });

  it("agrees with the native one at every length around its blocks", () => {
    for (let length = 0; length < 260; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => i * 7 + length);
      expect(hex(portableSha256(bytes)), String(length)).toBe(native(bytes));
    }
  });

  it("agrees with the native one on any bytes and texts", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => hex(portableSha256(bytes)) === native(bytes)),
    );
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => hex(portableSha256(text)) === native(text)),
    );
  });

  it("reads a part of a larger buffer as that part", () => {
    const whole = Uint8Array.from({ length: 300 }, (_, i) => i);
    expect(hex(portableSha256(whole.subarray(17, 200)))).toBe(native(whole.slice(17, 200)));
  });

  it("takes its constants from roots whose next bits leave room for an engine's rounding", () => {
    const numbers = Array.from({ length: 310 }, (_, i) => i + 2);
    const primes = numbers.filter((n) => numbers.every((divisor) => divisor >= n || n % divisor !== 0));
    primes.slice(0, 64).forEach((prime, i) => {
      for (const degree of i < 8 ? [2n, 3n] : [3n]) {
        // Ten bits behind the 32 that count; a double's own rounding begins seven bits later.
        const next = wholeRoot(BigInt(prime) << (42n * degree), degree) & 1023n;
        expect(next > 0n && next < 1023n, `root ${degree} of ${prime}`).toBe(true);
      }
    });
  });
});
