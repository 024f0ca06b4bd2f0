import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as limits from "./limits.js";
import { type FrameRange, decodeFrame, encodeFrame } from "./reconcile-frame.js";

const digest = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });
const word = fc.oneof(
  fc.constant({ say: "skip" as const }),
  fc.record({ say: fc.constant("fingerprint" as const), value: digest }),
  fc.record({
    say: fc.constantFrom("list" as const, "want" as const),
    digests: fc.array(digest, { maxLength: 5 }),
  }),
);
const bound = fc.record({
  order: fc.oneof(
    fc.nat(300),
    fc.maxSafeNat().map((n) => Math.min(n, Number.MAX_SAFE_INTEGER - 1)),
  ),
  id: fc.stringMatching(/^[\x21-\x7e]{0,20}$/),
});
const name = ({ order, id }: { order: number; id: string }): string => `${order}`.padStart(16, "0") + id;

/** Ranges in order; the last one may have no bound. */
const ranges = fc
  .tuple(
    fc.uniqueArray(fc.tuple(bound, word), { selector: ([b]) => name(b), maxLength: 12 }),
    fc.option(word, { nil: undefined }),
  )
  .map(([bounded, last]): FrameRange[] => [
    ...bounded
      .filter(([{ order, id }]) => order > 0 || id !== "")
      .toSorted(([a], [b]) => (name(a) < name(b) ? -1 : 1))
      .map(([to, said]) => ({ ...said, to })),
    ...(last ? [{ ...last, to: undefined }] : []),
  ]);

describe("frames", () => {
  it("say what was written into them", () => {
    fc.assert(
      fc.property(ranges, (written) => {
        const { bytes, count } = encodeFrame(written);
        expect(count).toBe(written.length);
        expect(decodeFrame(bytes)).toEqual({ ok: true, ranges: written });
      }),
    );
  });

  it("any bytes are refused, or are the only way to write what they say", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const frame = decodeFrame(bytes);
        if (frame.ok) expect(encodeFrame(frame.ranges).bytes).toEqual(bytes);
        else expect(frame.message.length).toBeLessThan(100);
      }),
      { numRuns: 3_000 },
    );
  });

  it("a frame that is cut, or has a byte changed, is refused or says something else", () => {
    fc.assert(
      fc.property(ranges, fc.nat(), fc.integer({ min: 1, max: 255 }), (written, at, by) => {
        const { bytes } = encodeFrame(written);
        if (bytes.length === 0) return;
        const changed = Uint8Array.from(bytes);
        changed[at % bytes.length] = (changed[at % bytes.length] as number) ^ by;
        for (const other of [bytes.subarray(0, at % bytes.length), changed]) {
          const frame = decodeFrame(other);
          if (frame.ok) expect(frame.ranges).not.toEqual(written);
        }
      }),
    );
  });

  it("holds what fits, and says how many ranges that was", () => {
    const digests = Array.from({ length: 500 }, (_, i) => BigInt(i));
    const many = Array.from({ length: 40 }, (_, i): FrameRange => ({
      say: "list",
      digests,
      to: { order: i + 1, id: "" },
    }));
    const { bytes, count } = encodeFrame(many);
    expect(bytes.length).toBeLessThanOrEqual(limits.maxReconcileFrameBytes);
    expect(count).toBe(8);
    expect(decodeFrame(bytes)).toEqual({ ok: true, ranges: many.slice(0, 8) });
  });

  it.each([
    ["more bytes than a frame may have", new Uint8Array(limits.maxReconcileFrameBytes + 1)],
    ["a list that claims more than there is", Uint8Array.of(0, 2, 0xff, 0xff, 0x7f)],
    ["a number in more bytes than it needs", Uint8Array.of(0x82, 0x00, 0x00, 0x00)],
    ["a number above 2^53-1", Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0)],
    ["an unknown mode", Uint8Array.of(0, 4)],
    ["something behind the end of everything", Uint8Array.of(0, 0, 0, 0)],
    ["a range of no width", Uint8Array.of(2, 0, 0, 1, 0, 0)],
  ])("refuses %s", (_what, bytes) => {
    expect(decodeFrame(bytes).ok).toBe(false);
  });
});
