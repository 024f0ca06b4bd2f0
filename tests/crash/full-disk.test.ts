import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { bundle } from "./bundle.js";
import { type KillOptions, KillWorld } from "./kill-world.js";

let folder = "";
let world: KillWorld | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "landfall-"));
});
afterEach(async () => {
  await world?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function begin(options: Pick<KillOptions, "server" | "under">): Promise<KillWorld> {
  const [server, client] = await Promise.all([
    bundle("server-process", folder),
    bundle("client-process", folder),
  ]);
  world = await KillWorld.begin({ folder, programs: { server, client }, clients: 2, ...options });
  return world;
}

it("rules 2, 3 and 8: a server whose file may not grow defers what it has no room for, keeps what it acknowledged, and goes on with more room", async () => {
  const full = await begin({ server: { maxBytes: 1_500_000, quiet: true } });
  await full.outcomes(20);
  await full.until("applied");
  await full.until("deferred");
  await full.restart({ maxBytes: 100_000_000 });
  await full.until("applied");
  const { problems, acknowledged } = await full.end();
  expect(problems).toEqual([]);
  expect(acknowledged).toBeGreaterThan(40);
});

const limitable = process.platform === "linux" && spawnSync("prlimit", ["--version"]).status === 0;

it.skipIf(!limitable)(
  "rules 2, 3 and 8: a server that the system lets write no further defers, keeps what it acknowledged, and goes on by itself when it may (needs prlimit)",
  async () => {
    const full = await begin({
      server: { quiet: true },
      under: ["bash", "-c", 'ulimit -S -f 4000 && exec "$@"', "bash"],
    });
    await full.outcomes(20);
    await full.until("applied");
    await full.until("deferred");
    const { pid } = full;
    execFileSync("prlimit", ["--pid", String(pid), "--fsize=unlimited:unlimited"]);
    await full.until("applied");
    expect(full.pid).toBe(pid);
    const { problems, acknowledged } = await full.end();
    expect(problems).toEqual([]);
    expect(acknowledged).toBeGreaterThan(40);
  },
);
