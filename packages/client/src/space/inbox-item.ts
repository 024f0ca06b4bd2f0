import type { Fields, Json, Row, Stamp } from "@landfall/protocol";
import type { PendingEvent } from "../replica/pending-event.js";

/** Why an item is in the inbox (DESIGN §8). */
export type InboxKind =
  /** The server refused the event. */
  | "rejected"
  /** A field lost to another's newer write. */
  | "superseded"
  /** Unsynced edits of a space that was wiped, or that this account lost access to. */
  | "parked"
  /** A confirmed row that the server lost when it was restored from a backup. */
  | "lost";

/** What a person can do with an item. */
export type InboxChoice = "retry" | "writeAgain" | "keepCopy" | "dismiss";

/** A durable record of something that did not come to be as it was written. */
export interface InboxItem {
  readonly id: string;
  readonly kind: InboxKind;
  /** Local wall time of the write, in milliseconds. */
  readonly madeAt: number;
  /** The schema version that what it says of a record is in. */
  readonly schema?: number;
  readonly domain?: string;
  readonly key?: string;
  readonly field?: string;
  /** What was tried: the value of the field, or the fields of the op. */
  readonly tried?: Json;
  /** The whole record as it stood before the write was refused, where there was one: it may be gone by now. */
  readonly before?: Fields;
  /** What stands instead, where it is known. */
  readonly won?: Json;
  /** The stamp that won: when, and by which writer. */
  readonly by?: Stamp;
  readonly code?: string;
  readonly reason: string;
  /** The event that was tried, to retry or export it. */
  readonly event?: PendingEvent;
  /** The row that the server no longer has. */
  readonly row?: Row;
  readonly choices: readonly InboxChoice[];
}
