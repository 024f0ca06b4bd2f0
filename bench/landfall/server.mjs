import { join } from "node:path";
import { createServer, devTokens, sqlite } from "@landfall/server";
import { domain } from "../harness/records.mjs";
import { DatabaseSync } from "../harness/sqlite.mjs";
import { schema } from "./schema.mjs";

/** All sockets of a benchmark come from one address and one user. */
const sockets = { maxSocketsPerAddress: 2_000, maxSocketsPerUser: 2_000 };

/** A Landfall server on a SQLite file. */
export function createRole() {
  /** @type {import("@landfall/server").ListeningServer} */
  let listening;
  /** @type {string} */
  let file;
  return {
    /** @param {{ dataDir: string }} at */
    async start({ dataDir }) {
      file = join(dataDir, "landfall.db");
      const server = createServer({
        schema,
        storage: sqlite(file),
        auth: devTokens(),
        development: true,
        sockets,
      });
      listening = await server.listen(0, "127.0.0.1");
      return { port: listening.port };
    },
    async count() {
      const db = new DatabaseSync(file, { readOnly: true });
      try {
        const { count } = db
          .prepare(
            "SELECT count(*) AS count FROM records JOIN domains ON domains.number = domain WHERE name = ?",
          )
          .get(domain);
        return Number(count);
      } finally {
        db.close();
      }
    },
    stop: () => listening.close(),
  };
}
