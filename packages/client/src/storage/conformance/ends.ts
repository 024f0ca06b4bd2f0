import type { ClientStorage, StorageEntry } from "../port.js";
import { callsOn } from "./handles.js";
import { codeOf, entry, everything, put, type Check, type Expect } from "./world.js";

/** Where `destroy` is asked for, somebody signs out: what was called saved may not go with the rest unseen (rule 8). */
export function checkEnds(check: Check, expect: Expect): void {
  check(
    "destroy removes all data of a name, makes all its handles `lost`, and leaves other names",
    async ({ open, factory, name }) => {
      const [storage, second] = [await open(), await open()];
      const other = await factory.open(`${name}-other`);
      try {
        await storage.commit([put("outbox", "s", "event", "", 1), put("local", "s", "a", "b", 1)]);
        await other.commit([put("outbox", "s", "event", "", 2)]);
        expect(await storage.destroy(() => true)).toEqual(true);
        for (const handle of [storage, second])
          for (const call of callsOn(handle)) expect(await codeOf(call())).toEqual("lost");
        expect(await everything(await open())).toEqual([]);
        expect(await other.get("outbox", "s", "event")).toEqual(2);
        await storage.close();
        await second.close();
        const anew = await open();
        await anew.commit([put("rows", "s", "a", "b", 1)]);
        expect(await anew.get("rows", "s", "a", "b")).toEqual(1);
      } finally {
        await other.close();
      }
    },
  );

  check(
    "rule 8: destroy shows every outbox as it is, and does nothing where it may not",
    async ({ open }) => {
      const storage = await open();
      await storage.commit([
        put("outbox", "", "device", "", "d"),
        put("outbox", "s", "e1", "", { n: 1 }),
        put("outbox", "s\0", "e2", "", 2),
        put("rows", "s", "a", "b", 1),
        put("inbox", "s", "i", "", 1),
      ]);
      const before = await everything(storage);
      let shown: readonly StorageEntry[] = [];
      const asked = storage.destroy((outbox) => {
        shown = outbox;
        return false;
      });
      expect(await asked).toEqual(false);
      expect([...shown].sort(({ space: a }, { space: b }) => (a < b ? -1 : 1))).toEqual([
        entry("", "device", "", "d"),
        entry("s", "e1", "", { n: 1 }),
        entry("s\0", "e2", "", 2),
      ]);
      expect(await everything(storage)).toEqual(before);
      await storage.commit([put("outbox", "s", "e3", "", 3)]);
      expect((await storage.entries("outbox", "s")).length).toEqual(2);
    },
  );

  check(
    "rule 8: a commit at the time of a destroy is seen by it, or fails: none is called safe and is gone",
    async ({ open }) => {
      for (let round = 0; round < 24; round++) {
        const [leaving, writing] = [await open(), await open()];
        const third = await open();
        // The one is asked for at another moment of the other in each round: so many readings of a third later.
        const later = async (readings: number): Promise<void> => {
          for (let i = 0; i < readings; i++) await codeOf(third.get("rows", "s", "a"));
        };
        let seen: readonly string[] = [];
        const writes = Array.from({ length: 6 }, async (_, n) => {
          await later(n);
          return codeOf(writing.commit([put("outbox", "s", `e${n}`, "", n)]));
        });
        const destroyed = later(round % 6).then(() =>
          leaving.destroy((outbox) => {
            seen = outbox.map(({ a }) => a);
            return true;
          }),
        );
        const codes = await Promise.all(writes);
        expect(await destroyed).toEqual(true);
        expect(codes.flatMap((code, n) => (code === undefined ? [`e${n}`] : []))).toEqual([...seen].sort());
        expect(codes.every((code) => code === undefined || code === "lost")).toEqual(true);
        expect(await everything(await open())).toEqual([]);
      }
    },
  );

  check(
    "what was opened anew is not destroyed by two handles that destroyed at the same time",
    async ({ open }) => {
      for (let round = 0; round < 10; round++) {
        const handles = [await open(), await open()];
        const ends = handles.map((handle) => handle.destroy(() => true).catch(() => "lost"));
        const opened: ClientStorage = await Promise.any(ends).then(() => open());
        // Whoever opens it in the middle of that has a storage that is not there any more, or one that stays.
        const kept = await codeOf(opened.commit([put("outbox", "s", "kept", "", round)]));
        expect((await Promise.all(ends)).includes(true)).toEqual(true);
        if (kept === undefined) expect(await (await open()).get("outbox", "s", "kept")).toEqual(round);
        else expect(kept).toEqual("lost");
        const last = await open();
        await last.destroy(() => true);
      }
    },
  );
}
