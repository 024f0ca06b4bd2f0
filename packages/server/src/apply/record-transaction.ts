import {
  type Fields,
  type RecordOp,
  RejectedError,
  type SetMember,
  decode,
  opDecoder,
} from "@landfall/protocol";
import { type Invalid, type Query, select } from "@landfall/schema";
import type { AnyTx, AnyTxDomain, TxRecord } from "../engine-types.js";
import { type MaybePromise, chain } from "../maybe-promise.js";
import { applyOp } from "./apply-op.js";
import { type DomainRule, refuse, soughtBy } from "./domain-rules.js";
import { RecordState } from "./record-state.js";
import type { EventScope, Slot, WorkingSet } from "./working-set.js";

interface Write {
  readonly domain: string;
  readonly key: string;
  /** Makes the op when its turn comes, since an update is checked against what is there then. */
  readonly op: (current: Fields | undefined) => RecordOp;
}

/**
 * The `tx` of an action, of `authorize` and of the server's own writes: reads and writes of one event over
 * the working set. Writes are noted at once and applied in order, before the next read and at the end.
 */
export class RecordTransaction {
  /** The domains, by name: those of the schema, or any. */
  readonly tx: AnyTx;
  readonly #writes: Write[] = [];
  #failure: { readonly error: unknown } | undefined;
  #over = false;

  /** @param newKey names the records that are created without a key; undefined where the transaction only reads. */
  constructor(
    private readonly working: WorkingSet,
    private readonly scope: EventScope,
    private readonly newKey: (() => string) | undefined,
  ) {
    const domains = new Map<string, AnyTxDomain>();
    this.tx = new Proxy(
      {},
      {
        get: (_target, name) => {
          if (typeof name !== "string" || !this.#exists(name)) return undefined;
          const domain = domains.get(name) ?? this.#domain(name, working.rules.of(name));
          domains.set(name, domain);
          return domain;
        },
        has: (_target, name) => typeof name === "string" && this.#exists(name),
      },
    );
  }

  /** Applies what is noted, and ends the transaction. @throws what any write of it failed with, caught by the app or not. */
  finish(): MaybePromise<void> {
    return chain(this.#settle(), () => this.close());
  }

  /** From here on every use fails: the event has had its outcome. */
  close(): void {
    this.#over = true;
    if (this.#failure) throw this.#failure.error;
  }

  /** Ends the transaction without applying what is left of it. */
  abandon(): void {
    this.#over = true;
  }

  #exists(name: string): boolean {
    const { schema } = this.working.rules;
    if (!schema) return name !== "then";
    const domain = schema.domain(name);
    return domain !== undefined && !domain.local;
  }

  #settle(): MaybePromise<void> {
    if (this.#failure) throw this.#failure.error;
    if (this.#over)
      throw new Error("The transaction is over; every use of tx is awaited before its function ends.");
    if (this.#writes.length === 0) return undefined;
    const writes = this.#writes.splice(0);
    return chain(this.working.load(writes), () => {
      try {
        for (const { domain, key, op } of writes)
          this.#apply(op(this.working.slot(domain, key).current?.fields));
      } catch (error) {
        this.#failure = { error };
        throw error;
      }
    });
  }

  /** Whether the server has forgotten a delete that the event knows of: what it restores is made then (DESIGN rule 7). */
  #isForgotten(domain: string, key: string): boolean {
    const slot = this.working.slot(domain, key);
    return this.scope.forgotten?.delete(slot) === true && slot.current === undefined;
  }

  #apply(op: RecordOp): void {
    const decoded = decode(opDecoder, op);
    if (!decoded.ok) throw new RejectedError("invalid", decoded.message);
    // Only a deleteMany can take time, and there is none here.
    void applyOp(this.working, this.scope, op, () => false);
  }

  #domain(domain: string, rule: DomainRule): AnyTxDomain {
    const write = (key: string, op: Write["op"]): void => {
      if (this.#over)
        throw new Error("The transaction is over; every use of tx is awaited before its function ends.");
      if (!this.newKey) throw new RejectedError("forbidden", "This transaction only reads.");
      this.#writes.push({ domain, key, op });
    };
    const all = async (): Promise<readonly TxRecord[]> => {
      await this.#settle();
      return this.#live(domain, rule);
    };
    const query = async (asked: Query<TxRecord>): Promise<readonly TxRecord[]> => {
      await this.#settle();
      const sought = asked.where && soughtBy(rule, asked.where);
      if (!sought) return select(await this.#live(domain, rule), asked);
      const keys = await this.working.holders(domain, sought.lookup, sought.value);
      // Where the page goes on from need not be among them.
      const wanted = asked.after === undefined ? keys : [...keys, asked.after];
      await this.working.load(wanted.map((key) => ({ domain, key })));
      const find = (key: string): TxRecord | undefined => toRecord(rule, this.working.slot(domain, key));
      return select(
        keys.flatMap((key) => find(key) ?? []),
        asked,
        find,
      );
    };
    return {
      get: async (key) => {
        await this.#settle();
        await this.working.load([{ domain, key }]);
        return toRecord(rule, this.working.slot(domain, key));
      },
      all: async () => select(await all(), {}),
      query,
      create: (fields, options) => {
        const key = options?.key ?? this.newKey?.() ?? "";
        write(key, () => ({ op: "create", domain, key, set: whole(rule, fields) }));
        return key;
      },
      put: (key, fields) =>
        write(key, () => ({
          op: "put",
          domain,
          key,
          set: rule.domain ? checked(rule.domain.validatePut(fields)).set : fields,
        })),
      update: (key, patch, options) =>
        write(key, (current) => ({
          op: "update",
          domain,
          key,
          set: patched(rule, current, patch, options?.unset),
          unset: options?.unset ?? [],
        })),
      increment: (key, by: { readonly [field: string]: number }) =>
        write(key, () => ({ op: "increment", domain, key, by })),
      add: (key, values: { readonly [field: string]: readonly SetMember[] }) =>
        write(key, () => ({ op: "add", domain, key, values })),
      remove: (key, values: { readonly [field: string]: readonly SetMember[] }) =>
        write(key, () => ({ op: "remove", domain, key, values })),
      delete: (key) => write(key, () => ({ op: "delete", domain, key })),
      restore: (key, fields) =>
        write(key, () => ({
          op: this.#isForgotten(domain, key) ? "create" : "restore",
          domain,
          key,
          set: whole(rule, fields),
        })),
    };
  }

  /** The stored rows, with those that this batch has changed in their present state. */
  #live(domain: string, rule: DomainRule): MaybePromise<readonly TxRecord[]> {
    return chain(this.working.transaction.scan({ domain }), (rows) => {
      const records: TxRecord[] = [];
      for (const row of rows) {
        if (this.working.find(domain, row.key)) continue;
        records.push({ ...complete(rule, RecordState.stored(row).fields ?? {}), key: row.key });
      }
      for (const slot of this.working.slots()) {
        const record = slot.domain === domain ? toRecord(rule, slot) : undefined;
        if (record) records.push(record);
      }
      return records;
    });
  }
}

const complete = (rule: DomainRule, fields: Fields): Fields =>
  rule.domain ? rule.domain.complete(fields) : fields;

function toRecord(rule: DomainRule, slot: Slot): TxRecord | undefined {
  const fields = slot.current?.fields;
  return fields && { ...complete(rule, fields), key: slot.key };
}

function checked<T extends { readonly ok: true }>(result: T | Invalid): T {
  refuse(result);
  return result as T;
}

/** A whole record as the schema's validator gives it, defaults filled in: the client's run of an action does the same. */
function whole(rule: DomainRule, fields: Fields): Fields {
  return rule.domain ? checked(rule.domain.validate(fields)).value : fields;
}

function patched(
  rule: DomainRule,
  current: Fields | undefined,
  set: Fields,
  unset: readonly string[] | undefined,
): Fields {
  // Where there is nothing to change, the op itself says so.
  if (!rule.domain || !current) return set;
  return checked(rule.domain.validatePatch(current, unset ? { set, unset } : { set })).set;
}
