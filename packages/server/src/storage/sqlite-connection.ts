import type { BatchPlace, BatchTransaction, GroupConnection } from "./group-commit.js";
import type { SqliteDatabase } from "./sqlite-driver.js";
import { Statements } from "./sqlite-driver.js";
import { SqliteTransaction } from "./sqlite-transaction.js";

/** The group's transactions and savepoints in SQLite. */
export class SqliteConnection implements GroupConnection {
  readonly #statements: Statements;
  /** Whether the batch needs no savepoint, for which SQLite would copy every page that it changes. */
  #isOnly = false;

  constructor(database: SqliteDatabase) {
    this.#statements = new Statements(database);
  }

  begin(): void {
    this.#run("BEGIN IMMEDIATE");
  }

  batch(
    space: string,
    commitModifiedAt: number | undefined,
    { isOnly, isLast }: BatchPlace,
  ): BatchTransaction {
    this.#isOnly = isOnly;
    if (!isOnly) this.#run("SAVEPOINT batch");
    return new SqliteTransaction(this.#statements, space, commitModifiedAt, isLast);
  }

  keep(): void {
    if (!this.#isOnly) this.#run("RELEASE batch");
  }

  undo(): void {
    if (this.#isOnly) {
      this.#run("ROLLBACK");
      this.begin();
    } else {
      this.#run("ROLLBACK TO batch");
      this.#run("RELEASE batch");
    }
  }

  commit(): void {
    this.#run("COMMIT");
  }

  rollback(): void {
    try {
      this.#run("ROLLBACK");
    } catch {
      // SQLite has rolled back already.
    }
  }

  #run(sql: string): void {
    this.#statements.of(sql).run();
  }
}
