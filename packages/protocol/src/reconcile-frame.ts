import type { Bound } from "./reconcile-items.js";
import { limits } from "./limits.js";

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

class Writer {
  readonly #bytes = new Uint8Array(limits.maxReconcileFrameBytes);
  readonly #view = new DataView(this.#bytes.buffer);
  #at = 0;

  get written(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  byte(value: number): void {
    this.#view.setUint8(this.#at++, value);
  }

  /** 7 bits in each byte, the low ones first; the high bit says that more follow. */
  whole(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.byte(rest);
  }

  hash(value: bigint): void {
    this.#view.setBigUint64(this.#at, value >> 64n);
    this.#view.setBigUint64(this.#at + 8, BigInt.asUintN(64, value));
    this.#at += hashBytes;
  }

  ascii(text: string): void {
    for (let i = 0; i < text.length; i++) this.byte(text.charCodeAt(i));
  }
}

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
  const writer = new Writer();
  let order = 0;
  let count = 0;
  for (const range of ranges) {
    if (maxBytesOf(range) > writer.left) break;
    if (!range.to) writer.whole(0);
    else {
      writer.whole(range.to.order - order + 1);
      writer.whole(range.to.id.length);
      writer.ascii(range.to.id);
      order = range.to.order;
    }
    writer.byte(modes.indexOf(range.say));
    if (range.say === "fingerprint") writer.hash(range.value);
    if ("digests" in range) {
      writer.whole(range.digests.length);
      for (const digest of range.digests) writer.hash(digest);
    }
    count += 1;
  }
  return { bytes: writer.written, count };
}

class Unreadable extends Error {}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  #take(count: number): number {
    if (count > this.left) throw new Unreadable("it ends too early");
    const at = this.#at;
    this.#at += count;
    return at;
  }

  byte(): number {
    return this.#view.getUint8(this.#take(1));
  }

  whole(): number {
    let value = 0;
    for (let unit = 1; ; unit *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * unit;
      if (!Number.isSafeInteger(value)) throw new Unreadable("a number is too large");
      if (byte > 0x7f) continue;
      if (byte === 0 && unit > 1) throw new Unreadable("a number is not written in its shortest way");
      return value;
    }
  }

  hash(): bigint {
    const at = this.#take(hashBytes);
    return (this.#view.getBigUint64(at) << 64n) | this.#view.getBigUint64(at + 8);
  }

  ascii(length: number): string {
    if (length > maxIdChars) throw new Unreadable("an id is too long");
    let text = "";
    for (const code of this.#bytes.subarray(this.#take(length), this.#at)) {
      if (code < 0x21 || code > 0x7e) throw new Unreadable("an id has a character that none has");
      text += String.fromCharCode(code);
    }
    return text;
  }

  hashes(): bigint[] {
    const count = this.whole();
    if (count > this.left / hashBytes) throw new Unreadable("it ends too early");
    return Array.from({ length: count }, () => this.hash());
  }
}

function readBound(reader: Reader, before: Bound): Bound | undefined {
  const step = reader.whole();
  if (step === 0) return undefined;
  const order = before.order + step - 1;
  if (!Number.isSafeInteger(order)) throw new Unreadable("a number is too large");
  const bound = { order, id: reader.ascii(reader.whole()) };
  if (order === before.order && bound.id <= before.id) throw new Unreadable("its ranges are out of order");
  return bound;
}

function readRange(reader: Reader, to: Bound | undefined): FrameRange {
  const say = modes[reader.byte()];
  switch (say) {
    case "skip":
      return { say, to };
    case "fingerprint":
      return { say, value: reader.hash(), to };
    case "list":
    case "want":
      return { say, digests: reader.hashes(), to };
    default:
      throw new Unreadable("a range is of no known mode");
  }
}

/** Reads a frame, strictly and totally: what is not the one way to write something is refused. */
export function decodeFrame(
  bytes: Uint8Array,
):
  | { readonly ok: true; readonly ranges: readonly FrameRange[] }
  | { readonly ok: false; readonly message: string } {
  if (bytes.length > limits.maxReconcileFrameBytes)
    return { ok: false, message: `the frame: expected at most ${limits.maxReconcileFrameBytes} bytes` };
  const reader = new Reader(bytes);
  const ranges: FrameRange[] = [];
  let before: Bound = { order: 0, id: "" };
  try {
    while (reader.left > 0) {
      const to = readBound(reader, before);
      ranges.push(readRange(reader, to));
      if (to) before = to;
      else if (reader.left > 0) throw new Unreadable("something comes after its end");
    }
  } catch (error) {
    if (error instanceof Unreadable)
      return { ok: false, message: `the frame cannot be read: ${error.message}` };
    throw error;
  }
  return { ok: true, ranges };
}
