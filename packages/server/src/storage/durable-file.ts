import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";

/** Waits until the disk has what a file or a folder holds. */
function flush(path: string, flags: "r" | "r+"): void {
  const handle = openSync(path, flags);
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Makes sure that a file to be written replaces none. @throws Error that says what to do. */
export function checkAbsent(to: string): void {
  if (existsSync(to))
    throw new Error(
      `There is a file ${to} already. Name another, or replace it with --force (in code: \`overwrite\`).`,
    );
}

/** Puts a finished file into its place in one step that a power cut does not undo. */
export function moveIntoPlace(from: string, to: string): void {
  flush(from, "r+");
  renameSync(from, to);
  flushFolderOf(to);
}

/** Makes the names in a file's folder as durable as what they name. */
export function flushFolderOf(path: string): void {
  // Windows has no handle for a folder, and needs none.
  if (process.platform !== "win32") flush(dirname(path), "r");
}

/** The ends of the names of what SQLite keeps beside a file; it takes them for any file of that name's. */
export const sqliteSides = ["-wal", "-shm", "-journal"] as const;

/** Takes away an SQLite file with what lies beside it. */
export function removeDatabase(file: string): void {
  for (const end of ["", ...sqliteSides, ".lock"]) rmSync(file + end, { force: true });
}
