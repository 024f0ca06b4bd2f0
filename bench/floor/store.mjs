import { DatabaseSync } from "../harness/sqlite.mjs";

/** Rows per INSERT statement: a call into SQLite costs about as much as a row. */
const rowsPerInsert = 100;

/**
 * The least that a server must keep: each row as the text that goes on the wire, found by version and by
 * key, and the last seq of each writer, so that a batch sent twice has one effect. Durable when
 * `apply` returns (WAL, synchronous=FULL).
 *
 * @param {string} file
 */
export function openStore(file) {
  const db = new DatabaseSync(file);
  db.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS rows (version INTEGER PRIMARY KEY, key TEXT NOT NULL, row TEXT NOT NULL);
    CREATE UNIQUE INDEX IF NOT EXISTS rows_by_key ON rows (key);
    CREATE TABLE IF NOT EXISTS writers (device TEXT PRIMARY KEY, last_seq INTEGER NOT NULL) WITHOUT ROWID;
  `);
  const begin = db.prepare("BEGIN IMMEDIATE");
  const commit = db.prepare("COMMIT");
  const insertOne = db.prepare("INSERT OR REPLACE INTO rows (version, key, row) VALUES (?, ?, ?)");
  const insertMany = db.prepare(
    `INSERT OR REPLACE INTO rows (version, key, row) VALUES ${Array(rowsPerInsert).fill("(?, ?, ?)").join(", ")}`,
  );
  const setSeq = db.prepare(
    "INSERT INTO writers (device, last_seq) VALUES (?, ?) ON CONFLICT DO UPDATE SET last_seq = excluded.last_seq",
  );
  // The whole frame is put together inside SQLite: the rows never become JavaScript values.
  const readPage = db.prepare(`
    SELECT max(version) AS cursor,
      CAST('{"from":' || ?1 || ',"cursor":' || max(version) || ',"rows":[' || group_concat(row, ',') || ']}' AS BLOB) AS frame
    FROM (SELECT version, row FROM rows WHERE version > ?1 AND version <= ?2 ORDER BY version LIMIT ?3)
  `);

  let head = Number(db.prepare("SELECT coalesce(max(version), 0) AS head FROM rows").get().head);
  /** @type {Map<string, number>} */
  const lastSeqs = new Map();
  for (const writer of db.prepare("SELECT device, last_seq FROM writers").all())
    lastSeqs.set(writer.device, writer.last_seq);

  return {
    head: () => head,

    /**
     * Commits one batch in one transaction.
     * @param {string} device
     * @param {readonly any[]} events
     * @param {number} modifiedAt
     * @returns {string[]} The new rows as they go on the wire.
     */
    apply(device, events, modifiedAt) {
      const known = lastSeqs.get(device) ?? 0;
      const fresh = events[0].seq > known ? events : events.filter((event) => event.seq > known);
      if (fresh.length === 0) return [];
      const rows = [];
      begin.run();
      for (let start = 0; start < fresh.length;) {
        const many = fresh.length - start >= rowsPerInsert;
        const end = start + (many ? rowsPerInsert : 1);
        const values = [];
        for (; start < end; start++) {
          const event = fresh[start];
          const op = event.ops[0];
          const row = `{"domain":"${op.domain}","key":"${op.key}","version":${++head},"modifiedAt":${modifiedAt},"fields":${JSON.stringify(op.set)},"stamps":{"*":"${event.id}"}}`;
          rows.push(row);
          values.push(head, op.key, row);
        }
        (many ? insertMany : insertOne).run(...values);
      }
      const lastSeq = fresh[fresh.length - 1].seq;
      setSeq.run(device, lastSeq);
      commit.run();
      lastSeqs.set(device, lastSeq);
      return rows;
    },

    /**
     * One frame with up to `limit` rows of versions in (since, upTo], or undefined when there are none.
     * @param {number} since
     * @param {number} upTo
     * @param {number} limit
     * @returns {{ cursor: number, frame: Uint8Array } | undefined}
     */
    page(since, upTo, limit) {
      const page = readPage.get(since, upTo, limit);
      return page.cursor === null ? undefined : page;
    },

    close: () => db.close(),
  };
}

/**
 * How many records the file holds, by a connection of its own.
 * @param {string} file
 */
export function countRecords(file) {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    return Number(db.prepare("SELECT count(*) AS count FROM rows").get().count);
  } finally {
    db.close();
  }
}
