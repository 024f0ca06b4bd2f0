import type { ExpectedVersion, WireEvent } from "@landfall/protocol";
import type { Budget } from "../loop/port.js";
import { type PendingEvent, comesBefore, renumbered, wireExpectation } from "../replica/pending-event.js";
import { type SettledOutcome, indexOf } from "./settlement.js";

/** How an event stands in the outbox. */
interface Entry {
  event: PendingEvent;
  /** Bytes that it takes in a request, about. */
  readonly bytes: number;
  /** Whether the storage has it, or has refused for good to take it: only then may it be sent. */
  ready: boolean;
  /** Whether the storage is known to have it. */
  stored: boolean;
  /** Its number was given, and the storage had no room for it. */
  loose?: boolean;
  /** Settled, and not yet out of the ordered list. */
  gone: boolean;
}

const isExpecting = (event: PendingEvent): boolean =>
  event.expect?.some(([, , version]) => typeof version !== "number") ?? false;

/** So many settled events are remembered: a tab that froze once it had stored a write tells of it when it wakes. */
const maxSettled = 10_000;

/** What an event takes in a request beside what was stored of it: its seq and punctuation. */
const envelopeBytes = 24;

/** What a request carries of an outbox. */
export interface Choice {
  /** In the order that they are sent. */
  readonly chosen: readonly PendingEvent[];
  /** Those that got their seq just now, after those whose seq is to be stored still. */
  readonly numbered: readonly PendingEvent[];
  /** The counter after them. */
  readonly nextSeq: number;
  readonly bytes: number;
}

/** An event as it goes into a request; put together member by member, for a long outbox has thousands. */
function toWire(event: PendingEvent, versionBy: (id: string) => ExpectedVersion | undefined): WireEvent {
  const { id, seq, schema, was, expect, ops } = event;
  const wire: { [member: string]: unknown } = { id, seq };
  if (schema !== undefined) wire["schema"] = schema;
  if (was) wire["was"] = was;
  if (event.void) wire["void"] = true;
  else {
    if (expect) wire["expect"] = expect.map((expectation) => wireExpectation(expectation, versionBy));
    if (ops) wire["ops"] = ops;
    else Object.assign(wire, { action: event.action, args: event.args ?? null });
  }
  return wire as unknown as WireEvent;
}

/** The events of a space that the server has not settled, and the counter that numbers them (DESIGN rule 3). */
export class Outbox {
  readonly #entries = new Map<string, Entry>();
  /** The newest events that left because they were settled, each with the version that it made, if it is known. */
  readonly #settled = new Map<string, number | undefined>();
  /** Events in the order that they are sent; undefined when it must be worked out again. */
  #sorted: Entry[] | undefined = [];
  /** Events settle in the order that they were sent, so the front of the list is passed over instead of moved. */
  #from = 0;
  /** Events that are ready. */
  #ready = 0;
  #expecting = 0;
  /** Bytes of all entries. */
  bytes = 0;
  nextSeq = 1;

  /** All events, in the order that they are sent. */
  get events(): PendingEvent[] {
    return this.#live().map((entry) => entry.event);
  }

  /** Events that have a seq; they stand before all others. */
  get sent(): PendingEvent[] {
    const sent: PendingEvent[] = [];
    const order = this.#order();
    for (let i = this.#from; i < order.length; i++) {
      const { event, gone } = order[i] as Entry;
      if (gone) continue;
      if (event.seq === undefined) break;
      sent.push(event);
    }
    return sent;
  }

  /** Events that were never sent, or lost their seq to a new device or history. */
  get unsent(): PendingEvent[] {
    return this.events.filter((event) => event.seq === undefined);
  }

  get count(): number {
    return this.#entries.size;
  }

  /** Whether an event waits for the version that another one of this outbox produces. */
  get hasOpenExpectations(): boolean {
    return this.#expecting > 0;
  }

  /** Local time of the oldest event, in milliseconds. */
  get oldestAt(): number | undefined {
    return this.#first?.event.madeAt;
  }

  get #first(): Entry | undefined {
    const order = this.#order();
    while (order[this.#from]?.gone) this.#from += 1;
    return order[this.#from];
  }

  #live(): Entry[] {
    return this.#order()
      .slice(this.#from)
      .filter((entry) => !entry.gone);
  }

  /** All entries in order; those before `#from`, and some after it, are gone. */
  #order(): Entry[] {
    if (!this.#sorted) {
      this.#sorted = [...this.#entries.values()].sort((a, b) => (comesBefore(a.event, b.event) ? -1 : 1));
      this.#from = 0;
    } else if (this.#from > 1_000 && this.#from * 2 > this.#sorted.length) {
      this.#sorted = this.#sorted.slice(this.#from);
      this.#from = 0;
    }
    return this.#sorted;
  }

  get(id: string): PendingEvent | undefined {
    return this.#entries.get(id)?.event;
  }

  /** Whether it is here, or was until it was settled, or was settled before it came here. */
  knows(id: string): boolean {
    return this.#entries.has(id) || this.#settled.has(id);
  }

  add(event: PendingEvent, stored: boolean): void {
    if (this.#entries.has(event.id)) return;
    const bytes = JSON.stringify(event).length;
    const entry: Entry = { event, bytes, ready: stored, stored, gone: false };
    this.#entries.set(event.id, entry);
    this.bytes += bytes;
    this.#ready += Number(stored);
    this.#expecting += Number(isExpecting(event));
    const sorted = this.#sorted;
    const last = sorted?.[sorted.length - 1];
    if (sorted && (!last || comesBefore(last.event, event))) sorted.push(entry);
    else this.#sorted = undefined;
  }

  /** The event may be sent: the storage has it, or has refused for good to take it. */
  markReady(id: string, stored: boolean): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#ready += Number(!entry.ready);
    entry.ready = true;
    entry.stored = stored;
  }

  /** The ids of what the storage is known to have; what it lacks of them from now on was settled elsewhere. */
  get stored(): Set<string> {
    const stored = new Set<string>();
    for (const [id, entry] of this.#entries) if (entry.stored) stored.add(id);
    return stored;
  }

  /** Events that the storage is known to have refused, so that they are in memory only. */
  get refused(): PendingEvent[] {
    return this.#live()
      .filter((entry) => entry.ready && !entry.stored)
      .map((entry) => entry.event);
  }

  replace(event: PendingEvent): void {
    const entry = this.#entries.get(event.id);
    if (!entry) return;
    if (entry.event.seq !== event.seq) this.#sorted = undefined;
    this.#expecting += Number(isExpecting(event)) - Number(isExpecting(entry.event));
    entry.event = event;
  }

  /**
   * Takes an event as the storage has it. A number that the storage had no room for stands, unless it may have been taken
   * back: others that were given later ones, and are in memory only, would go before it.
   */
  reread(event: PendingEvent, isAsKnown: boolean): void {
    const entry = this.#entries.get(event.id);
    const seq = isAsKnown ? entry?.event.seq : undefined;
    if (entry && seq && !event.seq) {
      event = { ...event, seq };
      entry.loose = true;
    }
    this.replace(event);
  }

  /**
   * Remembers that events are settled elsewhere: who tells of them late is not believed, and the storage is right to lack
   * them. @returns whether any of them is still here.
   */
  remember(settled: ReadonlyMap<string, SettledOutcome> = new Map()): boolean {
    let isAnyHere = false;
    for (const [id, outcome] of settled) {
      this.#settled.set(id, indexOf(outcome));
      this.markReady(id, true);
      isAnyHere ||= this.#entries.has(id);
    }
    return isAnyHere;
  }

  /** Versions above `upTo` that settled events made were those of a history that is no more: others have them in this one. */
  forgetVersions(upTo: number): void {
    for (const [id, version] of this.#settled)
      if (version && version > upTo) this.#settled.set(id, undefined);
  }

  /** Forgets settled events when they are many. @returns whether it did: of what is told late only the storage knows then. */
  letGo(): boolean {
    const areMany = this.#settled.size > maxSettled;
    if (areMany) this.#settled.clear();
    return areMany;
  }

  removeAll(ids: ReadonlySet<string> | ReadonlyMap<string, SettledOutcome>): void {
    // A function of its own, as wherever a long queue passes: what is called in a loop of a long function is compiled
    // together with that, which takes a client that has just started longer than to run it.
    ids.forEach((outcome: string | SettledOutcome, id: string) => {
      this.#settled.set(id, typeof outcome === "string" ? this.#settled.get(id) : indexOf(outcome));
      const entry = this.#entries.get(id);
      if (!entry) return;
      this.#entries.delete(id);
      entry.gone = true;
      this.bytes -= entry.bytes;
      this.#ready -= Number(entry.ready);
      this.#expecting -= Number(isExpecting(entry.event));
    });
  }

  /** Events that could go into a request now. @param staged how many of them have an outcome that is not shown yet. */
  sendable(staged: number): number {
    return Math.max(0, this.#ready - staged);
  }

  /**
   * Chooses what the next request carries and numbers what has no number yet; the caller stores the numbers
   * before anything is sent.
   *
   * An event that is larger than the budget goes alone, if no other space has taken of the budget.
   */
  choose(budget: Budget & { readonly first: boolean }, hasOutcome: (id: string) => boolean): Choice {
    const chosen: PendingEvent[] = [];
    const numbered: PendingEvent[] = [];
    let bytes = 0;
    let { nextSeq } = this;
    const order = this.#order();
    for (let i = this.#from; i < order.length && chosen.length < budget.events; i++) {
      const entry = order[i] as Entry;
      if (entry.gone) continue;
      const { seq } = entry.event;
      if (seq) {
        // It is given, also where another tab gave it and had no room to store that.
        nextSeq = Math.max(nextSeq, seq + 1);
        // Without it those that are stored with later numbers would stand behind a gap after a crash.
        if (entry.loose || !entry.stored) numbered.push(entry.event);
      }
      if (hasOutcome(entry.event.id)) continue;
      const larger = bytes + entry.bytes + envelopeBytes;
      const alone = budget.first && chosen.length === 0;
      if (!entry.ready || (larger > budget.bytes && !alone)) break;
      bytes = larger;
      // Spread, each copy would be of a kind of its own to V8, and whatever reads thousands of them slow.
      const event = seq ? entry.event : Object.assign({}, entry.event, { seq: nextSeq++ });
      if (event !== entry.event) numbered.push(event);
      chosen.push(event);
    }
    return { chosen, numbered, bytes, nextSeq };
  }

  /** Takes the numbers as given. @param isStored whether the storage has the events with them. */
  number({ numbered, nextSeq }: Choice, isStored: boolean): void {
    numbered.forEach((event) => {
      const entry = this.#entries.get(event.id);
      // Numbers are given in the order of the list, so the order stands.
      if (entry) {
        entry.event = event;
        entry.stored ||= isStored;
        entry.loose = !isStored;
      }
    });
    this.nextSeq = nextSeq;
  }

  /**
   * The counter as it is stored: a number that the storage had no room for is given again after a crash, or the device
   * would say that it knows what became of it.
   *
   * @param safe events that leave, or are stored with their numbers, in the same commit.
   */
  storedSeq(safe: Pick<ReadonlySet<string>, "has">, nextSeq = this.nextSeq): number {
    const first = this.sent.find(({ id }) => {
      const entry = this.#entries.get(id);
      return (entry?.loose || !entry?.stored) && !safe.has(id);
    });
    return first?.seq ?? nextSeq;
  }

  toWire(events: readonly PendingEvent[]): WireEvent[] {
    // What expects it may have been written, or told by another tab, just after it was settled.
    const versionBy = (id: string): ExpectedVersion | undefined => {
      const seq = this.#entries.get(id)?.event.seq;
      return seq === undefined ? this.#settled.get(id) : { seq };
    };
    return events.map((event) => toWire(event, versionBy));
  }

  /** The seq up to which every outcome is durable here (DESIGN rule 3). */
  get acked(): number {
    return (this.#first?.event.seq ?? this.nextSeq) - 1;
  }

  /**
   * Gives every event up its number, as a cloned or restored history asks; ids stay. One that has none may have been sent
   * all the same, by an installation that this one is a copy of: it too says where it was. Returns the events.
   *
   * @param isRestored whether a restored history has an event; what was said of that before stands unless it is said anew.
   */
  renumber(
    device: string,
    nextSeq: number,
    isRestored: (event: PendingEvent) => boolean = ({ restored }) => restored ?? false,
  ): PendingEvent[] {
    const entries = this.#live();
    const changed = renumbered(
      entries.map(({ event }) => {
        const { restored: _before, ...rest } = event;
        return isRestored(event) ? { ...rest, restored: true } : rest;
      }),
      device,
      this.nextSeq,
    );
    for (const [at, entry] of entries.entries()) entry.event = changed[at] as PendingEvent;
    this.nextSeq = nextSeq;
    this.#sorted = undefined;
    return changed;
  }
}
