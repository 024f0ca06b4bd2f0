import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@landfall/client";
import { memoryStorage } from "@landfall/client/storage/memory";
import { sqliteStorage } from "@landfall/client/storage/sqlite";
import { type Json, canonicalJson } from "@landfall/protocol";
import { startTestServer } from "@landfall/server/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { bundle } from "./bundle.js";
import { Child } from "./child.js";
import type { ClientArguments } from "./client-process.js";
import { makeTally, schema, space, written } from "./write-numbered.js";

type Line = {
  readonly saved?: string;
  readonly settled?: string;
  readonly status?: string;
  readonly report?: string;
};

const lives = 8;

let folder = "";
let child: Child<Line> | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "landfall-"));
});
afterEach(async () => {
  await child?.kill();
  rmSync(folder, { recursive: true, force: true });
});

/** What an installation knows of itself. */
async function installation(file: string) {
  const storage = await sqliteStorage(file).open("landfall.account.ann");
  const device = await storage.get("meta", "", "device");
  const replica = (await storage.get("meta", space, "replica")) as { readonly nextSeq: number };
  await storage.close();
  return { device, nextSeq: replica.nextSeq };
}

it("rules 2, 3 and 8: a client that is killed again and again while it pushes loses nothing that was saved, doubles nothing and stays the same device", async () => {
  const program = await bundle("client-process", folder);
  const server = await startTestServer({ schema });
  const account = { schema, url: server.url, credentials: () => "dev:ann" };
  const reader = createClient({ ...account, storage: memoryStorage() });
  const read = await reader.space(space, { create: true }).open();
  await makeTally(read, "phone").settled;

  const file = join(folder, "phone.db");
  const saved: string[] = [];
  const known: { device: unknown; nextSeq: number }[] = [];
  for (let life = 0; life < lives; life++) {
    const told: ClientArguments = { url: server.url, file, writer: "phone", life: `${life}` };
    child = new Child<Line>(program, [JSON.stringify(told)]);
    const enough = randomInt(1, 120);
    await child.until((lines) => lines.filter((line) => line.saved !== undefined).length >= enough);
    await child.kill();
    const { lines } = child;
    expect(lines.flatMap(({ report }) => report ?? [])).toEqual([]);
    expect(lines.flatMap(({ status }) => status ?? []).filter((status) => status === "rejected")).toEqual([]);
    saved.push(...lines.flatMap((line) => line.saved ?? []));
    known.push(await installation(file));
  }

  const reports: string[] = [];
  const phone = createClient({
    ...account,
    storage: sqliteStorage(file),
    onReport: (code) => reports.push(code),
  });
  const site = await phone.space(space).open();
  await phone.sync();
  await reader.sync();
  const { names, count } = written(read, "phone");
  expect(count).toBe(names.length);
  expect(names).toEqual(expect.arrayContaining(saved));
  expect(canonicalJson(site.note.all() as unknown as Json)).toBe(
    canonicalJson(read.note.all() as unknown as Json),
  );
  expect([phone.status.pending.count, site.inbox.current, reports]).toEqual([0, [], []]);
  await phone.close();

  // One device, whose seqs number its events without a gap: every accepted event is an index of the space.
  const { device, nextSeq } = await installation(file);
  expect(new Set(known.map((each) => each.device))).toEqual(new Set([device]));
  const seqs = known.map((each) => each.nextSeq);
  expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
  expect(nextSeq - 1).toBe(names.length);
  const [summary] = await reader.spaces().list();
  expect(summary?.head).toBe(names.length + 1);
  await reader.close();
  await server.close();
});
