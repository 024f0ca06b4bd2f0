import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { SqliteDatabase, SqliteDriver } from "./sqlite-driver.js";
import { applicationId, dataFormat, layout } from "./sqlite-schema.js";

const busy = 5;

/** SQLite's primary result code, or undefined for an error that is not SQLite's. */
function resultCode(error: unknown): number | undefined {
  const { errcode } = error as { errcode?: number };
  return errcode === undefined ? undefined : errcode & 0xff;
}

/**
 * Keeps a second process, and a second storage of this one, off the file: two servers would each believe
 * that they alone give out indexes. The lock is SQLite's own on a file beside it, so it dies with the process.
 */
export function takeLock(Driver: SqliteDriver, file: string): SqliteDatabase {
  const lock = openLock(Driver, file);
  try {
    lock.exec("PRAGMA busy_timeout=0; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (cause) {
    lock.close();
    if (resultCode(cause) !== busy) throw cause;
    throw new Error(
      `The data file ${file} is in use by another server or command. Stop that one, or use another file; several servers need PostgreSQL.`,
      { cause },
    );
  }
  return lock;
}

function openLock(Driver: SqliteDriver, file: string): SqliteDatabase {
  try {
    return new Driver(`${file}.lock`);
  } catch (cause) {
    throw new Error(
      `Nothing can be written beside the data file ${file} (${String(cause)}). Check that its folder is there, and may be written to.`,
      { cause },
    );
  }
}

function pragma(database: SqliteDatabase, name: string): number {
  const row = database.prepare(`PRAGMA ${name}`).get() as Record<string, number | bigint>;
  return Number(Object.values(row)[0]);
}

/** The data format of a file; 0 for an empty one. @throws Error for a file of something else, or of a server of another format. */
export function checkFormat(database: SqliteDatabase, file: string): number {
  const version = pragma(database, "user_version");
  const tables = database.prepare("SELECT count(*) AS n FROM sqlite_schema").get() as { n: number | bigint };
  if (Number(tables.n) > 0 && pragma(database, "application_id") !== applicationId) {
    throw new Error(`${file} is an SQLite file, but not a Landfall server's. Name another file.`);
  }
  if (version !== 0 && version !== dataFormat) {
    const what = `${file} has data format ${version}, and this server reads format ${dataFormat}`;
    throw new Error(
      version > dataFormat
        ? `${what}. Run the newer server that wrote it.`
        : `${what}: it was written before the first release, and there is nothing that brings it over. Export it with the server that wrote it (landfall export) and import that into a new file (landfall import), or name another file.`,
    );
  }
  return version;
}

/** Makes the tables of an empty file. */
function prepare(database: SqliteDatabase, file: string): void {
  if (checkFormat(database, file) === dataFormat) return;
  database.exec(
    `BEGIN IMMEDIATE; ${layout}; PRAGMA application_id=${applicationId}; PRAGMA user_version=${dataFormat}; COMMIT`,
  );
}

export interface SqliteOptions {
  /** The file refuses to grow beyond this, and writes are deferred until there is room. */
  readonly maxBytes?: number;
}

export interface OpenFile {
  readonly writer: SqliteDatabase;
  /** The connection for reads: the writer's own where the database is in memory. */
  readonly reader: SqliteDatabase;
  close(): void;
}

/**
 * Opens a data file, making it and its directory where they do not exist; `:memory:` keeps all in memory.
 * @throws Error that says what is wrong with the file, and what to do.
 */
export function openFile(Driver: SqliteDriver, file: string, options: SqliteOptions): OpenFile {
  if (file === ":memory:") {
    const writer = new Driver(file);
    configure(writer, options);
    prepare(writer, file);
    return { writer, reader: writer, close: () => writer.close() };
  }
  mkdirSync(dirname(file), { recursive: true });
  const open: SqliteDatabase[] = [takeLock(Driver, file)];
  const close = (): void => {
    while (open.length > 0) open.pop()?.close();
  };
  try {
    const writer = new Driver(file);
    open.push(writer);
    configure(writer, options);
    prepare(writer, file);
    const reader = new Driver(file);
    open.push(reader);
    reader.exec("PRAGMA busy_timeout=5000; PRAGMA query_only=ON; PRAGMA cache_size=-16000");
    return { writer, reader, close };
  } catch (cause) {
    close();
    if (resultCode(cause) === undefined) throw cause;
    throw new Error(
      `The data file ${file} cannot be opened (${String(cause)}). Check its place and rights; if it is damaged, restore a backup.`,
      { cause },
    );
  }
}

function configure(database: SqliteDatabase, { maxBytes }: SqliteOptions): void {
  // FULL: an answer leaves after an fsync (rule 2). A larger WAL than the default makes checkpoints, which sync twice, rarer.
  database.exec(
    "PRAGMA busy_timeout=5000; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-16000; PRAGMA temp_store=MEMORY",
  );
  if (maxBytes !== undefined)
    database.exec(
      `PRAGMA max_page_count=${Math.max(1, Math.floor(maxBytes / pragma(database, "page_size")))}`,
    );
}
