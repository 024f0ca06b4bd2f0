import { expect, test } from "vitest";
import { openAccount } from "./client-storage.js";
import { memoryStorage } from "./storage/memory.js";
import type { ClientStorageFactory } from "./storage/port.js";

const open = (factory = memoryStorage(), first = 0): ReturnType<typeof openAccount> => {
  let next = first;
  return openAccount({
    factory,
    app: "landfall",
    account: "ann",
    random: { bytes: (count) => new Uint8Array(count).fill(++next) },
    notes: undefined,
  });
};

test("rule 3: tabs that find an empty storage at the same time are one device", async () => {
  const factory = memoryStorage();
  const tabs = await Promise.all([open(factory, 0), open(factory, 10), open(factory, 20)]);
  const stored = await open(factory, 30);
  expect(tabs.map(({ device }) => device)).toEqual(tabs.map(() => stored.device));
});

test("rules 3 and 8: a tab that looks while another makes the installation is the same device, whichever step it is at, and misses nothing", async () => {
  for (let steps = 0; steps < 12; steps++) {
    const inner = memoryStorage();
    const factory: ClientStorageFactory = {
      ...inner,
      open: async (name) => ({ ...(await inner.open(name)), persistent: true }),
    };
    const first = open(factory, 0);
    for (let i = 0; i < steps; i++) await Promise.resolve();
    const [one, other] = await Promise.all([first, open(factory, 10)]);
    expect(other.device, `after ${steps} steps`).toBe(one.device);
    expect([one.problem, other.problem], `after ${steps} steps`).toEqual([null, null]);
  }
});
