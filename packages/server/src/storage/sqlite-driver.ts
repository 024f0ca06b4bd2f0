import { createRequire } from "node:module";

export type SqlValue = string | number | null;

/** What the storage uses of the API that `node:sqlite` and its stand-in share. */
export interface SqliteStatement {
  run(...parameters: SqlValue[]): {
    readonly changes: number | bigint;
    readonly lastInsertRowid: number | bigint;
  };
  get(...parameters: SqlValue[]): unknown;
  all(...parameters: SqlValue[]): unknown[];
  iterate(...parameters: SqlValue[]): Iterable<unknown>;
  /** Rows as lists instead of objects; Node has it from 22.16 on. */
  setReturnArrays?(enabled: boolean): void;
}

export interface SqliteDatabase {
  exec(sql: string): void;
  prepare(sql: string): SqliteStatement;
  close(): void;
}

export type SqliteDriver = new (path: string) => SqliteDatabase;

/**
 * `node:sqlite` where Node has it without a flag (22.13 and later), else `@photostructure/sqlite`.
 * @throws Error when there is neither.
 */
export function loadSqlite(): SqliteDriver {
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
    return (createRequire(import.meta.url)("@photostructure/sqlite") as { DatabaseSync: SqliteDriver })
      .DatabaseSync;
  } catch (cause) {
    throw new Error("This Node has no SQLite. Use Node 22.13 or later, or install @photostructure/sqlite.", {
      cause,
    });
  }
}

/** A statement whose rows come as lists of their columns, on every driver. */
export class ListStatement {
  readonly #statement: SqliteStatement;
  readonly #lists: boolean;

  constructor(database: SqliteDatabase, sql: string) {
    this.#statement = database.prepare(sql);
    this.#lists = typeof this.#statement.setReturnArrays === "function";
    this.#statement.setReturnArrays?.(true);
  }

  run(...parameters: SqlValue[]): {
    readonly changes: number | bigint;
    readonly lastInsertRowid: number | bigint;
  } {
    return this.#statement.run(...parameters);
  }

  get(...parameters: SqlValue[]): readonly SqlValue[] | undefined {
    const row = this.#statement.get(...parameters);
    return row === undefined || row === null ? undefined : this.#list(row);
  }

  all(...parameters: SqlValue[]): readonly (readonly SqlValue[])[] {
    const rows = this.#statement.all(...parameters);
    return this.#lists ? (rows as SqlValue[][]) : rows.map((row) => this.#list(row));
  }

  /** Rows as they are read; whoever stops early has cost no more than what was read. */
  iterate(...parameters: SqlValue[]): Iterable<readonly SqlValue[]> {
    const rows = this.#statement.iterate(...parameters);
    return this.#lists ? (rows as Iterable<SqlValue[]>) : this.#asLists(rows);
  }

  *#asLists(rows: Iterable<unknown>): Iterable<readonly SqlValue[]> {
    for (const row of rows) yield this.#list(row);
  }

  #list(row: unknown): readonly SqlValue[] {
    return this.#lists ? (row as SqlValue[]) : Object.values(row as Record<string, SqlValue>);
  }
}

/** The statements of one connection, each prepared once. */
export class Statements {
  readonly #prepared = new Map<string, ListStatement>();
  /** Statements that insert, by their head and how many rows they take: putting their long texts together costs more than a row. */
  readonly #inserts = new Map<string, Map<number, ListStatement>>();

  constructor(readonly database: SqliteDatabase) {}

  of(sql: string): ListStatement {
    let statement = this.#prepared.get(sql);
    if (!statement) this.#prepared.set(sql, (statement = new ListStatement(this.database, sql)));
    return statement;
  }

  /**
   * Runs an INSERT for many rows, 50 to a statement: a call into SQLite costs as much as inserting a row.
   *
   * @param head what comes before the values, and `tail` what comes after: one tail for one head.
   * @param width how many values a row has; `values` are those of all rows, one after another.
   */
  insert(head: string, tail: string, width: number, values: readonly SqlValue[]): void {
    let inserts = this.#inserts.get(head);
    if (!inserts) this.#inserts.set(head, (inserts = new Map()));
    let at = 0;
    for (const rows of [50, 10, 1]) {
      const size = rows * width;
      if (values.length - at < size) continue;
      let statement = inserts.get(rows);
      if (!statement) {
        const one = `(${Array(width).fill("?").join(",")})`;
        const all = Array(rows).fill(one).join(",");
        inserts.set(rows, (statement = new ListStatement(this.database, `${head} VALUES ${all} ${tail}`)));
      }
      for (; values.length - at >= size; at += size) statement.run(...values.slice(at, at + size));
    }
  }
}
