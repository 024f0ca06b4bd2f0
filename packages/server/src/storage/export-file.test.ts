import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Json, canonicalJson } from "@landfall/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  TestDevice,
  type World,
  addMember,
  create,
  remove,
  startMs,
  update,
  world,
} from "../exchange/device.test.fixture.js";
import { systemRandom } from "../platform.js";
import { exportFile } from "./export-file.js";
import { type ImportFileOptions, importFile } from "./import-file.js";
import { type SqliteStorage, sqlite } from "./sqlite.js";
import { verifyFile } from "./verify-file.js";

const clock = { now: () => startMs + 5_000 };
const ports = { clock, random: systemRandom };
let folder = "";
let file = "";
let to = "";
let fresh = "";
let here: World;
let device: TestDevice;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "landfall-"));
  [file, to, fresh] = [join(folder, "live.db"), join(folder, "all.ndjson"), join(folder, "fresh.db")];
  here = await world({ storage: sqlite(file) });
  await addMember(here, "bob", "reader");
  device = new TestDevice(here);
  for (let i = 1; i <= 20; i++)
    await device.write([create(`p${i}`, { n: i, text: 'Å\n"' }), create(`c${i}`, {}, "point")]);
  await device.write([update("p3", { n: 33 })]);
  await device.write([remove("p4")]);
  await here.engine.createSpace({ id: "bob" }, "empty");
});
afterEach(async () => {
  await here.engine.close();
  rmSync(folder, { recursive: true, force: true });
});

const exported = (more: object = {}) => exportFile({ file, to, ...ports, ...more });
const imported = (more: Partial<ImportFileOptions> = {}) =>
  importFile({ from: to, file: fresh, ...ports, ...more });
const lines = (): string[] => readFileSync(to, "utf8").trimEnd().split("\n");
const write = (changed: readonly string[]): void => writeFileSync(to, `${changed.join("\n")}\n`);

/** The rows of a space without what a new index gives them. */
async function contentOf(storage: SqliteStorage, space = "site-7"): Promise<string[]> {
  const { rows } = await storage.read(async (snapshot) =>
    snapshot.page({
      space,
      domains: ((await snapshot.space(space, ""))?.domains ?? []).map(({ domain }) => ({ domain, after: 0 })),
      limit: 1e6,
      maxBytes: 1e9,
    }),
  );
  return rows
    .map(({ text }) => {
      const { version: _version, modifiedAt: _at, ...content } = JSON.parse(text) as Record<string, Json>;
      return canonicalJson(content);
    })
    .sort();
}

async function contentOfFile(path: string, space?: string): Promise<string[]> {
  const storage = sqlite(path);
  const content = await contentOf(storage, space);
  await storage.close();
  return content;
}

describe("an export that is imported", () => {
  test("rule 6: gives the same records, stamps and tombstones, members and schema, under indexes of its own; all of it sound", async () => {
    expect(await exported()).toMatchObject({ file: to, rows: 40, resumedAfter: 0 });
    expect(await imported()).toEqual([
      { space: "empty", rows: 0, written: 0, resumed: false },
      { space: "site-7", rows: 40, written: 40, resumed: false },
    ]);
    expect(await contentOfFile(fresh)).toEqual(await contentOf(here.storage));
    expect(await verifyFile(fresh)).toMatchObject({ ok: true, records: 39, tombstones: 1, findings: [] });
    const storage = sqlite(fresh);
    const [members, found] = await storage.read(
      async (snapshot) => [await snapshot.members("site-7"), await snapshot.space("site-7", "bob")] as const,
    );
    expect(members.map(({ user, role }) => `${user} ${role}`)).toEqual(["ann owner", "bob reader"]);
    expect(found?.state).toMatchObject({ head: 1, schema: 0 });
    expect(found?.state.generation).not.toBe(here.generation);
    await storage.close();
  });

  test("rule 3: is imported once, however often; what was written since stays", async () => {
    await exported();
    await imported();
    const storage = sqlite(fresh);
    const later = {
      ...here,
      storage,
      engine: (await import("../engine.js")).createEngine({ storage, clock }),
    };
    const [{ generation } = { generation: "" }] = (await later.engine.spaces({ id: "ann" })).filter(
      ({ space }) => space === "site-7",
    );
    const writer = new TestDevice({ ...later, generation });
    await writer.write([update("p1", { n: 100 })]);
    await later.engine.close();
    expect(await imported()).toMatchObject([{ written: 0 }, { space: "site-7", written: 0, resumed: true }]);
    expect((await contentOfFile(fresh)).filter((row) => row.includes('"n":100'))).toHaveLength(1);
  });

  test("rule 8: a space that is there and of other origin is not touched, and may be imported under another name", async () => {
    await exported();
    await imported();
    await exported({ overwrite: true });
    await expect(imported()).rejects.toThrow(/all\.ndjson, line \d+: there is a space empty already/);
    expect(await imported({ only: "site-7", as: "site-8", owner: "eve" })).toMatchObject([
      { space: "site-8", written: 40 },
    ]);
    expect(await contentOfFile(fresh, "site-8")).toEqual(await contentOfFile(fresh));
    const storage = sqlite(fresh);
    const members = await storage.read((snapshot) => snapshot.members("site-8"));
    expect(members.map(({ user, role }) => `${user} ${role}`)).toEqual([
      "ann owner",
      "bob reader",
      "eve owner",
    ]);
    await storage.close();
    await expect(imported({ only: "nowhere" })).rejects.toThrow("there is no space nowhere");
    await expect(imported({ as: "x", file: `${fresh}.none` })).rejects.toThrow(
      /all\.ndjson has 2 spaces, and one can have another name: say which with --space/,
    );
    expect(existsSync(`${fresh}.none`)).toBe(false);
  });

  test("rule 8: the space of an export of one may be given another name without being named", async () => {
    await exported({ space: "site-7" });
    expect(await imported({ as: "site-8" })).toMatchObject([{ space: "site-8", written: 40 }]);
    expect(await imported({ as: "site-8" })).toMatchObject([{ space: "site-8", written: 0, resumed: true }]);
    writeFileSync(to, "{}\n");
    await expect(imported({ as: "site-9" })).rejects.toThrow("line 1: this is no line of an export");
  });

  test("rule 8: another space of the same export is not taken for the rest of one that has its name here", async () => {
    await exported();
    await imported({ only: "site-7", as: "both" });
    await expect(imported({ only: "empty", as: "both" })).rejects.toThrow("there is a space both already");
  });

  test("rule 6: a stamp from the future becomes the import's own, or it would win for ever", async () => {
    await exported({ space: "site-7" });
    const ahead = "02000000-0000-7000-8123-456789abcdef";
    const { createHash } = await import("node:crypto");
    const rows = lines().map((line) => line.replace(/"stamps":\{"\*":"[^"]*"/, `"stamps":{"*":"${ahead}"`));
    const section = rows.filter((line) => line.startsWith('{"domain"'));
    const sha256 = createHash("sha256")
      .update(`${section.join("\n")}\n`)
      .digest("hex");
    write(rows.map((line) => line.replace(/"sha256":"[^"]*"/, `"sha256":"${sha256}"`)));
    await imported();
    expect((await verifyFile(fresh)).findings).toEqual([]);
    expect((await contentOfFile(fresh)).filter((row) => row.includes(ahead.slice(0, 8)))).toEqual([]);
  });

  test("rule 4: of a space that is written to meanwhile is one moment of it", async () => {
    let told = 0;
    await exported({
      space: "site-7",
      progress: async () => {
        told += 1;
        await device.write([create(`late${told}`), update("p1", { n: -told })]);
      },
    });
    await imported();
    expect(told).toBeGreaterThan(1);
    expect((await contentOfFile(fresh)).filter((row) => row.includes("late"))).toEqual([]);
    expect((await verifyFile(fresh)).ok).toBe(true);
  });
});

describe("an export that is broken off", () => {
  const many = async (from: number, to: number): Promise<void> => {
    for (let i = from; i < to; i += 400)
      await device.write(Array.from({ length: 400 }, (_, k) => create(`m${i + k}`)));
  };
  const breakOff = (after: number) => () => {
    let rows = 0;
    return (more: number) => {
      rows += more;
      if (rows > after) throw new Error("broken off");
    };
  };

  test("rule 8: goes on where it stopped, with what has changed since; the file appears when it is whole", async () => {
    await many(0, 2_000);
    await expect(exported({ progress: breakOff(900)() })).rejects.toThrow("broken off");
    expect(existsSync(to)).toBe(false);
    // A crash may leave half a line.
    writeFileSync(`${to}.partial`, '{"domain":"proj', { flag: "a" });
    await device.write([update("m0", { n: 1 })]);
    await device.write([remove("m1")]);
    const report = await exported();
    expect(report.resumedAfter).toBeGreaterThanOrEqual(800);
    expect(report.rows).toBeLessThan(1_300);
    await imported();
    expect(await contentOfFile(fresh)).toEqual(await contentOf(here.storage));
    expect((await verifyFile(fresh)).ok).toBe(true);
  });

  test("rule 7: is not gone on with when deletes have been forgotten since, or the space was wiped", async () => {
    await many(0, 2_000);
    await expect(exported({ progress: breakOff(900)() })).rejects.toThrow("broken off");
    await device.write([remove("m5")]);
    await here.storage.pruneTombstones("site-7", "project", 1_000_000);
    await expect(exported()).rejects.toThrow("deletes that it has not seen are forgotten");
    await here.engine.wipeSpace({ id: "ann" }, "site-7");
    await expect(exported()).rejects.toThrow("Remove what was written, and begin anew");
    await expect(exported({ space: "empty" })).rejects.toThrow("not among the spaces");
    rmSync(`${to}.partial`);
    expect((await exported()).rows).toBe(0);
  });

  test("rule 3: an import that is broken off goes on where it stopped, and one of a part goes on with the rest", async () => {
    await many(0, 2_000);
    await expect(exported({ progress: breakOff(900)() })).rejects.toThrow("broken off");
    await expect(imported({ from: `${to}.partial` })).rejects.toThrow("it was cut off");
    await exported();
    await expect(imported({ progress: breakOff(1_200)() })).rejects.toThrow("broken off");
    const result = await imported();
    const site = result.find(({ space }) => space === "site-7");
    expect(site).toMatchObject({ resumed: true });
    expect(site?.written).toBeGreaterThan(0);
    expect(site?.written).toBeLessThan(1_600);
    expect(await contentOfFile(fresh)).toEqual(await contentOf(here.storage));
    expect((await verifyFile(fresh)).findings).toEqual([]);
  });
});

describe("a file that is no good export", () => {
  test.each([
    // Here the first line is refused before the third is read.
    ["under its own names", undefined, "line 1: this is no line of an export"],
    ["under another name", "other", "line 3: the line is not UTF-8"],
  ])("has its damaged line named, imported %s", async (_title, as, words) => {
    const from = join(folder, "damaged.ndjson");
    writeFileSync(from, Buffer.concat([Buffer.from('{"a":1}\n'.repeat(2)), Buffer.from([0xff, 0xfe, 10])]));
    await expect(imported({ from, ...(as !== undefined && { as }) })).rejects.toThrow(words);
  });

  /** The place after the end of a space. */
  const endOf = (all: readonly string[], space: string): number =>
    all.findIndex((line) => line.startsWith(`{"end":"${space}"`)) + 1;
  const damages: readonly (readonly [string, (all: string[]) => readonly string[], RegExp])[] = [
    ["is empty", () => [""], /line 1: this is no line/],
    ["is something else", () => ["Once upon a time"], /line 1: this is no line of an export/],
    ["begins in its middle", (all) => all.slice(1), /line 1: the file does not begin/],
    [
      "is of a later format",
      ([head, ...rest]) => [(head as string).replace('"format":1', '"format":2'), ...rest],
      /line 1: the export has format 2/,
    ],
    ["is cut off", (all) => all.slice(0, -1), /cut off/],
    ["lacks a row", (all) => all.filter((_, i) => i !== 9), /line \d+: the rows before this checkpoint/],
    [
      "has a changed row",
      (all) => all.map((line) => line.replace('"n":33', '"n":34')),
      /line \d+: the rows before/,
    ],
    [
      "has a row that is none",
      (all) => all.map((line) => line.replace('"version":5', '"version":-5')),
      /line \d+: this is no line/,
    ],
    [
      "lacks a member",
      (all) => all.filter((line) => !line.includes('"member":"bob","role":"reader"')),
      /line \d+: a member was expected/,
    ],
    [
      "has too many rows",
      (all) => all.map((line) => line.replace('"rows":40}', '"rows":41}')),
      /line \d+: the space was exported with 41 rows/,
    ],
    ["goes on after its end", (all) => [...all, all.at(-1) as string], /the export had ended before/],
    [
      "has no owner",
      (all) => all.map((line) => line.replace('"role":"owner"', '"role":"writer"')),
      /has no owner/,
    ],
    ["does not end a space", (all) => all.filter((line) => !line.startsWith('{"end"')), /has not ended/],
    [
      "lacks a space",
      (all) => [all[0] as string, ...all.slice(endOf(all, "empty"))],
      /of the 2 spaces that were exported, 1 came/,
    ],
    [
      "has a space twice",
      (all) => [...all.slice(0, endOf(all, "empty")), ...all.slice(1)],
      /line \d+: the space empty comes twice/,
    ],
    [
      "ends another space",
      (all) => all.map((line) => line.replace('"end":"empty"', '"end":"other"')),
      /line \d+: this ends another space/,
    ],
    ["begins twice", (all) => [all[0] as string, ...all], /line 2: an export begins once/],
    ["has rows before a space", (all) => [all[0] as string, ...all.slice(6)], /none was named/],
  ];

  test.each(damages)("§13: that %s is refused with its line", async (_name, change, words) => {
    await exported();
    write(change(lines()));
    await expect(imported()).rejects.toThrow(words);
  });

  test("§13: a line without end is not held, and bytes that are no UTF-8 are refused", async () => {
    await exported();
    writeFileSync(to, Buffer.alloc(3_000_000, "x"));
    await expect(imported()).rejects.toThrow(/line 1: the line has more than/);
    writeFileSync(to, Buffer.from([0x7b, 0xff, 0x0a]));
    await expect(imported()).rejects.toThrow(/line 1: the line is not UTF-8/);
    await expect(imported({ from: join(folder, "none") })).rejects.toThrow("There is no file");
  });

  test("rule 8: an export overwrites nothing unless told", async () => {
    await exported();
    const { size } = statSync(to);
    await expect(exported()).rejects.toThrow("already");
    expect(statSync(to).size).toBe(size);
    await expect(exported({ space: "nowhere", overwrite: true })).rejects.toThrow(
      "There is no space nowhere",
    );
    expect(existsSync(`${to}.partial`)).toBe(false);
  });

  test("§13: an export that cannot be written says where, and what to do", async () => {
    const below = join(file, "all.ndjson");
    await expect(exported({ to: below })).rejects.toThrow(
      new RegExp(`${below}.partial could not be written \\(.*See whether there is room`),
    );
  });
});
