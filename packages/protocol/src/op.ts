import type { Fields, Json } from "./json.js";
import type { Stamps } from "./row.js";
import type { Stamp } from "./stamp.js";

/** A value of a set field: sets hold JSON scalars. */
export type SetMember = string | number | boolean;

interface OnRecord {
  readonly domain: string;
  readonly key: string;
}

/** Makes a record that must not exist yet. */
export interface CreateOp extends OnRecord {
  readonly op: "create";
  readonly set: Fields;
}
/** Makes a record, or updates the one that is there; for natural keys. */
export interface PutOp extends OnRecord {
  readonly op: "put";
  readonly set: Fields;
}
export interface UpdateOp extends OnRecord {
  readonly op: "update";
  readonly set?: Fields;
  readonly unset?: readonly string[];
}
/** Adds to counter fields; each increment counts once, in commit order. */
export interface IncrementOp extends OnRecord {
  readonly op: "increment";
  readonly by: { readonly [field: string]: number };
}
/** Adds members to, or removes them from, set fields, in commit order. */
export interface SetMembersOp extends OnRecord {
  readonly op: "add" | "remove";
  readonly values: { readonly [field: string]: readonly SetMember[] };
}
export interface DeleteOp extends OnRecord {
  readonly op: "delete";
}
/** Brings a deleted key back as a new incarnation; needs an `expect` on the tombstone's version (DESIGN rule 7). */
export interface RestoreOp extends OnRecord {
  readonly op: "restore";
  readonly set: Fields;
}
/**
 * Gives back a row that a restored server has lost, with the stamps that it had there (DESIGN rule 12): `set` has the
 * values of the fields that are offered, `stamps` their stamps as rows have them; a field that has a stamp and no value
 * was unset. It merges field by field, and creates the record where there is none.
 */
export interface OfferRecordOp extends OnRecord {
  readonly op: "offer";
  readonly set: Fields;
  readonly stamps: Stamps;
}
/** Gives back a delete that a restored server has lost. */
export interface OfferDeleteOp extends OnRecord {
  readonly op: "offer";
  /** `modifiedAt` of the tombstone: a record that was made later is another one, and stays. */
  readonly deletedAt: number;
}
export type OfferOp = OfferRecordOp | OfferDeleteOp;
/** Deletes the keys named, or everything up to a version: what arrived later is never caught by it. */
export interface DeleteManyOp {
  readonly op: "deleteMany";
  readonly domain: string;
  readonly keys?: readonly string[];
  readonly upTo?: number;
}

/** An op on one record. */
export type RecordOp =
  | CreateOp
  | PutOp
  | UpdateOp
  | IncrementOp
  | SetMembersOp
  | DeleteOp
  | RestoreOp
  | OfferOp;
export type Op = RecordOp | DeleteManyOp;

/** A version that a row must have: a number (0: no such row), or the one that the device's event `seq` produced. */
export type ExpectedVersion = number | { readonly seq: number };
export type Expectation = readonly [domain: string, key: string, version: ExpectedVersion];

interface EventHead {
  readonly id: Stamp;
  /** The device's gapless counter in the space, from 1 (DESIGN rule 3). */
  readonly seq: number;
  /** The schema version that the event was made under. */
  readonly schema?: number;
  readonly expect?: readonly Expectation[];
  /** Where the event was first sent from, when a cloned installation sends it again. */
  readonly was?: { readonly device: string; readonly seq: number };
}
export interface OpsEvent extends EventHead {
  readonly ops: readonly Op[];
}
export interface ActionEvent extends EventHead {
  readonly action: string;
  readonly args: Json;
}
/** An event that was sent and then given up: it keeps its seq and has no effect (DESIGN rule 3). */
export interface VoidEvent extends EventHead {
  readonly void: true;
}
export type WireEvent = OpsEvent | ActionEvent | VoidEvent;
