import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Random } from "@landfall/protocol/shaped-values.fixture";
import { type LandfallServer, createServer, devTokens } from "@landfall/server";
import { ImportError, Importer, exportFile, verify } from "@landfall/server/operations";
import { sqlite } from "@landfall/server/storage/sqlite";
import { mutateText, mutateValue, textOf } from "./mutate.js";
import { type Fate, type FuzzTarget, fault } from "./target.js";

/** Exports, damaged: whatever is taken of one must be sound in the storage that took it. */
export const importTarget: FuzzTarget = {
  name: "import",
  share: 2,
  async open() {
    const sound = await exportedLines();
    return { feed: (random) => feed(sound, random) };
  },
};

async function feed(sound: readonly string[], random: Random): Promise<Fate> {
  const lines = random.below(10) === 0 ? [...sound] : damaged(sound, random);
  const storage = sqlite(":memory:");
  try {
    const fate = await imported(lines, new Importer({ storage }));
    const { findings } = await storage.read((snapshot) => verify(snapshot));
    if (findings.length > 0)
      throw fault(`an import left what is not sound: ${JSON.stringify(findings)}`, lines.join("\n"));
    return fate;
  } finally {
    await storage.close();
  }
}

async function imported(lines: readonly string[], importer: Importer): Promise<Fate> {
  try {
    for (const line of lines) await importer.take(line);
    importer.end();
    return "taken";
  } catch (error) {
    if (error instanceof ImportError) return "refused";
    throw fault(`an import ended with ${String(error)}`, lines.join("\n"));
  }
}

/** Lines changed in one to three places; most times the checkpoints are made to hold again, so that what they guard is reached. */
function damaged(sound: readonly string[], random: Random): string[] {
  const lines = [...sound];
  for (let times = 1 + random.below(3); times > 0 && lines.length > 0; times--) {
    const at = random.below(lines.length);
    const line = lines[at] as string;
    switch (random.below(6)) {
      case 0:
        lines.splice(at, 1);
        break;
      case 1:
        lines.splice(random.below(lines.length + 1), 0, line);
        break;
      case 2:
        lines[at] = mutateText(line, random);
        break;
      default:
        lines[at] = textOf(mutateValue(JSON.parse(sound.includes(line) ? line : "{}"), random));
    }
  }
  return random.below(4) === 0 ? lines : guarded(lines);
}

/** The lines with checkpoints of what stands before them. */
function guarded(lines: readonly string[]): string[] {
  let rows: string[] = [];
  let all = 0;
  return lines.map((line) => {
    if (line.includes('"domain"')) rows.push(line);
    if (line.startsWith('{"end"')) {
      const end = line.replace(/"rows":\d+/, `"rows":${all}`);
      all = 0;
      return end;
    }
    if (!line.startsWith('{"checkpoint"')) return line;
    const sha256 = createHash("sha256")
      .update(`${rows.join("\n")}\n`)
      .digest("hex");
    const checkpoint = line
      .replace(/"rows":\d+/, `"rows":${rows.length}`)
      .replace(/"sha256":"[^"]*"/, `"sha256":"${sha256}"`);
    all += rows.length;
    rows = [];
    return checkpoint;
  });
}

/** An export of two spaces with every kind of line, the same in each run. */
async function exportedLines(): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "landfall-fuzz-"));
  try {
    const [file, to] = [join(folder, "live.db"), join(folder, "all.ndjson")];
    let nowMs = 1_795_000_000_000;
    const clock = { now: () => (nowMs += 1_000) };
    let drawn = 0;
    const random = { bytes: (length: number) => new Uint8Array(length).map(() => (drawn += 37)) };
    const server = createServer({
      storage: sqlite(file),
      auth: devTokens(),
      development: true,
      clock,
      random,
    });
    const ask = (path: string, method: string, body: object) =>
      server.handler(
        new Request(`http://fuzz/v1/spaces${path}`, {
          method,
          headers: { authorization: "Bearer dev:ann", "content-type": "application/json" },
          body: JSON.stringify(body),
        }),
      );
    for (const space of ["site-7", "site-8"]) {
      await ask("", "POST", { space });
      await ask(`/${space}/members/ben`, "PUT", { role: "writer" });
      await fill(server.space(space));
    }
    await server.close();
    await exportFile({ file, to, clock, random });
    return readFileSync(to, "utf8").trimEnd().split("\n");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function fill({ write }: ReturnType<LandfallServer["space"]>): Promise<void> {
  await write((tx) => {
    for (let i = 1; i <= 4; i++) {
      tx["note"]?.create({ text: `note ${i}`, n: i, deep: { list: [i, null, true] } }, { key: `n${i}` });
      tx["point"]?.create({ at: [i, i] }, { key: `p${i}` });
    }
  });
  await write((tx) => {
    tx["note"]?.update("n2", { text: "changed", n: -0.5 }, { unset: ["deep"] });
    tx["note"]?.delete("n3");
  });
}
