import { termName, type ClientStorage } from "../port.js";
import { codeOf, put, type Check, type Expect } from "./world.js";

export function checkFences(check: Check, expect: Expect): void {
  const fenced = (storage: ClientStorage, term: number, value: number): Promise<string | undefined> =>
    codeOf(storage.commit([put("rows", "s", "a", "b", value)], { space: "s", term }));

  check("§8: a fence that is older than the stored term writes nothing", async ({ open }) => {
    const storage = await open();
    // Without a stored term every fence from 0 passes.
    expect(await fenced(storage, 0, 1)).toEqual(undefined);
    await storage.commit([put("meta", "s", termName, "", 7)]);
    expect(await fenced(storage, 6, 2)).toEqual("fenced");
    expect(await storage.get("rows", "s", "a", "b")).toEqual(1);
    expect(await fenced(storage, 7, 3)).toEqual(undefined);
    expect(await fenced(storage, 8, 4)).toEqual(undefined);
    expect(await storage.get("rows", "s", "a", "b")).toEqual(4);
    // A passing fence only compares: the term is what was put.
    expect(await storage.get("meta", "s", termName)).toEqual(7);
    expect(await codeOf(storage.commit([], { space: "s", term: 6 }))).toEqual("fenced");
    expect(
      await codeOf(
        storage.commit([{ type: "clear", table: "rows", space: "s" }, put("meta", "s", "m", "", 1)], {
          space: "s",
          term: 1,
        }),
      ),
    ).toEqual("fenced");
    expect(await storage.get("meta", "s", "m")).toEqual(undefined);
    expect((await storage.entries("rows", "s")).length).toEqual(1);
  });

  check("§8: a fence compares with the term of its own space alone", async ({ open }) => {
    const storage = await open();
    await storage.commit([
      put("meta", "other", termName, "", 9),
      put("rows", "s", termName, "", 9),
      put("meta", "s", termName, "x", 9),
    ]);
    expect(await fenced(storage, 1, 1)).toEqual(undefined);
    await storage.commit([put("meta", "s", termName, "", 2)]);
    expect(
      await codeOf(storage.commit([put("rows", "other", "a", "b", 1)], { space: "s", term: 1 })),
    ).toEqual("fenced");
    expect(await storage.entries("rows", "other")).toEqual([]);
  });
}

export function checkLeaders(check: Check, expect: Expect): void {
  check("§8: of two handles that take the term at the same time exactly one gets it", async ({ open }) => {
    const handles = [await open(), await open()] as const;
    for (let round = 0; round < 10; round++) {
      const outcomes = await Promise.all(
        handles.map(async (handle, i) => {
          const term = Number((await handle.get("meta", "s", termName)) ?? 0);
          return codeOf(
            handle.commit([put("meta", "s", termName, "", term + 1), put("meta", "s", "leader", "", i)], {
              space: "s",
              term,
            }),
          );
        }),
      );
      const winner = outcomes.indexOf(undefined);
      expect(outcomes.filter((code) => code === "fenced").length).toEqual(1);
      expect(await handles[0].get("meta", "s", termName)).toEqual(round + 1);
      expect(await handles[1].get("meta", "s", "leader")).toEqual(winner);
    }
  });

  check(
    "§8: a leader that froze and woke changes nothing, also while the new one writes",
    async ({ open }) => {
      const [frozen, leader] = [await open(), await open()];
      await leader.commit([put("meta", "s", termName, "", 2)], { space: "s", term: 1 });
      const codes = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          n % 2 === 0
            ? codeOf(leader.commit([put("rows", "s", "leader", String(n), n)], { space: "s", term: 2 }))
            : codeOf(frozen.commit([put("rows", "s", "frozen", String(n), n)], { space: "s", term: 1 })),
        ),
      );
      expect(codes).toEqual(codes.map((_, n) => (n % 2 === 0 ? undefined : "fenced")));
      expect((await leader.entries("rows", "s")).map(({ a }) => a)).toEqual(
        Array.from({ length: 10 }, () => "leader"),
      );
    },
  );
}
