import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { bundle } from "../../scripts/sim/bundle.mjs";
import { startThread } from "../../scripts/sim/thread.mjs";

test("a thread says of a plan that cannot be run why that is, and nobody waits for it for ever", async () => {
  const thread = startThread(await bundle("packages/simulation/src/index.ts", "sim"));
  const broken = { of: { seed: 1, steps: [] }, extra: [] };
  await expect(thread.ask({ ...broken, shrink: false })).rejects.toThrow("map");
  await expect(thread.ask({ ...broken, shrink: true })).rejects.toThrow("map");
  await thread.end();
});

test("a plan that cannot be run ends the command", async () => {
  const folder = mkdtempSync(join(tmpdir(), "landfall-plan-"));
  const plan = join(folder, "plan.json");
  writeFileSync(plan, JSON.stringify({ seed: 1, steps: [] }));
  const script = fileURLToPath(new URL("../../scripts/sim.mjs", import.meta.url));
  const run = promisify(execFile)(process.execPath, [script, "--plan", plan, "--jobs", "2"], {
    timeout: 30_000,
  });
  await expect(run).rejects.toMatchObject({ code: 1, killed: false });
  rmSync(folder, { recursive: true });
});
