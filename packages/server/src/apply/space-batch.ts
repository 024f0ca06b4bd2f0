import {
  DigestSum,
  ReceiveClock,
  type Stamp,
  effectiveStamp,
  elementHash,
  limits,
  makeStamp,
  recordContent,
} from "@landfall/protocol";
import type { Core } from "../core.js";
import type { CommittedEvent } from "../engine-types.js";
import type { MaybePromise } from "../maybe-promise.js";
import type {
  DomainState,
  FoundSpace,
  LookupEntry,
  OpenedSpace,
  SpaceChanges,
  SpaceState,
  SpaceTransaction,
  StoredRecord,
} from "../storage/port.js";
import { lookupValue } from "./domain-rules.js";
import type { RecordState } from "./record-state.js";
import { EventScope, type Slot, WorkingSet } from "./working-set.js";

/** Who an accepted event is by. */
export interface Author {
  readonly device: string;
  readonly user: string;
  readonly seq: number;
  /** Whether the device can work out by itself what its ops did. */
  readonly computable: boolean;
}

/** A domain's state while it changes. */
export interface DomainProgress {
  head: number;
  readonly digest: DigestSum;
  readonly horizon: number;
}

const emptySum = "0".repeat(32);

/**
 * One batch in one space: gives out indexes and times, takes events in or back, and saves the sum of it in
 * one go. The digest is moved once for each row, however many events changed it.
 */
export class SpaceBatch {
  readonly working: WorkingSet;
  readonly events: CommittedEvent[] = [];
  #head: number;
  #schema: number;
  #modifiedAt: number | undefined;
  #newRows = 0;
  readonly #received: ReceiveClock;
  readonly #domains = new Map<string, DomainProgress>();
  readonly #moved = new Set<string>();
  #left: FoundSpace;

  constructor(
    readonly core: Core,
    readonly transaction: SpaceTransaction,
    readonly opened: OpenedSpace,
  ) {
    const { state, domains } = opened;
    this.#left = opened;
    this.working = new WorkingSet(transaction, core.rules);
    this.#head = state.head;
    this.#schema = state.schema;
    this.#received = new ReceiveClock({ ms: state.receivedMs, counter: state.receivedCounter });
    for (const { domain, head, count, sum, horizon } of domains)
      this.#domains.set(domain, { head, digest: new DigestSum(count, sum), horizon });
  }

  /** The index of the last event that was taken in. */
  get head(): number {
    return this.#head;
  }

  /** The space as it was opened, or saved last. */
  get left(): FoundSpace {
    return this.#left;
  }

  /** The live rows of the space, with those that the batch has added so far. */
  get rows(): number {
    let rows = this.#newRows;
    for (const { digest } of this.#domains.values()) rows += digest.count;
    return rows;
  }

  /** The version up to which a domain's tombstones may have been removed. */
  horizonOf(domain: string): number {
    return this.#domains.get(domain)?.horizon ?? 0;
  }

  /** Whether an event would make more domains than a space may have: without a schema their names come from outside. */
  isBeyondDomains(scope: EventScope): boolean {
    if (this.core.schema) return false;
    const fresh = new Set<string>();
    for (const { domain } of scope.changes.keys()) if (!this.#domains.has(domain)) fresh.add(domain);
    return fresh.size > 0 && this.#domains.size + fresh.size > limits.maxDomains;
  }

  /** Begins an event; its stamp is the id's effective one (DESIGN rule 6). */
  begin(id: Stamp): EventScope {
    const modifiedAt = this.#commitTime();
    return new EventScope(
      this.working,
      this.#head + 1,
      modifiedAt,
      effectiveStamp(id, this.#received.next()),
    );
  }

  /** Begins an event of the server's own, whose stamp lies above all that the space has seen. */
  beginOwn(): EventScope {
    const modifiedAt = this.#commitTime();
    const { ms, counter } = this.#received.next();
    return new EventScope(this.working, this.#head + 1, modifiedAt, makeStamp(ms, counter, this.core.tail));
  }

  /** On a server without a schema the newest version that any event names is what the rows are in. */
  sawSchema(version: number): void {
    if (!this.core.schema && version > this.#schema) this.#schema = version;
  }

  /** Takes an event in: from here on it has its index. */
  accept(scope: EventScope, author: Author): void {
    this.#head = scope.index;
    const heads = new Map<string, number>();
    for (const [slot, { before, causes }] of scope.changes) {
      const domain = this.#domain(slot.domain);
      if (!heads.has(slot.domain)) heads.set(slot.domain, domain.head);
      domain.head = scope.index;
      this.#newRows += Number(isLive(slot.current)) - Number(isLive(before));
      const computable = author.computable && causes.size === 1 && causes.has("op");
      slot.echo = {
        before: slot.echo?.before ?? before?.version ?? 0,
        last: scope.index,
        computable: computable && (slot.echo?.computable ?? true),
      };
    }
    this.events.push({
      index: scope.index,
      modifiedAt: scope.modifiedAt,
      by: author.device,
      user: author.user,
      seq: author.seq,
      domains: [...heads].map(([domain, from]) => ({ domain, from })),
      rows: deltaRows([...scope.changes.keys()]),
    });
  }

  /** Takes in an event of the server's own whose rows were saved beside the working set: a migration's. */
  acceptOutside(scope: EventScope, domains: readonly string[]): void {
    this.#head = scope.index;
    const touched = domains.map((name) => {
      const domain = this.#domain(name);
      const from = domain.head;
      domain.head = scope.index;
      return { domain: name, from };
    });
    this.events.push({
      index: scope.index,
      modifiedAt: scope.modifiedAt,
      by: "server",
      user: "",
      seq: 0,
      domains: touched,
      rows: undefined,
    });
  }

  #domain(name: string): DomainProgress {
    let domain = this.#domains.get(name);
    if (!domain)
      this.#domains.set(name, (domain = { head: 0, digest: new DigestSum(0, emptySum), horizon: 0 }));
    this.#moved.add(name);
    return domain;
  }

  /** Puts a row that a migration changed, or any other that does not go through the working set, into the digest. */
  moveDigest(before: StoredRecord | undefined, after: StoredRecord): void {
    const { digest } = this.#domain(after.domain);
    if (before?.fields !== undefined) digest.remove(this.#element(before, before.fields));
    if (after.fields !== undefined) digest.add(this.#element(after, after.fields));
  }

  /** The present rows of the space, as saving needs them. @param more what else goes with them. */
  save(
    more: Pick<SpaceChanges, "writer" | "outcomes"> & {
      readonly schema?: number;
      readonly lookups?: string;
    } = {},
  ): MaybePromise<void> {
    const records: StoredRecord[] = [];
    const lookupsRemoved: LookupEntry[] = [];
    const lookupsAdded: LookupEntry[] = [];
    for (const slot of this.working.slots()) {
      if (slot.current === slot.stored || !slot.current) continue;
      const before = slot.stored?.toStored(slot.domain, slot.key);
      const after = slot.current.toStored(slot.domain, slot.key);
      this.moveDigest(before, after);
      records.push(after);
      this.#moveLookups(slot, lookupsRemoved, lookupsAdded);
    }
    if (this.events.length > 0) this.transaction.publish(this.opened.state.generation, this.events);
    const { schema, lookups, ...rest } = more;
    const space = this.#state(schema, lookups);
    const domains = this.#domainStates();
    const others = this.opened.domains.filter(({ domain }) => !this.#moved.has(domain));
    const { role, writer } = this.opened;
    this.#left = { state: space, role, domains: [...others, ...domains], writer: more.writer ?? writer };
    return this.transaction.save({ ...rest, space, domains, records, lookupsRemoved, lookupsAdded });
  }

  #state(schema: number | undefined, lookups: string | undefined): SpaceState {
    const { state } = this.opened;
    const { ms, counter } = this.#received.last;
    return {
      ...state,
      head: this.#head,
      receivedMs: ms,
      receivedCounter: counter,
      // A commit that took no index has no time of its own.
      modifiedAt: this.#head === state.head ? state.modifiedAt : (this.#modifiedAt ?? state.modifiedAt),
      schema: schema ?? this.#schema,
      lookups: lookups ?? this.core.lookupDeclaration,
    };
  }

  #domainStates(): DomainState[] {
    return [...this.#moved].map((domain) => {
      const { head, digest, horizon } = this.#domains.get(domain) as DomainProgress;
      return { domain, head, count: digest.count, sum: digest.sum, horizon };
    });
  }

  #element(row: StoredRecord, fields: string): bigint {
    return elementHash(
      this.core.hash,
      row.domain,
      row.key,
      row.version,
      recordContent(fields, row.stamps as string),
    );
  }

  #moveLookups(slot: Slot, removed: LookupEntry[], added: LookupEntry[]): void {
    const { domain, key } = slot;
    for (const lookup of this.core.rules.of(domain).lookups) {
      const before = slot.stored?.fields && lookupValue(lookup, slot.stored.fields);
      const after = slot.current?.fields && lookupValue(lookup, slot.current.fields);
      if (before === after) continue;
      if (before !== undefined) removed.push({ domain, key, name: lookup.name, value: before });
      if (after !== undefined) added.push({ domain, key, name: lookup.name, value: after });
    }
  }

  /** The commit's `modifiedAt`: after that of every commit before, shared by all batches of this one, in whole ticks. */
  #commitTime(): number {
    if (this.#modifiedAt !== undefined) return this.#modifiedAt;
    const { commitModifiedAt } = this.opened;
    if (commitModifiedAt !== undefined) {
      this.#received.continueCommit(commitModifiedAt);
      return (this.#modifiedAt = commitModifiedAt);
    }
    const { tickMs } = this.core;
    const now = Math.floor(this.core.clock.now() / tickMs) * tickMs;
    const next = Math.floor(this.#received.last.ms / tickMs) * tickMs + tickMs;
    return (this.#modifiedAt = this.#received.beginCommit(Math.max(now, next)));
  }
}

const isLive = (state: RecordState | undefined): boolean => state !== undefined && !state.deleted;

/** The rows of one event as wire texts, unless they are too many or too large for a delta. */
function deltaRows(slots: readonly Slot[]): CommittedEvent["rows"] {
  if (slots.length > limits.maxDeltaRows) return undefined;
  const rows: { readonly domain: string; readonly key: string; readonly text: string }[] = [];
  let bytes = 0;
  for (const { domain, key, current } of slots) {
    const text = (current as RecordState).toWire(domain, key);
    bytes += text.length;
    if (bytes > limits.maxDeltaBytes) return undefined;
    rows.push({ domain, key, text });
  }
  return rows;
}
