import { StorageError } from "./port.js";

/** What the storage uses of the API that `node:sqlite` and its stand-in share. */
export interface SqliteStatement {
  run(...parameters: string[]): unknown;
  get(...parameters: string[]): unknown;
  all(...parameters: string[]): unknown[];
}

export interface SqliteDatabase {
  exec(sql: string): void;
  prepare(sql: string): SqliteStatement;
  close(): void;
}

export type SqliteDriver = new (path: string) => SqliteDatabase;

/**
 * `node:sqlite` where Node has it without a flag (22.13 and later), else `@photostructure/sqlite`.
 * @throws StorageError `unavailable` when there is neither.
 */
export async function loadSqlite(): Promise<SqliteDriver> {
  const { emitWarning } = process;
  // Node 22 warns that SQLite is experimental. Loading is synchronous, so nothing else passes here meanwhile.
  process.emitWarning = () => undefined;
  try {
    const builtIn = process.getBuiltinModule?.("node:sqlite") as { DatabaseSync: SqliteDriver } | undefined;
    if (builtIn) return builtIn.DatabaseSync;
  } finally {
    process.emitWarning = emitWarning;
  }
  try {
    return (await import("@photostructure/sqlite")).DatabaseSync;
  } catch (cause) {
    const message = "This Node has no SQLite. Use Node 22.13 or later, or install @photostructure/sqlite.";
    throw new StorageError("unavailable", message, { cause });
  }
}
