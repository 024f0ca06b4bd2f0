import { afterAll, beforeAll, expect, test } from "vitest";
import { fuzz, targets } from "./fuzz.js";

/** One of the million of `node scripts/fuzz.mjs`; the seed is the same, so a failure there can be had here. */
const seed = 20_261_121;
const inputs = 6_000;

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
beforeAll(() => void process.on("unhandledRejection", note));
afterAll(() => void process.off("unhandledRejection", note));

test(`${inputs} inputs made from the declarations of messages: nothing throws past the edge, nothing is kept`, async () => {
  const report = await fuzz({ seed, to: inputs });
  expect(report.failures).toEqual([]);
  expect(unhandled).toEqual([]);
  expect(report.to).toBe(inputs);
  for (const { name } of targets) {
    // Inputs that are all refused, or all taken, find nothing.
    const { taken = 0, refused = 0 } = report.targets[name] ?? {};
    expect(taken / (taken + refused), name).toBeGreaterThan(0.1);
    expect(refused / (taken + refused), name).toBeGreaterThan(0.1);
  }
  expect(report.heap.late - report.heap.early).toBeLessThan(16_000_000);
});

test("the same input is made from the same seed and number, alone as in a run", async () => {
  const whole = await fuzz({ seed, from: 100, to: 400, only: ["decoders"] });
  const first = await fuzz({ seed, from: 100, to: 250, only: ["decoders"] });
  const second = await fuzz({ seed, from: 250, to: 400, only: ["decoders"] });
  const sum = (fate: "taken" | "refused") =>
    (first.targets["decoders"]?.[fate] ?? 0) + (second.targets["decoders"]?.[fate] ?? 0);
  expect(whole.targets["decoders"]).toEqual({ taken: sum("taken"), refused: sum("refused") });
});
