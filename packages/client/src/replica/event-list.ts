import { type Effects, type RowId, lifeId, noEffects } from "./effects.js";
import { type PendingEvent, comesBefore } from "./pending-event.js";

/** A pending event with what it did when it last ran. */
export interface PendingEntry {
  event: PendingEvent;
  effects: Effects;
  /** It leaves with the step that is under way: nothing runs or reads it any more. */
  leaves?: true;
}

/** Where an entry stands, or would stand, in an ordered list. */
export function position(list: readonly PendingEntry[], event: PendingEvent): number {
  // Nearly every event is newer than all before it.
  const last = list[list.length - 1];
  if (last && comesBefore(last.event, event)) return list.length;
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (comesBefore((list[middle] as PendingEntry).event, event)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Puts an entry into its place in an ordered list, once. */
export function insertInOrder(list: PendingEntry[], entry: PendingEntry, from = 0): void {
  const at = Math.max(from, position(list, entry.event));
  if (at === list.length) list.push(entry);
  else if (list[at] !== entry) list.splice(at, 0, entry);
}

/**
 * Pending events in order, with an index from rows and domains to the events that depend on them, so that
 * a rebase costs what was touched and not what is pending.
 */
export class EventList {
  readonly entries: PendingEntry[] = [];
  readonly #byId = new Map<string, PendingEntry>();
  readonly #touching = new Map<RowId, PendingEntry[]>();
  readonly #scanning = new Map<string, PendingEntry[]>();

  byId(id: string): PendingEntry | undefined {
    return this.#byId.get(id);
  }

  insert(event: PendingEvent): PendingEntry {
    const entry: PendingEntry = { event, effects: noEffects };
    this.#byId.set(event.id, entry);
    insertInOrder(this.entries, entry);
    return entry;
  }

  /** Adds an event that comes after all others. @param effects what it does. */
  append(event: PendingEvent, effects: Effects): PendingEntry {
    const entry: PendingEntry = { event, effects };
    this.#byId.set(event.id, entry);
    this.entries.push(entry);
    this.index(entry, effects);
    return entry;
  }

  /** Lets those go that leave. */
  removeAll(leaving: readonly PendingEntry[]): void {
    // Events leave in the order that they came, nearly always: then the rest of a long list is not looked at.
    let front = 0;
    while (this.entries[front]?.leaves) front += 1;
    this.entries.splice(0, front);
    if (front < leaving.length) {
      let kept = 0;
      for (const entry of this.entries) if (!entry.leaves) this.entries[kept++] = entry;
      this.entries.length = kept;
    }
    leaving.forEach((entry) => {
      // An event that joined again in the same step has an entry of its own.
      if (this.#byId.get(entry.event.id) === entry) this.#byId.delete(entry.event.id);
      this.unindex(entry, entry.effects);
    });
  }

  /** Events that read or wrote a row, in order. */
  touching(id: RowId): readonly PendingEntry[] {
    return this.#touching.get(id) ?? [];
  }

  /** How many events wrote a row, where all that know anything of it leave; otherwise no number. */
  leavers(id: RowId): number {
    const entries = this.touching(id);
    const stays = ({ leaves }: PendingEntry): boolean => !leaves;
    if (entries.some(stays) || this.touching(lifeId(id)).some(stays)) return NaN;
    return entries.filter(({ effects }) => effects.writes.has(id)).length;
  }

  /** Events that read a whole domain, in order. */
  scanning(domain: string): readonly PendingEntry[] {
    return this.#scanning.get(domain) ?? [];
  }

  /** Whether any event has read a whole domain. */
  get isScanned(): boolean {
    return this.#scanning.size > 0;
  }

  get touchedRows(): ReadonlyMap<RowId, readonly PendingEntry[]> {
    return this.#touching;
  }

  index(entry: PendingEntry, effects: Effects): void {
    for (const id of effects.reads.keys()) addTo(this.#touching, id, entry);
    for (const domain of effects.scans) addTo(this.#scanning, domain, entry);
  }

  unindex(entry: PendingEntry, effects: Effects): void {
    for (const id of effects.reads.keys()) removeFrom(this.#touching, id, entry);
    for (const domain of effects.scans) removeFrom(this.#scanning, domain, entry);
  }

  /** Whether an event wrote a row of which the server has not confirmed that it has. */
  isOpen(id: RowId): boolean {
    return this.touching(id).some(({ event, effects }) => !event.confirmed && effects.writes.has(id));
  }

  /** The last event that wrote a row; undefined where none did. */
  lastWriter(id: RowId): PendingEntry | undefined {
    return this.touching(id).findLast(({ effects }) => effects.writes.has(id));
  }
}

function addTo(index: Map<string, PendingEntry[]>, name: string, entry: PendingEntry): void {
  const entries = index.get(name);
  if (entries) insertInOrder(entries, entry);
  else index.set(name, [entry]);
}

function removeFrom(index: Map<string, PendingEntry[]>, name: string, entry: PendingEntry): void {
  const entries = index.get(name);
  const at = entries?.indexOf(entry) ?? -1;
  if (!entries || at < 0) return;
  if (entries.length === 1) index.delete(name);
  else entries.splice(at, 1);
}
