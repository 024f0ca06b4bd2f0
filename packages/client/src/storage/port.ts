/**
 * The port behind which a client keeps its replicas: a small transactional key-value store.
 *
 * Every entry lives in one of four tables and has the key `[space, a, b]`. The outbox is a table of
 * its own so that no upgrade, eviction or rebuild of the cache can ever drop it (DESIGN §8).
 *
 * | table    | a        | b      | value                                      |
 * |----------|----------|--------|--------------------------------------------|
 * | `meta`   | name     | `""`   | cursors, writer state, revision, fencing term |
 * | `rows`   | domain   | key    | a confirmed row                            |
 * | `outbox` | event id | `""`   | a pending event                            |
 * | `inbox`  | item id  | `""`   | a conflict item                            |
 * | `local`  | domain   | key    | a record of a local domain                 |
 *
 * What is of the account and of no space has the space `""`. There each table has an entry `device`: without it the
 * table is gone, and not empty.
 */
export type StorageTable = "meta" | "rows" | "outbox" | "inbox" | "local";

export const storageTables: readonly StorageTable[] = ["meta", "rows", "outbox", "inbox", "local"];

/**
 * A JSON value (no `undefined`, `NaN`, `-0`, bigint, date or cycle); storages may keep it as text or
 * structurally, and give back an equal value. Values are immutable on both sides: a storage may keep
 * and give back the very object that it was given, so neither side changes one afterwards.
 */
export type StorageValue = unknown;

/** Parts of a key are any strings: empty ones, NUL and lone surrogates included. */
export interface StorageEntry {
  readonly space: string;
  readonly a: string;
  readonly b: string;
  readonly value: StorageValue;
}

export type StorageChange =
  | {
      readonly type: "put";
      readonly table: StorageTable;
      readonly space: string;
      readonly a: string;
      readonly b: string;
      readonly value: StorageValue;
    }
  /** Puts every value under its key as `b`: many rows without an object for each. */
  | {
      readonly type: "putAll";
      readonly table: StorageTable;
      readonly space: string;
      readonly a: string;
      readonly values: ReadonlyMap<string, StorageValue>;
    }
  | {
      readonly type: "delete";
      readonly table: StorageTable;
      readonly space: string;
      readonly a: string;
      readonly b: string;
    }
  /** Deletes every entry of the table in the space, or only those under `a`. */
  | { readonly type: "clear"; readonly table: StorageTable; readonly space: string; readonly a?: string };

/**
 * A fencing token: the commit happens only if the stored term of `meta [space, "term", ""]` (0 when
 * absent) is not newer than this one. It is compared inside the transaction, so that a leader that
 * froze and woke changes nothing (DESIGN §8).
 *
 * A new leader takes the term by reading it (`t`) and then committing `t + 1` to that entry under the
 * fence `t`, not `t + 1`: of two that read the same `t`, exactly one succeeds.
 */
export interface Fence {
  readonly space: string;
  readonly term: number;
}

/** The `a` of the `meta` entry that holds a space's fencing term, a whole number. */
export const termName = "term";

/** Thrown by `commit` when the fence is older than the stored term; nothing was written. */
export class FencedError extends Error {
  override readonly name = "FencedError";
  readonly code = "fenced";
}

/**
 * Thrown when the storage cannot do its work; nothing of the failed call was written.
 * `full`: no room left. `lost`: the database vanished or was closed under us (evicted, deleted,
 * upgraded elsewhere). `unavailable`: it cannot be opened at all. `failed`: anything else.
 */
export class StorageError extends Error {
  override readonly name = "StorageError";
  constructor(
    readonly code: "full" | "lost" | "unavailable" | "failed",
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** The error of a handle whose data is not there any more. @param how it came to that, as in "closed". */
export const lostStorage = (how: string, options?: { cause: unknown }): StorageError =>
  new StorageError("lost", `The storage was ${how}. Open it again.`, options);

/** Whether an error says that the data went under the handle on it. */
export const isLost = (error: unknown): boolean => error instanceof StorageError && error.code === "lost";

/**
 * One handle on the storage of an account. Handles of the same name see the same data. Every call
 * after `close`, or after the data was destroyed, throws `StorageError` `lost`.
 */
export interface ClientStorage {
  readonly kind: "memory" | "indexeddb" | "sqlite";
  /** False where the data ends with the process (memory). */
  readonly persistent: boolean;
  /** All entries of a table in a space, ordered by (a, b) as UTF-16 code units. */
  entries(table: StorageTable, space: string): Promise<StorageEntry[]>;
  /** What `entries` says of each of these tables, at one moment: of a commit of any handle it has all or nothing. */
  snapshot(tables: readonly StorageTable[], space: string): Promise<StorageEntry[][]>;
  /** One value, or undefined where there is none; `b` is `""` when left out. */
  get(table: StorageTable, space: string, a: string, b?: string): Promise<StorageValue>;
  /**
   * All changes in order in one atomic transaction, durable when the promise resolves. Commits of one
   * handle that share a table take effect in the order of the calls; who needs one to be durable
   * before another awaits it.
   * @throws FencedError when the fence is old. @throws StorageError otherwise.
   */
  commit(changes: readonly StorageChange[], fence?: Fence): Promise<void>;
  /** Spaces that hold at least one entry of any table, sorted. */
  spaces(): Promise<string[]>;
  /**
   * Deletes all data of the account if `may` says so of what lies in the outbox table, of all spaces, and answers whether
   * it did. No commit comes between the two: one that was asked for before is among what `may` is shown, and one that
   * comes after it, through whichever handle, is refused as `lost`.
   * @throws StorageError when the data is held elsewhere or cannot be deleted.
   */
  destroy(may: (outbox: readonly StorageEntry[]) => boolean): Promise<boolean>;
  /** Waits for nothing but its own work; closing twice is closing once. */
  close(): Promise<void>;
}

/** Opens the storage of one account; `name` is a file-system-safe name made by the client. */
export interface ClientStorageFactory {
  readonly kind: ClientStorage["kind"];
  /** @throws StorageError `unavailable` when it cannot be opened, `full` when there is no room to. */
  open(name: string): Promise<ClientStorage>;
}
