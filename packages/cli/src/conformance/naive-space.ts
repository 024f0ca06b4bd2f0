import { domain } from "./bench.js";
import { canonical } from "./row-digest.js";

// A model of merging, written from docs/protocol.md (rules 6, 7 and 12) alone and apart from packages/protocol.

interface Live {
  fields: { [field: string]: unknown };
  stamps: { [field: string]: string };
}
type State = Live | "deleted" | undefined;

interface AnyOp {
  readonly op: string;
  readonly key: string;
  readonly set?: { readonly [field: string]: unknown };
  readonly unset?: readonly string[];
  readonly by?: { readonly [field: string]: number };
  readonly values?: { readonly [field: string]: readonly unknown[] };
  readonly keys?: readonly string[];
  readonly upTo?: number;
  readonly stamps?: { readonly [field: string]: string };
  readonly deletedAt?: number;
}

class Rejected extends Error {
  constructor(readonly code: string) {
    super(code);
  }
}

/** One domain of one space: what it holds after each event. */
export class NaiveSpace {
  #states = new Map<string, { readonly version: number; readonly state: Exclude<State, undefined> }>();
  #index = 0;
  /** What the last event lost, in the order of its ops. */
  superseded: { domain: string; key: string; field: string; by: string }[] = [];

  /** @param before what stands at version 0 already. */
  constructor(before: { readonly [key: string]: Live | "deleted" } = {}) {
    for (const [key, state] of Object.entries(before)) this.#states.set(key, { version: 0, state });
  }

  /** Applies an event of ops. @param stamp its effective stamp. @returns what its outcome must say. */
  apply(ops: readonly object[], stamp: string): object {
    this.superseded = [];
    const changed = new Map<string, Exclude<State, undefined>>();
    try {
      for (const op of ops as readonly AnyOp[]) this.#op(op, stamp, changed);
    } catch (error) {
      if (!(error instanceof Rejected)) throw error;
      this.superseded = [];
      return { status: "rejected", code: error.code };
    }
    this.#index += 1;
    for (const [key, state] of changed) this.#states.set(key, { version: this.#index, state });
    return { status: "applied", index: this.#index };
  }

  rows(): readonly unknown[] {
    return [...this.#states]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, { version, state }]) => [
        key,
        version,
        state === "deleted" ? null : [state.fields, state.stamps],
      ]);
  }

  #op(op: AnyOp, stamp: string, changed: Map<string, Exclude<State, undefined>>): void {
    if (op.op === "deleteMany") {
      const upTo = (key: string): boolean => (this.#states.get(key)?.version ?? 0) <= (op.upTo ?? -1);
      for (const key of op.keys ?? [...this.#states.keys()].filter(upTo))
        if (this.#live(key)) changed.set(key, "deleted");
      return;
    }
    const state = this.#states.get(op.key)?.state;
    if (op.op === "delete") {
      if (state === undefined) throw new Rejected("missing");
      if (state !== "deleted") changed.set(op.key, "deleted");
      return;
    }
    if (op.op === "offer") return this.#offer(op, state, changed);
    if (op.op === "restore") {
      if (state !== "deleted") throw new Rejected(state === undefined ? "missing" : "exists");
      changed.set(op.key, { fields: { ...op.set }, stamps: { "*": stamp } });
      return;
    }
    if (state === "deleted") throw new Rejected("deleted");
    if (op.op === "create" || (op.op === "put" && state === undefined)) {
      if (state) throw new Rejected("exists");
      changed.set(op.key, { fields: { ...op.set }, stamps: { "*": stamp } });
      return;
    }
    if (state === undefined) throw new Rejected("missing");
    const next: Live = { fields: { ...state.fields }, stamps: { ...state.stamps } };
    const isChanged =
      op.op === "increment" || op.op === "add" || op.op === "remove"
        ? inOrder(op, next)
        : this.#byStamp(op, stamp, next);
    if (isChanged) changed.set(op.key, next);
  }

  #offer(op: AnyOp, state: State, changed: Map<string, Exclude<State, undefined>>): void {
    if (op.deletedAt !== undefined) {
      const bornAt = state === undefined || state === "deleted" ? 0 : msOf(state.stamps["*"] ?? "");
      if (state !== "deleted" && bornAt <= op.deletedAt) changed.set(op.key, "deleted");
      return;
    }
    if (state === "deleted") throw new Rejected("deleted");
    const born = op.stamps?.["*"] ?? "";
    if (state && state.stamps["*"] !== born) throw new Rejected("exists");
    const next: Live = state
      ? { fields: { ...state.fields }, stamps: { ...state.stamps } }
      : { fields: { ...op.set }, stamps: { "*": born } };
    let isChanged = state === undefined;
    for (const field of new Set([...Object.keys(op.set ?? {}), ...Object.keys(op.stamps ?? {})])) {
      const stamp = own(op.stamps ?? {}, field) ?? born;
      const standing = own(next.stamps, field) ?? next.stamps["*"] ?? "";
      if (stamp < standing) this.superseded.push({ domain, key: op.key, field, by: standing });
      if (field === "*" || stamp <= standing) continue;
      isChanged = true;
      next.stamps[field] = stamp;
      if (Object.hasOwn(op.set ?? {}, field)) next.fields[field] = own(op.set ?? {}, field);
      else delete next.fields[field];
    }
    if (isChanged) changed.set(op.key, next);
  }

  #live(key: string): boolean {
    const state = this.#states.get(key)?.state;
    return state !== undefined && state !== "deleted";
  }

  #byStamp(op: AnyOp, stamp: string, next: Live): boolean {
    let isChanged = false;
    const writes: [string, unknown][] = [
      ...Object.entries(op.set ?? {}),
      ...(op.unset ?? []).map((name): [string, unknown] => [name, undefined]),
    ];
    for (const [field, value] of writes) {
      const standing = own(next.stamps, field) ?? next.stamps["*"] ?? "";
      if (stamp < standing) {
        this.superseded.push({ domain, key: op.key, field, by: standing });
        continue;
      }
      isChanged = true;
      next.stamps[field] = stamp;
      if (value === undefined) delete next.fields[field];
      else next.fields[field] = value;
    }
    return isChanged;
  }
}

/** The milliseconds that a stamp begins with. */
const msOf = (stamp: string): number => Number.parseInt(stamp.slice(0, 13).replace("-", ""), 16);

/** Fields may be called as what every object inherits. */
function own<T>(map: { readonly [name: string]: T }, name: string): T | undefined {
  return Object.hasOwn(map, name) ? map[name] : undefined;
}

/** Counters and sets: in commit order, without stamps. */
function inOrder(op: AnyOp, { fields }: Live): boolean {
  for (const [field, by] of Object.entries(op.by ?? {})) {
    const before = own(fields, field) ?? 0;
    if (typeof before !== "number") throw new Rejected("invalid");
    fields[field] = before + by;
  }
  for (const [field, members] of Object.entries(op.values ?? {})) {
    const before = own(fields, field) ?? [];
    if (!Array.isArray(before) || before.some((member) => Object(member) === member || member === null))
      throw new Rejected("invalid");
    const named = new Set(members.map(canonical));
    const kept = before.filter((member) => !named.has(canonical(member)));
    const after =
      op.op === "add" ? [...kept, ...new Map(members.map((item) => [canonical(item), item])).values()] : kept;
    fields[field] = after.toSorted((a, b) => (canonical(a) < canonical(b) ? -1 : 1));
  }
  return true;
}
