import { storageTables, type ClientStorage } from "../port.js";
import { codeOf, entry, everything, put, type Check, type Expect } from "./world.js";

export function checkHandles(check: Check, expect: Expect): void {
  check("handles of one name see each other's writes, and closing one leaves the other", async ({ open }) => {
    const [first, second] = [await open(), await open()];
    await first.commit([put("rows", "s", "a", "b", 1)]);
    expect(await second.get("rows", "s", "a", "b")).toEqual(1);
    await second.commit([put("rows", "s", "a", "b", 2)]);
    await first.close();
    expect(await second.get("rows", "s", "a", "b")).toEqual(2);
    await second.commit([put("rows", "s", "a", "b", 3)]);
    const third = await open();
    expect(await third.get("rows", "s", "a", "b")).toEqual(3);
  });

  check("handles opened at the same time work together", async ({ open }) => {
    const handles = await Promise.all([open(), open(), open()]);
    await Promise.all(handles.map((handle, i) => handle.commit([put("rows", "s", "a", String(i), i)])));
    expect((await handles[0].entries("rows", "s")).length).toEqual(3);
  });

  check("every call on a closed handle is `lost`, and closing twice is closing once", async ({ open }) => {
    const storage = await open();
    await storage.commit([put("rows", "s", "a", "b", 1)]);
    await storage.close();
    await storage.close();
    for (const call of callsOn(storage)) expect(await codeOf(call())).toEqual("lost");
  });

  check("what a caller does to an answer changes nothing in the storage", async ({ open }) => {
    const storage = await open();
    await storage.commit([put("rows", "s", "a", "b", 1)]);
    (await storage.entries("rows", "s")).length = 0;
    (await storage.spaces()).push("x");
    expect(await storage.entries("rows", "s")).toEqual([entry("s", "a", "b", 1)]);
    expect(await storage.spaces()).toEqual(["s"]);
  });
}

export function checkLife(check: Check, expect: Expect): void {
  check(
    "data outlives its handles, and the process where the storage is persistent",
    async ({ open, restart }) => {
      const storage = await open();
      await storage.commit(storageTables.map((table) => put(table, "s", "a", "b", { table })));
      const before = await everything(storage);
      await storage.close();
      const reopened = await open();
      expect(await everything(reopened)).toEqual(before);
      if (!reopened.persistent) return;
      for (let restarts = 0; restarts < 3; restarts++) {
        const restarted = await restart();
        expect(await everything(restarted)).toEqual(before);
        await restarted.commit([put("meta", "s", "a", "b", { table: "meta" })]);
      }
    },
  );
}

export function callsOn(storage: ClientStorage): (() => Promise<unknown>)[] {
  return [
    () => storage.entries("rows", "s"),
    () => storage.snapshot(["rows", "meta"], "s"),
    () => storage.get("rows", "s", "a", "b"),
    () => storage.spaces(),
    () => storage.commit([put("rows", "s", "a", "b", 2)]),
    () => storage.commit([put("rows", "s", "a", "b", 2)], { space: "s", term: 1 }),
    () => storage.commit([]),
    () => storage.destroy(() => true),
  ];
}
