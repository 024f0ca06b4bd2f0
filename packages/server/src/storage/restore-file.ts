import { existsSync, linkSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  type RestorePorts,
  type RestoredSpace,
  startRestoredGenerations,
} from "../operations/restored-generation.js";
import type { VerifyReport } from "../operations/verify.js";
import type { Progress } from "../operations/verify-records.js";
import { copyDatabase } from "./backup-file.js";
import { flushFolderOf, moveIntoPlace, removeDatabase, sqliteSides } from "./durable-file.js";
import { loadSqlite } from "./sqlite-driver.js";
import { takeLock } from "./sqlite-file.js";
import { sqlite } from "./sqlite.js";
import { verifyFile } from "./verify-file.js";

export interface RestoreOptions extends RestorePorts {
  /** The backup; it stays as it is. */
  readonly from: string;
  /** The data file that servers are given. */
  readonly file: string;
  /** Replaces a data file that is there; it is kept aside. */
  readonly overwrite?: boolean;
  /** Restores a backup that verification finds damaged, or was not asked. */
  readonly unverified?: boolean;
  /** Hears how far verification is; it may throw to end the restore. */
  readonly progress?: Progress;
}

export interface RestoreReport {
  readonly spaces: readonly RestoredSpace[];
  /** Where the file that was replaced is now. */
  readonly replaced: string | undefined;
}

/** Thrown for a backup that is damaged. */
export class DamagedBackupError extends Error {
  override readonly name = "DamagedBackupError";

  constructor(
    from: string,
    readonly report: VerifyReport,
  ) {
    const [first] = report.findings;
    super(
      `The backup ${from} is damaged: ${first?.said ?? "it cannot be read"}. Nothing was changed. Restore an older one, or this one as it is with --skip-verify (in code: \`unverified\`).`,
    );
  }
}

/**
 * Brings a data file back from a backup. Every space begins a new history (DESIGN rule 12), so that each client
 * finds out, and can tell what it has and the server no longer. The file appears under its name in one step, whole
 * and on the disk; what stood there before is kept under another name.
 *
 * @throws Error that says what is in the way, and what to do; then nothing has changed.
 */
export async function restoreFile(options: RestoreOptions): Promise<RestoreReport> {
  const { from, file, overwrite = false } = options;
  if (!existsSync(from))
    throw new Error(`There is no file ${from}. Name one that landfall backup has written.`);
  if (existsSync(file) && !overwrite)
    throw new Error(
      `There is a data file ${file} already. To replace it give --force (in code: \`overwrite\`); it will be kept aside. Stop its server first.`,
    );
  const fresh = `${file}.restoring`;
  mkdirSync(dirname(resolve(file)), { recursive: true });
  const lock = takeLock(loadSqlite(), file);
  try {
    copyDatabase(from, fresh);
    const spaces = await renew(fresh, options);
    if (!settle(fresh))
      throw new Error(`The restored data at ${fresh} could not be brought into one file. Try again.`);
    const replaced = keepAside(file, options.clock.now());
    moveIntoPlace(fresh, file);
    return { spaces, replaced };
  } finally {
    removeDatabase(fresh);
    lock.close();
  }
}

/** Brings the copy to the newest format, verifies it, and begins the new histories in it. */
async function renew(
  fresh: string,
  { from, clock, random, unverified = false, progress }: RestoreOptions,
): Promise<readonly RestoredSpace[]> {
  await sqlite(fresh).close();
  if (!unverified) {
    const report = await verifyFile(fresh, progress);
    if (!report.ok) throw new DamagedBackupError(from, report);
  }
  const storage = sqlite(fresh);
  try {
    return await startRestoredGenerations(storage, { clock, random });
  } finally {
    await storage.close();
  }
}

/**
 * Gives the present data file a second name; the first is overwritten in one step afterwards, so that at no moment
 * a server could start on nothing.
 *
 * @returns the second name; undefined where there is no data file.
 */
function keepAside(file: string, nowMs: number): string | undefined {
  const replaced = freeName(`${file}.replaced-${Math.floor(nowMs)}`);
  const isThere = existsSync(file);
  if (isThere) {
    settle(file);
    linkSync(file, replaced);
  }
  // What could not be settled, or was left when the file was moved away, would be taken for the new file's.
  for (const end of sqliteSides) {
    if (existsSync(file + end)) renameSync(file + end, replaced + end);
  }
  flushFolderOf(file);
  return isThere ? replaced : undefined;
}

function freeName(name: string): string {
  let free = name;
  for (let n = 2; existsSync(free); n++) free = `${name}-${n}`;
  return free;
}

/**
 * Brings what the write-ahead log holds into the file, and takes the log away.
 * @returns false where that cannot be done, as with a damaged file: it may be the reason why it is replaced.
 */
function settle(file: string): boolean {
  const database = new (loadSqlite())(file);
  try {
    database.exec("PRAGMA busy_timeout=0");
    const { busy } = database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get() as { busy: number | bigint };
    if (Number(busy) !== 0) return false;
  } catch {
    return false;
  } finally {
    database.close();
  }
  if (existsSync(`${file}-wal`) && statSync(`${file}-wal`).size > 0) return false;
  for (const end of ["-wal", "-shm"]) rmSync(file + end, { force: true });
  return true;
}
