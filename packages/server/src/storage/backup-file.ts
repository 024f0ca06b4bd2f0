import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { ClockPort } from "@landfall/protocol";
import { decodeText, object, text, uint } from "@landfall/protocol/decode";
import { checkAbsent, moveIntoPlace, removeDatabase, sqliteSides } from "./durable-file.js";
import { readSpace, readSpaceIds } from "./sqlite-rows.js";
import { type SqliteDatabase, Statements, loadSqlite } from "./sqlite-driver.js";
import { checkFormat } from "./sqlite-file.js";

/** What a backup holds of one space. */
export interface BackedUpSpace {
  readonly space: string;
  readonly generation: string;
  readonly head: number;
  /** Live records. */
  readonly records: number;
}

export interface BackupReport {
  readonly file: string;
  readonly bytes: number;
  /** Milliseconds of this machine's clock when the copy was begun; it holds what was committed then. */
  readonly madeAt: number;
  readonly spaces: readonly BackedUpSpace[];
}

export interface BackupOptions {
  /** The data file; a server may have it open and go on writing. */
  readonly file: string;
  readonly to: string;
  /** Replaces a file that is there. */
  readonly overwrite?: boolean;
  readonly clock: ClockPort;
  /** Hears how much there is to copy before it begins: nothing else runs in this thread until it is done. */
  readonly begins?: (bytes: number) => void;
}

/**
 * Copies a data file as of one moment while its server goes on. The copy appears under its name when it is whole
 * and on the disk; a crash leaves at most a file ending in `.partial`.
 *
 * @throws Error that says what is in the way, and what to do.
 */
export function backupFile({ file, to, overwrite = false, clock, begins }: BackupOptions): BackupReport {
  if (!overwrite) checkAbsent(to);
  if (existsSync(to) && existsSync(file) && realpathSync(to) === realpathSync(file))
    throw new Error(`${to} is the data itself. Name another file for its backup.`);
  const partial = `${to}.partial`;
  const madeAt = Math.floor(clock.now());
  copyDatabase(file, partial, begins);
  let spaces: readonly BackedUpSpace[];
  try {
    spaces = describe(partial);
    // A log of what stood there would be taken for the copy's, and read into it.
    for (const end of sqliteSides) rmSync(to + end, { force: true });
    moveIntoPlace(partial, to);
  } catch (cause) {
    removeDatabase(partial);
    throw cause;
  }
  const report = { file: resolve(to), bytes: statSync(to).size, madeAt, spaces };
  note(file, report);
  return report;
}

/** SQLITE_NOTADB */
const notDatabase = 26;

/**
 * Copies an SQLite file of ours, and what its write-ahead log has beyond it, into a new and compact one.
 * @throws Error that says what is in the way, and what to do.
 */
export function copyDatabase(file: string, to: string, begins?: (bytes: number) => void): void {
  if (!existsSync(file)) throw new Error(`There is no file ${file}. Name the one that the server uses.`);
  mkdirSync(dirname(resolve(to)), { recursive: true });
  removeDatabase(to);
  const database = new (loadSqlite())(file);
  try {
    database.exec("PRAGMA busy_timeout=5000");
    if (checkFormat(database, file) === 0)
      throw new Error(`${file} is empty: no server has written to it yet.`);
    begins?.(sizeOf(database));
    database.prepare("VACUUM INTO ?").run(to);
  } catch (cause) {
    removeDatabase(to);
    const { errcode } = cause as { errcode?: number };
    if (errcode === undefined) throw cause;
    if (errcode === notDatabase)
      throw new Error(
        `${file} is no data file of a server. What landfall export wrote, landfall import reads.`,
        {
          cause,
        },
      );
    throw new Error(
      `${file} could not be copied to ${to} (${String(cause)}). See whether there is room and the right to write there, and whether the data is sound: landfall verify.`,
      { cause },
    );
  } finally {
    database.close();
  }
}

function sizeOf(database: SqliteDatabase): number {
  const { bytes } = database
    .prepare("SELECT page_count*page_size AS bytes FROM pragma_page_count, pragma_page_size")
    .get() as { bytes: number | bigint };
  return Number(bytes);
}

function describe(file: string): readonly BackedUpSpace[] {
  const database = new (loadSqlite())(file);
  try {
    const statements = new Statements(database);
    return readSpaceIds(statements).flatMap((space) => {
      const found = readSpace(statements, space, "")?.found;
      if (!found) return [];
      const { generation, head } = found.state;
      const records = found.domains.reduce((sum, { count }) => sum + count, 0);
      return [{ space, generation, head, records }];
    });
  } finally {
    database.close();
  }
}

/** Where the newest backup of a data file went, as a note beside it says: the file itself is its server's alone. */
export interface LastBackup {
  readonly file: string;
  readonly madeAt: number;
  readonly bytes: number;
}

const noteDecoder = object({ file: text(4_096), madeAt: uint, bytes: uint });
const noteOf = (file: string): string => `${file}.last-backup`;

function note(file: string, { file: to, madeAt, bytes }: BackupReport): void {
  try {
    writeFileSync(noteOf(file), `${JSON.stringify({ file: to, madeAt, bytes })}\n`);
  } catch {
    // Who may read the data and write nothing beside it has a backup all the same.
  }
}

/** The newest backup that `backupFile` has made of a data file; undefined where none is known. */
export function lastBackup(file: string): LastBackup | undefined {
  if (!existsSync(noteOf(file))) return undefined;
  const noted = decodeText(noteDecoder, readFileSync(noteOf(file), "utf8"));
  return noted.ok ? noted.value : undefined;
}
