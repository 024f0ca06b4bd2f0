import type { DeltaMessage, Row, SpaceError, SpaceRequest } from "@landfall/protocol";
import type { ClientPorts } from "../ports.js";
import type { AnswerCheckpoint, AnswerEnd, AnswerHead, Remote } from "../remote/port.js";
import type { ServerClock } from "./server-clock.js";
import type { Session } from "./session.js";

/** How much one request may still carry. */
export interface Budget {
  readonly events: number;
  readonly bytes: number;
}

/** A space's part of a request. */
export interface SpacePart {
  readonly request: SpaceRequest;
  /** Bytes of its events, about. */
  readonly bytes: number;
}

/** What became of a space's part of an answer. */
export interface Landing {
  /** Rows are left to fetch. */
  readonly moreToFetch: boolean;
  /** An event was deferred: nothing is sent again before this has passed. */
  readonly retryAfterMs?: number;
  /** Why nothing of the answer could be taken in: the app is older than its rows. */
  readonly outdated?: string | undefined;
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
  /** The history that what it has is of; undefined while it has nothing. */
  readonly generation: string | undefined;
  /**
   * The space's part of the next request. Seqs that it gives to events are durable before it resolves
   * (DESIGN rule 3). With a budget of no events it only fetches. A first event that is larger than
   * `budget.bytes` goes alone when `budget.first` says that no other space has taken of the budget.
   * `undefined` when the space cannot sync now (not opened, frozen).
   */
  request(budget: Budget & { readonly first: boolean }): Promise<SpacePart | undefined>;
  /**
   * The space's part of a request that follows the one under way before that is answered, on the expectation that
   * all goes well with it. `undefined` when nothing is left to send, or nothing can be expected.
   */
  ahead?(budget: Budget): Promise<SpacePart | undefined>;
  /** Whether all came as `ahead` expected. Then its answer follows; else it is thrown away, and sent anew. */
  adopt?(): Promise<boolean>;
  /** Stages what an answer brings; nothing shows before `end` with `more: false` (DESIGN rule 5). */
  begin(head: AnswerHead): void;
  rows(rows: readonly Row[]): void;
  checkpoint(checkpoint: AnswerCheckpoint): void;
  /** Ends the space's part: stores and shows the cut, if it is whole. */
  end(end: AnswerEnd): Promise<Landing>;
  /** `too_large` here means: the one event that was sent cannot get through at all. */
  failed(error: SpaceError): Promise<Recovery>;
  /** Applies a delta if it fits (DESIGN §6.1); false when the space must be fetched instead. */
  delta(message: DeltaMessage): Promise<boolean>;
  /** Whether an index that a poke or `heads` named is newer than the cursors of these domains. */
  isBehind(heads: { readonly [domain: string]: number }): boolean;
  /** Events that may be sent now. */
  readonly sendable: number;
}

/** What a space can be in while the client as a whole is in order (DESIGN §8). */
export type SpaceState = "frozen" | "revoked" | "outdated" | "catching-up" | "live";
/** What keeps the client as a whole from syncing. */
export type ClientState = "signed-out" | "needs-auth" | "locked" | "offline" | "backing-off";
export type SyncState = ClientState | SpaceState;

/** How far long work has come. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly unit: "changes";
}

export interface SpaceSync {
  readonly state: SpaceState;
  /** For a person to read; empty when there is nothing to say. */
  readonly reason: string;
  readonly progress: Progress | null;
  /** When the space last was whole, by the server's clock; null when not since the start. */
  readonly lastSyncedAt: number | null;
}

/** The loop's part of the status; a new object with every change. */
export interface LoopStatus {
  /** The worst of the client's and its spaces' states. */
  readonly state: SyncState;
  readonly reason: string;
  readonly connection: "offline" | "polling" | "socket";
  readonly phase: "idle" | "fetching" | "sending" | "blocked";
  /** Since when everything has been in step at least once, by the server's clock in milliseconds; null when not since the start. */
  readonly lastSyncedAt: number | null;
  /** `retryAt`: when it is tried again by itself, by the server's clock. */
  readonly error: { readonly code: string; readonly message: string; readonly retryAt: number | null } | null;
  /** How far the device's clock is ahead of the server's; 0 while it is near enough. */
  readonly clockSkewMs: number;
  readonly spaces: { readonly [space: string]: SpaceSync };
}

/** Why `syncNow` could not. */
export class SyncError extends Error {
  override readonly name = "SyncError";
  constructor(
    /** A state of the client or the space, or the code of the server's refusal. */
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export interface LoopOptions {
  readonly remote: Remote;
  readonly ports: Pick<ClientPorts, "uptime" | "clock" | "random" | "timers" | "online">;
  readonly session: Session;
  readonly serverClock: ServerClock;
  /** The device's id; a clone gets another while the loop runs (DESIGN rule 3). */
  readonly device: () => string;
  /** Called with every new status. */
  readonly onStatus: (status: LoopStatus) => void;
}

/** Keeps the spaces that it is given in step with the server. */
export interface Loop {
  readonly status: LoopStatus;
  /** Begins; may follow a `stop`. */
  start(): void;
  /** Ends; resolves when nothing is in flight any more. */
  stop(): Promise<void>;
  addSpace(space: SyncedSpace): void;
  removeSpace(space: string): void;
  /** Spaces have something to send. */
  wake(): void;
  /**
   * Tries now, stopped spaces too, whatever the pace. Resolves when everything known at the call has landed.
   * @throws SyncError saying why it has not.
   */
  syncNow(): Promise<void>;
  /** Asks for credentials again: somebody signed in. */
  signIn(): void;
  /** Holds everything until `unlock`; the reason is shown. */
  lock(reason: string): void;
  unlock(): void;
}
