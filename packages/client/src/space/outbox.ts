import type { WireEvent } from "@landfall/protocol";
import type { Budget } from "../loop/port.js";
import { type PendingEvent, comesBefore, wireExpectation } from "../replica/pending-event.js";

/** How an event stands in the outbox. */
interface Entry {
  event: PendingEvent;
  /** Bytes that it takes in a request, about. */
  readonly bytes: number;
  /** Whether the storage has it, or has refused for good to take it: only then may it be sent. */
  ready: boolean;
  /** Whether the storage is known to have it. */
  stored: boolean;
  /** Settled, and not yet out of the ordered list. */
  gone: boolean;
}

const isExpecting = (event: PendingEvent): boolean =>
  event.expect?.some(([, , version]) => typeof version !== "number") ?? false;

/** What an event takes in a request beside what was stored of it: its seq and punctuation. */
const envelopeBytes = 24;

/** What a request carries of an outbox. */
export interface Choice {
  /** In the order that they are sent. */
  readonly chosen: readonly PendingEvent[];
  /** Those of them that got their seq just now. */
  readonly numbered: readonly PendingEvent[];
  readonly bytes: number;
}

/** An event as it goes into a request. */
function toWire(event: PendingEvent, seqOf: (id: string) => number | undefined): WireEvent {
  const { id, seq, schema, was } = event;
  const head = {
    id,
    seq: seq as number,
    ...(schema === undefined ? {} : { schema }),
    ...(was ? { was } : {}),
  };
  if (event.void) return { ...head, void: true };
  const expect = event.expect?.map((expectation) => wireExpectation(expectation, seqOf));
  const conditions = expect ? { expect } : {};
  if (event.ops) return { ...head, ...conditions, ops: event.ops };
  return { ...head, ...conditions, action: event.action as string, args: event.args ?? null };
}

/** The events of a space that the server has not settled, and the counter that numbers them (DESIGN rule 3). */
export class Outbox {
  readonly #entries = new Map<string, Entry>();
  /** Events in the order that they are sent; undefined when it must be worked out again. */
  #sorted: Entry[] | undefined = [];
  /** Events settle in the order that they were sent, so the front of the list is passed over instead of moved. */
  #from = 0;
  /** Events that are ready. */
  #ready = 0;
  #expecting = 0;
  #bytes = 0;
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

  get bytes(): number {
    return this.#bytes;
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

  add(event: PendingEvent, stored: boolean): void {
    if (this.#entries.has(event.id)) return;
    const entry: Entry = { event, bytes: JSON.stringify(event).length, ready: stored, stored, gone: false };
    this.#entries.set(event.id, entry);
    this.#bytes += entry.bytes;
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

  /** Whether the storage is known to have the event; what it lacks now was settled elsewhere. */
  isStored(id: string): boolean {
    return this.#entries.get(id)?.stored ?? false;
  }

  /** Whether the storage is known to have refused it, so that it is in memory only. */
  isRefused(id: string): boolean {
    const entry = this.#entries.get(id);
    return entry !== undefined && entry.ready && !entry.stored;
  }

  replace(event: PendingEvent): void {
    const entry = this.#entries.get(event.id);
    if (!entry) return;
    if (entry.event.seq !== event.seq) this.#sorted = undefined;
    this.#expecting += Number(isExpecting(event)) - Number(isExpecting(entry.event));
    entry.event = event;
  }

  confirm(id: string): void {
    const entry = this.#entries.get(id);
    if (entry) entry.event = { ...entry.event, confirmed: true };
  }

  removeAll(ids: ReadonlySet<string> | ReadonlyMap<string, unknown>): void {
    for (const id of ids.keys()) {
      const entry = this.#entries.get(id);
      if (!entry) continue;
      this.#entries.delete(id);
      entry.gone = true;
      this.#bytes -= entry.bytes;
      this.#ready -= Number(entry.ready);
      this.#expecting -= Number(isExpecting(entry.event));
    }
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
    let seq = this.nextSeq;
    const order = this.#order();
    for (let i = this.#from; i < order.length && chosen.length < budget.events; i++) {
      const entry = order[i] as Entry;
      if (entry.gone || hasOutcome(entry.event.id)) continue;
      const larger = bytes + entry.bytes + envelopeBytes;
      const alone = budget.first && chosen.length === 0;
      if (!entry.ready || (larger > budget.bytes && !alone)) break;
      bytes = larger;
      const event = entry.event.seq === undefined ? { ...entry.event, seq: seq++ } : entry.event;
      if (event !== entry.event) numbered.push(event);
      chosen.push(event);
    }
    return { chosen, numbered, bytes };
  }

  /** Takes the numbers as given. @param isStored whether the storage has the events with them. */
  number(numbered: readonly PendingEvent[], isStored: boolean): void {
    for (const event of numbered) {
      const entry = this.#entries.get(event.id);
      // Numbers are given in the order of the list, so the order stands.
      if (entry) {
        entry.event = event;
        entry.stored ||= isStored;
      }
      this.nextSeq = Math.max(this.nextSeq, (event.seq as number) + 1);
    }
  }

  toWire(events: readonly PendingEvent[]): WireEvent[] {
    return events.map((event) => toWire(event, (id) => this.#entries.get(id)?.event.seq));
  }

  /** The seq up to which every outcome is durable here (DESIGN rule 3). */
  get acked(): number {
    return (this.#first?.event.seq ?? this.nextSeq) - 1;
  }

  /** Gives every event up its number, as a cloned or restored history asks; ids stay. Returns the events that changed. */
  renumber(device: string, nextSeq: number): PendingEvent[] {
    const changed: PendingEvent[] = [];
    for (const entry of this.#entries.values()) {
      const { seq, ...rest } = entry.event;
      if (seq === undefined) continue;
      // What was sent first is remembered from the first time on.
      entry.event = { ...rest, was: rest.was ?? { device, seq } };
      changed.push(entry.event);
    }
    this.nextSeq = nextSeq;
    this.#sorted = undefined;
    return changed;
  }
}
