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
 */
export type StorageTable = "meta" | "rows" | "outbox" | "inbox" | "local";

export const storageTables: readonly StorageTable[] = ["meta", "rows", "outbox", "inbox", "local"];

/** A JSON value; storages may keep it as text or structurally, and give back an equal value. */
export type StorageValue = unknown;

export interface StorageEntry {
  readonly space: string;
  readonly a: string;
  readonly b: string;
  readonly value: StorageValue;
}

export type StorageChange =
  | { readonly type: "put"; readonly table: StorageTable; readonly space: string; readonly a: string; readonly b: string; readonly value: StorageValue }
  | { readonly type: "delete"; readonly table: StorageTable; readonly space: string; readonly a: string; readonly b: string }
  /** Deletes every entry of the table in the space, or only those under `a`. */
  | { readonly type: "clear"; readonly table: StorageTable; readonly space: string; readonly a?: string };

/**
 * A fencing token: the commit happens only if the stored term of `meta [space, "term", ""]` (0 when
 * absent) is not newer than this one. It is compared inside the transaction, so that a leader that
 * froze and woke changes nothing (DESIGN §8).
 */
export interface Fence {
  readonly space: string;
  readonly term: number;
}

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

export interface ClientStorage {
  readonly kind: "memory" | "indexeddb" | "sqlite";
  /** False where the data ends with the process (memory). */
  readonly persistent: boolean;
  /** All entries of a table in a space, ordered by (a, b) as UTF-16 code units. */
  entries(table: StorageTable, space: string): Promise<StorageEntry[]>;
  /** One value, or undefined. */
  get(table: StorageTable, space: string, a: string, b?: string): Promise<StorageValue | undefined>;
  /**
   * All changes in order in one atomic transaction, durable when the promise resolves.
   * @throws FencedError when the fence is old. @throws StorageError otherwise.
   */
  commit(changes: readonly StorageChange[], fence?: Fence): Promise<void>;
  /** Spaces that hold at least one entry of any table, sorted. */
  spaces(): Promise<string[]>;
  close(): Promise<void>;
}

/** Opens the storage of one account; `name` is a file-system-safe name made by the client. */
export interface ClientStorageFactory {
  readonly kind: ClientStorage["kind"];
  open(name: string): Promise<ClientStorage>;
  /** Deletes all data of that account; resolves when it is gone. */
  destroy(name: string): Promise<void>;
}
