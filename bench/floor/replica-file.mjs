import { DatabaseSync } from "../harness/sqlite.mjs";

/** @param {string} file @param {Map<string, any>} records */
export function storeReplica(file, records) {
  const db = new DatabaseSync(file);
  db.exec(
    "PRAGMA journal_mode = WAL; CREATE TABLE rows (key TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID; BEGIN",
  );
  const insert = db.prepare("INSERT INTO rows (key, row) VALUES (?, ?)");
  for (const [key, row] of records) insert.run(key, JSON.stringify(row));
  db.exec("COMMIT");
  db.close();
}

/** @param {string} file @param {Map<string, any>} records Takes the rows. */
export function loadReplica(file, records) {
  const db = new DatabaseSync(file);
  const { rows } = db.prepare("SELECT '[' || group_concat(row, ',') || ']' AS rows FROM rows").get();
  for (const row of JSON.parse(rows)) records.set(row.key, row);
  db.close();
}
