import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { storageConformance } from "./conformance.js";
import { makeSpace, opened, recordAt, save, stateAt } from "./conformance/sample.js";
import { GroupCommit } from "./group-commit.js";
import { SqliteConnection } from "./sqlite-connection.js";
import { loadSqlite } from "./sqlite-driver.js";
import { readDataFile } from "./read-file.js";
import { applicationId, dataFormat, layout } from "./sqlite-schema.js";
import { sqlite } from "./sqlite.js";

const folder = (): string => mkdtempSync(join(tmpdir(), "landfall-"));

describe("in memory", () => {
  storageConformance({ describe, test }, () => sqlite(":memory:"));
});
describe("in a file", () => {
  storageConformance({ describe, test }, () => sqlite(join(folder(), "a.db")));
});

describe("the data file", () => {
  test("§7: it is made with its directories, and holds what was written when it is opened again", async () => {
    const file = join(folder(), "not", "there", "a.db");
    const storage = sqlite(file);
    await makeSpace(storage);
    await save(storage, { space: stateAt(1), records: [recordAt("a", "k1", 1)] });
    await storage.close();
    await storage.close();
    const again = sqlite(file);
    expect((await again.read((snapshot) => snapshot.space("s1", "ann")))?.state).toEqual(stateAt(1));
    await again.close();
  });

  test("§7: a second server on the same file is told so, in the same process too", async () => {
    const file = join(folder(), "a.db");
    const storage = sqlite(file);
    expect(() => sqlite(file)).toThrow("in use by another server");
    await storage.close();
    await sqlite(file).close();
  });

  test("§7: a file of a newer server, of something else, or of no database at all is refused in words", async () => {
    const [newer, foreign, text] = [join(folder(), "a.db"), join(folder(), "b.db"), join(folder(), "c.db")];
    await sqlite(newer).close();
    const Driver = loadSqlite();
    const first = new Driver(newer);
    first.exec("PRAGMA user_version=99");
    first.close();
    expect(() => sqlite(newer)).toThrow("data format 99");
    const second = new Driver(foreign);
    second.exec("CREATE TABLE cats(name)");
    second.close();
    expect(() => sqlite(foreign)).toThrow("not a Landfall server's");
    writeFileSync(text, "Once upon a time there was a file that was no database. ".repeat(100));
    expect(() => sqlite(text)).toThrow("cannot be opened");
    await sqlite(join(folder(), "d.db")).close();
  });

  test("§7: a file of an older format is refused, with what to do, and keeps what it holds", async () => {
    const Driver = loadSqlite();
    for (let format = 1; format < dataFormat; format++) {
      const file = join(folder(), "a.db");
      const old = new Driver(file);
      // As a build before the first release made it, which knew a space by its name everywhere.
      old.exec(
        `CREATE TABLE spaces(space TEXT PRIMARY KEY, generation TEXT NOT NULL) STRICT; INSERT INTO spaces VALUES ('s1','g1');
         PRAGMA application_id=${applicationId}; PRAGMA user_version=${format}`,
      );
      old.close();
      for (const open of [async () => sqlite(file), () => readDataFile(file, async () => undefined)])
        await expect(open()).rejects.toThrow(
          `has data format ${format}, and this server reads format ${dataFormat}: it was written before the first release, and there is nothing that brings it over. Export it with the server that wrote it (landfall export)`,
        );
      const again = new Driver(file);
      expect(again.prepare("SELECT generation FROM spaces").get()).toMatchObject({ generation: "g1" });
      again.close();
    }
  });

  test("§7: a backup is the whole of one moment, and opens as a data file", async () => {
    const place = folder();
    const storage = sqlite(join(place, "a.db"));
    await makeSpace(storage);
    await save(storage, { space: stateAt(1), records: [recordAt("a", "k1", 1)] });
    await storage.backup(join(place, "backup.db"));
    await save(storage, { space: stateAt(2) });
    await storage.close();
    const backup = sqlite(join(place, "backup.db"));
    expect((await backup.read((snapshot) => snapshot.space("s1", "ann")))?.state.head).toBe(1);
    await backup.close();
  });
});

describe("group commit", () => {
  test("§7: batches that wait together share one commit", async () => {
    const storage = sqlite(join(folder(), "a.db"));
    await Promise.all(Array.from({ length: 30 }, (_, i) => makeSpace(storage, `s${i}`)));
    expect(storage.stats()).toEqual({ commits: 1, batches: 30, largestGroup: 30, lostGroups: 0 });
    await storage.close();
  });

  test("§14: when SQLite has rolled the transaction back, as on a full disk, the whole group is told so, and the next one works", async () => {
    const Driver = loadSqlite();
    const database = new Driver(":memory:");
    database.exec(layout);
    const told: unknown[] = [];
    const group = new GroupCommit(new SqliteConnection(database), setImmediate, (commit) =>
      told.push(commit),
    );
    const event = { index: 1, modifiedAt: 10, by: "d1", user: "ann", seq: 1, domains: [], rows: undefined };
    const start = (space: string): Promise<void> =>
      group.write(space, async (transaction) => {
        await transaction.startGeneration(
          { generation: "g1", reason: "created", parent: undefined, at: 0, startedAt: 5 },
          stateAt(0),
          false,
        );
        transaction.publish("g1", [event]);
      });
    const lose = group.write("s2", () => {
      database.exec("ROLLBACK");
      throw new Error("database or disk is full");
    });
    for (const result of await Promise.allSettled([start("s1"), lose, start("s3")])) {
      expect(result).toMatchObject({
        status: "rejected",
        reason: { name: "TransactionLostError", message: expect.stringContaining("disk is full") as string },
      });
    }
    expect([group.lostGroups, group.commits, told]).toEqual([1, 0, []]);
    await start("s1");
    expect(told).toHaveLength(1);
    const spaces = database.prepare("SELECT space FROM spaces").all() as { space: string }[];
    expect(spaces.map(({ space }) => space)).toEqual(["s1"]);
    await group.close();
    database.close();
  });

  test("§14: after a failed statement the batch is over, whatever it makes of the error", async () => {
    const storage = sqlite(":memory:");
    await makeSpace(storage);
    const stubborn = storage.write("s1", async (transaction) => {
      await opened(transaction);
      await transaction.save({ space: stateAt(1) });
      try {
        // Without a writer there is nobody to have written the record.
        await transaction.save({ records: [recordAt("a", "k1", 1)] });
      } catch {
        return "went on";
      }
      return "stood";
    });
    await expect(stubborn).rejects.toThrow();
    expect((await storage.read((snapshot) => snapshot.space("s1", "ann")))?.state.head).toBe(0);
    await storage.close();
  });
});
