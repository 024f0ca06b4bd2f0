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

/** All records that can answer a query, as an index knows them; undefined where each has to be looked at. */
type Candidates = () => Iterable<ViewRecord> | undefined;

/** A record of an answer. */
interface Held {
  record: ViewRecord;
  /** Where it stood when it was last looked for. */
  at: number;
}

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
  readonly #listeners = new Set<() => void>();
  #matching: ViewRecord[] = [];
  /** A copy of `#matching` that nobody has seen: the next change goes into it. */
  #spare: ViewRecord[] | undefined;
  /** What stands in `#matching`, by key; made at the first change. */
  #byKey: Map<string, Held> | undefined;
  #current: readonly ViewRecord[] = [];
  #stop: (() => void) | undefined;
  readonly #candidates: Candidates;

  constructor(replica: Replica, domain: string, query: Query<ViewRecord>, candidates: Candidates) {
    this.#replica = replica;
    this.#domain = domain;
    this.#query = query;
    this.#candidates = candidates;
    this.#compare = compareBy<ViewRecord>(query.orderBy);
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
    void this.current;
    this.#stop ??= this.#replica.subscribe((changes, later) => {
      const keys = changes.get(this.#domain);
      if (keys && this.#take(keys) && this.#showPage())
        later.push(() => {
          tell(this.#listeners);
          // Copied when everybody has been told, so that nobody who waits for the next change waits for that.
          queueMicrotask(() => (this.#spare ??= [...this.#matching]));
        });
    });
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
    const found = select(this.#candidates() ?? this.#all(), whole);
    if (same(this.#matching, found)) return false;
    this.#matching = found;
    this.#spare = undefined;
    this.#byKey = undefined;
    return true;
  }

  #all(): ViewRecord[] {
    const records: ViewRecord[] = [];
    for (const key of this.#replica.keys(this.#domain))
      records.push(this.#replica.get(this.#domain, key) as ViewRecord);
    return records;
  }

  #showPage(): boolean {
    const { where: _where, ...page } = this.#query;
    let next = this.#matching;
    if ((page.limit ?? page.after) !== undefined) {
      next = select(next, page, (key) => this.#replica.get(this.#domain, key));
      if (same(this.#current, next)) return false;
    }
    this.#current = next;
    return true;
  }

  #place(record: ViewRecord): number {
    return position(this.#matching, (other) => this.#compare(other, record) < 0);
  }

  /** @returns whether the answer changed. */
  #take(keys: Keys): boolean {
    if (keys.size > maxIncremental) return this.#readAll();
    const all = (this.#byKey ??= new Map(this.#matching.map((record, at) => [record.key, { record, at }])));
    let list: ViewRecord[] | undefined;
    for (const key of keys.keys()) {
      const held = all.get(key);
      const record = this.#replica.get(this.#domain, key);
      const now = record && matches<ViewRecord>(this.#query.where, record) ? record : undefined;
      if (held?.record === now) continue;
      // No list that was given out is touched.
      list ??= this.#matching = this.#spare ?? [...this.#matching];
      this.#spare = undefined;
      // Most changes leave a record where it was: looking for its place would read records all over the list.
      if (held && list[held.at] !== held.record) held.at = this.#place(held.record);
      if (held && now && this.#compare(held.record, now) === 0) held.record = list[held.at] = now;
      else {
        if (held) list.splice(held.at, 1);
        if (now) {
          const at = this.#place(now);
          list.splice(at, 0, now);
          all.set(key, { record: now, at });
        } else all.delete(key);
      }
    }
    return list !== undefined;
  }
}

/** How many records stand before the first that does not, in a list where all that do come first. */
export function position(records: readonly ViewRecord[], isBefore: (record: ViewRecord) => boolean): number {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(records[middle] as ViewRecord)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The answer of a query over a domain of a replica. */
export function liveQuery(
  replica: Replica,
  domain: string,
  query: Query<ViewRecord>,
  candidates: Candidates = () => undefined,
): LiveQuery<ViewRecord> {
  return new LiveRecords(replica, domain, query, candidates);
}
