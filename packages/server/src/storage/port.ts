import type { Role } from "@landfall/protocol";
import type { CommittedEvent, SpaceCommit } from "../engine-types.js";
import type { MaybePromise } from "../maybe-promise.js";

/** A space as its row has it. All of it moves only under the space's lock (DESIGN rule 4). */
export interface SpaceState {
  readonly generation: string;
  /** The newest index. */
  readonly head: number;
  /** The reading of the receive clock at the newest event (DESIGN rule 6). */
  readonly receivedMs: number;
  readonly receivedCounter: number;
  /** `modifiedAt` of the newest commit. */
  readonly modifiedAt: number;
  /** The schema version that the rows are in; 0 while nobody has named one. */
  readonly schema: number;
  /** What the lookups were built from: the declaration of `unique`, `parent` and `indexes` at that time. */
  readonly lookups: string;
}

/** A domain of a space, once something was written to it. */
export interface DomainState {
  readonly domain: string;
  readonly head: number;
  /** Live rows. */
  readonly count: number;
  /** The digest's sum: 32 lower-case hex digits (DESIGN §5.4). */
  readonly sum: string;
  /** Tombstones of versions up to this one may be gone. */
  readonly horizon: number;
}

/** A record whose `create` this device was refused, while the device has not said that it knows (DESIGN rule 7). */
export type RejectedCreate = readonly [seq: number, domain: string, key: string];

/** A device of a user in a space's generation: what idempotency rests on (DESIGN rule 3). */
export interface WriterState {
  readonly device: string;
  readonly user: string;
  /** The newest seq that was handled. */
  readonly lastSeq: number;
  /** Up to here the device says that its outcomes are durable. */
  readonly acked: number;
  /** Up to here the bodies of outcomes have been dropped. */
  readonly expired: number;
  readonly rejectedCreates: readonly RejectedCreate[];
  /** When the device was heard of last, and the smallest cursor that it sent. */
  readonly seenAt: number;
  readonly cursor: number;
}

export interface RecordKey {
  readonly domain: string;
  readonly key: string;
}

/** A record or tombstone as it lies in the table. */
export interface StoredRecord extends RecordKey {
  readonly version: number;
  readonly modifiedAt: number;
  /** `modifiedAt` of this incarnation's first version. */
  readonly createdAt: number;
  /** Canonical JSON (RFC 8785); undefined for a tombstone. */
  readonly fields: string | undefined;
  readonly stamps: string | undefined;
}

/** An entry of the table that finds records by what a field holds: for `unique` and `parent`. */
export interface LookupEntry extends RecordKey {
  readonly name: string;
  readonly value: string;
}

/** The original outcome of an event, as JSON members; undefined once it has expired. */
export interface StoredOutcome {
  readonly seq: number;
  readonly id: string;
  readonly body: string | undefined;
}

/** Where an id was seen first. */
export interface KnownEvent {
  readonly id: string;
  readonly generation: string;
  readonly device: string;
  readonly user: string;
  readonly seq: number;
  /** The device that it had been of before, if it said so then. */
  readonly was: string | undefined;
}

/** The outcomes of consecutive seqs of one writer, stored together. */
export interface OutcomeChunk {
  readonly outcomes: readonly { readonly seq: number; readonly id: string; readonly body: string }[];
  /** The ids among them that the space had not seen before. */
  readonly fresh: readonly { readonly seq: number; readonly id: string; readonly was?: string | undefined }[];
}

export interface GenerationStart {
  readonly generation: string;
  /** `created`, `wiped` or `restored` (DESIGN rule 12). */
  readonly reason: string;
  readonly parent: string | undefined;
  /** The index at which it parts from its parent. */
  readonly at: number;
  /** When it began, in milliseconds of the server's clock; 0 where nobody has said. */
  readonly startedAt: number;
}

export interface MemberState {
  readonly user: string;
  /** Undefined for a former member. */
  readonly role: Role | undefined;
  readonly since: number;
}

/** What one batch changes; each part goes to its table in as few statements as there are tables. */
export interface SpaceChanges {
  readonly space?: SpaceState;
  /** A domain is saved with the first of its records, or before. */
  readonly domains?: readonly DomainState[];
  readonly writer?: WriterState;
  /** Written by `writer`, which is part of the same changes or was saved before. */
  readonly records?: readonly StoredRecord[];
  readonly lookupsRemoved?: readonly LookupEntry[];
  readonly lookupsAdded?: readonly LookupEntry[];
  readonly outcomes?: OutcomeChunk;
}

/** A space, as a device of a user finds it. */
export interface FoundSpace {
  readonly state: SpaceState;
  /** What the user is in the space: undefined for a stranger, `former` for one who was a member. */
  readonly role: Role | "former" | undefined;
  readonly domains: readonly DomainState[];
  /** The device's, in the space's generation. */
  readonly writer: WriterState | undefined;
}

/** What a batch needs to know before anything else. */
export interface OpenedSpace extends FoundSpace {
  /** Whether no other batch of the same commit comes after this one: what it leaves is what the commit leaves. */
  readonly isLast: boolean;
  /** `modifiedAt` that an earlier batch of the same commit gave this space, which all of a commit share. */
  readonly commitModifiedAt: number | undefined;
}

/** Which live records a scan gives, by key. */
export interface ScanRange {
  readonly domain: string;
  /** Only versions up to this one. */
  readonly upTo?: number;
  readonly afterKey?: string;
  readonly limit?: number;
}

/**
 * The transaction of one batch: of one space, under that space's lock, all or nothing. Load in bulk,
 * compute, save once.
 */
export interface SpaceTransaction {
  /** Takes the lock and gives the space; undefined where there is none. Comes first. */
  open(device: string, user: string): MaybePromise<OpenedSpace | undefined>;
  /** The records and tombstones that there are among these. */
  records(keys: readonly RecordKey[]): MaybePromise<readonly StoredRecord[]>;
  /** Live records. */
  scan(range: ScanRange): MaybePromise<readonly StoredRecord[]>;
  lookup(domain: string, name: string, values: readonly string[]): MaybePromise<readonly LookupEntry[]>;
  /** The outcomes of a writer's seqs `from` to `to`, in order of seq. */
  outcomes(
    writer: { readonly generation: string; readonly device: string; readonly user: string },
    from: number,
    to: number,
  ): MaybePromise<readonly StoredOutcome[]>;
  /** Those of the ids that the space has seen. */
  knownEvents(ids: readonly string[]): MaybePromise<readonly KnownEvent[]>;
  save(changes: SpaceChanges): MaybePromise<void>;
  /** Makes the space, or gives it a new generation. `wipe` drops rows, outcomes, ids and writers first; domains stay, empty. */
  startGeneration(start: GenerationStart, state: SpaceState, wipe: boolean): MaybePromise<void>;
  /**
   * Drops a domain's tombstones up to a version, the oldest first, and puts the horizon there, unless it is further.
   * @param limit how many at most; all unless said. @returns how many.
   */
  pruneTombstones(domain: string, upTo: number, limit?: number): MaybePromise<number>;
  /** Drops all lookups of the space, to be built anew. */
  clearLookups(): MaybePromise<void>;
  members(): MaybePromise<readonly MemberState[]>;
  saveMember(member: MemberState): MaybePromise<void>;
  /** Tells of events; listeners hear of them after the commit, once for each space and commit. */
  publish(generation: string, events: readonly CommittedEvent[]): void;
}

/** A row on its way out. */
export interface PageRow extends RecordKey {
  readonly version: number;
  readonly modifiedAt: number;
  /** The row as wire JSON (DESIGN §5.3). */
  readonly text: string;
}

export interface PageRequest {
  readonly space: string;
  /** Each domain with the version after which its rows are wanted. */
  readonly domains: readonly { readonly domain: string; readonly after: number }[];
  /** Rows at most, and bytes at most, about; a page never ends inside a version, so it may hold more (DESIGN §6). */
  readonly limit: number;
  readonly maxBytes: number;
  /** Leave out fields and stamps. */
  readonly keysOnly?: boolean;
}

export interface Page {
  /** In version order. */
  readonly rows: readonly PageRow[];
  readonly more: boolean;
}

/** Rows one after another, however many: a storage reads them as they are asked for. */
export type Rows<T> = Iterable<T> | AsyncIterable<T>;

/** A lookup, with the fields of the live record that it names; undefined where there is none. */
export interface HeldLookup extends LookupEntry {
  readonly fields: string | undefined;
}

/** @property writer its place in the list of writers. */
export interface HeldOutcome extends StoredOutcome {
  readonly writer: number;
}

/** Where an id was seen first. @property writer its place in the list of writers; -1 where it is not there. */
export interface HeldEvent {
  readonly id: string;
  readonly seq: number;
  readonly writer: number;
}

/** Everything that is kept of a space beside what the snapshot gives whole: for verification. */
export interface SpaceContents {
  /** Of all generations; the others name a writer by its place in this list. */
  readonly writers: readonly (WriterState & { readonly generation: string })[];
  /** Records and tombstones of all domains, in order of version. */
  records(): Rows<StoredRecord>;
  /** In order of domain, name and value. */
  lookups(): Rows<HeldLookup>;
  /** In order of writer and seq. */
  outcomes(): Rows<HeldOutcome>;
  /** In order of writer and seq. */
  events(): Rows<HeldEvent>;
}

/** A consistent view of everything, as of one commit. */
export interface Snapshot {
  /** @param device whose writer is wanted; nobody's unless said. */
  space(space: string, user: string, device?: string): MaybePromise<FoundSpace | undefined>;
  /** A writer of any generation. */
  writer(
    space: string,
    generation: string,
    device: string,
    user: string,
  ): MaybePromise<WriterState | undefined>;
  /** Newest first. */
  generations(space: string): MaybePromise<readonly GenerationStart[]>;
  page(request: PageRequest): MaybePromise<Page>;
  rows(
    space: string,
    domain: string,
    keys: readonly string[],
    keysOnly: boolean,
  ): MaybePromise<readonly PageRow[]>;
  /** The newest version of a domain that was written at or before a time. */
  versionAt(space: string, domain: string, modifiedAt: number): MaybePromise<number>;
  /** A domain's oldest tombstones, in order of version. */
  tombstones(
    space: string,
    domain: string,
    limit: number,
  ): MaybePromise<readonly { readonly version: number; readonly modifiedAt: number }[]>;
  members(space: string): MaybePromise<readonly MemberState[]>;
  memberships(user: string): MaybePromise<
    readonly {
      readonly space: string;
      readonly role: Role;
      readonly state: SpaceState;
      readonly members: number;
    }[]
  >;
  spaces(): MaybePromise<readonly string[]>;
  writers(space: string, generation: string): MaybePromise<readonly WriterState[]>;
  contents(space: string): MaybePromise<SpaceContents>;
}

/** Thrown by `write` when the batch's transaction was lost as a whole, as by a full disk: nothing of it was kept, and it may be tried again. */
export class TransactionLostError extends Error {
  override readonly name = "TransactionLostError";
}

/** How the storage has worked so far. */
export interface StorageStats {
  readonly commits: number;
  readonly batches: number;
  readonly largestGroup: number;
  readonly lostGroups: number;
}

/**
 * Where a server keeps everything (DESIGN §7): a batch of writes of one space in a transaction, reads in a
 * snapshot; the small tables go the same two ways.
 */
export interface Storage {
  /**
   * Runs a batch and resolves once it is durable. A batch that throws leaves nothing behind, and rejects with what it threw.
   * @throws TransactionLostError
   */
  write<T>(space: string, batch: (transaction: SpaceTransaction) => MaybePromise<T>): Promise<T>;
  read<T>(view: (snapshot: Snapshot) => MaybePromise<T>): Promise<T>;
  /** Hears of what batches published, after the commit, in the order of the commits. */
  onCommit(listener: (commit: SpaceCommit) => void): () => void;
  stats(): StorageStats;
  close(): Promise<void>;
}
