import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { bundle } from "./bundle.js";
import { type KillOptions, runKillWorld } from "./kill-world.js";

const kills = 10;
const clients = 3;

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "landfall-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function run(options: Pick<KillOptions, "server"> & { readonly kills: number }) {
  const [server, client] = await Promise.all([
    bundle("server-process", folder),
    bundle("client-process", folder),
  ]);
  return runKillWorld({ folder, programs: { server, client }, clients, ...options });
}

it("rules 2, 3, 8 and 9: a server that is killed again and again while clients push has lost nothing that it acknowledged, doubled nothing, and all agree", async () => {
  const report = await run({ kills });
  expect(report.problems).toEqual([]);
  expect(report.kills).toBe(kills);
  expect(report.acknowledged).toBeGreaterThan(kills);
});

it("rules 2, 3 and 6: so it is with a server whose clock jumps back and ahead by hours", async () => {
  const report = await run({ kills: 3, server: { clockJumpsMs: 3 * 3_600_000 } });
  expect(report.problems).toEqual([]);
  expect(report.acknowledged).toBeGreaterThan(3);
});
