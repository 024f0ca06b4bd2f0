import type { ExchangeRequest, Fields, Info, ReconcileRequest, Role, SetMember } from "@landfall/protocol";
import type { Query } from "@landfall/schema";
import type { RetentionCounts } from "./operations/retention.js";

/** Who a request comes from, as the authentication says. */
export interface User {
  /** 1–256 characters. */
  readonly id: string;
}

/** A plain pull: `GET /v1/spaces/:space/rows` (DESIGN §6). */
export interface RowsQuery {
  readonly space: string;
  readonly domain: string;
  /** Rows of a higher version. */
  readonly since?: number;
  /** Rows modified later than this, in milliseconds of the server's clock. */
  readonly modifiedSince?: number;
  /** Only these keys. */
  readonly keys?: readonly string[];
  /** Rows that the caller has: key with version; left out where they are unchanged. */
  readonly known?: readonly (readonly [key: string, version: number])[];
  /** Rows at most; a page never ends inside a version, so it may hold somewhat more. */
  readonly limit?: number;
  /** Leave out fields and stamps: key, version, modifiedAt and deleted only. */
  readonly fieldsKeyOnly?: boolean;
}

/** One page of a plain pull. */
export interface RowsPage {
  /** The whole answer as JSON text, of the shape of protocol's `rowsAnswer`. */
  readonly text: string;
  /** The rows as JSON texts, for NDJSON. */
  readonly rows: readonly string[];
  /** A strong entity tag, quotes included: equal exactly when the answer is. */
  readonly etag: string;
  readonly generation: string;
  readonly head: number;
  /** What to send as `since` for the rest. */
  readonly cursor: number;
  /** `modifiedAt` of the newest row of the page, or of the domain when the page is its last. */
  readonly lastUpdateTime: number;
  readonly more: boolean;
}

export interface SpaceSummary {
  readonly space: string;
  readonly role: Role;
  readonly head: number;
  readonly generation: string;
}

export interface Member {
  readonly user: string;
  readonly role: Role;
  /** Milliseconds of the server's clock. */
  readonly since: number;
}

/** One applied event of a commit, for pokes and deltas. */
export interface CommittedEvent {
  readonly index: number;
  readonly modifiedAt: number;
  /** The device that wrote; `server` for the server's own writes. */
  readonly by: string;
  readonly user: string;
  /** The device's seq of the event; 0 for the server's own writes. */
  readonly seq: number;
  /** The domains touched, each with its head before this event. */
  readonly domains: readonly { readonly domain: string; readonly from: number }[];
  /** The rows touched, as wire JSON texts; undefined when they are too many or too large for a delta. */
  readonly rows:
    | readonly { readonly domain: string; readonly key: string; readonly text: string }[]
    | undefined;
}

/** What one database commit did to one space. */
export interface SpaceCommit {
  readonly space: string;
  readonly generation: string;
  /** In index order; empty when the commit was a wipe. */
  readonly events: readonly CommittedEvent[];
}

/** The newest indexes of domains, and the history that they count in. */
export interface SpaceHeads {
  readonly generation: string;
  readonly heads: { readonly [domain: string]: number };
}

/**
 * Where a space and one device in it stand, all of one snapshot; what the hub needs before it may send a delta. The heads
 * are of every domain that was ever written.
 */
export interface SpacePosition extends SpaceHeads {
  readonly head: number;
  /** The device's newest handled seq; 0 for a device that has not written here. */
  readonly lastSeq: number;
}

export interface MembershipChange {
  readonly space: string;
  readonly user: string;
  /** The new role; absent when the member was removed. */
  readonly role?: Role;
}

/** What `landfall inspect` prints of one space. */
export interface SpaceInspection {
  readonly space: string;
  readonly generation: string;
  readonly head: number;
  readonly schema: number;
  /** How the present generation began (DESIGN rule 12): `created`, `wiped` or `restored`, at which index, and when. */
  readonly began: { readonly reason: string; readonly at: number; readonly startedAt: number };
  readonly members: readonly Member[];
  readonly domains: readonly {
    readonly domain: string;
    readonly head: number;
    readonly live: number;
    readonly digest: string;
    /** Tombstones up to this version are gone. */
    readonly horizon: number;
  }[];
  readonly devices: readonly {
    readonly device: string;
    readonly user: string;
    readonly lastSeq: number;
    readonly acked: number;
    readonly seenAt: number;
    /** How many indexes the device's newest finished pull is behind the head. */
    readonly lag: number;
  }[];
}

export interface EngineStats {
  readonly exchanges: number;
  /** Events by status: applied, duplicate, rejected, deferred, void. */
  readonly events: { readonly [status: string]: number };
  readonly rowsSent: number;
  /** Database commits, and the write batches that they held. */
  readonly commits: number;
  readonly batches: number;
  /** The most batches that one commit held. */
  readonly largestGroup: number;
  /** Groups whose transaction was lost and deferred. */
  readonly lostGroups: number;
  /** What retention has cleared away, and how often it has looked. */
  readonly retention: Readonly<RetentionCounts>;
}

/** A record as a transaction reads it: its fields and its key. */
export type TxRecord = Fields & { readonly key: string };

/** One domain inside a transaction whose schema is not known to the compiler; the shape of schema's `TxDomain`. */
export interface AnyTxDomain {
  /** Undefined where there is no such record, or it is deleted. */
  get(key: string): Promise<TxRecord | undefined>;
  all(): Promise<readonly TxRecord[]>;
  query(query: Query<Fields>): Promise<readonly TxRecord[]>;
  /** @returns the key: the one given, or a new one. */
  create(fields: Fields, options?: { readonly key?: string }): string;
  put(key: string, fields: Fields): void;
  update(key: string, patch: Fields, options?: { readonly unset?: readonly string[] }): void;
  increment(key: string, by: { readonly [field: string]: number }): void;
  add(key: string, members: { readonly [field: string]: readonly SetMember[] }): void;
  remove(key: string, members: { readonly [field: string]: readonly SetMember[] }): void;
  delete(key: string): void;
  restore(key: string, fields: Fields): void;
}
export type AnyTx = { readonly [domain: string]: AnyTxDomain };

/** @typeParam T the transaction as the schema types it: `Tx<D>`. */
export interface SpaceWriter<T = AnyTx> {
  /**
   * Writes as the server (device `server`): one event, one index, poked like any other. Reads see what was
   * written so far; writes take effect together, or not at all. Resolves after the commit; without any
   * write no index is taken, and `index` is the head that was read.
   * @throws LandfallError with the code that a client's event would have been rejected with, or what `change` threw.
   */
  write<R>(
    change: (tx: T) => R | Promise<R>,
  ): Promise<{ readonly index: number; readonly modifiedAt: number; readonly result: R }>;
}

/** The seam between the core and what carries it: HTTP, the hub, the command line. */
export interface Engine {
  /** The whole answer as JSON text. @throws LandfallError for what fails the whole request. */
  exchange(user: User, request: ExchangeRequest, signal?: AbortSignal): Promise<string>;
  /** The answer as NDJSON in chunks of several lines, each chunk ending in a line feed; lines as protocol's `streamLine`. Pulling is the backpressure. */
  exchangeStream(user: User, request: ExchangeRequest, signal?: AbortSignal): AsyncIterable<string>;
  rows(user: User, query: RowsQuery): Promise<RowsPage>;
  /** One round of a reconciliation, the answer as JSON text (DESIGN §10). @throws LandfallError */
  reconcile(user: User, request: ReconcileRequest): Promise<string>;
  info(user: User): Promise<Info>;
  spaces(user: User): Promise<readonly SpaceSummary[]>;
  /** Makes a space owned by the caller; without an id the server makes one that cannot be guessed. @throws not_available */
  createSpace(
    user: User,
    space?: string,
  ): Promise<{ readonly space: string; readonly role: Role; readonly generation: string }>;
  /** Gives the space a new generation, reason `wiped`; owners only. */
  wipeSpace(user: User, space: string): Promise<{ readonly generation: string }>;
  members(user: User, space: string): Promise<readonly Member[]>;
  /** Owners only. @throws last_owner */
  setMember(user: User, space: string, member: string, role: Role): Promise<void>;
  /** Owners may remove anyone, members themselves. @throws last_owner */
  removeMember(user: User, space: string, member: string): Promise<void>;
  /** The newest index of each domain asked for; 0 where nothing was written. @throws not_found */
  heads(user: User, space: string, domains: readonly string[]): Promise<SpaceHeads>;
  /**
   * Heads and the device's seq in one snapshot: without it a delta cannot say which `lastSeq` belongs to its
   * index (DESIGN rule 5). It includes every commit that `onCommit` told before the call. @throws not_found
   */
  position(user: User, space: string, device: string): Promise<SpacePosition>;
  /** Whether the user is a member now, read from the database. */
  mayRead(user: User, space: string): boolean | Promise<boolean>;
  space(id: string): SpaceWriter;
  /** Hears of every commit that moved a space, after it is durable; one call per space and commit. */
  onCommit(listener: (commit: SpaceCommit) => void): () => void;
  onMembership(listener: (change: MembershipChange) => void): () => void;
  inspect(): Promise<readonly SpaceInspection[]>;
  stats(): EngineStats;
  /** Sweeps by itself from now on what retention says has had its time. */
  startSweeping(): void;
  /** The same at once. */
  sweep(): Promise<void>;
  /** Waits for what is running, then closes the storage. */
  close(): Promise<void>;
}
