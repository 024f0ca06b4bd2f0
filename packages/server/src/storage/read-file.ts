import { existsSync } from "node:fs";
import type { Snapshot } from "./port.js";
import { type SqliteDatabase, Statements, loadSqlite } from "./sqlite-driver.js";
import { checkFormat } from "./sqlite-file.js";
import { SqliteSnapshot } from "./sqlite-snapshot.js";

/**
 * Reads a data file as of one moment, beside a server that may be running on it: nothing is written, and no lock
 * is held that a server would wait for.
 *
 * @throws Error that says what is wrong with the file, and what to do.
 */
export async function readDataFile<T>(
  file: string,
  read: (snapshot: Snapshot, database: SqliteDatabase) => Promise<T>,
): Promise<T> {
  if (!existsSync(file))
    throw new Error(`There is no file ${file}. A server makes it when it starts; name the one that it uses.`);
  const database = new (loadSqlite())(file);
  try {
    database.exec("PRAGMA busy_timeout=5000; PRAGMA query_only=ON");
    const format = checkFormat(database, file);
    if (format === 0) throw new Error(`${file} is empty: no server has written to it yet.`);
    database.exec("BEGIN");
    return await read(new SqliteSnapshot(new Statements(database)), database);
  } catch (cause) {
    if ((cause as { errcode?: number }).errcode === undefined) throw cause;
    throw new Error(
      `The data file ${file} cannot be read (${String(cause)}). Check its place and rights; if it is damaged, restore a backup.`,
      { cause },
    );
  } finally {
    // Closing alone would leave the snapshot open for as long as a statement of it is.
    rollBack(database);
    database.close();
  }
}

function rollBack(database: SqliteDatabase): void {
  try {
    database.exec("ROLLBACK");
  } catch {
    // It had not begun.
  }
}
