import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TestDevice, type World, create, startMs, world } from "../exchange/device.test.fixture.js";
import { systemRandom } from "../platform.js";
import { backupFile, lastBackup } from "./backup-file.js";
import { restoreFile } from "./restore-file.js";
import { loadSqlite } from "./sqlite-driver.js";
import { sqlite } from "./sqlite.js";
import { verifyFile } from "./verify-file.js";

const ports = { clock: { now: () => startMs + 0.5 }, random: systemRandom };
let folder = "";
let file = "";
let to = "";
let here: World;
let device: TestDevice;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "landfall-"));
  [file, to] = [join(folder, "live.db"), join(folder, "copies", "backup.db")];
  here = await world({ storage: sqlite(file) });
  device = new TestDevice(here);
  for (let i = 1; i <= 3; i++) await device.write([create(`p${i}`)]);
});
afterEach(async () => {
  await here.engine.close();
  rmSync(folder, { recursive: true, force: true });
});

const backup = (more: object = {}) => backupFile({ file, to, clock: ports.clock, ...more });
const restore = (more: object = {}) => restoreFile({ from: to, file, ...ports, ...more });
const headOf = async (path: string): Promise<number | undefined> => {
  const storage = sqlite(path);
  const found = await storage.read((snapshot) => snapshot.space("site-7", "ann"));
  await storage.close();
  return found?.state.head;
};

/** Leaves a write-ahead log beside a file, as a server that died does. */
async function leaveLog(path: string): Promise<void> {
  const storage = sqlite(path);
  await storage.write("site-7", async (transaction) => {
    const opened = await transaction.open("server", "");
    if (opened) await transaction.save({ space: { ...opened.state, head: 99 } });
  });
  copyFileSync(`${path}-wal`, `${path}-left`);
  await storage.close();
  copyFileSync(`${path}-left`, `${path}-wal`);
}

describe("a backup", () => {
  test("rule 2: holds what was committed when it was begun, made while the server has the file open; and says what it holds", async () => {
    let told = 0;
    const report = backup({ begins: (bytes: number) => (told = bytes) });
    expect(report).toMatchObject({ file: to, madeAt: startMs });
    expect(report.spaces).toEqual([{ space: "site-7", generation: here.generation, head: 3, records: 3 }]);
    expect(told).toBeGreaterThan(4_096);
    expect(lastBackup(file)).toEqual({ file: to, madeAt: startMs, bytes: report.bytes });
    expect(await verifyFile(to)).toMatchObject({ ok: true, records: 3 });
    await device.write([create("p4")]);
    expect(await headOf(to)).toBe(3);
    expect(readdirSync(join(folder, "copies")).filter((name) => name.includes("partial"))).toEqual([]);
  });

  test("rule 4: of a file that is written to all the while is a consistent cut, every time", async () => {
    const over = new AbortController();
    const writing = (async () => {
      for (let i = 0; !over.signal.aborted; i++) await device.write([create(`w${i}`), create(`v${i}`)]);
    })();
    for (let round = 0; round < 20; round++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const { spaces } = backup({ overwrite: true });
      expect(await verifyFile(to)).toMatchObject({ ok: true, records: spaces[0]?.records, findings: [] });
    }
    over.abort();
    await writing;
  });

  test("rule 8: is not mixed with what lay beside a file of its name", async () => {
    backup();
    await leaveLog(to);
    backup({ overwrite: true });
    expect(await headOf(to)).toBe(3);
    expect(await verifyFile(to)).toMatchObject({ ok: true, findings: [] });
  });

  test("rule 8: overwrites nothing unless told, and not the data itself", () => {
    backup();
    expect(() => backup()).toThrow("already");
    expect(backup({ overwrite: true }).spaces).toHaveLength(1);
    expect(() => backupFile({ file, to: file, overwrite: true, clock: ports.clock })).toThrow(
      "the data itself",
    );
  });

  test("§7: of a file that is not there, is none of ours, or cannot be read is refused in words, and leaves nothing behind", () => {
    expect(() => backupFile({ file: join(folder, "none.db"), to, clock: ports.clock })).toThrow(
      "There is no file",
    );
    const text = join(folder, "text.db");
    writeFileSync(text, "Once upon a time there was a file that was no database. ".repeat(100));
    expect(() => backupFile({ file: text, to, clock: ports.clock })).toThrow("is no data file of a server");
    const foreign = join(folder, "foreign.db");
    const database = new (loadSqlite())(foreign);
    database.exec("CREATE TABLE cats(name)");
    database.close();
    expect(() => backupFile({ file: foreign, to, clock: ports.clock })).toThrow("not a Landfall server's");
    expect(readdirSync(join(folder, "copies"))).toEqual([]);
  });

  test("a note beside the data that cannot be read is no backup that is known", () => {
    writeFileSync(`${file}.last-backup`, "{");
    expect(lastBackup(file)).toBeUndefined();
    expect(lastBackup(join(folder, "none.db"))).toBeUndefined();
  });
});

describe("a restore", () => {
  test("rule 12: begins a new history in every space at the head of the backup, and keeps what it replaced", async () => {
    backup();
    await device.write([create("p4")]);
    await here.engine.close();
    const { spaces, replaced } = await restore({ overwrite: true });
    expect(spaces).toMatchObject([
      { space: "site-7", reason: "restored", parent: here.generation, at: 3, startedAt: startMs + 2 },
    ]);
    expect(await headOf(file)).toBe(3);
    expect(await headOf(replaced as string)).toBe(4);
    expect(await verifyFile(file)).toMatchObject({ ok: true });
    const storage = sqlite(file);
    const history = await storage.read((snapshot) => snapshot.generations("site-7"));
    expect(history.map(({ generation }) => generation)).toEqual([spaces[0]?.generation, here.generation]);
    await storage.close();
    expect(readdirSync(folder).filter((name) => name.includes("restoring"))).toEqual([]);
    expect((await verifyFile(to)).ok).toBe(true);
  });

  test("§7: makes the data file where there is none, with its folder", async () => {
    backup();
    const fresh = join(folder, "not", "there", "new.db");
    expect((await restore({ file: fresh })).replaced).toBeUndefined();
    expect(await headOf(fresh)).toBe(3);
  });

  test("rule 8: is not mixed with the write-ahead log of a file that was moved away, which is kept", async () => {
    backup();
    const moved = join(folder, "moved.db");
    await restore({ file: moved });
    await leaveLog(moved);
    rmSync(moved);
    await restore({ file: moved });
    expect(await headOf(moved)).toBe(3);
    expect(await verifyFile(moved)).toMatchObject({ ok: true, findings: [] });
    expect(readdirSync(folder).filter((name) => /^moved.*replaced.*-wal$/.test(name))).toHaveLength(1);
  });

  test("rule 8: touches nothing unless told, nor a file that a server has open, told or not", async () => {
    backup();
    await device.write([create("p4")]);
    await expect(restore()).rejects.toThrow("already");
    await expect(restore({ overwrite: true })).rejects.toThrow("in use by another server");
    await device.write([create("p5")]);
    expect(readdirSync(folder).filter((name) => /restoring|replaced/.test(name))).toEqual([]);
    await here.engine.close();
    expect(await headOf(file)).toBe(5);
  });

  test("rule 8: of a damaged backup is refused, and nothing changes; told so, it is restored as it is", async () => {
    backup();
    const database = new (loadSqlite())(to);
    database.exec(`UPDATE records SET fields='{"n":9}' WHERE key='p2'`);
    database.close();
    await here.engine.close();
    await expect(restore({ overwrite: true })).rejects.toMatchObject({
      name: "DamagedBackupError",
      report: { counts: { digest: 1 } },
    });
    expect(await headOf(file)).toBe(3);
    expect((await restore({ overwrite: true, unverified: true })).spaces).toHaveLength(1);
  });

  test("rule 2: keeps what the replaced file's write-ahead log had beyond it: a server that was killed leaves one", async () => {
    backup();
    await device.write([create("p4")]);
    const killed = join(folder, "killed.db");
    for (const end of ["", "-wal"]) copyFileSync(file + end, killed + end);
    expect(existsSync(`${killed}-wal`)).toBe(true);
    const { replaced } = await restore({ file: killed, overwrite: true });
    expect(await headOf(killed)).toBe(3);
    expect(await headOf(replaced as string)).toBe(4);
  });

  test("§7: from a file that is not there is refused in words, and leaves nothing behind", async () => {
    const fresh = join(folder, "fresh.db");
    await expect(restore({ file: fresh })).rejects.toThrow("Name one that landfall backup has written");
    expect(readdirSync(folder).filter((name) => name.startsWith("fresh"))).toEqual([]);
  });

  test("§7: into a folder that nothing can be written to says so, and where", async () => {
    backup();
    const taken = join(folder, "taken.db");
    mkdirSync(`${taken}.lock`);
    await expect(restore({ file: taken })).rejects.toThrow(
      `Nothing can be written beside the data file ${taken}`,
    );
  });

  test("§7: replaces a file that is damaged beyond reading, and keeps its bytes", async () => {
    backup();
    await here.engine.close();
    const rubble = Buffer.from("not what it was ".repeat(1_000));
    writeFileSync(file, rubble);
    writeFileSync(`${file}-wal`, rubble);
    const { replaced } = await restore({ overwrite: true });
    expect(await headOf(file)).toBe(3);
    expect(readFileSync(replaced as string).equals(rubble)).toBe(true);
  });

  test("rule 8: that is stopped in its middle, or finds no room, leaves everything as it was", async () => {
    backup();
    await device.write([create("p4")]);
    await here.engine.close();
    const stopped = new Error("stopped");
    const stopAt = (call: number) => (): void => {
      if (--call === 0) throw stopped;
    };
    // Not as a damaged backup, which nobody has looked at to its end.
    for (const call of [1, 2, 3]) {
      await expect(restore({ overwrite: true, progress: stopAt(call) })).rejects.toBe(stopped);
      await expect(verifyFile(to, stopAt(call))).rejects.toBe(stopped);
    }
    const before = readdirSync(folder).filter((name) => name !== "live.db.lock");
    expect(before.filter((name) => /restoring|replaced/.test(name))).toEqual([]);
    expect(await headOf(file)).toBe(4);
    // What an earlier run that crashed has left is no hindrance.
    writeFileSync(`${file}.restoring`, "half of it");
    writeFileSync(`${to}.partial`, "half of it");
    expect((await restore({ overwrite: true })).spaces).toHaveLength(1);
    expect(backup({ overwrite: true }).spaces).toMatchObject([{ head: 3 }]);
  });

  test("§7: refuses a backup of an older format, and puts nothing in its place", async () => {
    backup();
    const database = new (loadSqlite())(to);
    database.exec("PRAGMA user_version=2");
    database.close();
    const fresh = join(folder, "new.db");
    await expect(restore({ file: fresh })).rejects.toThrow("has data format 2");
    expect(existsSync(fresh)).toBe(false);
  });
});
