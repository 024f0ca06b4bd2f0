import {
  type Infer,
  array,
  base64url,
  boolean,
  identifier,
  literal,
  object,
  openObject,
  optional,
  uint,
} from "./decode.js";
import { rowDecoder } from "./exchange-answer.js";
import { limits } from "./limits.js";

/** `POST /v1/reconcile`: one round of finding out in which rows two replicas of a domain differ (rule 10). */
export const reconcileRequest = object({
  protocol: literal(1),
  space: identifier,
  generation: identifier,
  domain: identifier,
  /** Only rows of versions up to this one count: the index up to which the asking side has everything. */
  upTo: uint,
  frame: base64url(limits.maxReconcileFrameBytes),
  /** Rows that the asking side wants by their keys: those that it has and the other side seems not to have. */
  keys: optional(array(identifier, limits.maxReconcileRows)),
});
export type ReconcileRequest = Infer<typeof reconcileRequest>;

export const reconcileAnswer = openObject({
  /** The space's own; when it is another than the one asked for, the rest is empty. */
  generation: identifier,
  /** When it is below `upTo`, the rest is empty. */
  head: uint,
  frame: base64url(limits.maxReconcileFrameBytes),
  /** The rows that were wanted, as they are now, perhaps of later versions; a key without one is in no row and no tombstone. */
  rows: array(rowDecoder, 2 * limits.maxReconcileRows),
  /** Not all of the wanted rows have found room: ask for the others again. */
  more: optional(boolean),
});
export type ReconcileAnswer = Infer<typeof reconcileAnswer>;
