import type { Bound } from "./reconcile-items.js";
import * as limits from "./limits.js";

/** What one side says of a range. */
type RangeWord =
  /** There is nothing to say: it is equal, or was not asked for. */
  | { readonly say: "skip" }
  /** What mine comes to, as `fingerprint` gives it. */
  | { readonly say: "fingerprint"; readonly value: bigint }
  /** All that I have; from the one who asks, an empty list asks for the other's. */
  | { readonly say: "list"; readonly digests: readonly bigint[] }
  /** Send me the rows of these. */
  | { readonly say: "want"; readonly digests: readonly bigint[] };

/** A range goes from the end of the one before it, or the very beginning, to before its bound; without one it goes to the end of everything. */
export type FrameRange = RangeWord & { readonly to: Bound | undefined };

const modes: readonly RangeWord["say"][] = ["skip", "fingerprint", "list", "want"];
const hashBytes = 16;
/** The longest id: that of a log entry, key and entry. */
const maxIdChars = 300;

/** The bytes that a range takes at most. */
export function maxBytesOf(range: FrameRange): number {
  const list = "digests" in range ? range.digests.length : 0;
  return 8 + 2 + (range.to?.id.length ?? 0) + 1 + 8 + hashBytes + list * hashBytes;
}

/**
 * Writes as many of the ranges as a frame holds. A frame is ranges in order, each
 *
 *     bound ‖ mode ‖ body
 *
 * where a whole number is written in bytes of 7 bits, low ones first, and the high bit says that more follow. The bound
 * is 0 for the end of everything, else 1 more than the order's distance from the bound before, then the length of an
 * id's prefix and the prefix; mode is 0 skip, 1 fingerprint (16 bytes), 2 list or 3 want (a count, and so many times
 * 16 bytes). What lies after the last bound is left for another frame.
 */
export function encodeFrame(ranges: readonly FrameRange[]): { bytes: Uint8Array; count: number } {
  const view = new DataView(new ArrayBuffer(limits.maxReconcileFrameBytes));
  let at = 0;
  const byte = (value: number): void => view.setUint8(at++, value);
  const whole = (value: number): void => {
    let rest = value;
    for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) byte((rest % 0x80) | 0x80);
    byte(rest);
  };
  const hash = (value: bigint): void => {
    view.setBigUint64(at, value >> 64n);
    view.setBigUint64(at + 8, BigInt.asUintN(64, value));
    at += hashBytes;
  };
  let order = 0;
  let count = 0;
  for (const range of ranges) {
    if (maxBytesOf(range) > view.byteLength - at) break;
    const { to, say } = range;
    if (to) {
      whole(to.order - order + 1);
      whole(to.id.length);
      for (let i = 0; i < to.id.length; i++) byte(to.id.charCodeAt(i));
      order = to.order;
    } else byte(0);
    byte(modes.indexOf(say));
    if (say === "fingerprint") hash(range.value);
    if ("digests" in range) {
      whole(range.digests.length);
      range.digests.forEach(hash);
    }
    count += 1;
  }
  return { bytes: new Uint8Array(view.buffer.slice(0, at)), count };
}

class Unreadable extends Error {}

function unreadable(why: string): never {
  throw new Unreadable(why);
}

function readRanges(bytes: Uint8Array): FrameRange[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const take = (count: number): number => {
    if (count > bytes.length - at) unreadable("it ends too early");
    at += count;
    return at - count;
  };
  const byte = (): number => view.getUint8(take(1));
  const safe = (value: number): number =>
    Number.isSafeInteger(value) ? value : unreadable("a number is too large");
  const whole = (): number => {
    let value = 0;
    for (let unit = 1; ; unit *= 0x80) {
      const next = byte();
      value = safe(value + (next & 0x7f) * unit);
      if (next > 0x7f) continue;
      return next === 0 && unit > 1 ? unreadable("a number is not written in its shortest way") : value;
    }
  };
  const hash = (): bigint => (view.getBigUint64(take(8)) << 64n) | view.getBigUint64(take(8));
  const bound = (before: Bound): Bound | undefined => {
    const step = whole();
    if (step === 0) return undefined;
    const order = safe(before.order + step - 1);
    const length = whole();
    if (length > maxIdChars) unreadable("an id is too long");
    let id = "";
    for (const code of bytes.subarray(take(length), at)) {
      if (code < 0x21 || code > 0x7e) unreadable("an id has a character that none has");
      id += String.fromCharCode(code);
    }
    if (order === before.order && id <= before.id) unreadable("its ranges are out of order");
    return { order, id };
  };
  const word = (): RangeWord => {
    const say = modes[byte()];
    if (say === undefined) return unreadable("a range is of no known mode");
    if (say === "skip") return { say };
    if (say === "fingerprint") return { say, value: hash() };
    const count = whole();
    // Looked at before so much room is made.
    if (count > (bytes.length - at) / hashBytes) unreadable("it ends too early");
    return { say, digests: Array.from({ length: count }, hash) };
  };
  const ranges: FrameRange[] = [];
  let before: Bound = { order: 0, id: "" };
  while (at < bytes.length) {
    const to = bound(before);
    ranges.push({ ...word(), to });
    if (to) before = to;
    else if (at < bytes.length) unreadable("something comes after its end");
  }
  return ranges;
}

/** Reads a frame, strictly and totally: what is not the one way to write something is refused. */
export function decodeFrame(
  bytes: Uint8Array,
):
  | { readonly ok: true; readonly ranges: readonly FrameRange[] }
  | { readonly ok: false; readonly message: string } {
  if (bytes.length > limits.maxReconcileFrameBytes)
    return { ok: false, message: `the frame: expected at most ${limits.maxReconcileFrameBytes} bytes` };
  try {
    return { ok: true, ranges: readRanges(bytes) };
  } catch (error) {
    if (error instanceof Unreadable)
      return { ok: false, message: `the frame cannot be read: ${error.message}` };
    throw error;
  }
}
