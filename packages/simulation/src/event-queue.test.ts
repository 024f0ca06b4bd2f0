import { expect, test } from "vitest";
import { EventQueue } from "./event-queue.js";

test("what steps bring about is waited for, with what it gives or throws", async () => {
  const queue = new EventQueue();
  const later = new Promise<string>((resolve) => queue.after(20, () => resolve("there")));
  expect(await queue.settle(later, 100)).toBe("there");
  expect(queue.nowMs).toBe(20);
  await expect(queue.settle(Promise.reject(new Error("failed")), 100)).rejects.toThrow("failed");
});

test("what no step brings about is not waited for: neither when nothing is left, nor when much goes on", async () => {
  const endless = new Promise<never>(() => undefined);
  await expect(new EventQueue().settle(endless, 100)).rejects.toThrow("did not come about in 100 ms");
  const busy = new EventQueue();
  const tick = (): void => void busy.after(10, tick);
  tick();
  await expect(busy.settle(endless, 100)).rejects.toThrow("did not come about in 100 ms");
  expect(busy.steps).toBe(10);
});
