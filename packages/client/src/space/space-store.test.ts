import { expect, it } from "vitest";
import { memoryStorage } from "../storage/memory.js";
import type { ClientStorage, StorageChange } from "../storage/port.js";
import { emptyMeta, loadSpace, putEntry, putMeta } from "./space-store.js";

/** What a leader stores with its cut number `n`, and what other tabs put beside it. */
const cut = (n: number): StorageChange[] => [
  putMeta("s", { ...emptyMeta, cursors: { probe: n }, revision: n }),
  putEntry("rows", "s", "probe", "p", n),
  ...["local", "outbox", "inbox"].map((table) => putEntry(table as "local", "s", "probe", "p", n)),
];

/** A storage that gets a cut of another tab before each call that it carries out. */
function overtaken(handle: ClientStorage, other: ClientStorage, from: number): ClientStorage {
  let n = from;
  let before: Promise<unknown> = Promise.resolve();
  return new Proxy(handle, {
    get: (target, name) => {
      const call = Reflect.get(target, name) as (...given: unknown[]) => unknown;
      return (...given: unknown[]) =>
        (before = before.then(async () => {
          await other.commit(cut(++n));
          return call.apply(target, given);
        }));
    },
  });
}

it.each([false, true])(
  "rule 5: a space is read as it stood at one moment (its rows known: %s)",
  async (hasBase) => {
    const factory = memoryStorage();
    const [handle, other] = [await factory.open("a"), await factory.open("a")];
    await other.commit(cut(1));
    const { meta, rows, local, outbox, inbox } = await loadSpace(overtaken(handle, other, 1), "s", hasBase);
    expect(meta.revision).toBeGreaterThan(1);
    const at = meta.revision as never;
    expect({ rows, local, outbox, inbox, cursors: meta.cursors }).toEqual({
      rows: hasBase ? new Map() : new Map([["probe", new Map([["p", at]])]]),
      local: [at],
      outbox: [at],
      inbox: [at],
      cursors: { probe: at },
    });
  },
);

it("a space that the storage does not know is empty", async () => {
  const stored = await loadSpace(await memoryStorage().open("a"), "s");
  expect(stored.meta).toBe(emptyMeta);
});
