import type { Sha256 } from "./digest.js";
import * as limits from "./limits.js";
import { type FrameRange, decodeFrame, encodeFrame, maxBytesOf } from "./reconcile-frame.js";
import { type Bound, type ReconcileItem, type ReconcileItems, isBefore } from "./reconcile-items.js";

/** Into so many parts a range that differs is split; with 16, two rounds narrow 100,000 items to a leaf. */
const reconcileBuckets = 16;
/** So many items at most are listed one by one when their fingerprint differs: what 16 fingerprints of two each would cost. */
const reconcileLeaf = 32;
/** So many are listed to one who has next to nothing in the range, and whom fingerprints would tell nothing. */
const maxListed = reconcileLeaf * reconcileBuckets;

/**
 * What the items of a range come to: the first 16 bytes, big-endian, of `SHA-256(sum ‖ count)`, the sum of their
 * digests mod 2^128 in 16 bytes and their number in 8, big-endian.
 */
export function fingerprint(hash: Sha256, items: ReconcileItems, from: number, to: number): bigint {
  return fingerprintOf(hash, items.sum(from, to), to - from);
}

function fingerprintOf(hash: Sha256, sum: bigint, count: number): bigint {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, sum >> 64n);
  view.setBigUint64(8, BigInt.asUintN(64, sum));
  view.setBigUint64(16, BigInt(count));
  const digest = hash(bytes);
  const out = new DataView(digest.buffer, digest.byteOffset, 16);
  return (out.getBigUint64(0) << 64n) | out.getBigUint64(8);
}

/** A part of one side's items, from one position to before another, and where it ends for both. */
interface Part {
  readonly from: number;
  readonly to: number;
  readonly end: Bound | undefined;
}

/** Parts of about one size; the last one ends where the whole does. */
function split(items: ReconcileItems, { from, to, end }: Part): Part[] {
  const parts: Part[] = [];
  let start = from;
  for (let i = 1; i <= reconcileBuckets; i++) {
    const stop = from + Math.round(((to - from) * i) / reconcileBuckets);
    if (stop === start) continue;
    parts.push({ from: start, to: stop, end: stop === to ? end : items.boundAt(stop) });
    start = stop;
  }
  return parts;
}

function fingerprints(hash: Sha256, items: ReconcileItems, part: Part): FrameRange[] {
  return split(items, part).map(({ from, to, end }) => ({
    say: "fingerprint",
    value: fingerprint(hash, items, from, to),
    to: end,
  }));
}

function list(items: ReconcileItems, { from, to, end }: Part): FrameRange {
  return {
    say: "list",
    digests: Array.from({ length: to - from }, (_, i) => items.at(from + i).digest),
    to: end,
  };
}

/** What one says about a range to one who has spoken of it. */
function reply(hash: Sha256, items: ReconcileItems, range: FrameRange, part: Part): FrameRange[] {
  const { from, to, end } = part;
  const size = to - from;
  const skip: FrameRange[] = [{ say: "skip", to: end }];
  switch (range.say) {
    case "skip":
    case "want":
      return skip;
    case "fingerprint":
      if (range.value === fingerprint(hash, items, from, to)) return skip;
      return size <= reconcileLeaf ? [list(items, part)] : fingerprints(hash, items, part);
    case "list": {
      let sum = 0n;
      for (const digest of range.digests) sum += digest;
      const isEqual =
        range.digests.length === size && BigInt.asUintN(128, sum) === items.sum(from, to) && size > 0;
      if (isEqual) return skip;
      return size <= maxListed ? [list(items, part)] : fingerprints(hash, items, part);
    }
  }
}

/**
 * The answering side; it remembers nothing between frames.
 *
 * @param end only items before this position count: what came after the asking side's items is no difference.
 * @returns the frame of the answer, and the positions of the items that were wanted.
 */
export function answerFrame(
  hash: Sha256,
  items: ReconcileItems,
  end: number,
  ranges: readonly FrameRange[],
): { readonly frame: Uint8Array; readonly wanted: readonly number[] } {
  const answer: FrameRange[] = [];
  const wanted: number[] = [];
  let from = 0;
  let left: number = limits.maxReconcileFrameBytes;
  for (const range of ranges) {
    const to = Math.max(from, Math.min(end, items.find(range.to)));
    if (range.say === "want") {
      const digests = new Set(range.digests);
      for (let i = from; i < to; i++) if (digests.has(items.at(i).digest)) wanted.push(i);
    }
    if (left > 0) {
      for (const word of reply(hash, items, range, { from, to, end: range.to })) {
        const last = answer.at(-1);
        if (word.say === "skip" && last?.say === "skip") answer[answer.length - 1] = word;
        else answer.push(word);
        left -= maxBytesOf(word);
      }
    }
    from = to;
  }
  return { frame: encodeFrame(answer).bytes, wanted };
}

/** A range that is to be asked about. */
interface Ask {
  readonly from: Bound;
  readonly to: Bound | undefined;
  readonly say: "fingerprint" | "list";
}

/** Items of the other side in a range, of which this one has none. */
interface Need {
  readonly from: Bound;
  readonly to: Bound | undefined;
  readonly digests: readonly bigint[];
}

const beginning: Bound = { order: 0, id: "" };

/** The ranges with skips for what lies between them; those that begin before the end of another are left out. */
function contiguous<T extends { readonly from: Bound; readonly to: Bound | undefined }>(
  parts: readonly T[],
  write: (part: T) => FrameRange,
): { readonly ranges: FrameRange[]; readonly places: number[] } {
  const ranges: FrameRange[] = [];
  const places: number[] = [];
  let at: Bound | undefined = beginning;
  for (const part of parts) {
    if (at === undefined || isBefore(part.from, at)) continue;
    if (isBefore(at, part.from)) ranges.push({ say: "skip", to: part.from });
    places.push(ranges.push(write(part)) - 1);
    at = part.to;
  }
  return { ranges, places };
}

/**
 * The asking side: it sends what `next` gives and takes the answers, until there is nothing left to ask. Then
 * `have` and `need` are what the two sides differ by.
 */
export class Reconciliation {
  readonly #hash: Sha256;
  readonly #items: ReconcileItems;
  readonly #have = new Set<number>();
  #needs: readonly Need[] = [];
  #wanting: readonly Need[] = [];
  #needed = 0;
  #asks: Ask[];
  #asked: readonly Ask[] = [];

  constructor(hash: Sha256, items: ReconcileItems) {
    this.#hash = hash;
    this.#items = items;
    this.#asks = this.#opening();
  }

  /** The newest items by themselves, and then 16 times as many with each range: differences lie where the newest are. */
  #opening(): Ask[] {
    const { size } = this.#items;
    const asks: Ask[] = [];
    let to: Bound | undefined;
    for (let newest = reconcileBuckets; newest < size; newest *= reconcileBuckets) {
      const from = this.#items.boundAt(size - newest);
      asks.push({ from, to, say: "fingerprint" });
      to = from;
    }
    asks.push({ from: beginning, to, say: "fingerprint" });
    return asks.reverse();
  }

  /** Items that the other side has not. */
  get have(): ReconcileItem[] {
    return [...this.#have].map((position) => this.#items.at(position));
  }

  /** How many items one of the two sides lacks, as far as that is known. */
  get differences(): number {
    return this.#have.size + this.#needed;
  }

  /** The next frame to send; undefined when there is nothing left to ask. */
  next(): Uint8Array | undefined {
    if (this.#asks.length === 0) return undefined;
    const { ranges, places } = contiguous(this.#asks, ({ from, to, say }): FrameRange => {
      if (say === "list") return { say, digests: [], to };
      const items = this.#items;
      return { say, value: fingerprint(this.#hash, items, items.find(from), items.find(to)), to };
    });
    const { bytes, count } = encodeFrame(ranges);
    const sent = places.filter((place) => place < count).length;
    this.#asked = this.#asks.slice(0, sent);
    this.#asks = this.#asks.slice(sent);
    return bytes;
  }

  /** Takes the answer to the newest frame. @returns what is wrong with it, if anything. */
  take(answer: Uint8Array): string | undefined {
    const frame = decodeFrame(answer);
    if (!frame.ok) return frame.message;
    const asks: Ask[] = [];
    let from: Bound | undefined = beginning;
    for (const range of frame.ranges) {
      if (from) this.#takeRange(from, range, asks);
      from = range.to;
    }
    // An answer that did not fit says nothing of the rest, which is asked about again.
    const reached = frame.ranges.length === 0 ? beginning : from;
    const unanswered = reached
      ? this.#asked
          .filter(({ to }) => isBefore(reached, to))
          .map((ask) => (isBefore(ask.from, reached) ? { ...ask, from: reached } : ask))
      : [];
    this.#asks = [...asks, ...unanswered, ...this.#asks];
    this.#asked = [];
    return undefined;
  }

  #takeRange(from: Bound, range: FrameRange, asks: Ask[]): void {
    const items = this.#items;
    const start = items.find(from);
    const stop = items.find(range.to);
    if (range.say === "fingerprint") {
      if (range.value === fingerprint(this.#hash, items, start, stop)) return;
      if (stop - start <= reconcileLeaf) return void asks.push({ from, to: range.to, say: "list" });
      let at = from;
      for (const { end } of split(items, { from: start, to: stop, end: range.to })) {
        asks.push({ from: at, to: end, say: "fingerprint" });
        if (end) at = end;
      }
    } else if (range.say === "list") {
      const theirs = new Set(range.digests);
      for (let i = start; i < stop; i++) if (!theirs.delete(items.at(i).digest)) this.#have.add(i);
      if (theirs.size > 0) this.#needs = [...this.#needs, { from, to: range.to, digests: [...theirs] }];
      this.#needed += theirs.size;
    }
  }

  /** A frame that asks for the rows of items that this side lacks, of so many at most; undefined when all have come. */
  want(maxItems: number): Uint8Array | undefined {
    const sorted = this.#needs.toSorted((a, b) => (isBefore(a.from, b.from) ? -1 : 1));
    const batch: Need[] = [];
    let size = 0;
    for (const need of sorted) {
      if (size > 0 && size + need.digests.length > maxItems) break;
      batch.push(need);
      size += need.digests.length;
    }
    if (batch.length === 0) return undefined;
    const { ranges } = contiguous(batch, ({ to, digests }) => ({ say: "want", digests, to }));
    this.#wanting = batch;
    return encodeFrame(ranges).bytes;
  }

  /**
   * The answer to the newest `want` brought the rows of these digests; those that it did not bring the other side
   * has no longer, unless it says that there are more.
   */
  came(digests: ReadonlySet<bigint>, more: boolean): void {
    const wanting = new Set(this.#wanting);
    this.#wanting = [];
    let came = 0;
    const left: Need[] = [];
    for (const need of wanting) {
      const lacking = need.digests.filter((digest) => !digests.has(digest));
      came += need.digests.length - lacking.length;
      if (lacking.length > 0) left.push({ ...need, digests: lacking });
    }
    const rest = this.#needs.filter((need) => !wanting.has(need));
    this.#needs = more && came > 0 ? [...left, ...rest] : rest;
  }
}
