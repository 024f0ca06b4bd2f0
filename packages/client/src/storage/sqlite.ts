import { existsSync, rmSync } from "node:fs";
import { parse, resolve } from "node:path";
import { StorageError, type ClientStorage, type ClientStorageFactory } from "./port.js";
import { loadSqlite, type SqliteDriver } from "./sqlite-driver.js";
import { isHeldElsewhere, openingError } from "./sqlite-error.js";
import { SqliteFile } from "./sqlite-file.js";

export interface SqliteStorageOptions {
  /** The most that the file of one account may grow to; a commit beyond it is `full`. No bound when absent. */
  readonly maxBytes?: number;
}

/** A file that is open, and how many handles use it. */
interface Shared {
  readonly file: SqliteFile;
  handles: number;
}

/**
 * The storage of Node: one SQLite file per account beside `file`, named after it. The account `ann` of
 * `data/app.db` lives in `data/app-ann.db`; an ending of `.db` is added where there is none.
 *
 * Handles that one factory opens under a name share the file. Another process, or another factory,
 * is refused with `unavailable` until they are closed: a file has one owner at a time.
 */
export function sqliteStorage(file: string, { maxBytes }: SqliteStorageOptions = {}): ClientStorageFactory {
  const { dir, name: stem, ext } = parse(resolve(file));
  const pathOf = (name: string): string => resolve(dir, `${stem}-${name}${ext || ".db"}`);
  const open = new Map<string, Shared>();
  return {
    kind: "sqlite",
    async open(name) {
      const driver = await loadSqlite();
      let shared = open.get(name);
      if (shared === undefined || shared.file.isEnded) {
        shared = { file: new SqliteFile(pathOf(name), driver, maxBytes), handles: 0 };
        open.set(name, shared);
      }
      shared.handles += 1;
      const { file } = shared;
      const closeFile = (reason: string): void => {
        if (open.get(name)?.file === file) open.delete(name);
        file.end(reason);
      };
      return handleOn(shared, closeFile, () => {
        closeFile("was deleted");
        removeFile(pathOf(name), driver);
      });
    },
  };
}

function handleOn(
  shared: Shared,
  closeFile: (reason: string) => void,
  deleteFile: () => void,
): ClientStorage {
  let closed = false;
  const file = (): SqliteFile => {
    if (closed) throw new StorageError("lost", "The SQLite storage was closed. Open it again.");
    return shared.file;
  };
  return {
    kind: "sqlite",
    persistent: true,
    async entries(table, space) {
      return file().entries(table, space);
    },
    async snapshot(tables, space) {
      const from = file();
      return tables.map((table) => from.entries(table, space));
    },
    async get(table, space, a, b = "") {
      return file().get(table, space, a, b);
    },
    async commit(changes, fence) {
      file().commit(changes, fence);
    },
    async spaces() {
      return file().spaces();
    },
    async destroy(may) {
      const { file: from } = shared;
      const outbox = file()
        .spaces()
        .flatMap((space) => from.entries("outbox", space));
      if (!may(outbox)) return false;
      deleteFile();
      return true;
    },
    async close() {
      if (closed) return;
      closed = true;
      shared.handles -= 1;
      if (shared.handles === 0) closeFile("was closed");
    },
  };
}

/** Deletes a file that nobody holds, damaged or not. */
function removeFile(path: string, driver: SqliteDriver): void {
  try {
    if (existsSync(path)) assertNotHeld(path, driver);
    for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
  } catch (error) {
    throw openingError(path, error);
  }
}

function assertNotHeld(path: string, driver: SqliteDriver): void {
  const db = new driver(path);
  try {
    db.exec("PRAGMA locking_mode=EXCLUSIVE; BEGIN IMMEDIATE; ROLLBACK");
  } catch (error) {
    // A damaged file holds nothing that deleting it could harm.
    if (isHeldElsewhere(error)) throw error;
  } finally {
    db.close();
  }
}
