import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { createEngine } from "../engine.js";
import { sqlite } from "../storage/sqlite.js";
import { TestDevice, readAnswer } from "./device.test.fixture.js";
import { NaiveReplica } from "./naive-replica.test.fixture.js";

/** A process that writes as fast as it can, and prints each acknowledgement only after it has it. */
const program = `
import { createEngine } from "./engine.ts";
import { sqlite } from "./storage/sqlite.ts";
const [, , file, round] = process.argv;
const engine = createEngine({ storage: sqlite(file), limits: { maxEventsPerRequest: 1000 } });
const user = { id: "ann" };
const made = await engine.createSpace(user, "site-7").catch(() => undefined);
const { generation } = made ?? (await engine.spaces(user))[0];
const id = (device, seq) => \`018f6c00-\${device.padStart(4, "0")}-7\${(seq >> 12).toString(16).padStart(3, "0")}-8000-\${seq.toString(16).padStart(12, "0")}\`;
const work = async (device) => {
  let { lastSeq } = await engine.position(user, "site-7", device);
  for (;;) {
    const events = Array.from({ length: 7 }, (_, i) => {
      const seq = lastSeq + i + 1;
      const ops = [{ op: "create", domain: "project", key: device + "-" + seq, set: { seq } }, seq === 1 ? { op: "create", domain: "count", key: device, set: { n: 1 } } : { op: "increment", domain: "count", key: device, by: { n: 1 } }];
      return { id: id(device, seq), seq, ops };
    });
    const answer = JSON.parse(await engine.exchange(user, { protocol: 1, device, spaces: [{ space: "site-7", generation, cursors: {}, events }] }));
    for (const { seq, status, index } of answer.spaces[0].outcomes) process.stdout.write(JSON.stringify([device, seq, status, index]) + "\\n");
    lastSeq += 7;
  }
};
await Promise.all(["a1", "a2", "a3", "a4"].map(work));
`;

async function bundle(place: string): Promise<string> {
  const source = fileURLToPath(new URL("..", import.meta.url));
  const packages = fileURLToPath(new URL("../../../", import.meta.url));
  const outfile = join(place, "writer.mjs");
  await build({
    stdin: { contents: program, resolveDir: source, loader: "ts" },
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "silent",
    banner: {
      js: `import { createRequire as makeRequire } from "node:module"; const require = makeRequire(${JSON.stringify(import.meta.url)});`,
    },
    external: ["@photostructure/sqlite"],
    define: { "import.meta.url": JSON.stringify(import.meta.url) },
    alias: {
      "@landfall/protocol/limits": `${packages}protocol/src/limits.ts`,
      "@landfall/protocol": `${packages}protocol/src/index.ts`,
      "@landfall/schema": `${packages}schema/src/index.ts`,
    },
  });
  return outfile;
}

/** Lets the writer run for a while, and kills it without a warning. @returns what it had acknowledged. */
async function runAndKill(writer: string, file: string, ms: number): Promise<string> {
  const child: ChildProcess = spawn(process.execPath, ["--no-warnings", writer, file], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const chunks: string[] = [];
  child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk.toString()));
  while (chunks.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, ms));
  child.kill("SIGKILL");
  await once(child, "close");
  return chunks.join("");
}

test("rules 2 and 3: a server killed while it writes has lost nothing that it acknowledged, and doubled nothing", async () => {
  const place = mkdtempSync(join(tmpdir(), "landfall-"));
  const writer = await bundle(place);
  const file = join(place, "a.db");
  const acknowledged = new Map<string, number>();
  for (let round = 0; round < 6; round++) {
    const printed = await runAndKill(writer, file, 40 + round * 35);
    for (const line of printed.slice(0, printed.lastIndexOf("\n")).split("\n")) {
      const [device, seq, status, index] = JSON.parse(line) as [string, number, string, number];
      expect(["applied", "duplicate"]).toContain(status);
      expect(acknowledged.get(`${device}-${seq}`) ?? index).toBe(index);
      acknowledged.set(`${device}-${seq}`, index);
    }
  }
  const storage = sqlite(file);
  const engine = createEngine({ storage });
  const [space] = await engine.spaces({ id: "ann" });
  const here = {
    engine,
    storage,
    clock: { nowMs: 0 },
    space: "site-7",
    generation: space?.generation as string,
  };
  const reader = new NaiveReplica(new TestDevice(here), ["project", "count"]);
  const request = {
    protocol: 1 as const,
    device: "reader",
    limit: 10_000,
    spaces: [{ space: "site-7", generation: here.generation, cursors: reader.cursors }],
  };
  for (;;) {
    const next = readAnswer(
      await engine.exchange(
        { id: "ann" },
        { ...request, spaces: [{ space: "site-7", generation: here.generation, ...reader.asking() }] },
      ),
    ).spaces[0];
    if (!next || "error" in next) throw new Error(JSON.stringify(next));
    if (!reader.take(next, [])) continue;
    for (const domain of ["project", "count"])
      expect(reader.digest(domain, next.head)).toEqual(next.digests?.[domain]);
    break;
  }
  const rows = reader.live();
  const versions = new Map(rows.map((row) => [row.key, row.version]));
  for (const [key, index] of acknowledged) expect(versions.get(key)).toBe(index);
  const records = rows.filter(({ domain }) => domain === "project");
  expect(new Set(records.map(({ version }) => version)).size).toBe(records.length);
  for (const device of ["a1", "a2", "a3", "a4"]) {
    const counted = rows.find(({ domain, key }) => domain === "count" && key === device);
    const made = records.filter(({ key }) => key.startsWith(`${device}-`)).length;
    expect(counted).toMatchObject({ fields: { n: made } });
  }
  expect(acknowledged.size).toBeGreaterThan(100);
  expect(readFileSync(file).length).toBeGreaterThan(0);
  await engine.close();
});
