import { openAccount, type AccountStorage } from "../../client-storage.js";
import { storageTables, type ClientStorage, type ClientStorageFactory, type StorageTable } from "../port.js";
import { put, remove, type Check, type Expect } from "./world.js";

/** Takes a table away with all that is in it, as far as that can be done through the port. */
async function lose(storage: ClientStorage, tables: readonly StorageTable[]): Promise<void> {
  for (const space of await storage.spaces())
    await storage.commit(tables.map((table) => ({ type: "clear", table, space })));
}

const replica = { generation: "g", cursors: { a: 7 }, nextSeq: 4, revision: 9, syncedAt: 5 };
const sent = { id: "e1", madeAt: 1, ops: [], seq: 3, confirmed: true };
const unsent = { id: "e2", madeAt: 2, ops: [] };

/** Of everything that a storage may lose, each table alone and some together. */
const losses: readonly (readonly StorageTable[])[] = [
  ...storageTables.map((table) => [table]),
  ["rows", "outbox"],
  ["meta", "rows"],
  ["meta", "outbox"],
];

export function checkLosses(check: Check, expect: Expect): void {
  for (const tables of losses)
    check(`§8: that ${tables.join(" and ")} is gone is noticed at the next opening, once`, async (world) => {
      let chance = 0;
      const open = (): Promise<AccountStorage> => openOn(world.factory, world.name, (chance += 1));
      const first = await open();
      const [device, { storage }] = [first.device, first];
      await storage.commit([
        put("meta", "s", "replica", "", { ...replica, device }),
        put("rows", "s", "a", "k", { version: 7 }),
        put("outbox", "s", "e1", "", sent),
        put("outbox", "s", "e2", "", unsent),
        put("inbox", "s", "i", "", { id: "i" }),
        put("local", "s", "l", "k", { n: 1 }),
      ]);
      await storage.close();
      // A start that finds all of it changes nothing.
      const whole = await open();
      expect([whole.device, whole.problem]).toEqual([device, null]);
      await lose(whole.storage, tables);
      await whole.storage.close();

      const after = await open();
      const isLost = (table: StorageTable): boolean => tables.includes(table);
      const isNew = isLost("meta") || isLost("outbox");
      expect(after.device === device).toEqual(!isNew);
      if (after.storage.persistent) expect(after.problem === null).toEqual(false);
      expect(after.unsyncedLost).toEqual(after.storage.persistent && isLost("outbox"));
      await expectWhole(expect, after, { isLost, device });
      await after.storage.close();

      const again = await open();
      expect([again.device, again.problem]).toEqual([after.device, null]);
      await again.storage.close();
    });

  check("§8: tabs that find a table gone at the same time are one device", async ({ factory, name }) => {
    const first = await openOn(factory, name, 1);
    await lose(first.storage, ["meta"]);
    await first.storage.close();
    const tabs = await Promise.all([2, 3, 4].map((chance) => openOn(factory, name, chance)));
    const stored = await openOn(factory, name, 5);
    expect(tabs.map(({ device }) => device)).toEqual(tabs.map(() => stored.device));
    for (const { storage } of [...tabs, stored]) await storage.close();
  });

  check("§8: an empty table is not one that is gone", async ({ factory, name }) => {
    const first = await openOn(factory, name, 1);
    await first.storage.commit([put("outbox", "s", "e", "", unsent)]);
    await first.storage.commit([remove("outbox", "s", "e", "")]);
    await first.storage.close();
    const again = await openOn(factory, name, 2);
    expect([again.device, again.problem]).toEqual([first.device, null]);
    await again.storage.close();
  });
}

const openOn = (factory: ClientStorageFactory, app: string, chance: number): Promise<AccountStorage> =>
  openAccount({
    factory,
    app,
    account: "ann",
    random: { bytes: (count) => new Uint8Array(count).fill(chance) },
    notes: undefined,
  });

/** What is left is a state that the client can go on from, and nothing of the outbox is missing that was there. */
async function expectWhole(
  expect: Expect,
  { storage, device }: AccountStorage,
  before: { readonly isLost: (table: StorageTable) => boolean; readonly device: string },
): Promise<void> {
  const { isLost } = before;
  const isBaseGone = isLost("meta") || isLost("rows");
  const isNew = device !== before.device;
  const meta = (await storage.get("meta", "s", "replica")) as Record<string, unknown> | undefined;
  const { syncedAt: _syncedAt, ...unsynced } = replica;
  expect(meta).toEqual(
    isLost("meta")
      ? undefined
      : {
          ...(isBaseGone ? { ...unsynced, cursors: {} } : replica),
          device,
          nextSeq: isNew ? 1 : 4,
          revision: 10,
        },
  );
  expect((await storage.entries("rows", "s")).length).toEqual(isBaseGone ? 0 : 1);
  const { seq, confirmed: _confirmed, ...event } = sent;
  const was = { device: before.device, seq };
  const resent = isNew ? { ...event, was } : { ...event, seq };
  // Perhaps a copy of the installation has sent it.
  const unheard = isNew ? { ...unsent, was: { ...was, seq: isLost("meta") ? 1 : 4 } } : unsent;
  expect((await storage.entries("outbox", "s")).map(({ value }) => value)).toEqual(
    isLost("outbox") ? [] : [isBaseGone ? resent : sent, unheard],
  );
  for (const table of ["inbox", "local"] as const)
    expect((await storage.entries(table, "s")).length).toEqual(isLost(table) ? 0 : 1);
}
