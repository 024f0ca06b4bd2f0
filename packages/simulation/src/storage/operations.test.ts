import { createServer, devTokens } from "@landfall/server";
import { Importer, exportSpaces, startRestoredGenerations, verify } from "@landfall/server/operations";
import { portableSha256 } from "@landfall/protocol";
import { expect, test } from "vitest";
import { memoryServerStorage } from "./memory-server-storage.js";

// What operators do to a file are functions on the storage port, so the world does it to its own storage.

const dayMs = 86_400_000;

test("rules 7, 10 and 12: retention, verification, a restore, and an export to another storage work in memory too", async () => {
  let nowMs = 1_795_000_000_000;
  const clock = { now: () => nowMs };
  let drawn = 0;
  const random = { bytes: (count: number) => new Uint8Array(count).fill((drawn += 7)) };
  const storage = memoryServerStorage();
  const options = { auth: devTokens(), development: true, clock, random };
  const server = createServer({ ...options, storage });
  const ask = async (path: string, init: RequestInit = {}): Promise<unknown> => {
    const headers = { authorization: "Bearer dev:ann", "content-type": "application/json" };
    return (await server.handler(new Request(`http://landfall.test${path}`, { ...init, headers }))).json();
  };
  await ask("/v1/spaces", { method: "POST", body: JSON.stringify({ space: "s1" }) });
  const site = server.space("s1");
  for (let i = 0; i < 30; i++)
    await site.write((tx) => void tx["note"]?.create({ text: `note ${i}` }, { key: `n${i}` }));
  for (let i = 0; i < 10; i++) await site.write((tx) => tx["note"]?.delete(`n${i}`));
  nowMs += 91 * dayMs;
  await server.sweep();
  expect(server.stats().retention).toMatchObject({ sweeps: 1, tombstones: 10 });
  const report = await storage.read((snapshot) => verify(snapshot, { hash: portableSha256 }));
  expect(report).toMatchObject({ ok: true, records: 20, tombstones: 0, findings: [] });

  const other = memoryServerStorage();
  const importer = new Importer({ storage: other, clock, random, hash: portableSha256 });
  await storage.read(async (snapshot) => {
    const chunks = exportSpaces(snapshot, { id: "e1", madeAt: nowMs, hash: portableSha256 });
    for await (const { text } of chunks)
      for (const line of text.trimEnd().split("\n")) await importer.take(line);
  });
  importer.end();
  expect(importer.imported).toEqual([{ space: "s1", rows: 20, written: 20, resumed: false }]);
  expect(await startRestoredGenerations(other, { clock, random })).toMatchObject([
    { space: "s1", reason: "restored", at: 1 },
  ]);
  expect(await other.read((snapshot) => verify(snapshot))).toMatchObject({ ok: true, records: 20 });
  await server.close();
  await other.close();
});
