import type { BatchTransaction, GroupConnection } from "./group-commit.js";
import type { SqliteDatabase } from "./sqlite-driver.js";
import { Statements } from "./sqlite-driver.js";
import { SqliteTransaction } from "./sqlite-transaction.js";

/** The group's transactions and savepoints in SQLite. */
export class SqliteConnection implements GroupConnection {
  readonly #statements: Statements;

  constructor(private readonly database: SqliteDatabase) {
    this.#statements = new Statements(database);
  }

  begin(): void {
    this.database.exec("BEGIN IMMEDIATE");
  }

  batch(space: string, commitModifiedAt: number | undefined): BatchTransaction {
    this.database.exec("SAVEPOINT batch");
    return new SqliteTransaction(this.#statements, space, commitModifiedAt);
  }

  keep(): void {
    this.database.exec("RELEASE batch");
  }

  undo(): void {
    this.database.exec("ROLLBACK TO batch; RELEASE batch");
  }

  commit(): void {
    this.database.exec("COMMIT");
  }

  rollback(): void {
    try {
      this.database.exec("ROLLBACK");
    } catch {
      // SQLite has rolled back already.
    }
  }
}
