import { type SupersededField } from "@landfall/protocol";
import { type MaybePromise, chain } from "../maybe-promise.js";
import type { RecordKey, SpaceTransaction } from "../storage/port.js";
import { type DomainRules, lookupValue } from "./domain-rules.js";
import { RecordState } from "./record-state.js";

/** What an exchange's own events did to a row, for leaving it out of the answer (DESIGN §6, own echo). */
export interface EchoTrace {
  /** The version before the first of them. */
  readonly before: number;
  /** The index of the last of them. */
  readonly last: number;
  /** Whether the client can work the row out: ops alone did it, and no detail touched it as its master. */
  readonly computable: boolean;
}

/** One key of one domain, as the batch found it and as it is now. */
export interface Slot extends RecordKey {
  readonly stored: RecordState | undefined;
  current: RecordState | undefined;
  echo: EchoTrace | undefined;
}

/** Why an event changed a row: by an op on it, because its master was deleted, or because a detail changed. */
export type Cause = "op" | "cascade" | "detail";

export interface Change {
  readonly before: RecordState | undefined;
  /** More than one cause may come together. */
  readonly causes: Set<Cause>;
}

/** A detail that an op has brought under a parent. */
export interface Adoption {
  readonly detail: RecordKey;
  readonly parent: RecordKey;
  /** Whether the event had deleted the parent by then; undefined where it had not changed it. */
  readonly isDeleted: boolean | undefined;
}

export interface Superseded extends SupersededField, RecordKey {}

/** The rows that a batch touches: loaded in bulk, changed in memory, event by event, saved once. */
export class WorkingSet {
  readonly #slots = new Map<string, Slot>();
  /** Live records that a batch has changed, by lookup and value: what the lookups in the storage do not know yet. */
  readonly #holders = new Map<string, Set<Slot>>();

  constructor(
    readonly transaction: SpaceTransaction,
    readonly rules: DomainRules,
  ) {}

  /** Brings the rows in; those that are in stay as they are. */
  load(keys: readonly RecordKey[]): MaybePromise<void> {
    const missing = new Map<string, RecordKey>();
    for (const { domain, key } of keys) {
      const name = slotName(domain, key);
      if (!this.#slots.has(name)) missing.set(name, { domain, key });
    }
    if (missing.size === 0) return undefined;
    return chain(this.transaction.records([...missing.values()]), (rows) => {
      for (const row of rows) {
        const stored = RecordState.stored(row);
        this.#slots.set(slotName(row.domain, row.key), {
          domain: row.domain,
          key: row.key,
          stored,
          current: stored,
          echo: undefined,
        });
        missing.delete(slotName(row.domain, row.key));
      }
      for (const [name, { domain, key }] of missing)
        this.#slots.set(name, { domain, key, stored: undefined, current: undefined, echo: undefined });
    });
  }

  /** A row that was loaded. */
  slot(domain: string, key: string): Slot {
    const slot = this.#slots.get(slotName(domain, key));
    if (!slot) throw new Error(`${domain}/${key} was not loaded before it was used.`);
    return slot;
  }

  find(domain: string, key: string): Slot | undefined {
    return this.#slots.get(slotName(domain, key));
  }

  slots(): Iterable<Slot> {
    return this.#slots.values();
  }

  /** Puts a state into its place, and keeps the overlay of lookups with it. */
  set(slot: Slot, state: RecordState | undefined): void {
    const { lookups } = this.rules.of(slot.domain);
    for (const lookup of lookups) {
      const before = slot.current?.fields && lookupValue(lookup, slot.current.fields);
      const after = state?.fields && lookupValue(lookup, state.fields);
      if (before !== undefined) this.#holders.get(holderName(slot.domain, lookup.name, before))?.delete(slot);
      if (after === undefined) continue;
      const name = holderName(slot.domain, lookup.name, after);
      const holders = this.#holders.get(name);
      if (holders) holders.add(slot);
      else this.#holders.set(name, new Set([slot]));
    }
    slot.current = state;
  }

  /** The keys of the live records with this value, as they are now. */
  holders(domain: string, lookup: { readonly name: string }, value: string): MaybePromise<readonly string[]> {
    return chain(this.transaction.lookup(domain, lookup.name, [value]), (entries) => {
      const keys = new Set<string>();
      for (const { key } of entries) {
        const slot = this.find(domain, key);
        // A row that the batch has changed is in the overlay, or no longer has the value.
        if (!slot || slot.current === slot.stored) keys.add(key);
      }
      for (const slot of this.#holders.get(holderName(domain, lookup.name, value)) ?? []) keys.add(slot.key);
      return [...keys];
    });
  }
}

/** What one event changes, so that it can be taken back. */
export class EventScope {
  readonly changes = new Map<Slot, Change>();
  readonly superseded: Superseded[] = [];
  readonly adoptions: Adoption[] = [];
  /** Keys whose delete is forgotten and which an action expects deleted, as long as it has not restored them. */
  forgotten: Set<Slot> | undefined;

  /**
   * @param index the index that the event gets if it is accepted.
   * @param stamp its effective stamp.
   */
  constructor(
    private readonly working: WorkingSet,
    readonly index: number,
    readonly modifiedAt: number,
    readonly stamp: string,
  ) {}

  write(slot: Slot, merge: RecordState["merge"], cause: Cause): void {
    const incarnated = slot.current === undefined || (slot.current.deleted && !merge.deleted);
    const createdAt = incarnated ? this.modifiedAt : (slot.current as RecordState).createdAt;
    this.#note(slot, cause);
    this.working.set(slot, RecordState.merged(merge, this.index, this.modifiedAt, createdAt));
  }

  touch(slot: Slot): void {
    this.#note(slot, "detail");
    if (slot.current && slot.current.version !== this.index)
      this.working.set(slot, slot.current.touched(this.index, this.modifiedAt));
  }

  /** Takes back everything, as if the event had not been. */
  undo(): void {
    for (const [slot, { before }] of this.changes) this.working.set(slot, before);
    this.changes.clear();
  }

  #note(slot: Slot, cause: Cause): void {
    const change = this.changes.get(slot);
    if (change) change.causes.add(cause);
    else this.changes.set(slot, { before: slot.current, causes: new Set([cause]) });
  }
}

export function slotName(domain: string, key: string): string {
  return `${domain}/${key}`;
}

const holderName = (domain: string, lookup: string, value: string): string => `${domain}/${lookup}/${value}`;
