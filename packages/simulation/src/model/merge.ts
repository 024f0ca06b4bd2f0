import type { Fields, Json, OfferOp, RecordOp, SetMember, Stamp } from "@landfall/protocol";
import type { DomainFacts, SupersededAs } from "../history.js";
import { canonicalText } from "./canonical.js";
import type { LiveRow, ModelRow } from "./model-row.js";

/** The event cannot stand, and has no effect at all. */
export class RefusedError extends Error {
  constructor(
    readonly code: string,
    detail: string,
  ) {
    super(`${code}: ${detail}`);
  }
}

/** What an op makes of a record, before it has its version. */
export type Written =
  | { readonly deleted: true }
  | Pick<LiveRow, "deleted" | "fields" | "born" | "written">
  | undefined;

export interface Merged {
  /** Undefined where the op changes nothing. */
  readonly row: Written;
  readonly superseded: readonly SupersededAs[];
}

/**
 * Rules 6 and 7 said once more, as plainly as they can be: last writer wins by stamp, counters and sets in the
 * order in which they come, a delete wins.
 *
 * @throws RefusedError
 */
export function mergeOp(
  before: ModelRow | undefined,
  op: RecordOp,
  stamp: Stamp,
  facts: DomainFacts | undefined,
): Merged {
  const name = `${op.domain}/${op.key}`;
  const only = (row: Written): Merged => ({ row, superseded: [] });
  if (op.op === "create" || (op.op === "put" && before === undefined)) {
    if (before?.deleted) throw new RefusedError("deleted", name);
    if (before) throw new RefusedError("exists", name);
    return only(newborn(op.set, stamp, facts));
  }
  if (op.op === "offer") return offered(before, op, facts);
  if (before === undefined) throw new RefusedError("missing", name);
  if (op.op === "delete") return only(before.deleted ? undefined : { deleted: true });
  if (op.op === "restore") {
    if (!before.deleted) throw new RefusedError("exists", name);
    return only(newborn(op.set, stamp, facts));
  }
  if (before.deleted) throw new RefusedError("deleted", name);
  if (op.op === "put" || op.op === "update") {
    const unset = op.op === "update" ? (op.unset ?? []) : [];
    return assign(before, { set: op.set ?? {}, unset, stamp, facts });
  }
  if (op.op === "increment") return only(count(before, op.by));
  return only(changeSets(before, op.op, op.values));
}

/** Rule 12: what was lost comes back under the stamps that it had. */
function offered(before: ModelRow | undefined, op: OfferOp, facts: DomainFacts | undefined): Merged {
  const name = `${op.domain}/${op.key}`;
  const only = (row: Written): Merged => ({ row, superseded: [] });
  if ("deletedAt" in op) {
    const bornMs =
      before && !before.deleted ? Number.parseInt(before.born.slice(0, 13).replace("-", ""), 16) : 0;
    return only(before?.deleted || bornMs > op.deletedAt ? undefined : { deleted: true });
  }
  const born = op.stamps["*"] as Stamp;
  if (before?.deleted) throw new RefusedError("deleted", name);
  if (before && before.born !== born) throw new RefusedError("exists", name);
  const start = before ?? { ...(newborn(op.set, born, facts) as LiveRow), written: {} };
  const fields: Record<string, Json> = { ...start.fields };
  const written: Record<string, Stamp> = { ...start.written };
  const superseded: SupersededAs[] = [];
  let any = before === undefined;
  for (const field of new Set([...Object.keys(op.set), ...Object.keys(op.stamps)])) {
    if (field === "*" || facts?.counters?.includes(field) || facts?.sets?.includes(field)) continue;
    const stamp = op.stamps[field] ?? born;
    const standing = written[field] ?? born;
    // Of a record that comes back whole nothing has lost, also where the restore's moment has put a field before its birth.
    if (before && standing > stamp) superseded.push({ domain: op.domain, key: op.key, field, by: standing });
    if (standing >= stamp) continue;
    any = true;
    written[field] = stamp;
    if (Object.hasOwn(op.set, field)) fields[field] = op.set[field] as Json;
    else Reflect.deleteProperty(fields, field);
  }
  return { row: any ? { fields, born, written } : undefined, superseded };
}

function newborn(set: Fields, stamp: Stamp, facts: DomainFacts | undefined): Written {
  const fields: Record<string, Json> = { ...set };
  for (const field of facts?.sets ?? []) {
    if (Object.hasOwn(fields, field)) fields[field] = inOrder(fields[field] as readonly SetMember[]);
  }
  return { fields, born: stamp, written: {} };
}

function assign(
  before: LiveRow,
  {
    set,
    unset,
    stamp,
    facts,
  }: {
    readonly set: Fields;
    readonly unset: readonly string[];
    readonly stamp: Stamp;
    readonly facts: DomainFacts | undefined;
  },
): Merged {
  const fields: Record<string, Json> = { ...before.fields };
  const written: Record<string, Stamp> = { ...before.written };
  const superseded: SupersededAs[] = [];
  let any = false;
  for (const field of [...Object.keys(set), ...unset]) {
    if (facts?.counters?.includes(field) || facts?.sets?.includes(field))
      throw new RefusedError("invalid", `${before.domain}/${before.key}.${field} is not written over`);
    const standing = before.written[field] ?? before.born;
    if (standing > stamp) {
      superseded.push({ domain: before.domain, key: before.key, field, by: standing });
      continue;
    }
    any = true;
    // An action's second step has the stamp of its first, which may be the record's birth.
    if (stamp !== before.born) written[field] = stamp;
    if (Object.hasOwn(set, field)) fields[field] = set[field] as Json;
    else Reflect.deleteProperty(fields, field);
  }
  return { row: any ? { fields, born: before.born, written } : undefined, superseded };
}

function count(before: LiveRow, by: Readonly<Record<string, number>>): Written {
  const fields: Record<string, Json> = { ...before.fields };
  for (const [field, amount] of Object.entries(by))
    fields[field] = ((fields[field] as number | undefined) ?? 0) + amount;
  return { ...before, fields };
}

function changeSets(
  before: LiveRow,
  op: "add" | "remove",
  values: Readonly<Record<string, readonly SetMember[]>>,
): Written {
  const fields: Record<string, Json> = { ...before.fields };
  for (const [field, members] of Object.entries(values)) {
    const standing = (fields[field] as readonly SetMember[] | undefined) ?? [];
    fields[field] =
      op === "add"
        ? inOrder([...standing, ...members])
        : standing.filter((member) => !members.includes(member));
  }
  return { ...before, fields };
}

/** Members once each, in the order of their texts. */
function inOrder(members: readonly SetMember[]): SetMember[] {
  return [...new Set(members)].toSorted((a, b) => (canonicalText(a) < canonicalText(b) ? -1 : 1));
}
