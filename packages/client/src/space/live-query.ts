import { type Query, compareBy, matches, select } from "@landfall/schema";
import type { Replica } from "../replica/replica.js";
import type { ViewRecord } from "../replica/view-record.js";

/** A query whose answer is kept up to date. `current` is a new list exactly when something in it changed. */
export interface LiveQuery<R> {
  readonly current: readonly R[];
  /** Calls at every change of `current`. Returns what ends it. */
  subscribe(listener: () => void): () => void;
}

/** More changes than this at once are worked out anew instead of one by one. */
const maxIncremental = 200;

/**
 * Keeps the answer of a query without asking it again: a change costs the place of its record in the answer.
 * It follows the replica only while somebody listens.
 */
export function liveQuery(replica: Replica, domain: string, query: Query<ViewRecord>): LiveQuery<ViewRecord> {
  const { where, orderBy, limit, after } = query;
  const compare = compareBy<ViewRecord>(orderBy);
  const sliced = limit !== undefined || after !== undefined;
  const listeners = new Set<() => void>();
  let matching: ViewRecord[] = [];
  /** The record as it stands in `matching`, by key. */
  let placed = new Map<string, ViewRecord>();
  let current: readonly ViewRecord[] = [];
  let stop: (() => void) | undefined;

  function* records(): Iterable<ViewRecord> {
    for (const key of replica.keys(domain)) yield replica.get(domain, key) as ViewRecord;
  }
  const page = (): readonly ViewRecord[] =>
    sliced
      ? select(
          matching,
          {
            ...(orderBy ? { orderBy } : {}),
            ...(limit === undefined ? {} : { limit }),
            ...(after === undefined ? {} : { after }),
          },
          (key) => replica.get(domain, key),
        )
      : matching;
  const same = (a: readonly ViewRecord[], b: readonly ViewRecord[]): boolean =>
    a.length === b.length && a.every((record, i) => record === b[i]);
  const showPage = (): boolean => {
    const next = page();
    if (sliced && same(current, next)) return false;
    current = next;
    return true;
  };
  /** @returns whether the answer is another: asked again without a change in between, it is the same list. */
  const readAll = (): boolean => {
    const found = select(records(), { ...(where ? { where } : {}), ...(orderBy ? { orderBy } : {}) });
    if (same(matching, found)) return false;
    matching = found;
    placed = new Map(matching.map((record) => [record.key, record]));
    return true;
  };
  const place = (record: ViewRecord): number => {
    let low = 0;
    let high = matching.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(matching[middle] as ViewRecord, record) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  /** @returns whether the answer changed. */
  const take = (keys: ReadonlySet<string>): boolean => {
    if (keys.size > maxIncremental) return readAll();
    let changed = false;
    for (const key of keys) {
      const before = placed.get(key);
      const record = replica.get(domain, key);
      const now = record && matches<ViewRecord>(where, record) ? record : undefined;
      if (before === now) continue;
      if (!changed) matching = matching.slice();
      changed = true;
      if (before && now && compare(before, now) === 0) matching[place(before)] = now;
      else {
        if (before) matching.splice(place(before), 1);
        if (now) matching.splice(place(now), 0, now);
      }
      if (now) placed.set(key, now);
      else placed.delete(key);
    }
    return changed;
  };
  return {
    get current() {
      if (!stop) {
        readAll();
        showPage();
      }
      return current;
    },
    subscribe(listener) {
      listeners.add(listener);
      if (!stop) {
        readAll();
        showPage();
        stop = replica.subscribe((changes) => {
          const keys = changes.get(domain);
          if (keys && take(keys) && showPage()) for (const each of [...listeners]) each();
        });
      }
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        stop?.();
        stop = undefined;
      };
    },
  };
}
