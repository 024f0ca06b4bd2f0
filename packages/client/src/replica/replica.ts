import type { Fields, MergeState, Op, Row, Stamp } from "@landfall/protocol";
import { type Effects, type ViewReader, noEffects, rowId, runOps, splitRowId } from "./effects.js";
import { EventList, type PendingEntry } from "./event-list.js";
import { type PendingEvent, comesBefore } from "./pending-event.js";
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
  /** Pending events that leave: settled, confirmed or given up. */
  readonly remove?: ReadonlySet<string>;
  /** Events that join; one that leaves in the same step joins again, in its new place. */
  readonly add?: readonly PendingEvent[];
  /** What the only event that joins does, as `try` has just found: it does not run again. */
  readonly tried?: Effects | undefined;
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
  readonly #listeners = new Set<(changes: ViewChanges) => void>();
  #rebase: Rebase | undefined;
  /** Hears which rows of a domain are about to be replaced, for the digest. */
  onBaseRows: ((domain: string, rows: Keys, base: ReadonlyMap<string, Row>) => void) | undefined;

  constructor(rules: ReplicaRules) {
    this.#rules = rules;
  }

  /** The record as the app sees it; undefined where there is none. */
  get(domain: string, key: string): ViewRecord | undefined {
    const shown = this.#shown.get(domain)?.get(key);
    if (shown) return shown;
    const fields = this.fields(domain, key);
    if (!fields) return undefined;
    const isPending = this.#overlay.get(domain)?.has(key) === true;
    const record = presentRecord(key, fields, this.baseRow(domain, key), isPending);
    submap(this.#shown, domain).set(key, record);
    return record;
  }

  /** The record's fields alone. */
  fields(domain: string, key: string): Fields | undefined {
    const state = this.#overlay.get(domain)?.get(key) ?? this.baseRow(domain, key);
    return state && !state.deleted ? this.#rules.domain(domain).complete(state.fields) : undefined;
  }

  /** Keys of the domain's live records, in no order. */
  *keys(domain: string): IterableIterator<string> {
    const overlay = this.#overlay.get(domain);
    const base = this.#base.get(domain);
    if (base) for (const [key, row] of base) if (!row.deleted && !overlay?.has(key)) yield key;
    if (overlay) for (const [key, state] of overlay) if (!state.deleted) yield key;
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

  /** Why a pending event has no effect in the view as it is, if so. */
  failureOf(id: string): Effects["failure"] {
    return this.#events.byId(id)?.effects.failure;
  }

  /** Replaces what is known of an event (that it is void, or its seq where that leaves it in its place) without a change of its effect. */
  update(event: PendingEvent): void {
    const entry = this.#events.byId(event.id);
    if (entry) this.#events.replace(entry, event);
  }

  /**
   * Takes in that an event was sent. Where it was sent before another that was written earlier, as in another tab,
   * it now comes before that one here too.
   */
  sent(event: PendingEvent): void | Promise<void> {
    const entry = this.#events.byId(event.id);
    if (!entry) return;
    const { entries } = this.#events;
    const previous = entries[entries.indexOf(entry) - 1];
    if (!previous || comesBefore(previous.event, event)) return this.update(event);
    return this.step({ remove: new Set([event.id]), add: [event] });
  }

  /** What ops would do if they were written now. */
  try(ops: readonly Op[], stamp: Stamp): Effects {
    const newest = { event: { id: stamp, madeAt: 0, ops }, effects: noEffects };
    return runOps(ops, stamp, new Rebase(this.#events, undefined).reader(newest, this.#base), this.#rules);
  }

  /** Shows records of local domains as they are now: no pending event ever touches them, so nothing is re-run. */
  patchLocal(rows: readonly (Row | { readonly domain: string; readonly key: string })[]): void {
    const changes = new Map<string, Set<string>>();
    for (const row of rows) {
      let keys = changes.get(row.domain);
      if (!keys) changes.set(row.domain, (keys = new Set()));
      keys.add(row.key);
      const base = submap(this.#base, row.domain);
      if ("version" in row) base.set(row.key, row);
      else base.delete(row.key);
      this.#shown.get(row.domain)?.delete(row.key);
    }
    this.#tell(changes);
  }

  #tell(changes: ViewChanges): void {
    if (changes.size > 0) tell(this.#listeners, changes);
  }

  subscribe(listener: (changes: ViewChanges) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Takes a step. Synchronous unless an action has to run; while one runs, the old view stands and built-in
   * ops may be added, which show at once and are carried over. Other steps wait for the promise.
   */
  step(step: ReplicaStep): void | Promise<void> {
    if (this.#rebase) {
      const onlyAdds = !step.patch && !step.remove && step.add?.every((event) => event.ops);
      if (!onlyAdds) throw new Error("A step of a replica waits for the one before it.");
      for (const event of step.add ?? []) this.#addDuringRebase(event, step.tried, this.#rebase);
      return;
    }
    const removed = new Set<PendingEntry>();
    for (const id of step.remove ?? []) {
      const entry = this.#events.byId(id);
      if (entry) removed.add(entry);
    }
    const rebase = new Rebase(this.#events, step.patch, removed);
    for (const event of step.add ?? []) {
      if (!this.#events.byId(event.id) || step.remove?.has(event.id))
        rebase.enqueue(this.#events.insert(event));
    }
    this.#rebase = rebase;
    return this.#run(rebase, step.tried);
  }

  #run(rebase: Rebase, tried?: Effects): void | Promise<void> {
    for (let entry = rebase.next(); entry; entry = rebase.next()) {
      const effects = tried ?? this.#execute(entry, rebase.reader(entry, this.#base));
      tried = undefined;
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

  /** Shows a built-in write on the view that stands, and has the running rebase take it along. */
  #addDuringRebase(event: PendingEvent, tried: Effects | undefined, running: Rebase): void {
    if (this.#events.byId(event.id)) return;
    const entry = this.#events.insert(event);
    const now = new Rebase(this.#events, undefined);
    now.record(entry, tried ?? (this.#execute(entry, now.reader(entry, this.#base)) as Effects));
    this.#commit(now);
    running.enqueue(entry);
  }

  #commit(rebase: Rebase): void {
    const affected = rebase.affectedRows();
    // Of a patch the very rows are told: a first sync has a hundred thousand of them.
    const changes = new Map<string, Keys>();
    for (const [domain, rows] of rebase.patch ?? []) {
      if (rows.size > 0) changes.set(domain, rows);
      this.#patchDomain(domain, rows);
    }
    rebase.settle();
    for (const id of affected) {
      const [domain, key] = splitRowId(id);
      const state = this.#events.lastState(id);
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
    this.#tell(changes);
  }

  #patchDomain(domain: string, rows: ReadonlyMap<string, Row | null>): void {
    const base = submap(this.#base, domain);
    const shown = this.#shown.get(domain);
    this.onBaseRows?.(domain, rows, base);
    for (const [key, row] of rows) {
      if (row) base.set(key, row);
      else base.delete(key);
      shown?.delete(key);
    }
  }
}
