import type { Fields, Json, Row, Stamp } from "@landfall/protocol";
import { canonicalText } from "./canonical.js";
import { sameMembers } from "./same-value.js";
import type { DomainFacts } from "../history.js";

/** A live record in the model: every field that has a stamp of its own lists it, whatever its value. */
export interface LiveRow {
  readonly domain: string;
  readonly key: string;
  readonly version: number;
  readonly modifiedAt: number;
  readonly deleted?: undefined;
  readonly fields: Fields;
  /** The create stamp. */
  readonly born: Stamp;
  /** Stamps of fields that were written after that. */
  readonly written: Readonly<Record<string, Stamp>>;
}

interface DeletedRow {
  readonly domain: string;
  readonly key: string;
  readonly version: number;
  readonly modifiedAt: number;
  readonly deleted: true;
}

export type ModelRow = LiveRow | DeletedRow;

/** The rows of a domain at one moment, by key. */
export type DomainState = ReadonlyMap<string, ModelRow>;

/**
 * All rows of a space at one moment, by domain. A domain in which nothing has changed from one moment to another is the
 * same object in both, so that what was found out about it need not be found out again.
 */
export type ModelState = ReadonlyMap<string, DomainState>;

export const nameOf = (domain: string, key: string): string => `${domain}/${key}`;

export const rowIn = (state: ModelState, domain: string, key: string): ModelRow | undefined =>
  state.get(domain)?.get(key);

export const rowsOf = (state: ModelState): ModelRow[] =>
  [...state.values()].flatMap((rows) => [...rows.values()]);

/** A state with some rows put into it. */
export function withRows(state: ModelState, rows: Iterable<ModelRow>): ModelState {
  const changed = new Map<string, Map<string, ModelRow>>();
  for (const row of rows) {
    let domain = changed.get(row.domain);
    if (!domain) changed.set(row.domain, (domain = new Map(state.get(row.domain))));
    domain.set(row.key, row);
  }
  return changed.size === 0 ? state : new Map([...state, ...changed]);
}

/** The rows of a domain without its tombstones up to a version; the same object where there are none. */
export function withoutTombstones(rows: DomainState, upTo: number): DomainState {
  const left = [...rows].filter(([, row]) => !row.deleted || row.version > upTo);
  return left.length === rows.size ? rows : new Map(left);
}

/** A row as it came over the wire, in the model's shape. */
export function fromWire(row: Row): ModelRow {
  const { domain, key, version, modifiedAt } = row;
  if (row.deleted) return { domain, key, version, modifiedAt, deleted: true };
  const { "*": born = "", ...written } = row.stamps;
  return { domain, key, version, modifiedAt, fields: row.fields, born, written };
}

/** The stamps of a record as a row lists them. */
export function stampsOf(row: LiveRow): Readonly<Record<string, Stamp>> {
  return { "*": row.born, ...row.written };
}

/** The fields as an app sees them: what is absent reads as its default, as 0 or as the empty set. */
export function completeFields(fields: Fields, facts: DomainFacts | undefined): Fields {
  const whole: Record<string, Json> = { ...fields };
  for (const counter of facts?.counters ?? []) whole[counter] ??= 0;
  for (const set of facts?.sets ?? []) whole[set] ??= [];
  return whole;
}

/** Whether two rows are the same to the last byte; of a tombstone the version is all there is. */
export function sameRow(a: ModelRow | undefined, b: ModelRow | undefined): boolean {
  if (a === b) return true;
  if (!a || !b || a.version !== b.version) return false;
  if (a.deleted || b.deleted) return a.deleted === b.deleted;
  return (
    a.modifiedAt === b.modifiedAt &&
    a.born === b.born &&
    sameMembers(a.written, b.written) &&
    sameMembers(a.fields, b.fields)
  );
}

/** Everything of a row in one text, for a person. */
export function rowText(row: ModelRow): string {
  return row.deleted
    ? `deleted at ${row.version}`
    : `${canonicalText({ fields: row.fields, stamps: stampsOf(row) })} at ${row.version}, ${row.modifiedAt}`;
}
