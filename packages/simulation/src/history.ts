import type {
  Expectation,
  Fields,
  Json,
  Op,
  Outcome,
  Row,
  SpaceError,
  Stamp,
  WireDigest,
} from "@landfall/protocol";

/**
 * What a run of the world leaves behind: everything that the checkers may know of it. It is plain data, taken
 * at the edges of the parts (calls of the public API, bytes on the wire, commits of the storage) and never
 * from the code that is checked. `entries` stand in the order in which they happened in the one process, so
 * that "before" is "earlier in the list".
 */
export interface History {
  readonly seed: number;
  readonly schema: SchemaFacts;
  /** The user of each device, by the device's name. */
  readonly users: Readonly<Record<string, string>>;
  readonly entries: readonly Entry[];
  /** Whether `entries` had to be cut off; a run that is too long to be recorded is no good run. */
  readonly overflow: boolean;
  /** What the world allows after its faults have stopped. */
  readonly bounds: Bounds;
}

/** Entries beyond this many are not kept: about fifty for each operation of the longest run. */
export const maxEntries = 200_000;

/** What a model must know of the schema, alike in all its versions; written down by hand beside it, so that the model does not ask the schema's code. */
export interface SchemaFacts {
  readonly domains: Readonly<Record<string, DomainFacts>>;
}

export interface DomainFacts {
  /** Fields that are not last writer wins. */
  readonly counters?: readonly string[];
  readonly sets?: readonly string[];
  /** Values of fields that a create may leave out. */
  readonly defaults?: Fields;
  readonly unique?: readonly (readonly string[])[];
  readonly parent?: {
    readonly domain: string;
    readonly field: string;
    readonly onDelete: "cascade" | "restrict" | "keep";
  };
  /** Never leaves the device. */
  readonly local?: true;
}

export interface Bounds {
  /** Virtual milliseconds from the end of the faults until nothing moves any more. */
  readonly quietWithinMs: number;
  /** Requests of one device in that time. */
  readonly quietRequests: number;
  /** Rows, tombstones included, that one replica or one space of the server may hold. */
  readonly rows: number;
  /** Outcome bodies that the server may keep for one device. */
  readonly outcomes: number;
}

/**
 * Who: `device` is the machine's name in the world (`d1`), which outlives crashes and forks; `tab` is the page or
 * process on it (`d1.a`); `run` counts the starts of that tab, so that what a dead process had promised is told
 * from what a living one says. The id under which the server knows the installation is `deviceId`.
 */
export interface Who {
  readonly device: string;
  readonly tab: string;
  readonly run: number;
}

interface At {
  /** Virtual milliseconds since the run began, by the world's own clock. */
  readonly at: number;
}

export type Entry =
  | Started
  | Ended
  | Cloned
  | StorageFault
  | Issue
  | Offered
  | LocalWrite
  | LocalSaved
  | Synced
  | Refused
  | Shown
  | Saved
  | Unsaved
  | Settled
  | View
  | Inbox
  | Choice
  | Report
  | StatusSeen
  | Request
  | AnswerLeft
  | AnswerArrived
  | Commit
  | GenerationStarted
  | MemberSaved
  | Pruned
  | ServerStarted
  | ServerEnded
  | FaultsOver
  | Quiet
  | Size
  | ServerRows;

/** A tab or process has opened its space. */
export interface Started extends At, Who {
  readonly type: "started";
  /** The ids of the events of each space that lay in the outbox on the disk at that moment, in their order there. */
  readonly outbox: Readonly<Record<string, readonly Stamp[]>>;
  /** Memory stands in for the disk: what lies there the process knows nothing of. */
  readonly standsIn?: true;
}

/** A tab or process is gone: closed by itself, or crashed with whatever was not on the disk. */
export interface Ended extends At, Who {
  readonly type: "ended";
  readonly how: "closed" | "crashed";
}

/** A copy of an installation begins its life: all that is on the disk of `from` is on the disk of `device`. */
export interface Cloned extends At {
  readonly type: "cloned";
  readonly device: string;
  readonly from: string;
}

/** The disk of a device has lost something that it had promised to keep, or takes nothing more. */
export interface StorageFault extends At {
  readonly type: "storageFault";
  readonly device: string;
  /**
   * `evicted`: all of it; `partly`: some tables; `older`: as it was at an earlier moment; `full`: takes nothing more for a while;
   * `torn`: cannot be opened, and then can again, so that what was in its stead is gone;
   * `signedOut`: forgotten because somebody asked for it, and `lostEvents` is what they gave leave to forget.
   */
  readonly how: "evicted" | "partly" | "older" | "full" | "torn" | "signedOut";
  /** Ids of events that were in the outbox and are not any more. */
  readonly lostEvents: readonly Stamp[];
  /** Ids of inbox items that are not there any more. */
  readonly lostItems: readonly string[];
  /** Spaces of which it does not know any more that it ever saw them: it meets them as a new device does. */
  readonly forgets?: readonly string[];
  /** Nothing on the device could tell of it. */
  readonly silent?: true;
}

/** The app has written; the call has returned a receipt. */
export interface Issue extends At, Who {
  readonly type: "issue";
  readonly space: string;
  readonly event: Stamp;
  readonly ops?: readonly Op[];
  readonly action?: string;
  readonly args?: Json;
  /** Conditions of the event; those on own events name them by id. */
  readonly expect?: readonly (readonly [
    domain: string,
    key: string,
    version: number | { readonly event: Stamp },
  ])[];
  /** What the view showed of each record that the ops name, right after the call: fields, or null for no record. */
  readonly shows?: readonly (readonly [domain: string, key: string, fields: Fields | null])[];
  /** The inbox item that this write retries or writes again. */
  readonly fromItem?: string;
  /** The version of the app's schema that it is in; the first where nobody has said. */
  readonly schema?: number;
}

/** A device stores an event in its outbox that offers back a row which the server has lost (rule 12). */
export interface Offered extends At, Who {
  readonly type: "offered";
  readonly space: string;
  readonly event: Stamp;
  readonly ops: readonly Op[];
  readonly schema?: number;
}

/** The app has written a record that never leaves the device. */
export interface LocalWrite extends At, Who {
  readonly type: "localWrite";
  readonly space: string;
  readonly domain: string;
  readonly key: string;
  readonly fields: Fields;
  readonly schema: number;
  /** Its place among all of them. */
  readonly number: number;
}

/** The receipt's `saved` of such a write has resolved. */
export interface LocalSaved extends At, Who {
  readonly type: "localSaved";
  readonly number: number;
}

/** The app has asked to be brought into step, and was told that it is. */
export interface Synced extends At, Who {
  readonly type: "synced";
  /** How many entries stood before the question. */
  readonly asked: number;
  /** The version of the app's schema that the tab runs. */
  readonly schema: number;
}

/** The app has tried to write and the call has thrown: nothing was written. */
export interface Refused extends At, Who {
  readonly type: "refused";
  readonly space: string;
  readonly code: string;
}

/** An action's function has run on this device: the receipt's `shown`. */
export interface Shown extends At, Who {
  readonly type: "shown";
  readonly event: Stamp;
}

/** The receipt's `saved` has resolved. */
export interface Saved extends At, Who {
  readonly type: "saved";
  readonly event: Stamp;
}

/** The receipt's `saved` was refused. */
export interface Unsaved extends At, Who {
  readonly type: "unsaved";
  readonly event: Stamp;
  readonly code: string;
}

/** The receipt's `settled` has resolved; each process that waits for the event hears it for itself. */
export interface Settled extends At, Who {
  readonly type: "settled";
  readonly space: string;
  readonly event: Stamp;
  readonly outcome: SettledAs;
}

/** An outcome as the app gets it. */
export interface SettledAs {
  readonly status: "applied" | "rejected" | "void" | "expired";
  /** It came as `duplicate`. */
  readonly again?: true;
  readonly index?: number;
  readonly modifiedAt?: number;
  readonly code?: string;
  readonly superseded?: readonly SupersededAs[];
}

export interface SupersededAs {
  readonly domain: string;
  readonly key: string;
  readonly field: string;
  readonly by: Stamp;
}

/** A record as the app sees it: its fields, and of `$` what the checkers look at. */
export interface Seen {
  readonly key: string;
  readonly $: { readonly version: number; readonly modifiedAt: number; readonly pending: boolean };
  readonly [field: string]: unknown;
}

/** What a tab shows of a space, whole. Taken in every listener call, after opening, and at the end. */
export interface View extends At, Who {
  readonly type: "view";
  readonly space: string;
  readonly why: "opened" | "listener" | "final";
  /**
   * All records of each domain. Records are frozen and shared between views, as the product gives them, so that
   * a view costs a reference for each record.
   */
  readonly domains: Readonly<Record<string, readonly Seen[]>>;
  /** The version of the app's schema that the tab runs, and shows records in. */
  readonly schema?: number;
}

/** The inbox of a space has changed, or was read when the tab started or the run ended. */
export interface Inbox extends At, Who {
  readonly type: "inbox";
  readonly space: string;
  /** Everything that is in it now. */
  readonly items: readonly InboxEntry[];
  /** The version of the app's schema that the tab runs. */
  readonly schema?: number;
}

export interface InboxEntry {
  readonly id: string;
  readonly kind: "rejected" | "superseded" | "parked" | "lost" | (string & {});
  /** The event that it tells of. */
  readonly event?: Stamp;
  readonly domain?: string;
  readonly key?: string;
  readonly field?: string;
  readonly code?: string;
  readonly by?: Stamp;
  /** The value of the field, or the fields of the op, that was tried. */
  readonly tried?: Json;
}

/** A person has dealt with an item; it may leave the inbox from here on. */
export interface Choice extends At, Who {
  readonly type: "choice";
  readonly space: string;
  readonly item: string;
  readonly choice: "retry" | "writeAgain" | "keepCopy" | "dismiss";
}

/** The client has told whoever looks after the app: `history_lost`, `device_forked`, `restored`, `unsynced_lost`… */
export interface Report extends At, Who {
  readonly type: "report";
  readonly code: string;
  readonly message: string;
}

/** `client.status` as it is at the end. */
export interface StatusSeen extends At, Who {
  readonly type: "status";
  readonly phase: string;
  readonly pending: number;
}

/** An exchange has left a device. */
export interface Request extends At, Who {
  readonly type: "request";
  /** Names the exchange; its answers carry it too. A request that the network doubles has several answers. */
  readonly exchange: number;
  readonly deviceId: string;
  readonly spaces: readonly RequestPart[];
}

export interface RequestPart {
  readonly space: string;
  readonly generation?: string;
  readonly acked: number;
  readonly cursors: Readonly<Record<string, number>>;
  readonly events: readonly {
    readonly id: Stamp;
    readonly seq: number;
    readonly void?: true;
    readonly was?: { readonly device: string; readonly seq: number };
    readonly expect?: readonly Expectation[];
    readonly ops?: readonly Op[];
    readonly schema?: number;
  }[];
}

/** A server has given an answer to the network, or the part of a stream up to here. */
export interface AnswerLeft extends At {
  readonly type: "answerLeft";
  readonly exchange: number;
  readonly server: string;
  /** The status of HTTP; anything but 200 has no spaces. */
  readonly http: number;
  readonly spaces: readonly AnswerPart[];
}

export interface AnswerPart {
  readonly space: string;
  readonly generation?: string;
  readonly head?: number;
  readonly lastSeq?: number;
  readonly outcomes: readonly Outcome[];
  readonly cursors?: Readonly<Record<string, number>>;
  readonly reset?: readonly string[];
  readonly more?: boolean;
  readonly digests?: Readonly<Record<string, WireDigest>>;
  readonly error?: SpaceError;
}

/** An answer has reached the device that asked: all of it, or only its beginning. */
export interface AnswerArrived extends At, Who {
  readonly type: "answerArrived";
  readonly exchange: number;
  readonly whole: boolean;
}

/**
 * A batch of one space is durable in the server's storage: the witness of the order. Written down when it is
 * known to have been committed; where a crash made that uncertain, when the storage was opened again.
 */
export interface Commit extends At {
  readonly type: "commit";
  readonly space: string;
  readonly generation: string;
  /** Everything that the batch decided, in the order in which it did. */
  readonly decided: readonly Decided[];
  /** The version of the app's schema that it has brought the rows of the space to, where it has. */
  readonly schema?: number;
}

export type Decided = AppliedEvent | DecidedOtherwise;

export interface AppliedEvent {
  readonly status: "applied";
  readonly index: number;
  readonly modifiedAt: number;
  /** Absent for what the server writes by itself: migrations, the app's own backend, rows offered back. */
  readonly event?: Stamp;
  /** `server` for what the server writes by itself. */
  readonly deviceId: string;
  readonly seq: number;
  /** The effective stamp, where it is not the id. */
  readonly eff?: Stamp;
  readonly superseded?: readonly SupersededAs[];
  /** The rows that it touched, as they stood after it; absent where they were too many to be told. */
  readonly rows?: readonly Row[];
}

export interface DecidedOtherwise {
  readonly status: "rejected" | "void";
  readonly event: Stamp;
  readonly deviceId: string;
  readonly seq: number;
  readonly code?: string;
}

/** A space has a history of its own from here on. */
export interface GenerationStarted extends At {
  readonly type: "generation";
  readonly space: string;
  readonly generation: string;
  readonly parent?: string;
  /**
   * `rolledBack`: the server's data fell back without anybody having said so, and the generation kept its name;
   * then `parent` is `generation`.
   */
  readonly reason: "created" | "wiped" | "restored" | "rolledBack";
  /** The index up to which it agrees with its parent. */
  readonly forkedAt: number;
  /** When it began by the server's clock: nothing that is offered to it counts as newer. Absent where nobody has said. */
  readonly startedAt?: number;
  /**
   * Up to which version the server has forgotten the tombstones of each domain where it begins: a backup may be older than
   * what its server forgot since. Absent where nobody has said.
   */
  readonly forgotten?: Readonly<Record<string, number>>;
  /** The version of the app's schema in which it begins where it begins empty. Absent where nobody has said. */
  readonly schema?: number;
}

/** Somebody is a member of a space from now on, in another role, or no more. */
export interface MemberSaved extends At {
  readonly type: "member";
  readonly space: string;
  readonly user: string;
  /** Absent for who is no member. */
  readonly role?: string;
}

/** The server has forgotten the tombstones of a domain up to a version. */
export interface Pruned extends At {
  readonly type: "pruned";
  readonly space: string;
  readonly domain: string;
  readonly upTo: number;
}

export interface ServerStarted extends At {
  readonly type: "serverStarted";
  readonly server: string;
}

export interface ServerEnded extends At {
  readonly type: "serverEnded";
  readonly server: string;
  readonly how: "closed" | "crashed";
}

/** From here on the network is whole, the disks have room, and nothing crashes. */
export interface FaultsOver extends At {
  readonly type: "faultsOver";
}

/** Nothing is left to do: no event pending, every cursor at head. Absent when the run had to be ended before that. */
export interface Quiet extends At {
  readonly type: "quiet";
}

/** How much a device or a server holds, taken now and then and at the end. */
export interface Size extends At {
  readonly type: "size";
  /** A device's name, or a server's. */
  readonly of: string;
  readonly space: string;
  /** Live rows and tombstones. */
  readonly rows: number;
  /** Events in the outbox of a device; bodies of outcomes, for the device that has most, of a server. */
  readonly events: number;
  readonly inbox?: number;
}

/** What a device that knew nothing has pulled from 0 when everything was quiet. */
export interface ServerRows extends At {
  readonly type: "serverRows";
  readonly space: string;
  readonly generation: string;
  readonly head: number;
  /** Live rows, and tombstones as far as they were sent. */
  readonly rows: readonly Row[];
  readonly digests: Readonly<Record<string, WireDigest>>;
}
