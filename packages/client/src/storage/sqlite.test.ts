import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientStorageConformance } from "./conformance.js";
import type { StorageChange } from "./port.js";
import { loadSqlite } from "./sqlite-driver.js";
import { sqliteStorage } from "./sqlite.js";

const here = dirname(fileURLToPath(import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "landfall-storage-"));
const child = join(folder, "child.mjs");
let places = 0;
const place = (): string => join(folder, String(++places), "app.db");

/** A program that does one thing with the storage file at argv[3], in a process of its own. */
const program = `
  import { readdirSync, rmSync, writeSync } from "node:fs";
  import { dirname, join } from "node:path";
  import { sqliteStorage } from "./sqlite.js";
  const [, , task, file] = process.argv;
  const say = (line) => writeSync(1, line + "\\n");
  const storage = await sqliteStorage(file).open("ann");
  const put = (table, a, b, value) => ({ type: "put", table, space: "s", a, b, value });
  const commit = (n, text) => storage.commit([
    ...Array.from({ length: 40 }, (_, i) => put("rows", "project", String(i), { n, text })),
    put("outbox", String(n).padStart(6, "0"), "", { n, text }),
    put("meta", "count", "", n),
  ]);
  if (task === "hold") {
    say("open");
    process.stdin.resume();
  } else if (task === "write") {
    for (let n = ((await storage.get("meta", "s", "count")) ?? 0) + 1; ; n++) {
      await commit(n, "x".repeat(200));
      say(String(n));
    }
  } else if (task === "fill") {
    const ballast = join(dirname(file), "ballast");
    let n = 0;
    try {
      for (;;) {
        await commit(n + 1, "x".repeat(400));
        n++;
      }
    } catch (error) {
      const kept = await storage.get("meta", "s", "count");
      const rows = (await storage.entries("rows", "s")).filter((row) => row.value.n === n).length;
      const events = (await storage.entries("outbox", "s")).length;
      rmSync(ballast);
      await commit(n + 1, "room again");
      await storage.close();
      const reopened = await sqliteStorage(file).open("ann");
      const after = await reopened.get("meta", "s", "count");
      say(JSON.stringify({ code: error.code, n, kept, rows, events, after }));
    }
  }
`;

beforeAll(async () => {
  const standIn = fileURLToPath(import.meta.resolve("@photostructure/sqlite"));
  await build({
    stdin: { contents: program, resolveDir: here, loader: "js" },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: child,
    alias: { "@photostructure/sqlite": standIn },
    external: [standIn],
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

// One place for the whole suite, since each of its names is a file of its own.
const shared = join(folder, "conformance", "app.db");
clientStorageConformance({ describe, it, expect }, () => sqliteStorage(shared));

function rows(count: number): StorageChange[] {
  return Array.from({ length: count }, (_, i) => ({
    type: "put",
    table: "rows",
    space: "s",
    a: "project",
    b: `key-${String(i).padStart(6, "0")}`,
    value: {
      fields: { name: `Project number ${i}`, status: "open", notes: "n".repeat(60) },
      version: i,
      modifiedAt: 1_700_000_000_000 + i,
      stamps: { "*": `0190aaaa-${i}` },
    },
  }));
}

async function failure(call: Promise<unknown>): Promise<{ name: string; code: string; message: string }> {
  try {
    await call;
  } catch (error) {
    const { name, code, message } = error as { name: string; code: string; message: string };
    return { name, code, message };
  }
  throw new Error("it did not fail");
}

async function endOf(process: ChildProcess): Promise<void> {
  if (process.exitCode === null && process.signalCode === null) await once(process, "exit");
}

it.each([999, 1_000, 1_001, 2_500])(
  "%i entries are read whole and in order, with odd keys among them",
  async (count) => {
    const storage = await sqliteStorage(place()).open("ann");
    const odd = ["", "\\", "\0", '"', "\n", "[1]", "é", "😀", "\ud800", "\uffff"];
    const keys = [
      ...odd,
      ...Array.from({ length: count - odd.length }, (_, i) => `k${(i * 7919) % count}-${i}`),
    ];
    const values = new Map(keys.map((key, i) => [key, { i, text: `${key}\u2028"],["`.toWellFormed() }]));
    await storage.commit([
      { type: "putAll", table: "rows", space: "s", a: "", values },
      { type: "putAll", table: "rows", space: "other", a: "", values: new Map([["k", 1]]) },
    ]);
    const entries = await storage.entries("rows", "s");
    expect(entries.map(({ b }) => b)).toEqual(keys.toSorted());
    for (const { space, a, b, value } of entries) expect([space, a, value]).toEqual(["s", "", values.get(b)]);
    await storage.close();
  },
);

describe("sqlite storage: kill -9", () => {
  it("rule 2: after kill -9 in the middle of commits, each that resolved is there and each is whole", async () => {
    const file = place();
    for (let round = 0; round < 6; round++) {
      const writer = spawn(process.execPath, [child, "write", file], { stdio: ["ignore", "pipe", "pipe"] });
      let acknowledged = 0;
      let lines = 0;
      for await (const line of createInterface(writer.stdout)) {
        acknowledged = Number(line);
        if (++lines === 5 + round * 13) writer.kill("SIGKILL");
      }
      await endOf(writer);
      expect(writer.signalCode).toBe("SIGKILL");

      const storage = await sqliteStorage(file).open("ann");
      const count = (await storage.get("meta", "s", "count")) as number;
      expect(count).toBeGreaterThanOrEqual(acknowledged);
      expect((await storage.entries("rows", "s")).map(({ value }) => (value as { n: number }).n)).toEqual(
        Array.from({ length: 40 }, () => count),
      );
      expect((await storage.entries("outbox", "s")).map(({ value }) => (value as { n: number }).n)).toEqual(
        Array.from({ length: count }, (_, i) => i + 1),
      );
      await storage.close();
    }
  });
});

describe("sqlite storage: one owner", () => {
  it("a file that another process holds is refused in words, and free when that process is killed", async () => {
    const file = place();
    const holder = spawn(process.execPath, [child, "hold", file], { stdio: ["pipe", "pipe", "pipe"] });
    await once(holder.stdout, "data");
    const factory = sqliteStorage(file);
    const { name, code, message } = await failure(factory.open("ann"));
    expect([name, code]).toEqual(["StorageError", "unavailable"]);
    expect(message).toContain("is open in another process");
    holder.kill("SIGKILL");
    await endOf(holder);
    const storage = await factory.open("ann");
    await storage.commit(rows(1));
    await storage.close();
  });

  it("a second factory of this process is refused until the first has closed", async () => {
    const file = place();
    const first = await sqliteStorage(file).open("ann");
    await first.commit(rows(10));
    expect((await failure(sqliteStorage(file).open("ann"))).code).toBe("unavailable");
    await first.close();
    const second = await sqliteStorage(file).open("ann");
    expect((await second.entries("rows", "s")).length).toBe(10);
    await second.close();
  });
});

describe("sqlite storage: room", () => {
  it("a commit beyond maxBytes is `full`, writes nothing, and smaller ones still work", async () => {
    const file = place();
    const factory = sqliteStorage(file, { maxBytes: 400_000 });
    const storage = await factory.open("ann");
    await storage.commit(rows(500));
    const before = await storage.entries("rows", "s");
    const big = rows(5_000).map((change) => ({ ...change, a: "more" }));
    const { name, code, message } = await failure(
      storage.commit([{ type: "clear", table: "rows", space: "s" }, ...big]),
    );
    expect([name, code]).toEqual(["StorageError", "full"]);
    expect(message).toContain("Nothing was written");
    expect(await storage.entries("rows", "s")).toEqual(before);
    await storage.commit([{ type: "put", table: "meta", space: "s", a: "still", b: "", value: true }]);
    await storage.close();
    expect(statSync(join(dirname(file), "app-ann.db")).size).toBeLessThanOrEqual(400_000);
    const reopened = await factory.open("ann");
    expect(await reopened.entries("rows", "s")).toEqual(before);
    expect(await reopened.get("meta", "s", "still")).toBe(true);
    await reopened.close();
  });

  const mountable =
    spawnSync("unshare", ["-rm", "sh", "-c", 'mount -t tmpfs -o size=1m tmpfs "$0"', folder]).status === 0;
  it.skipIf(!mountable)(
    "a full disk is `full`, loses nothing, and is over when there is room (needs unshare)",
    () => {
      const disk = mkdtempSync(join(folder, "disk-"));
      const script =
        'mount -t tmpfs -o size=2m tmpfs "$1" && head -c 600000 /dev/zero > "$1/ballast" && exec "$0" "$2" fill "$1/app.db"';
      const output = execFileSync("unshare", ["-rm", "sh", "-c", script, process.execPath, disk, child], {
        encoding: "utf8",
      });
      const { code, n, ...kept } = JSON.parse(output) as Record<string, number | string>;
      expect(code).toBe("full");
      expect(n).toBeGreaterThan(3);
      expect(kept).toEqual({ kept: n, rows: 40, events: n, after: (n as number) + 1 });
    },
  );
});

describe("sqlite storage: files", () => {
  it("keeps one file per account beside the given one, and destroy leaves none of its files", async () => {
    const file = place();
    const factory = sqliteStorage(file);
    const storages = [await factory.open("ann"), await factory.open("ben")];
    await Promise.all(storages.map((storage) => storage.commit(rows(10))));
    await Promise.all(storages.map((storage) => storage.close()));
    expect(readdirSync(dirname(file)).sort()).toEqual(["app-ann.db", "app-ben.db"]);
    await (await factory.open("ann")).destroy(() => true);
    expect(readdirSync(dirname(file))).toEqual(["app-ben.db"]);
    const plain = await sqliteStorage(join(dirname(file), "plain")).open("ann");
    await plain.close();
    expect(existsSync(join(dirname(file), "plain-ann.db"))).toBe(true);
  });

  it("destroys a file while it is open here, and a new one at its place is untouched by the old handle", async () => {
    const file = place();
    const factory = sqliteStorage(file);
    const old = await factory.open("ann");
    await old.commit(rows(10));
    await old.destroy(() => true);
    expect(readdirSync(dirname(file))).toEqual([]);
    const storage = await factory.open("ann");
    await storage.commit(rows(3));
    await old.close();
    expect((await storage.entries("rows", "s")).length).toBe(3);
    await storage.commit(rows(4));
    await storage.close();
  });

  it.each(["deleted", "replaced"])(
    "rule 2: a commit into a file that was %s under us is `lost`, never `saved`",
    async (how) => {
      const file = place();
      const factory = sqliteStorage(file);
      const storage = await factory.open("ann");
      await storage.commit(rows(10));
      const path = join(dirname(file), "app-ann.db");
      if (how === "deleted") rmSync(path);
      else {
        writeFileSync(`${path}.new`, "");
        renameSync(`${path}.new`, path);
      }
      expect((await failure(storage.commit(rows(20)))).code).toBe("lost");
      expect((await failure(storage.entries("rows", "s"))).code).toBe("lost");
      await storage.close();
      const anew = await factory.open("ann");
      expect(await anew.spaces()).toEqual([]);
      await anew.commit(rows(1));
      await anew.close();
    },
  );

  it("a file that is only read is left as it is", async () => {
    const file = place();
    const factory = sqliteStorage(file);
    const path = join(dirname(file), "app-ann.db");
    const written = await factory.open("ann");
    await written.commit(rows(1));
    await written.close();
    const before = readFileSync(path);
    const storage = await factory.open("ann");
    expect((await storage.entries("rows", "s")).length).toBe(1);
    expect(readdirSync(dirname(file))).toEqual(["app-ann.db"]);
    await storage.close();
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it("opens anew over a handle that lost its file", async () => {
    const file = place();
    const factory = sqliteStorage(file);
    const old = await factory.open("ann");
    rmSync(join(dirname(file), "app-ann.db"));
    expect((await failure(old.commit(rows(1)))).code).toBe("lost");
    const storage = await factory.open("ann");
    await storage.commit(rows(2));
    await old.close();
    expect((await storage.entries("rows", "s")).length).toBe(2);
    await storage.close();
  });

  it("a damaged file is `unavailable`, and is not written to", async () => {
    const file = place();
    const factory = sqliteStorage(file);
    await (await factory.open("ann")).close();
    const path = join(dirname(file), "app-ann.db");
    writeFileSync(
      path,
      "this is not a database, but it may be somebody's only copy of something".repeat(100),
    );
    const { name, code, message } = await failure(factory.open("ann"));
    expect([name, code]).toEqual(["StorageError", "unavailable"]);
    expect(message).toContain("file is not a database");
    expect(statSync(path).size).toBe(7_100);
  });

  it("a file of a newer version is `unavailable`, and free again at once", async () => {
    const file = place();
    const factory = sqliteStorage(file);
    await (await factory.open("ann")).close();
    const driver = await loadSqlite();
    const path = join(dirname(file), "app-ann.db");
    const db = new driver(path);
    db.exec("PRAGMA user_version=2");
    db.close();
    const { code, message } = await failure(factory.open("ann"));
    expect([code, message]).toEqual([
      "unavailable",
      `The storage file ${path} was written by a newer version. Update this one.`,
    ]);
    const again = new driver(path);
    again.exec("PRAGMA user_version=1");
    again.close();
    await (await factory.open("ann")).close();
  });

  it("a place that cannot be is `unavailable`", async () => {
    const file = place();
    appendFileSync(join(folder, "a-file"), "x");
    expect((await failure(sqliteStorage(join(folder, "a-file", "app.db")).open("ann"))).code).toBe(
      "unavailable",
    );
    expect(existsSync(dirname(file))).toBe(false);
  });
});

describe("sqlite storage: damage", () => {
  it("a value that is damaged in the file is a StorageError that names the file", async () => {
    const file = place();
    const factory = sqliteStorage(file);
    const storage = await factory.open("ann");
    await storage.commit(rows(3));
    await storage.close();
    const damaged = readdirSync(dirname(file)).find((name) => name.endsWith(".db")) as string;
    const Database = await loadSqlite();
    const db = new Database(join(dirname(file), damaged));
    db.exec("UPDATE rows SET value = '{\"cut' WHERE b = (SELECT min(b) FROM rows)");
    db.close();
    const again = await factory.open("ann");
    await expect(again.entries("rows", "s")).rejects.toMatchObject({ name: "StorageError", code: "failed" });
    await expect(again.entries("rows", "s")).rejects.toThrow(damaged);
    await again.close();
  });
});

describe("sqlite storage: the driver", () => {
  it("prints nothing, no experimental warning either, and leaves other warnings alone", async () => {
    const file = place();
    const holder = spawn(process.execPath, [child, "hold", file], { stdio: ["pipe", "pipe", "pipe"] });
    let errors = "";
    holder.stderr.on("data", (text) => (errors += String(text)));
    await once(holder.stdout, "data");
    holder.stdin.end();
    await once(holder, "close");
    expect(errors).toBe("");
    const { emitWarning } = process;
    await loadSqlite();
    expect(process.emitWarning).toBe(emitWarning);
  });

  it("is the one inside Node where there is one", async () => {
    const builtIn = process.getBuiltinModule("node:sqlite" as string) as
      | { DatabaseSync: unknown }
      | undefined;
    const expected = builtIn?.DatabaseSync ?? (await import("@photostructure/sqlite")).DatabaseSync;
    expect(await loadSqlite()).toBe(expected);
  });
});
