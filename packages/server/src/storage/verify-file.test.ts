import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineSchema, records } from "@landfall/schema";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  TestDevice,
  addMember,
  create,
  remove,
  startMs,
  update,
  world,
} from "../exchange/device.test.fixture.js";
import type { FindingCode } from "../operations/findings.js";
import { startRestoredGenerations } from "../operations/restored-generation.js";
import { loadSqlite } from "./sqlite-driver.js";
import { type SqliteStorage, sqlite } from "./sqlite.js";
import { verifyFile } from "./verify-file.js";

const schema = defineSchema({
  version: 1,
  domains: {
    project: records({
      fields: z.object({ name: z.string(), n: z.number().optional() }),
      unique: [["name"]],
    }),
    point: records({
      fields: z.object({ projectId: z.string() }),
      parent: { domain: "project", field: "projectId", onDelete: "cascade" },
    }),
  },
});

const folder = mkdtempSync(join(tmpdir(), "landfall-"));
const sound = join(folder, "sound.db");
let storage: SqliteStorage;

/** A space with records of two domains, deletes, rejections, two devices, and a restore in its history. */
beforeAll(async () => {
  const here = await world({ storage: (storage = sqlite(join(folder, "live.db"))), schema });
  await addMember(here, "bob", "writer");
  const [ann, bob] = [new TestDevice(here, "ann", "da"), new TestDevice(here, "bob", "db")];
  for (let i = 1; i <= 30; i++) await ann.write([create(`p${i}`, { name: `Project ${i}` })]);
  here.clock.nowMs += 1_000;
  for (let i = 1; i <= 9; i++) await bob.write([create(`c${i}`, { projectId: `p${i}` }, "point")]);
  await bob.write([create("p99", { name: "Project 1" })]);
  await ann.write([remove("p30")]);
  await ann.write([update("p2", { n: 7 })]);
  await here.engine.createSpace({ id: "bob" }, "other");
  await startRestoredGenerations(storage, {
    clock: { now: () => startMs },
    random: { bytes: (count) => new Uint8Array(count).map(() => Math.floor(Math.random() * 256)) },
  });
  const [{ generation } = { generation: "" }] = await here.engine.spaces({ id: "ann" });
  await new TestDevice(here, "ann", "da").send(
    [new TestDevice(here).event([create("after", { name: "After" })])].map((event) => ({ ...event, seq: 1 })),
    { generation, cursors: { project: 0, point: 0 } },
  );
  await storage.backup(sound);
  return () => here.engine.close();
});

describe("verification of a file", () => {
  test("rule 10: finds nothing in a sound one, and says what it looked at", async () => {
    expect(await verifyFile(sound)).toEqual({
      ok: true,
      spaces: 2,
      records: 39,
      tombstones: 1,
      outcomes: 43,
      findings: [],
      counts: {},
    });
  });

  test("§7: works beside the server that has the file open, and writes nothing", async () => {
    expect((await verifyFile(join(folder, "live.db"))).ok).toBe(true);
  });

  test("§7: a file that is none is refused in words", async () => {
    await expect(verifyFile(join(folder, "none.db"))).rejects.toThrow("There is no file");
    const text = join(folder, "text.db");
    writeFileSync(text, "Once upon a time there was a file that was no database. ".repeat(100));
    await expect(verifyFile(text)).rejects.toThrow("cannot be read");
  });

  const site = "(SELECT number FROM spaces WHERE space='site-7')";
  const anEvent = `(SELECT min(id) FROM events WHERE space=${site})`;
  /** The damage, the finding that names it, and what does it. */
  const damages: readonly (readonly [string, FindingCode, string])[] = [
    ["a changed value", "digest", `UPDATE records SET fields='{"name":"Another"}' WHERE key='p5'`],
    ["a record that went", "digest", "DELETE FROM records WHERE key='p7'"],
    ["a wrong count", "digest", "UPDATE domains SET count=count+1 WHERE name='point'"],
    ["a value that is no JSON", "content", `UPDATE records SET fields='{"name":' WHERE key='p5'`],
    [
      "JSON that is not canonical",
      "content",
      `UPDATE records SET fields='{"name": "Project 5"}' WHERE key='p5'`,
    ],
    ["a stamp that is none", "stamp", `UPDATE records SET stamps='{"*":"019a"}' WHERE key='p5'`],
    ["a record without a create stamp", "stamp", `UPDATE records SET stamps='{}' WHERE key='p5'`],
    [
      "a stamp from the future",
      "stamp",
      `UPDATE records SET stamps='{"*":"029a3b9e-4c00-7000-8123-456789abcdef"}' WHERE key='p5'`,
    ],
    ["a version beyond the head", "record", "UPDATE records SET version=4000 WHERE key='p5'"],
    ["a time that goes back", "record", "UPDATE records SET modified_at=created_at-9 WHERE key='p9'"],
    [
      "a time after the newest commit",
      "record",
      "UPDATE records SET modified_at=modified_at*2 WHERE key='c9'",
    ],
    ["a head that went back", "record", "UPDATE spaces SET head=3 WHERE space='site-7'"],
    ["a domain that went", "orphan", "DELETE FROM domains WHERE name='point'"],
    ["a domain's head that went back", "domain", "UPDATE domains SET head=2 WHERE name='project'"],
    ["a horizon beyond the head", "horizon", "UPDATE domains SET horizon=999 WHERE name='project'"],
    ["a lookup that went", "lookup", "DELETE FROM lookups WHERE key='p5'"],
    ["a lookup of another value", "lookup", `UPDATE lookups SET value='["Project 55"]' WHERE key='p5'`],
    ["a lookup of what was deleted", "lookup", "UPDATE records SET fields=NULL, stamps=NULL WHERE key='c3'"],
    ["outcomes that went", "outcome", "DELETE FROM outcomes WHERE last_seq=9"],
    ["an outcome that cannot be read", "outcome", "UPDATE outcomes SET bodies='what?' WHERE last_seq=9"],
    ["an outcome that expired too early", "outcome", "UPDATE outcomes SET bodies=NULL WHERE last_seq=9"],
    ["a chunk with too few outcomes", "outcome", "UPDATE outcomes SET first_seq=1 WHERE last_seq=9"],
    ["an index that was given twice", "index", "UPDATE outcomes SET bodies='[1,1]' WHERE last_seq=9"],
    ["an index beyond the head", "index", "UPDATE outcomes SET bodies='[9999,1]' WHERE last_seq=9"],
    ["an id that is no longer known", "id", `DELETE FROM events WHERE id=${anEvent}`],
    ["an id that is known elsewhere", "id", `UPDATE events SET seq=seq+70 WHERE id=${anEvent}`],
    ["another id in an outcome", "id", "UPDATE outcomes SET ids=replace(ids, '7', '8') WHERE last_seq=9"],
    ["a device that acknowledged too much", "writer", "UPDATE writers SET acked=last_seq+1"],
    ["a device of another history", "writer", "UPDATE writers SET generation='elsewhere' WHERE device='db'"],
    ["a device that went", "orphan", "DELETE FROM writers WHERE device='db'"],
    ["a space that went", "orphan", "DELETE FROM spaces WHERE space='site-7'"],
    ["another generation", "generations", "UPDATE spaces SET generation='elsewhere' WHERE space='site-7'"],
    ["a generation that went", "generations", "DELETE FROM generations WHERE reason='created'"],
    [
      "a generation that parts beyond the head",
      "generations",
      "UPDATE generations SET at=9999 WHERE reason='restored'",
    ],
    ["a space without an owner", "members", `UPDATE members SET role='writer' WHERE space=${site}`],
    ["a clock behind the newest commit", "state", "UPDATE spaces SET received_ms=1 WHERE space='site-7'"],
    [
      "a declaration of lookups that cannot be read",
      "state",
      "UPDATE spaces SET lookups='?' WHERE space='site-7'",
    ],
  ];

  async function expectFinding(name: string, code: FindingCode, sql: string): Promise<void> {
    const file = join(folder, `${name.replaceAll(" ", "-")}.db`);
    copyFileSync(sound, file);
    const database = new (loadSqlite())(file);
    expect(Number(database.prepare(sql).run().changes)).toBeGreaterThan(0);
    database.close();
    const report = await verifyFile(file);
    expect(report.ok).toBe(false);
    expect(report.counts).toHaveProperty(code);
    expect(report.findings.filter((finding) => finding.code === code)).not.toEqual([]);
  }

  test.each(damages)("rule 10: finds %s (%s)", expectFinding);

  test("rule 3: finds that the newest outcome of a device went, with its id", () =>
    expectFinding(
      "newest outcome",
      "outcome",
      "DELETE FROM outcomes WHERE last_seq=32 AND 1=(SELECT count(*) FROM outcomes WHERE last_seq=32)",
    ));

  /** Turns one bit in each of some bytes. */
  function flip(name: string, place: (bytes: Buffer) => number, count = 1): string {
    const file = join(folder, name);
    const bytes = readFileSync(sound);
    const at = place(bytes);
    expect(at).toBeGreaterThan(0);
    for (let i = at; i < at + count; i++) bytes[i] = (bytes[i] as number) ^ 1;
    writeFileSync(file, bytes);
    return file;
  }

  test("rule 10: finds one bit that turned in a value", async () => {
    const report = await verifyFile(
      flip("bit.db", (bytes) => bytes.lastIndexOf('{"name":"Project 11"}') + 12),
    );
    expect(report.counts).toHaveProperty("digest");
  });

  test("rule 10: finds a page that SQLite cannot read", async () => {
    const report = await verifyFile(flip("page.db", () => 4_096 * 12, 200));
    expect(report.ok).toBe(false);
    expect(report.counts).toHaveProperty("sqlite");
  });

  test("§5.2: two records with one unique value, which a later `unique` may find there, are told and no damage", async () => {
    const file = join(folder, "unique.db");
    const project = "(SELECT number FROM domains WHERE name='project')";
    copyFileSync(sound, file);
    const database = new (loadSqlite())(file);
    database.exec(
      `UPDATE spaces SET lookups='{"project":[["unique:n","n"]]}' WHERE space='site-7'; DELETE FROM lookups;
       INSERT INTO lookups VALUES (${project},'unique:n','[7]','p2')`,
    );
    database.close();
    expect((await verifyFile(file)).ok).toBe(true);
    const again = new (loadSqlite())(file);
    again.exec(`INSERT INTO lookups VALUES (${project},'unique:n','[7]','p3')`);
    again.close();
    expect((await verifyFile(file)).counts).toEqual({ lookup: 2, unique: 1 });
  });

  test("a thousand findings are counted, and twenty told", async () => {
    const file = join(folder, "many.db");
    copyFileSync(sound, file);
    const database = new (loadSqlite())(file);
    database.exec("UPDATE records SET stamps='{}' WHERE fields IS NOT NULL");
    database.close();
    const { counts, findings } = await verifyFile(file);
    expect(counts.stamp).toBe(39);
    expect(findings.filter(({ code }) => code === "stamp")).toHaveLength(20);
  });
});
