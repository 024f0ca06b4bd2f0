import type { Fields, Row } from "@landfall/protocol";

/** What Landfall knows of a record beside its fields. */
export interface RecordMeta {
  /** The index of the event that last changed the confirmed row; 0 while it has never been confirmed. */
  readonly version: number;
  /** The server's clock at that commit, in milliseconds; 0 while it has never been confirmed. */
  readonly modifiedAt: number;
  /** Whether own events that the server has not confirmed are in what is shown. */
  readonly pending: boolean;
  readonly deleted: boolean;
}

/** A record as the app sees it: its fields, `key` and `$` (DESIGN §8). Frozen; a change makes a new one. */
export type ViewRecord = Fields & { readonly key: string; readonly $: RecordMeta };

export function presentRecord(
  key: string,
  fields: Fields,
  row: Row | undefined,
  pending: boolean,
): ViewRecord {
  const meta: RecordMeta = {
    version: row?.version ?? 0,
    modifiedAt: row?.modifiedAt ?? 0,
    pending,
    deleted: false,
  };
  // Rows of one domain differ in the engine's eyes (whole numbers and others), which makes spreading them slow.
  return Object.freeze(Object.assign({}, fields, { key, $: meta }));
}
