import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, type SettledOutcome, createClient } from "@landfall/client";
import { memoryStorage } from "@landfall/client/storage/memory";
import { type Json, canonicalJson } from "@landfall/protocol";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Child, bundle } from "./child.js";
import { type NoteSpace, makeTally, schema, space, writeNumbered, written } from "./write-numbered.js";

const kills = 8;
const writers = 10;

let folder = "";
let program = "";
let server: Child<{ readonly port: number }> | undefined;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "landfall-"));
  program = await bundle("server-process", folder);
});
afterEach(async () => {
  await server?.kill();
  rmSync(folder, { recursive: true, force: true });
});

/** Starts the server on its data. @returns the port that it listens on. */
async function start(port: number): Promise<number> {
  server = new Child(program, [join(folder, "server.db"), `${port}`]);
  await server.until((lines) => lines.length > 0);
  return server.lines[0]?.port ?? 0;
}

interface Writer {
  readonly name: string;
  readonly client: Client<typeof schema>;
  readonly site: NoteSpace;
  /** Every outcome that each event got, by the name of the event. */
  readonly outcomes: Map<string, SettledOutcome[]>;
  count: number;
}

const reports: string[] = [];

async function makeWriter(url: string, name: string): Promise<Writer> {
  const client = createClient({
    schema,
    url,
    credentials: () => "dev:ann",
    storage: memoryStorage(),
    onReport: (code) => reports.push(code),
  });
  const site = await client.space(space, { create: true }).open();
  await makeTally(site, name).settled;
  return { name, client, site, outcomes: new Map(), count: 0 };
}

/** Writes and pushes until it is to stop; a server that is gone is tried again at once. */
async function work(writer: Writer, isOver: () => boolean, acknowledged: () => void): Promise<void> {
  while (!isOver()) {
    for (let i = 0; i < 5; i++) {
      const name = `${writer.count++}`;
      const outcomes: SettledOutcome[] = [];
      writer.outcomes.set(name, outcomes);
      void writeNumbered(writer.site, writer.name, name).settled.then((outcome) => {
        outcomes.push(outcome);
        acknowledged();
      });
    }
    // A server that is down has its clients wait for seconds; asking anew does not.
    await writer.client.sync().catch(() => new Promise((resolve) => setTimeout(resolve, 25)));
  }
}

const indexOf = (outcome: SettledOutcome | undefined): number | undefined =>
  outcome?.status === "applied" || (outcome?.status === "duplicate" && outcome.of === "applied")
    ? outcome.index
    : undefined;

it("rules 2, 3 and 9: a server that is killed again and again while ten clients push has lost nothing that it acknowledged, doubled nothing, and all agree", async () => {
  const port = await start(0);
  const url = `http://127.0.0.1:${port}`;
  const all = await Promise.all(Array.from({ length: writers }, (_, i) => makeWriter(url, `writer-${i}`)));
  let isOver = false;
  let awaited = { count: 0, reached: (): void => {} };
  const working = all.map((writer) =>
    work(
      writer,
      () => isOver,
      () => {
        if (--awaited.count === 0) awaited.reached();
      },
    ),
  );
  for (let kill = 0; kill < kills; kill++) {
    await new Promise<void>((reached) => (awaited = { count: randomInt(1, 150), reached }));
    await server?.kill();
    await start(port);
  }
  isOver = true;
  await Promise.all(working);

  for (let round = 0; round < 2; round++) for (const { client } of all) await client.sync();
  const fresh = await makeFresh(url);
  const bytes = canonicalJson(fresh.site.note.all() as unknown as Json);
  const indexes: number[] = [];
  for (const { name, site, client, outcomes, count } of all) {
    expect(canonicalJson(site.note.all() as unknown as Json)).toBe(bytes);
    expect([client.status.pending.count, site.inbox.current]).toEqual([0, []]);
    const there = written(fresh.site, name);
    expect([there.count, there.names.length, outcomes.size]).toEqual([count, count, count]);
    for (const [each, got] of outcomes) {
      expect(got).toHaveLength(1);
      const index = indexOf(got[0]);
      // What was acknowledged stands where it was acknowledged.
      expect(fresh.site.note.get(`${name}.${each}`)?.$.version).toBe(index);
      indexes.push(index as number);
    }
  }
  // Every event has an index of its own, and there is none that nobody knows of.
  expect(new Set(indexes).size).toBe(indexes.length);
  const [summary] = await fresh.client.spaces().list();
  expect(summary?.head).toBe(indexes.length + writers);
  expect(reports).toEqual([]);
  await Promise.all([fresh, ...all].map(({ client }) => client.close()));
}, 90_000);

async function makeFresh(url: string) {
  const client = createClient({ schema, url, credentials: () => "dev:ann", storage: memoryStorage() });
  const site = await client.space(space).open();
  await client.sync();
  return { client, site };
}
