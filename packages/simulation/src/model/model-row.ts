import type { Fields, Json, Row, Stamp } from "@landfall/protocol";
import { canonicalText } from "./canonical.js";
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

/** All rows of a space at one moment, by `domain/key`. */
export type ModelState = ReadonlyMap<string, ModelRow>;

export const nameOf = (domain: string, key: string): string => `${domain}/${key}`;

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

const texts = new WeakMap<ModelRow, string>();

/** Everything of a row in one text, for comparing rows. */
export function rowText(row: ModelRow): string {
  let text = texts.get(row);
  if (text === undefined) {
    text = row.deleted
      ? `deleted at ${row.version}`
      : `${canonicalText({ fields: row.fields, stamps: stampsOf(row) })} at ${row.version}, ${row.modifiedAt}`;
    texts.set(row, text);
  }
  return text;
}
