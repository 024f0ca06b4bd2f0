import type { Fields } from "./json.js";
import type { Stamp } from "./stamp.js";

/**
 * Effective stamps of a record. `*` is the create stamp of this incarnation and never changes; a field
 * is listed only when its own stamp is newer; `unset` keeps its field's stamp (DESIGN §5.3).
 */
export type Stamps = { readonly [field: string]: Stamp };

/** A live record. */
export interface RecordRow {
  readonly domain: string;
  readonly key: string;
  /** The index of the event that last changed the row. */
  readonly version: number;
  /** The database's clock at that commit, in milliseconds. */
  readonly modifiedAt: number;
  readonly deleted?: undefined;
  readonly fields: Fields;
  readonly stamps: Stamps;
}

/** What is left of a deleted record. */
export interface Tombstone {
  readonly domain: string;
  readonly key: string;
  readonly version: number;
  readonly modifiedAt: number;
  readonly deleted: true;
}

/** What a pull returns. */
export type Row = RecordRow | Tombstone;
