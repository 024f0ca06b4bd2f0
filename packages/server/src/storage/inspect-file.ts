import { existsSync } from "node:fs";
import { inspectSpace } from "../access/spaces.js";
import type { SpaceInspection } from "../engine-types.js";
import { Statements, loadSqlite } from "./sqlite-driver.js";
import { checkFormat } from "./sqlite-file.js";
import { SqliteSnapshot } from "./sqlite-snapshot.js";

/**
 * Reads what a data file holds, as of one moment, beside a server that may be running on it: nothing is
 * written, and no lock is held that a server would wait for.
 *
 * @throws Error that says what is wrong with the file, and what to do.
 */
export async function inspectFile(file: string): Promise<readonly SpaceInspection[]> {
  if (!existsSync(file))
    throw new Error(`There is no file ${file}. A server makes it when it starts; name the one that it uses.`);
  const database = new (loadSqlite())(file);
  try {
    database.exec("PRAGMA busy_timeout=5000; PRAGMA query_only=ON");
    if (checkFormat(database, file) === 0)
      throw new Error(`${file} is empty: no server has written to it yet.`);
    database.exec("BEGIN");
    const snapshot = new SqliteSnapshot(new Statements(database));
    const inspections: SpaceInspection[] = [];
    for (const space of await snapshot.spaces()) {
      const inspection = await inspectSpace(snapshot, space);
      if (inspection) inspections.push(inspection);
    }
    return inspections;
  } finally {
    database.close();
  }
}
