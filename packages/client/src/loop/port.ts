import type { DeltaMessage, Row, SpaceError, SpaceRequest } from "@landfall/protocol";
import type { AnswerCheckpoint, AnswerEnd, AnswerHead } from "../remote/port.js";

/** How much one request may carry. */
export interface Budget {
  readonly events: number;
  readonly bytes: number;
}

/** What became of a space's part of an answer. */
export interface Landing {
  /** Rows are left to fetch. */
  readonly moreToFetch: boolean;
  /** Events are left to send that are not waiting for something else. */
  readonly moreToSend: boolean;
  /** An event was deferred: nothing is sent again before this has passed. */
  readonly retryAfterMs?: number;
}

/** What the loop must do after a space error, as the space decided. */
export type Recovery =
  /** The space mended itself (renumbered, re-read, parked); ask again at once. */
  | { readonly next: "again" }
  /** Nothing more can be done for this space by itself. */
  | { readonly next: "stop"; readonly state: "outdated" | "frozen" | "revoked"; readonly reason: string }
  /** Try again later. */
  | { readonly next: "later"; readonly afterMs?: number; readonly reason: string };

/**
 * What the loop (the synchronizer) knows of one open space (DESIGN §4: it knows the replica and a Remote,
 * and nothing of either's insides). All calls go through the space's serial queue.
 */
export interface SyncedSpace {
  readonly space: string;
  /** Domains to follow over the socket. */
  readonly domains: readonly string[];
  /**
   * The space's part of the next request. Seqs that it gives to events are durable before it resolves
   * (DESIGN rule 3). `undefined` when the space cannot sync now (not opened, frozen).
   */
  request(budget: Budget): Promise<SpaceRequest | undefined>;
  /** Stages what an answer brings; nothing shows before `end` with `more: false` (DESIGN rule 5). */
  begin(head: AnswerHead): void;
  rows(rows: readonly Row[]): void;
  checkpoint(checkpoint: AnswerCheckpoint): void;
  /** Ends the space's part: stores and shows the cut, if it is whole. */
  end(end: AnswerEnd): Promise<Landing>;
  /** The request failed midway: keeps what is staged up to the last checkpoint. */
  broken(): void;
  failed(error: SpaceError): Promise<Recovery>;
  /** Applies a delta if it fits (DESIGN §6.1); false when the space must be fetched instead. */
  delta(message: DeltaMessage): Promise<boolean>;
  /** Whether an index that a poke or `heads` named is newer than the cursors of these domains. */
  isBehind(heads: { readonly [domain: string]: number }): boolean;
  /** Events that may be sent now. */
  readonly sendable: number;
}
