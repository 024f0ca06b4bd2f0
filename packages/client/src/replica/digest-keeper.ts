import {
  DigestSum,
  type Row,
  type Sha256,
  type TimerPort,
  type WireDigest,
  rowElement,
} from "@landfall/protocol";
import type { Keys } from "./replica.js";

/** Digests are compared when base has stood still for so long: while much is landing, hashing would only slow it down. */
const quietMs = 200;
/** Rows hashed in one go; about 4 ms of a slow phone's time. */
const rowsPerSlice = 250;
/** So many changes are kept as they came; deltas may come for long before anything is compared. */
const maxNoted = 64;

interface DomainDigest {
  sum: DigestSum;
  /** Rows that changed since they were last counted in, with what was counted in for each. */
  dirty: Map<string, Row | undefined>;
}

/**
 * The digests of base, kept incrementally and off the critical path (DESIGN rule 10): changes are noted as
 * they happen and hashed in slices between other work.
 */
export class DigestKeeper {
  readonly #domains = new Map<string, DomainDigest>();
  /** Changes of domains that are not listed as dirty yet, in order: their rows, and what stood in their places. */
  readonly #noted: (readonly [domain: string, rows: Keys, before: ReadonlyMap<string, Row>])[] = [];
  readonly #hash: Sha256;
  readonly #timers: TimerPort;
  readonly #current: (domain: string, key: string) => Row | undefined;
  #stop: (() => void) | undefined;

  constructor(options: {
    hash: Sha256;
    timers: TimerPort;
    current: (domain: string, key: string) => Row | undefined;
  }) {
    this.#hash = options.hash;
    this.#timers = options.timers;
    this.#current = options.current;
  }

  /** Notes that rows of a domain's base will be replaced. */
  note(domain: string, rows: Keys, base: ReadonlyMap<string, Row>): void {
    const before = new Map<string, Row>();
    // A first sync replaces nothing.
    for (const key of base.size > 0 ? rows.keys() : []) {
      const row = base.get(key);
      if (row) before.set(key, row);
    }
    // Listed when they are counted: while much lands, that would be in the way.
    if (this.#noted.push([domain, rows, before]) > maxNoted) this.#list();
  }

  #list(): void {
    for (const [domain, rows, before] of this.#noted.splice(0)) {
      const { dirty } = this.#domain(domain);
      for (const key of rows.keys()) if (!dirty.has(key)) dirty.set(key, before.get(key));
    }
  }

  /** Counts a domain anew, from the rows that there are. */
  recount(domain: string, keys: Iterable<string>): void {
    this.#list();
    const dirty = new Map<string, Row | undefined>();
    for (const key of keys) dirty.set(key, undefined);
    this.#domains.set(domain, { sum: new DigestSum(), dirty });
  }

  #domain(name: string): DomainDigest {
    let digest = this.#domains.get(name);
    if (!digest) this.#domains.set(name, (digest = { sum: new DigestSum(), dirty: new Map() }));
    return digest;
  }

  /**
   * Compares with the server's digests when everything is hashed.
   *
   * @param isCurrent whether a domain's base still stands at the index that its digest names.
   * @param tell told of each domain whether it agrees.
   */
  compare(
    theirs: { readonly [domain: string]: WireDigest },
    isCurrent: (domain: string, index: number) => boolean,
    tell: (domain: string, agrees: boolean) => void,
  ): void {
    this.#stop?.();
    const slice = (): void => {
      if (this.#hashSlice()) {
        this.#stop = this.#timers.after(0, slice);
        return;
      }
      this.#stop = undefined;
      for (const [domain, digest] of Object.entries(theirs)) {
        const { sum } = this.#domain(domain);
        if (isCurrent(domain, digest.index))
          tell(domain, sum.count === digest.count && sum.sum === digest.sum);
      }
    };
    this.#stop = this.#timers.after(quietMs, slice);
  }

  /** Hashes some rows; true when some are left. */
  #hashSlice(): boolean {
    let left = rowsPerSlice;
    this.#list();
    for (const [domain, digest] of this.#domains) {
      for (const [key, before] of digest.dirty) {
        if (left-- === 0) return true;
        digest.dirty.delete(key);
        if (before && !before.deleted) digest.sum.remove(rowElement(this.#hash, before));
        const now = this.#current(domain, key);
        if (now && !now.deleted) digest.sum.add(rowElement(this.#hash, now));
      }
    }
    return false;
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }
}
