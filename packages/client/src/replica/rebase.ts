import { type MergeState, type Row, sameJson } from "@landfall/protocol";
import { type Effects, type RowId, type ViewReader, lifeId, rowId, splitRowId } from "./effects.js";
import { type EventList, type PendingEntry, insertInOrder, position } from "./event-list.js";
import { comesBefore } from "./pending-event.js";
import type { Present } from "./present.js";
import type { BasePatch } from "./replica.js";

function sameState(a: MergeState | undefined, b: MergeState | undefined): boolean {
  if (a === b) return true;
  if (!a || !b || a.deleted || b.deleted) return Boolean(a?.deleted && b?.deleted);
  return sameJson(a.fields, b.fields) && sameJson(a.stamps, b.stamps);
}

/**
 * One rebase: base moves by a patch, events leave and join, and those that any of it can reach run again in
 * order. What a run wrote before or writes now is touched for the later events, and a scan has read its
 * whole domain (DESIGN §8). Nothing of it shows before `settle`.
 */
export class Rebase {
  readonly #events: EventList;
  readonly patch: BasePatch | undefined;
  readonly present: Present;
  readonly #queue: PendingEntry[] = [];
  readonly #effects = new Map<PendingEntry, Effects>();
  readonly #leaving: readonly PendingEntry[];
  /** Rows whose pending state may have changed. */
  readonly affected = new Set<RowId>();
  /** Rows that events touch only since this rebase; the standing index does not know them yet. */
  readonly #newTouches = new Map<RowId, PendingEntry[]>();

  constructor(
    events: EventList,
    patch: BasePatch | undefined,
    leaving: readonly PendingEntry[],
    present: Present,
  ) {
    this.#events = events;
    this.patch = patch;
    this.present = present;
    this.#leaving = leaving;
    if (patch && events.entries.length > 0) this.#queue.push(...this.#reachedBy(patch));
    for (const entry of leaving) this.#spread(entry, entry.effects.writes.keys());
  }

  /** The standing events, but for those that leave, that depend on rows of a patch, in order. */
  #reachedBy(patch: BasePatch): PendingEntry[] {
    const events = this.#events;
    const initial = new Set<PendingEntry>();
    const add = (entries: readonly PendingEntry[]): void => {
      for (const entry of entries) if (!entry.leaves) initial.add(entry);
    };
    for (const [domain, rows] of patch) {
      if (rows.size > 0) add(events.scanning(domain));
    }
    const reach = (id: RowId, row: Row | null): void => {
      add(events.touching(id));
      const under = events.touching(lifeId(id));
      // What stands under it stands as long as it is not deleted.
      add(row?.deleted ? under : under.filter(({ effects }) => effects.failure));
    };
    let patched = 0;
    for (const rows of patch.values()) patched += rows.size;
    if (patched < events.touchedRows.size) {
      for (const [domain, rows] of patch) for (const [key, row] of rows) reach(rowId(domain, key), row);
    } else {
      for (const touched of events.touchedRows.keys()) {
        const id = touched.replace("!", "");
        const [domain, key] = splitRowId(id);
        const row = patch.get(domain)?.get(key);
        if (row !== undefined) reach(id, row);
      }
    }
    return [...initial].sort((a, b) => (comesBefore(a.event, b.event) ? -1 : 1));
  }

  enqueue(entry: PendingEntry): void {
    if (!entry.leaves) insertInOrder(this.#queue, entry);
  }

  /** The next event to run, oldest first. */
  next(): PendingEntry | undefined {
    for (let entry = this.#queue.shift(); entry; entry = this.#queue.shift()) if (!entry.leaves) return entry;
    return undefined;
  }

  record(entry: PendingEntry, effects: Effects): void {
    const before = this.#effects.get(entry) ?? entry.effects;
    this.#effects.set(entry, effects);
    for (const id of effects.reads.keys()) {
      if (entry.effects.reads.has(id)) continue;
      const touching = this.#newTouches.get(id);
      if (touching) insertInOrder(touching, entry);
      else this.#newTouches.set(id, [entry]);
    }
    const moved: RowId[] = [];
    const writes = effects.writes as Map<RowId, MergeState>;
    for (const [id, state] of writes) {
      const standing = before.writes.get(id);
      // An equal state keeps its identity, so that nobody is told of a change that is none.
      if (standing && sameState(standing, state)) writes.set(id, standing);
      else moved.push(id);
    }
    for (const id of before.writes.keys()) if (!effects.writes.has(id)) moved.push(id);
    for (const id of effects.writes.keys()) this.affected.add(id);
    this.#spread(entry, moved);
  }

  /**
   * Later events that depend on these rows run again: of each row its readers up to the next event that
   * writes it, which spreads on by itself if what it writes has changed.
   */
  #spread(entry: PendingEntry, rows: Iterable<RowId>): void {
    for (const id of rows) {
      this.affected.add(id);
      for (const read of [id, lifeId(id)]) {
        this.#spreadTo(this.#events.touching(read), entry, id);
        if (this.#newTouches.size > 0) this.#spreadTo(this.#newTouches.get(read) ?? [], entry, id);
      }
      if (!this.#events.isScanned) continue;
      for (const other of this.#events.scanning(splitRowId(id)[0])) {
        if (other !== entry && comesBefore(entry.event, other.event)) this.enqueue(other);
      }
    }
  }

  #spreadTo(touching: readonly PendingEntry[], entry: PendingEntry, id: RowId): void {
    for (let i = position(touching, entry.event); i < touching.length; i++) {
      const other = touching[i] as PendingEntry;
      if (other === entry) continue;
      this.enqueue(other);
      if (!other.leaves && (this.#effects.get(other) ?? other.effects).writes.has(id)) break;
    }
  }

  /** The view as it stands before an event, with the patch in base and earlier events as they ran last. */
  reader(entry: PendingEntry, base: ReadonlyMap<string, ReadonlyMap<string, Row>>): ViewReader {
    const row = (domain: string, key: string): Row | undefined => {
      const patched = this.patch?.get(domain)?.get(key);
      return patched === undefined ? base.get(domain)?.get(key) : (patched ?? undefined);
    };
    const get = (domain: string, key: string): MergeState | undefined => {
      const written = this.#before(entry, rowId(domain, key));
      return written ?? this.present(row(domain, key));
    };
    return {
      get,
      version: (domain, key) => row(domain, key)?.version ?? 0,
      keys: (domain) => {
        const keys = new Set<string>();
        for (const rows of [base.get(domain), this.patch?.get(domain)])
          if (rows) for (const key of rows.keys()) keys.add(key);
        for (const ids of [this.#events.touchedRows.keys(), this.#newTouches.keys()]) {
          for (const id of ids) if (id.startsWith(`${domain}/`)) keys.add(splitRowId(id)[1]);
        }
        return [...keys].filter((key) => {
          const state = get(domain, key);
          return state !== undefined && !state.deleted;
        });
      },
    };
  }

  #before(entry: PendingEntry, id: RowId): MergeState | undefined {
    const standing = this.#lastBefore(this.#events.touching(id), entry, id);
    const fresh = this.#lastBefore(this.#newTouches.get(id) ?? [], entry, id);
    if (!standing || !fresh) return (standing ?? fresh)?.state;
    return comesBefore(standing.by.event, fresh.by.event) ? fresh.state : standing.state;
  }

  #lastBefore(
    entries: readonly PendingEntry[],
    entry: PendingEntry,
    id: RowId,
  ): { state: MergeState; by: PendingEntry } | undefined {
    // Most often the event asked for is the newest, so the search begins at the end.
    for (let i = entries.length - 1; i >= 0; i--) {
      const other = entries[i] as PendingEntry;
      if (other === entry || other.leaves || !comesBefore(other.event, entry.event)) continue;
      const state = (this.#effects.get(other) ?? other.effects).writes.get(id);
      if (state) return { state, by: other };
    }
    return undefined;
  }

  /** Makes the new effects the standing ones. */
  settle(): void {
    for (const [entry, effects] of this.#effects) {
      if (entry.leaves) continue;
      this.#events.unindex(entry, entry.effects);
      entry.effects = effects;
      this.#events.index(entry, effects);
    }
    this.#events.removeAll(this.#leaving);
  }
}
