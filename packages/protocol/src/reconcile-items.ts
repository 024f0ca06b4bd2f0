/** One thing that two sides may or may not both have. */
export interface ReconcileItem {
  /** The first key of the order: a row's version, so that what differs lies together at the recent end. */
  readonly order: number;
  /** The second: 1–300 printable ASCII characters, unique in its order. */
  readonly id: string;
  /** 128 bits that stand for the item's whole content (`elementHash`): two items are the same when these are. */
  readonly digest: bigint;
}

/** A place between items: before the first one that is not smaller. */
export interface Bound {
  readonly order: number;
  /** A prefix of an id; empty before all items of the order. */
  readonly id: string;
}

const modulus = 1n << 128n;
/** Items whose digests are summed up together, so that no sum of a range reads more than two of these item by item. */
const blockSize = 64;

/** Whether one place lies before another, or before the end. */
export const isBefore = (a: Bound, b: Bound | undefined): boolean =>
  b === undefined || a.order < b.order || (a.order === b.order && a.id < b.id);

/**
 * Items in order, with sums over any range of them in about the time of two blocks. Built once and never
 * changed; what changed is brought in by `with`, which hashes nothing.
 */
export class ReconcileItems {
  readonly #items: readonly ReconcileItem[];
  /** The sum of all digests before each block. */
  readonly #blocks: readonly bigint[];

  private constructor(sorted: readonly ReconcileItem[]) {
    this.#items = sorted;
    const blocks: bigint[] = [];
    let sum = 0n;
    for (const [i, { digest }] of sorted.entries()) {
      if (i % blockSize === 0) blocks.push(sum);
      sum = (sum + digest) % modulus;
    }
    this.#blocks = blocks;
  }

  /** @param items in any order. */
  static of(items: Iterable<ReconcileItem>): ReconcileItems {
    return new ReconcileItems([...items].sort((a, b) => (isBefore(a, b) ? -1 : isBefore(b, a) ? 1 : 0)));
  }

  /** These without those of some ids, and with others; in linear time where the others come last. */
  with(dropped: ReadonlySet<string>, added: Iterable<ReconcileItem>): ReconcileItems {
    return ReconcileItems.of([...this.#items.filter(({ id }) => !dropped.has(id)), ...added]);
  }

  get size(): number {
    return this.#items.length;
  }

  at(position: number): ReconcileItem {
    const item = this.#items[position];
    if (!item) throw new Error(`There is no item ${position}; there are ${this.size}.`);
    return item;
  }

  /** The position of the first item that is not before a bound; the size where all are, or where there is no bound. */
  find(bound: Bound | undefined): number {
    if (!bound) return this.size;
    let from = 0;
    let to = this.size;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (isBefore(this.at(middle), bound)) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /** The sum of the digests of positions `from` to before `to`, mod 2^128. */
  sum(from: number, to: number): bigint {
    return (this.#sumTo(to) - this.#sumTo(from) + modulus) % modulus;
  }

  #sumTo(position: number): bigint {
    if (position === 0) return 0n;
    const block = Math.floor((position - 1) / blockSize);
    let sum = this.#blocks[block] as bigint;
    for (let i = block * blockSize; i < position; i++) sum += this.at(i).digest;
    return sum % modulus;
  }

  /** The shortest bound that parts the item at a position from the one before it. */
  boundAt(position: number): Bound {
    const { order, id } = this.at(position);
    const before = position > 0 ? this.at(position - 1) : undefined;
    if (before?.order !== order) return { order, id: "" };
    let length = 1;
    while (before.id.startsWith(id.slice(0, length))) length += 1;
    return { order, id: id.slice(0, length) };
  }
}
