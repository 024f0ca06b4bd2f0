import type { Fields, MergeState, Op, Row, Stamp } from "@landfall/protocol";
import {
  type Effects,
  type RowId,
  type ViewReader,
  noEffects,
  rowId,
  runOps,
  splitRowId,
} from "./effects.js";
import { EventList, type PendingEntry, position } from "./event-list.js";
import { opOn } from "./own-echo.js";
import { type PendingEvent, comesBefore } from "./pending-event.js";
import { type Present, asIs } from "./present.js";
import { Rebase } from "./rebase.js";
import type { ReplicaRules } from "./rules.js";
import { type ViewRecord, presentRecord } from "./view-record.js";
import { tell } from "../listeners.js";
import { submap } from "../submap.js";

/** Keys of records; a map of them will do. */
export type Keys = Pick<ReadonlySet<string>, "has" | "keys" | "size">;

/** Keys of the records whose view changed, by domain. */
export type ViewChanges = ReadonlyMap<string, Keys>;

/** Rows to put into base; null takes a row away. */
export type BasePatch = ReadonlyMap<string, ReadonlyMap<string, Row | null>>;

/** One step of a replica, shown as a whole. */
export interface ReplicaStep {
  readonly patch?: BasePatch;
  /** How base shows from this step on. */
  readonly present?: Present;
  /** Pending events that leave: settled, confirmed or given up. */
  readonly remove?: ReadonlySet<string>;
  /** Events that join; one that leaves in the same step joins again, in its new place. */
  readonly add?: readonly PendingEvent[];
}

/**
 * The client's copy of a space: base + pending = view (DESIGN §2). Pure memory; the session around it
 * stores every step before or while it is shown. A step re-runs only the pending events that what changed
 * can reach, and listeners hear of it once (DESIGN rule 5, §8).
 */
export class Replica {
  readonly #rules: ReplicaRules;
  readonly #base = new Map<string, Map<string, Row>>();
  readonly #overlay = new Map<string, Map<string, MergeState>>();
  readonly #events = new EventList();
  readonly #shown = new Map<string, Map<string, ViewRecord>>();
  /** All records of a domain, by key, until one of them changes. */
  readonly #all = new Map<string, readonly ViewRecord[]>();
  readonly #listeners = new Set<(changes: ViewChanges, later: (() => void)[]) => void>();
  /** The view as it stands, which is what the newest event runs over. */
  readonly #view: ViewReader = {
    get: (domain, key) =>
      this.#overlay.get(domain)?.get(key) ?? this.#present(this.#base.get(domain)?.get(key)),
    version: (domain, key) => this.baseRow(domain, key)?.version ?? 0,
    keys: (domain) => this.keys(domain),
  };
  #rebase: Rebase | undefined;
  /** Base stays as the server gave it, which the digest is of; this is how it shows. */
  #present = asIs;
  /** Hears which rows of a domain are about to be replaced, for the digest. */
  onBaseRows: ((domain: string, rows: Keys, base: ReadonlyMap<string, Row>) => void) | undefined;

  constructor(rules: ReplicaRules) {
    this.#rules = rules;
  }

  /** The record as the app sees it; undefined where there is none. */
  get(domain: string, key: string): ViewRecord | undefined {
    const shown = this.#shown.get(domain)?.get(key);
    if (shown) return shown;
    const pending = this.#overlay.get(domain)?.get(key);
    const row = this.#base.get(domain)?.get(key);
    const state = pending ?? this.#present(row);
    if (!state || state.deleted) return undefined;
    const fields = this.#rules.domain(domain).complete(state.fields);
    const isPending = pending !== undefined && this.#events.isOpen(rowId(domain, key));
    const record = presentRecord(key, fields, row, isPending);
    submap(this.#shown, domain).set(key, record);
    return record;
  }

  /** The record's fields alone. */
  fields(domain: string, key: string): Fields | undefined {
    const state = this.#view.get(domain, key);
    return state && !state.deleted ? this.#rules.domain(domain).complete(state.fields) : undefined;
  }

  /** Keys of the domain's live records, in no order. */
  *keys(domain: string): IterableIterator<string> {
    const overlay = this.#overlay.get(domain);
    const base = this.#base.get(domain);
    if (base) for (const [key, row] of base) if (!row.deleted && !overlay?.has(key)) yield key;
    if (overlay) for (const [key, state] of overlay) if (!state.deleted) yield key;
  }

  /** The domain's live records in the order of their keys: the same list as long as none of them changes. */
  all(domain: string): readonly ViewRecord[] {
    let all = this.#all.get(domain);
    if (!all) {
      all = Object.freeze([...this.keys(domain)].sort().map((key) => this.get(domain, key) as ViewRecord));
      this.#all.set(domain, all);
    }
    return all;
  }

  /** A row of base as it shows, of this step or one that is kept of before. */
  present(row: Row | undefined): Row | undefined {
    return this.#present(row);
  }

  baseRow(domain: string, key: string): Row | undefined {
    return this.#base.get(domain)?.get(key);
  }

  baseRows(domain: string): ReadonlyMap<string, Row> {
    return this.#base.get(domain) ?? new Map();
  }

  /** Pending events in the order that they are sent and shown. */
  get pending(): readonly PendingEvent[] {
    return this.#events.entries.map((entry) => entry.event);
  }

  /** Pending events that read or wrote a record, oldest first. */
  pendingOf(domain: string, key: string): readonly PendingEvent[] {
    return this.#events.touching(rowId(domain, key)).map((entry) => entry.event);
  }

  /** Pending events that write a record, or have an op on it that changes nothing as things are, oldest first. */
  writersOf(domain: string, key: string): readonly PendingEvent[] {
    const id = rowId(domain, key);
    return this.#events
      .touching(id)
      .filter(
        ({ event, effects: { failure, writes } }) =>
          !event.confirmed && (failure ?? (writes.has(id) || opOn(event.ops ?? [], domain, key))),
      )
      .map(({ event }) => event);
  }

  /** The last pending event that wrote a record; undefined where the record shows as base has it. */
  lastWriter(domain: string, key: string): PendingEvent | undefined {
    return this.#events.lastWriter(rowId(domain, key))?.event;
  }

  /** Why a pending event has no effect in the view as it is, if so. */
  failureOf(id: string): Effects["failure"] {
    return this.#events.byId(id)?.effects.failure;
  }

  /** Replaces what is known of an event (that it is void, or its seq where that leaves it in its place) without a change of its effect. */
  update(event: PendingEvent): void {
    const entry = this.#events.byId(event.id);
    if (entry) entry.event = event;
  }

  /** Takes in that events are over which stay on show: what they wrote is not pending. */
  confirm(ids: Iterable<string>): void {
    const changes = new Map<string, Map<string, unknown>>();
    for (const id of ids) {
      const { event, effects } = this.#events.byId(id) ?? {};
      if (!event || event.confirmed) continue;
      this.update({ ...event, confirmed: true });
      effects?.writes.forEach((state, row) => {
        const [domain, key] = splitRowId(row);
        submap(changes, domain).set(key, state);
        this.#shown.get(domain)?.delete(key);
      });
    }
    this.#tell(changes);
  }

  /**
   * Takes in that events were sent, in that order. One that was sent before another that was written earlier, as in
   * another tab, now comes before that one here too; all of them move in one step (DESIGN rule 5).
   */
  sent(events: readonly PendingEvent[]): void | Promise<void> {
    const { entries } = this.#events;
    const moved = events.filter((event) => {
      // What is not pending has no place, and nothing before it.
      const entry = this.#events.byId(event.id);
      const previous = entry && entries[position(entries, entry.event) - 1];
      if (previous && !comesBefore(previous.event, event)) return true;
      this.update(event);
      return false;
    });
    return this.step({ remove: new Set(moved.map(({ id }) => id)), add: moved });
  }

  /** What ops would do if they were written now. */
  try(ops: readonly Op[], stamp: Stamp): Effects {
    return runOps(ops, stamp, this.#view, this.#rules);
  }

  /**
   * Adds an event that is newer than all others and does what `try` has just found, so that nothing runs. It shows at
   * once, also while a step is under way, which takes it along.
   */
  append(event: PendingEvent, tried: Effects): void {
    const entry = this.#events.append(event, tried);
    this.#rebase?.enqueue(entry);
    const changes = new Map<string, Keys>();
    this.#overlayRows(tried.writes.keys(), changes);
    this.#tell(changes);
  }

  /** Shows records of local domains as they are now: no pending event ever touches them, so nothing is re-run. */
  patchLocal(rows: readonly (Row | { readonly domain: string; readonly key: string })[]): void {
    const changes = new Map<string, Map<string, unknown>>();
    for (const row of rows) {
      submap(changes, row.domain).set(row.key, row);
      const base = submap(this.#base, row.domain);
      if ("version" in row) base.set(row.key, row);
      else base.delete(row.key);
      this.#shown.get(row.domain)?.delete(row.key);
    }
    this.#tell(changes);
  }

  #tell(changes: ViewChanges): void {
    for (const domain of changes.keys()) this.#all.delete(domain);
    const later: (() => void)[] = [];
    tell(this.#listeners, changes, later);
    tell(later);
  }

  /** @param listener may add to `later` what is told when every listener has taken the changes (DESIGN rule 5). */
  subscribe(listener: (changes: ViewChanges, later: (() => void)[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Takes a step. Synchronous unless an action has to run; while one runs, the old view stands, and events may be
   * appended. Other steps wait for the promise.
   */
  step(step: ReplicaStep): void | Promise<void> {
    if (this.#rebase) throw new Error("A step of a replica waits for the one before it.");
    const { present = this.#present } = step;
    const patch = present === this.#present ? step.patch : this.#presentedAnew(present, step.patch);
    if (this.#events.entries.length === 0 && !step.add?.length)
      return this.#tell(this.#patch(present, patch));
    const leaving: PendingEntry[] = [];
    step.remove?.forEach((id) => {
      const entry = this.#events.byId(id);
      if (!entry) return;
      entry.leaves = true;
      leaving.push(entry);
    });
    if (leaving[0] && !step.add?.length && this.#promote(present, patch, leaving)) return undefined;
    const rebase = new Rebase(this.#events, patch, leaving, present);
    for (const event of step.add ?? []) {
      if (!this.#events.byId(event.id) || step.remove?.has(event.id))
        rebase.enqueue(this.#events.insert(event));
    }
    this.#rebase = rebase;
    return this.#run(rebase);
  }

  /**
   * Lets events go that nobody stays behind of: where a patch has every row that they wrote, and no event that stays has
   * read one of its rows, nothing runs, and nothing stands over these rows any more. @returns whether it is so.
   */
  #promote(present: Present, patch: BasePatch = new Map(), leaving: readonly PendingEntry[]): boolean {
    const events = this.#events;
    let left = 0;
    leaving.forEach(({ effects }) => (left += effects.writes.size));
    patch.forEach((rows, domain) =>
      rows.forEach((_row, key) => (left -= events.leavers(rowId(domain, key)))),
    );
    if (left !== 0 || events.isScanned) return false;
    const changes = this.#patch(present, patch, this.#overlay);
    events.removeAll(leaving);
    this.#tell(changes);
    return true;
  }

  #run(rebase: Rebase): void | Promise<void> {
    for (let entry = rebase.next(); entry; entry = rebase.next()) {
      const effects = this.#execute(entry, rebase.reader(entry, this.#base));
      if (effects instanceof Promise) {
        const running = entry;
        return effects.then((done) => {
          rebase.record(running, done);
          return this.#run(rebase);
        });
      }
      rebase.record(entry, effects);
    }
    this.#rebase = undefined;
    this.#commit(rebase);
  }

  #execute(entry: PendingEntry, reader: ViewReader): Effects | Promise<Effects> {
    const { event } = entry;
    if (event.void && !event.refused) return noEffects;
    if (event.ops) return runOps(event.ops, event.id, reader, this.#rules);
    return this.#rules.runAction(
      { id: event.id, action: event.action as string, args: event.args ?? null },
      reader,
    );
  }

  #commit(rebase: Rebase): void {
    const changes = this.#patch(rebase.present, rebase.patch);
    rebase.settle();
    this.#overlayRows(rebase.affected, changes);
    this.#tell(changes);
  }

  /**
   * Moves base. Of a patch the very rows are told: a first sync has a hundred thousand of them.
   *
   * @param overlays what stands over base, where it goes with what comes into base.
   */
  #patch(
    present: Present,
    patch: BasePatch = new Map(),
    overlays?: ReadonlyMap<string, Map<string, MergeState>>,
  ): Map<string, Keys> {
    this.#present = present;
    const changes = new Map<string, Keys>();
    for (const [domain, rows] of patch) {
      const base = submap(this.#base, domain);
      const shown = this.#shown.get(domain);
      const overlay = overlays?.get(domain);
      if (rows.size > 0) changes.set(domain, rows);
      this.onBaseRows?.(domain, rows, base);
      rows.forEach((row, key) => {
        if (row) base.set(key, row);
        else base.delete(key);
        shown?.delete(key);
        overlay?.delete(key);
      });
    }
    return changes;
  }

  /** A patch with the rows that show otherwise from now on, though they stay what they are. */
  #presentedAnew(present: Present, patch: BasePatch = new Map()): BasePatch {
    const whole = new Map(patch);
    for (const [domain, base] of this.#base) {
      const rows = new Map<string, Row | null>(patch.get(domain));
      for (const [key, row] of base)
        if (!rows.has(key) && present(row) !== this.#present(row)) rows.set(key, row);
      if (rows.size > 0) whole.set(domain, rows);
    }
    return whole;
  }

  /** Puts what pending events make of rows over base, and says where that is another state. */
  #overlayRows(ids: Iterable<RowId>, changes: Map<string, Keys>): void {
    for (const id of ids) {
      const [domain, key] = splitRowId(id);
      const state = this.#events.lastWriter(id)?.effects.writes.get(id);
      if (this.#overlay.get(domain)?.get(key) === state) continue;
      const overlay = submap(this.#overlay, domain);
      if (state) overlay.set(key, state);
      else overlay.delete(key);
      if (overlay.size === 0) this.#overlay.delete(domain);
      this.#shown.get(domain)?.delete(key);
      const told = changes.get(domain);
      if (told?.has(key)) continue;
      if (told instanceof Set) told.add(key);
      else changes.set(domain, new Set(told?.keys()).add(key));
    }
  }
}
