import { type Query, compareBy, matches, select } from "@landfall/schema";
import { tell } from "../listeners.js";
import type { Keys, Replica } from "../replica/replica.js";
import type { ViewRecord } from "../replica/view-record.js";

/** A query whose answer is kept up to date. `current` is a new list exactly when something in it changed. */
export interface LiveQuery<R> {
  readonly current: readonly R[];
  /** Calls at every change of `current`. Returns what ends it. */
  subscribe(listener: () => void): () => void;
}

/** More changes than this at once are worked out anew instead of one by one. */
const maxIncremental = 200;

const same = (a: readonly ViewRecord[], b: readonly ViewRecord[]): boolean =>
  a.length === b.length && a.every((record, i) => record === b[i]);

/**
 * Keeps the answer of a query without asking it again: a change costs the place of its record in the answer.
 * It follows the replica only while somebody listens.
 */
class LiveRecords implements LiveQuery<ViewRecord> {
  readonly #replica: Replica;
  readonly #domain: string;
  readonly #query: Query<ViewRecord>;
  readonly #compare: (a: ViewRecord, b: ViewRecord) => number;
  readonly #sliced: boolean;
  readonly #listeners = new Set<() => void>();
  #matching: ViewRecord[] = [];
  /** What stands in `#matching`, by key; made at the first change. */
  #byKey: Map<string, ViewRecord> | undefined;
  #current: readonly ViewRecord[] = [];
  #stop: (() => void) | undefined;

  constructor(replica: Replica, domain: string, query: Query<ViewRecord>) {
    this.#replica = replica;
    this.#domain = domain;
    this.#query = query;
    this.#compare = compareBy<ViewRecord>(query.orderBy);
    this.#sliced = query.limit !== undefined || query.after !== undefined;
  }

  get current(): readonly ViewRecord[] {
    if (!this.#stop) {
      this.#readAll();
      this.#showPage();
    }
    return this.#current;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (!this.#stop) {
      this.#readAll();
      this.#showPage();
      this.#stop = this.#replica.subscribe((changes, later) => {
        const keys = changes.get(this.#domain);
        if (keys && this.#take(keys) && this.#showPage()) later.push(() => tell(this.#listeners));
      });
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#stop?.();
      this.#stop = undefined;
    };
  }

  /** @returns whether the answer is another: asked again without a change in between, it is the same list. */
  #readAll(): boolean {
    const { limit: _limit, after: _after, ...whole } = this.#query;
    const records: ViewRecord[] = [];
    for (const key of this.#replica.keys(this.#domain)) {
      records.push(this.#replica.get(this.#domain, key) as ViewRecord);
    }
    const found = select(records, whole);
    if (same(this.#matching, found)) return false;
    this.#matching = found;
    this.#byKey = undefined;
    return true;
  }

  #showPage(): boolean {
    const { where: _where, ...page } = this.#query;
    const find = (key: string): ViewRecord | undefined => this.#replica.get(this.#domain, key);
    const next = this.#sliced ? select(this.#matching, page, find) : this.#matching;
    if (this.#sliced && same(this.#current, next)) return false;
    this.#current = next;
    return true;
  }

  #place(record: ViewRecord): number {
    let low = 0;
    let high = this.#matching.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(this.#matching[middle] as ViewRecord, record) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @returns whether the answer changed. */
  #take(keys: Keys): boolean {
    if (keys.size > maxIncremental) return this.#readAll();
    const all = (this.#byKey ??= new Map(this.#matching.map((record) => [record.key, record])));
    let changed = false;
    const splice = (at: number, gone: number, ...come: ViewRecord[]): void => {
      // The first change makes the new list, in one copy; no list that was given out is touched.
      if (changed) this.#matching.splice(at, gone, ...come);
      else this.#matching = this.#matching.toSpliced(at, gone, ...come);
      changed = true;
    };
    for (const key of keys.keys()) {
      const before = all.get(key);
      const record = this.#replica.get(this.#domain, key);
      const now = record && matches<ViewRecord>(this.#query.where, record) ? record : undefined;
      if (before === now) continue;
      if (before && now && this.#compare(before, now) === 0) splice(this.#place(before), 1, now);
      else {
        if (before) splice(this.#place(before), 1);
        if (now) splice(this.#place(now), 0, now);
      }
      if (now) all.set(key, now);
      else all.delete(key);
    }
    return changed;
  }
}

/** The answer of a query over a domain of a replica. */
export function liveQuery(replica: Replica, domain: string, query: Query<ViewRecord>): LiveQuery<ViewRecord> {
  return new LiveRecords(replica, domain, query);
}
