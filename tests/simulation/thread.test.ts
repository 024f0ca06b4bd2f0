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
