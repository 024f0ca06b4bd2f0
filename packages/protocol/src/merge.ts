import { type Fields, type Json, canonicalJson } from "./json.js";
import * as limits from "./limits.js";
import type { OfferOp, OfferRecordOp, RecordOp, SetMember } from "./op.js";
import type { Stamps } from "./row.js";
import { type Stamp, stampReading } from "./stamp.js";

/** How writes to a field meet: last writer wins, or in commit order as a counter or a set. */
export type FieldKind = "lww" | "counter" | "set";

/** What a schema says of a field; undefined where there is none, and the first use decides. */
export type FieldKinds = (field: string) => FieldKind | undefined;

/** The part of a record that merging looks at. */
export type MergeState =
  | { readonly deleted?: undefined; readonly fields: Fields; readonly stamps: Stamps }
  | { readonly deleted: true };

export type MergeRejection = "exists" | "missing" | "deleted" | "invalid" | "too_large";

/** A field that lost to a newer stamp. */
export interface SupersededField {
  readonly field: string;
  /** The stamp that won. */
  readonly by: Stamp;
}

export type MergeResult =
  | {
      readonly ok: true;
      readonly changed: boolean;
      readonly state: MergeState;
      readonly superseded: readonly SupersededField[];
    }
  | { readonly ok: false; readonly code: MergeRejection; readonly message: string };

const tombstone: MergeState = { deleted: true };

/** A member of a map by its name: names such as `toString` are legal, and must not find what every object inherits. */
function own<T>(map: { readonly [name: string]: T }, name: string): T | undefined {
  return Object.hasOwn(map, name) ? map[name] : undefined;
}

/** Any kind goes: for servers and clients without a schema. */
export const anyFieldKind: FieldKinds = () => undefined;

/**
 * Merges one op into a record (DESIGN rules 6 and 7). Pure; client and server run the same function, so
 * that what a client computes for its own write equals what the server stored.
 *
 * @param current the row before the op; undefined where the key was never used or its tombstone is gone.
 * @param stamp the effective stamp of the op's event (the id, while it is pending).
 */
export function mergeRecord(
  current: MergeState | undefined,
  op: RecordOp,
  stamp: Stamp,
  kinds: FieldKinds,
): MergeResult {
  switch (op.op) {
    case "create":
      if (current?.deleted) return gone(op.key);
      if (current) return no("exists", `The key ${op.key} is taken. Choose another key, or put.`);
      return incarnate(op.set, stamp, kinds);
    case "put":
      if (current?.deleted) return gone(op.key);
      return current ? update(current, op.set, [], stamp, kinds) : incarnate(op.set, stamp, kinds);
    case "restore":
      if (!current) return absent(op.key);
      if (!current.deleted)
        return no("exists", `The key ${op.key} is not deleted, so there is nothing to restore.`);
      return incarnate(op.set, stamp, kinds);
    case "delete":
      if (!current) return absent(op.key);
      return { ok: true, changed: !current.deleted, state: tombstone, superseded: [] };
    case "offer":
      return offer(current, op, kinds);
    default:
      if (!current) return absent(op.key);
      if (current.deleted) return gone(op.key);
      if (op.op === "update") return update(current, op.set ?? {}, op.unset ?? [], stamp, kinds);
      return op.op === "increment"
        ? increment(current, op.by, kinds)
        : changeMembers(current, op.op, op.values, kinds);
  }
}

type Live = Extract<MergeState, { fields: Fields }>;

const no = (code: MergeRejection, message: string): MergeResult => ({ ok: false, code, message });
const absent = (key: string): MergeResult => no("missing", `There is no record ${key}.`);
const gone = (key: string): MergeResult =>
  no("deleted", `The record ${key} was deleted; restore it to bring the key back.`);

function incarnate(set: Fields, stamp: Stamp, kinds: FieldKinds): MergeResult {
  const fields: Record<string, Json> = {};
  for (const field of Object.keys(set)) {
    const value = set[field] as Json;
    const kind = kinds(field);
    if (kind === "counter" && typeof value !== "number")
      return no("invalid", `${field} is a counter and starts from a number.`);
    if (kind === "set") {
      const members = toMembers(value);
      if (!members) return no("invalid", `${field} is a set and starts from a list of scalars.`);
      fields[field] = members;
    } else fields[field] = value;
  }
  return written(fields, { "*": stamp }, []);
}

function update(
  current: Live,
  set: Fields,
  unset: readonly string[],
  stamp: Stamp,
  kinds: FieldKinds,
): MergeResult {
  const fields: Record<string, Json> = { ...current.fields };
  // Spread, each copy would be of a kind of its own to V8, and all that reads records that were updated slow.
  const stamps: Record<string, Stamp> = Object.assign({}, current.stamps);
  const created = current.stamps["*"] ?? "";
  const superseded: SupersededField[] = [];
  let changed = false;
  let isNewField = false;
  let isNewStamp = false;
  const named = Object.keys(set);
  for (const field of unset.length === 0 ? named : [...named, ...unset]) {
    const kind = kinds(field);
    if (kind === "counter" || kind === "set") {
      return no(
        "invalid",
        `${field} is a ${kind}: change it with ${kind === "counter" ? "increment" : "add and remove"}.`,
      );
    }
    const before = own(stamps, field);
    const standing = before ?? created;
    if (stamp < standing) {
      superseded.push({ field, by: standing });
      continue;
    }
    // Equal stamps are one event's: a later step of an action wins over an earlier one.
    if (stamp !== standing) stamps[field] = stamp;
    isNewStamp ||= before === undefined;
    isNewField ||= !Object.hasOwn(fields, field);
    changed = true;
    if (Object.hasOwn(set, field)) fields[field] = set[field] as Json;
    else delete fields[field];
  }
  if ((isNewField && hasTooMany(fields)) || (isNewStamp && hasTooMany(stamps, 1))) return tooLarge();
  return { ok: true, changed, state: changed ? { fields, stamps } : current, superseded };
}

/**
 * Merges a row that was lost and is offered back (DESIGN rule 12): last writer wins by the stamps that it comes with,
 * a delete wins over the incarnation that it was a delete of, and counters and sets of a record that is there stand.
 */
function offer(current: MergeState | undefined, op: OfferOp, kinds: FieldKinds): MergeResult {
  if ("deletedAt" in op) {
    const isLater =
      current && !current.deleted && stampReading(current.stamps["*"] as Stamp).ms > op.deletedAt;
    if (isLater) return { ok: true, changed: false, state: current, superseded: [] };
    return { ok: true, changed: !current?.deleted, state: tombstone, superseded: [] };
  }
  if (current?.deleted) return gone(op.key);
  const created = op.stamps["*"] as Stamp;
  if (current)
    return current.stamps["*"] === created
      ? offerFields(current, op, kinds)
      : no("exists", `The key ${op.key} has been given to another record since.`);
  const made = incarnate(op.set, created, kinds);
  if (!made.ok || made.state.deleted) return made;
  const stamps: Record<string, Stamp> = { "*": created };
  for (const field of Object.keys(op.stamps))
    if ((op.stamps[field] as Stamp) > created) stamps[field] = op.stamps[field] as Stamp;
  return written(made.state.fields, stamps, []);
}

function offerFields(current: Live, { set, stamps: offered }: OfferRecordOp, kinds: FieldKinds): MergeResult {
  const fields: Record<string, Json> = { ...current.fields };
  const stamps: Record<string, Stamp> = { ...current.stamps };
  const created = current.stamps["*"] as Stamp;
  const superseded: SupersededField[] = [];
  let changed = false;
  for (const field of new Set([...Object.keys(set), ...Object.keys(offered)])) {
    const kind = kinds(field);
    if (field === "*" || kind === "counter" || kind === "set") continue;
    const stamp = own(offered, field) ?? created;
    const standing = own(stamps, field) ?? created;
    if (stamp < standing) superseded.push({ field, by: standing });
    if (stamp <= standing) continue;
    changed = true;
    stamps[field] = stamp;
    if (Object.hasOwn(set, field)) fields[field] = set[field] as Json;
    else delete fields[field];
  }
  return changed ? written(fields, stamps, superseded) : { ok: true, changed, state: current, superseded };
}

function increment(current: Live, by: { readonly [field: string]: number }, kinds: FieldKinds): MergeResult {
  const fields: Record<string, Json> = { ...current.fields };
  for (const field of Object.keys(by)) {
    const before = own(fields, field) ?? 0;
    const kind = kinds(field);
    if ((kind !== undefined && kind !== "counter") || typeof before !== "number") {
      return no("invalid", `${field} is not a counter.`);
    }
    const after = before + (by[field] as number);
    if (!Number.isFinite(after)) return no("invalid", `${field} would leave the range of numbers.`);
    fields[field] = after;
  }
  return written(fields, current.stamps, []);
}

function changeMembers(
  current: Live,
  op: "add" | "remove",
  values: { readonly [field: string]: readonly SetMember[] },
  kinds: FieldKinds,
): MergeResult {
  const fields: Record<string, Json> = { ...current.fields };
  for (const field of Object.keys(values)) {
    const before = toMembers(own(fields, field) ?? []);
    const kind = kinds(field);
    if ((kind !== undefined && kind !== "set") || !before) return no("invalid", `${field} is not a set.`);
    const named = values[field] as readonly SetMember[];
    const removed = new Set(op === "remove" ? named : []);
    const after =
      op === "add"
        ? (toMembers([...before, ...named]) as SetMember[])
        : before.filter((member) => !removed.has(member));
    if (after.length > limits.maxSetMembers)
      return no("too_large", `${field} would have more than ${limits.maxSetMembers} members.`);
    fields[field] = after;
  }
  return written(fields, current.stamps, []);
}

/**
 * The outcome of a write, unless the record has outgrown what a row may carry. Stamps are bounded as well
 * as fields, since `unset` leaves one behind: a row past the bound could be stored, but never be read.
 */
function written(fields: Fields, stamps: Stamps, superseded: readonly SupersededField[]): MergeResult {
  if (hasTooMany(fields) || hasTooMany(stamps, 1)) return tooLarge();
  return { ok: true, changed: true, state: { fields, stamps }, superseded };
}

const hasTooMany = (members: object, more = 0): boolean =>
  Object.keys(members).length > limits.maxFields + more;
const tooLarge = (): MergeResult =>
  no("too_large", `A record has at most ${limits.maxFields} fields, unset ones included.`);

/** The members of a set as they are stored: unique, in the order of their canonical texts; undefined where it is no set. */
function toMembers(value: Json): SetMember[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const byText = new Map<string, SetMember>();
  for (const member of value as readonly Json[]) {
    if (member === null || typeof member === "object") return undefined;
    byText.set(canonicalJson(member), member);
  }
  return [...byText.keys()].sort().map((text) => byText.get(text) as SetMember);
}
