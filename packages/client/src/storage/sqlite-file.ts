import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { checkFence } from "./fence.js";
import {
  StorageError,
  storageTables,
  termName,
  type Fence,
  type StorageChange,
  type StorageEntry,
  type StorageTable,
  type StorageValue,
} from "./port.js";
import type { SqliteDatabase, SqliteDriver, SqliteStatement } from "./sqlite-driver.js";
import { openingError, storageError } from "./sqlite-error.js";
import { compareKeys, decodeKey, encodeKey } from "./sqlite-key.js";

const schemaVersion = 1;

/** Entries that are read as one text: some hundred kB. */
const pageEntries = 1_000;

/** An entry as the file has it, with its keys encoded. */
type StoredEntry = readonly [a: string, b: string, value: StorageValue];

/** One SQLite file, held by this process alone. All calls are synchronous, so commits cannot interleave. */
export class SqliteFile {
  readonly #path: string;
  readonly #db: SqliteDatabase;
  readonly #statements = new Map<string, SqliteStatement>();
  /** Tells our file from another one at its place. */
  readonly #inode: number | undefined;
  /** A file that is only read is left as it is. */
  #isWal = false;
  /** Why it can no longer be used, or undefined while it can. */
  #ended: string | undefined;

  /** @throws StorageError `unavailable` or `full`. */
  constructor(path: string, driver: SqliteDriver, maxBytes: number | undefined) {
    this.#path = path;
    try {
      mkdirSync(dirname(path), { recursive: true });
      this.#db = new driver(path);
    } catch (error) {
      throw openingError(path, error);
    }
    this.#inode = inodeOf(path);
    try {
      prepareFile(this.#db, path, maxBytes);
    } catch (error) {
      // What failed first is the news; letting go of a file that is not ours may fail for the same reason.
      this.#release();
      throw openingError(path, error);
    }
  }

  entries(table: StorageTable, space: string): StorageEntry[] {
    const entries: StorageEntry[] = [];
    let page = this.#page(table, ">=", encodeKey(space), "", "");
    for (;;) {
      for (const [a, b, value] of page) entries.push({ space, a: decodeKey(a), b: decodeKey(b), value });
      const [a, b] = page.at(-1) ?? ["", ""];
      if (page.length < pageEntries) break;
      page = this.#page(table, ">", encodeKey(space), a, b);
    }
    // SQLite orders by UTF-8 bytes, which differs from UTF-16 code units only for rare characters.
    const isSorted = entries.every((entry, i) => i === 0 || compareKeys(entries[i - 1]!, entry) < 0);
    return isSorted ? entries : entries.sort(compareKeys);
  }

  /** Some entries in order of their keys, as one text that SQLite puts together: a row for each would cost more than to parse it. */
  #page(table: StorageTable, from: ">" | ">=", space: string, a: string, b: string): StoredEntry[] {
    return this.#run(
      `SELECT group_concat('[' || json_quote(a) || ',' || json_quote(b) || ',' || value || ']') AS text FROM
       (SELECT a, b, value FROM "${table}" WHERE space = ? AND (a, b) ${from} (?, ?) ORDER BY a, b LIMIT ${pageEntries})`,
      (select) => {
        const { text } = select.get(space, a, b) as { text: string | null };
        return JSON.parse(`[${text ?? ""}]`) as StoredEntry[];
      },
    );
  }

  get(table: StorageTable, space: string, a: string, b: string): StorageValue {
    return this.#run(`SELECT value FROM "${table}" WHERE space = ? AND a = ? AND b = ?`, (select) => {
      const row = select.get(encodeKey(space), encodeKey(a), encodeKey(b)) as { value: string } | undefined;
      return row && (JSON.parse(row.value) as StorageValue);
    });
  }

  spaces(): string[] {
    const found = new Set<string>();
    for (const table of storageTables) {
      // Jumps from space to space along the primary key, so that the cost is that of the spaces and not of their entries.
      const rows = this.#run(
        `WITH RECURSIVE step(space) AS (SELECT min(space) FROM "${table}" UNION ALL
         SELECT (SELECT min(space) FROM "${table}" AS later WHERE later.space > step.space) FROM step WHERE space IS NOT NULL)
         SELECT space FROM step WHERE space IS NOT NULL`,
        (select) => select.all(),
      ) as { space: string }[];
      for (const row of rows) found.add(decodeKey(row.space));
    }
    return [...found].sort();
  }

  commit(changes: readonly StorageChange[], fence: Fence | undefined): void {
    this.#assertUsable();
    try {
      if (!this.#isWal) this.#db.exec("PRAGMA journal_mode=WAL");
      this.#isWal = true;
      inTransaction(this.#db, () => {
        if (fence) checkFence(fence, this.get("meta", fence.space, termName, ""));
        for (const change of changes) this.#write(change);
      });
    } catch (error) {
      if (error instanceof AggregateError) this.end("could not be rolled back");
      this.#assertInPlace();
      throw storageError(this.#path, error);
    }
    this.#assertInPlace();
  }

  get isEnded(): boolean {
    return this.#ended !== undefined;
  }

  /**
   * Closes the file; later calls throw `lost` with this reason.
   * @throws StorageError when tidying up failed; the file is closed and what was committed is safe.
   */
  end(reason: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    const error = this.#release();
    if (error !== undefined) throw storageError(this.#path, error);
  }

  #write(change: StorageChange): void {
    const space = encodeKey(change.space);
    const a = change.a === undefined ? undefined : encodeKey(change.a);
    if (change.type === "put" || change.type === "putAll") {
      const values = change.type === "put" ? [[change.b, change.value] as const] : change.values;
      this.#run(`INSERT OR REPLACE INTO "${change.table}" VALUES (?, ?, ?, ?)`, (put) => {
        for (const [b, value] of values) put.run(space, a!, encodeKey(b), JSON.stringify(value));
      });
    } else if (change.type === "delete") {
      this.#run(`DELETE FROM "${change.table}" WHERE space = ? AND a = ? AND b = ?`, (remove) =>
        remove.run(space, a!, encodeKey(change.b)),
      );
    } else if (a === undefined) {
      this.#run(`DELETE FROM "${change.table}" WHERE space = ?`, (clear) => clear.run(space));
    } else {
      this.#run(`DELETE FROM "${change.table}" WHERE space = ? AND a = ?`, (clear) => clear.run(space, a));
    }
  }

  /** Runs a statement that is prepared once and kept. */
  #run<T>(sql: string, work: (statement: SqliteStatement) => T): T {
    this.#assertUsable();
    try {
      let statement = this.#statements.get(sql);
      if (statement === undefined) this.#statements.set(sql, (statement = this.#db.prepare(sql)));
      return work(statement);
    } catch (error) {
      throw storageError(this.#path, error);
    }
  }

  #assertUsable(): void {
    if (this.#ended !== undefined) {
      throw new StorageError("lost", `The storage file ${this.#path} ${this.#ended}. Open it again.`);
    }
  }

  /** A file that was removed under us still takes writes, which nobody will ever find again. */
  #assertInPlace(): void {
    if (!this.#isInPlace()) this.end("was moved or deleted");
    this.#assertUsable();
  }

  /**
   * Closes the connection and gives back what went wrong in giving up its lock. The stand-in for
   * `node:sqlite` does not finalise statements on close, and a connection with statements lives on,
   * with its lock, until they are collected. So the lock is given up first, and SQLite gives up an
   * exclusive lock only outside of WAL.
   */
  #release(): unknown {
    try {
      if (this.#isInPlace()) {
        this.#db.exec(
          "PRAGMA journal_mode=DELETE; PRAGMA locking_mode=NORMAL; SELECT count(*) FROM sqlite_schema",
        );
      }
      return undefined;
    } catch (error) {
      return error;
    } finally {
      this.#db.close();
    }
  }

  #isInPlace(): boolean {
    return this.#inode !== undefined && this.#inode === inodeOf(this.#path);
  }
}

/** Takes the file for this process alone, and creates the tables in a new one. */
function prepareFile(db: SqliteDatabase, path: string, maxBytes: number | undefined): void {
  // Until the file is ours only `exec` is used: a statement would keep the connection and its lock alive.
  db.exec("PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=FULL; BEGIN EXCLUSIVE; COMMIT");
  const { user_version: version } = db.prepare("PRAGMA user_version").get() as { user_version: number };
  if (version > schemaVersion) {
    throw new StorageError(
      "unavailable",
      `The storage file ${path} was written by a newer version. Update this one.`,
    );
  }
  if (maxBytes !== undefined) {
    const { page_size: pageSize } = db.prepare("PRAGMA page_size").get() as { page_size: number };
    db.exec(`PRAGMA max_page_count=${Math.floor(maxBytes / pageSize)}`);
  }
  const there = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all() as { name: string }[];
  // All of them in a new file; one that is gone from an old one is empty now, which is for the client to notice.
  const missing = storageTables.filter((table) => !there.some(({ name }) => name === table));
  if (missing.length === 0) return;
  const create = missing.map(
    (table) =>
      `CREATE TABLE "${table}" (space TEXT NOT NULL, a TEXT NOT NULL, b TEXT NOT NULL, value TEXT NOT NULL,
       PRIMARY KEY (space, a, b)) WITHOUT ROWID`,
  );
  inTransaction(db, () => db.exec(`${create.join(";")}; PRAGMA user_version=${schemaVersion}`));
}

/**
 * Commits the work, or undoes it and throws its error.
 * @throws AggregateError when undoing it failed as well, so that the connection must not be used again.
 */
function inTransaction(db: SqliteDatabase, work: () => void): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    work();
    db.exec("COMMIT");
  } catch (error) {
    try {
      db.exec("ROLLBACK");
    } catch (rollback) {
      // SQLite rolls back by itself on a full disk and on some I/O errors; then there is nothing left to undo.
      if (!String(rollback).includes("no transaction is active"))
        throw new AggregateError([error], String(rollback), { cause: rollback });
    }
    throw error;
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
