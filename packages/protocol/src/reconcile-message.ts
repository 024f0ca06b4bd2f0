import { type Infer, array, base64url, boolean, identifier, openObject, optional, uint } from "./decode.js";
import { rowDecoder } from "./exchange-answer.js";
import * as limits from "./limits.js";

/** What answers a `reconcileRequest`. */
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
