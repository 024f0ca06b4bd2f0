import { copyFileSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";

/** Where scratch files cost no syncs: in memory, where the machine has a place for files there. */
export const scratchRoot = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** Copies a database with the log of what it has not taken over yet, as a disk would hold them at this moment. */
export function copyDatabase(from: string, to: string): void {
  for (const suffix of ["", "-wal"]) if (existsSync(from + suffix)) copyFileSync(from + suffix, to + suffix);
}
