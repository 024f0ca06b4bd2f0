import { expect, test } from "vitest";
import {
  type SqliteDatabase,
  type SqliteStatement,
  ListStatement,
  Statements,
  loadSqlite,
} from "./sqlite-driver.js";

/** A connection as Node 22.13 has it: its statements give objects only. */
function withoutLists(database: SqliteDatabase): SqliteDatabase {
  return {
    exec: (sql) => database.exec(sql),
    close: () => database.close(),
    prepare(sql): SqliteStatement {
      const statement = database.prepare(sql);
      return {
        run: (...p) => statement.run(...p),
        get: (...p) => statement.get(...p),
        all: (...p) => statement.all(...p),
        iterate: (...p) => statement.iterate(...p),
      };
    },
  };
}

test("§7: rows come as lists on every driver, whole, one by one, and when the reader stops early", () => {
  const database = new (loadSqlite())(":memory:");
  database.exec("CREATE TABLE t(a INTEGER, b TEXT)");
  new Statements(database).insert(
    "INSERT INTO t(a, b)",
    "",
    2,
    Array.from({ length: 73 }, (_, i) => [i, i % 2 === 0 ? null : `row ${i}`]).flat(),
  );
  for (const connection of [database, withoutLists(database)]) {
    const statement = new ListStatement(connection, "SELECT b, a FROM t WHERE a>=? ORDER BY a");
    expect(statement.get(70)).toEqual([null, 70]);
    expect(statement.get(99)).toBeUndefined();
    expect(statement.all(71)).toEqual([
      ["row 71", 71],
      [null, 72],
    ]);
    const read: unknown[] = [];
    for (const row of statement.iterate(0)) {
      read.push(row);
      if (read.length === 2) break;
    }
    expect(read).toEqual([
      [null, 0],
      ["row 1", 1],
    ]);
    expect(statement.all(0)).toHaveLength(73);
  }
  database.close();
});
