import {
  type MergeResult,
  type MergeState,
  type Op,
  type RecordOp,
  type Stamp,
  mergeRecord,
} from "@landfall/protocol";
import { type Place, parentDeleted } from "@landfall/schema";
import type { ReplicaRules } from "./rules.js";

/** Names a row within a space; `/` cannot stand in either part (DESIGN §5.3). */
export type RowId = string;
export const rowId = (domain: string, key: string): RowId => `${domain}/${key}`;
export const splitRowId = (id: RowId): readonly [domain: string, key: string] => {
  const at = id.indexOf("/");
  return [id.slice(0, at), id.slice(at + 1)];
};

/**
 * Stands among what was read for a row of which it only matters whether it is deleted: a master changes with each of its
 * details, and those that are pending under it need not run again for that. `!` stands in no domain's name.
 */
export const lifeId = (id: RowId): RowId => `!${id}`;

/** The view as it stands before an event. */
export interface ViewReader {
  get(domain: string, key: string): MergeState | undefined;
  /** The base row's version; 0 where there is none. */
  version(domain: string, key: string): number;
  /** Keys of the live records of a domain. */
  keys(domain: string): Iterable<string>;
}

/** What running a pending event over the view before it did, and what that depended on. */
export interface Effects {
  /** Row states after the event. */
  readonly writes: ReadonlyMap<RowId, MergeState>;
  /** Rows read, written ones included, and the `lifeId` of parents. */
  readonly reads: Pick<ReadonlySet<RowId>, "has" | "keys">;
  /** Domains that were read as a whole. */
  readonly scans: ReadonlySet<string>;
  /** Why the event has no effect in this view; an event is atomic. */
  readonly failure?: { readonly code: string; readonly message: string };
}

/** What an op makes of a record, and the parent that it would bring it under, which must not be deleted (DESIGN rule 7). */
function mergeUnder(
  op: RecordOp,
  stamp: Stamp,
  rules: ReplicaRules,
  get: ViewReader["get"],
): { readonly result: MergeResult; readonly parent?: Place } {
  const { kinds, newParent } = rules.domain(op.domain);
  const before = get(op.domain, op.key);
  const result = mergeRecord(before, op, stamp, kinds);
  if (!result.ok || result.state.deleted) return { result };
  const parent = newParent(before?.deleted ? undefined : before?.fields, result.state.fields);
  if (!parent) return { result };
  const isDeleted = get(parent.domain, parent.key)?.deleted;
  return { result: isDeleted ? { ok: false, ...parentDeleted(op, parent) } : result, parent };
}

/** Collects the effects of one event while it runs; reads see its own earlier writes. */
export class EffectsBuilder {
  readonly #reader: ViewReader;
  readonly #rules: ReplicaRules;
  readonly #stamp: Stamp;
  readonly #writes = new Map<RowId, MergeState>();
  /** Made when a row is read that is not written: most events read what they write. */
  #reads: Set<RowId> | undefined;
  #scans: Set<string> | undefined;
  failure: { readonly code: string; readonly message: string } | undefined;

  constructor(reader: ViewReader, rules: ReplicaRules, stamp: Stamp) {
    this.#reader = reader;
    this.#rules = rules;
    this.#stamp = stamp;
  }

  get(domain: string, key: string): MergeState | undefined {
    this.#read(rowId(domain, key));
    return this.#state(domain, key);
  }

  #state(domain: string, key: string): MergeState | undefined {
    return this.#writes.get(rowId(domain, key)) ?? this.#reader.get(domain, key);
  }

  #read(id: RowId): void {
    (this.#reads ??= new Set(this.#writes.keys())).add(id);
  }

  keys(domain: string): string[] {
    (this.#scans ??= new Set()).add(domain);
    const keys = new Set(this.#reader.keys(domain));
    for (const [id, state] of this.#writes) {
      const [inDomain, key] = splitRowId(id);
      if (inDomain !== domain) continue;
      if (state.deleted) keys.delete(key);
      else keys.add(key);
    }
    return [...keys].sort();
  }

  /** Applies one op; false when the event as a whole has failed. */
  apply(op: Op): boolean {
    if (op.op === "deleteMany") return this.#deleteMany(op.domain, op.keys, op.upTo);
    if (op.op === "delete" && !this.#deleteChildren(op.domain, op.key)) return false;
    return this.#merge(op);
  }

  #merge(op: RecordOp): boolean {
    const id = rowId(op.domain, op.key);
    const { result, parent } = mergeUnder(op, this.#stamp, this.#rules, (domain, key) =>
      this.#state(domain, key),
    );
    if (parent) this.#read(lifeId(rowId(parent.domain, parent.key)));
    if (!result.ok) {
      this.#read(id);
      this.failure = result;
      return false;
    }
    this.#reads?.add(id);
    this.#writes.set(id, result.state);
    return true;
  }

  #deleteMany(domain: string, keys: readonly string[] | undefined, upTo: number | undefined): boolean {
    const chosen =
      keys ??
      this.keys(domain).filter((key) => {
        const version = this.#reader.version(domain, key);
        return version > 0 && version <= (upTo as number);
      });
    for (const key of chosen) {
      const state = this.get(domain, key);
      if (state && !state.deleted && !this.apply({ op: "delete", domain, key })) return false;
    }
    return true;
  }

  #deleteChildren(domain: string, key: string): boolean {
    for (const child of this.#rules.domain(domain).children) {
      if (child.onDelete === "keep") continue;
      for (const childKey of this.keys(child.domain)) {
        const state = this.get(child.domain, childKey);
        if (!state || state.deleted || state.fields[child.field] !== key) continue;
        if (child.onDelete === "restrict") {
          this.failure = {
            code: "has_children",
            message: `${child.domain} ${childKey} still belongs to ${domain} ${key}.`,
          };
          return false;
        }
        if (!this.apply({ op: "delete", domain: child.domain, key: childKey })) return false;
      }
    }
    return true;
  }

  finish(): Effects {
    const { failure } = this;
    const scans = this.#scans ?? noEffects.scans;
    const reads = this.#reads ?? this.#writes;
    return failure ? { writes: new Map(), reads, scans, failure } : { writes: this.#writes, reads, scans };
  }
}

/** Runs an op that is all of its event and reaches one record, as most do: it reads what it writes. */
function runOp(op: RecordOp, stamp: Stamp, reader: ViewReader, rules: ReplicaRules): Effects {
  const id = rowId(op.domain, op.key);
  const { result, parent } = mergeUnder(op, stamp, rules, reader.get);
  const { writes, scans } = noEffects;
  const reads = parent && new Set([id, lifeId(rowId(parent.domain, parent.key))]);
  if (!result.ok) return { writes, reads: reads ?? new Set([id]), scans, failure: result };
  const written = new Map<RowId, MergeState>();
  written.set(id, result.state);
  return { writes: written, reads: reads ?? written, scans };
}

/** Runs the ops of an event over the view before it. */
export function runOps(ops: readonly Op[], stamp: Stamp, reader: ViewReader, rules: ReplicaRules): Effects {
  const only = ops[0];
  if (ops.length === 1 && only && only.op !== "delete" && only.op !== "deleteMany")
    return runOp(only, stamp, reader, rules);
  const builder = new EffectsBuilder(reader, rules, stamp);
  for (const op of ops) if (!builder.apply(op)) break;
  return builder.finish();
}

export const noEffects: Effects = { writes: new Map(), reads: new Set(), scans: new Set() };
