import type { ClientStorage } from "../port.js";
import { codeOf, entry, everything, order, put, remove, type Check, type Expect } from "./world.js";

export function checkCommits(check: Check, expect: Expect): void {
  check("changes of a commit take effect in their order", async ({ open }) => {
    const storage = await open();
    await storage.commit([put("rows", "s", "a", "old", 0)]);
    await storage.commit([
      put("rows", "s", "a", "twice", 1),
      put("rows", "s", "a", "twice", 2),
      put("rows", "s", "a", "gone", 1),
      remove("rows", "s", "a", "gone"),
      remove("rows", "s", "b", "back"),
      put("rows", "s", "b", "back", 1),
    ]);
    expect(await storage.entries("rows", "s")).toEqual([
      entry("s", "a", "old", 0),
      entry("s", "a", "twice", 2),
      entry("s", "b", "back", 1),
    ]);
    await storage.commit([
      put("rows", "s", "a", "before", 1),
      { type: "clear", table: "rows", space: "s" },
      put("rows", "s", "a", "after", 1),
    ]);
    expect(await storage.entries("rows", "s")).toEqual([entry("s", "a", "after", 1)]);
  });

  check("many rows of one change are put as one by one; none make no space", async ({ open }) => {
    const storage = await open();
    await storage.commit([put("rows", "s", "a", "old", 0), put("rows", "s", "a", "same", 0)]);
    await storage.commit([
      {
        type: "putAll",
        table: "rows",
        space: "s",
        a: "a",
        values: new Map([
          ["same", 1],
          ["", 2],
        ]),
      },
      { type: "putAll", table: "rows", space: "empty", a: "a", values: new Map() },
      remove("rows", "s", "a", "old"),
    ]);
    expect(await storage.entries("rows", "s")).toEqual([entry("s", "a", "", 2), entry("s", "a", "same", 1)]);
    expect(await storage.spaces()).toEqual(["s"]);
  });

  check("a commit of nothing, and a delete of what is not there, change nothing", async ({ open }) => {
    const storage = await open();
    await storage.commit([]);
    await storage.commit([
      remove("rows", "s", "a", "b"),
      { type: "clear", table: "rows", space: "s" },
      { type: "clear", table: "rows", space: "s", a: "a" },
    ]);
    expect(await storage.spaces()).toEqual([]);
  });

  check(
    "rule 2: a commit that throws half way leaves nothing, and the next one works",
    async ({ open, restart }) => {
      const storage = await open();
      await storage.commit([put("rows", "s", "a", "kept", 1), put("outbox", "s", "event", "", 1)]);
      const before = await everything(storage);
      const broken = put("rows", "s", "a", "last", null);
      Object.defineProperty(broken, "value", {
        enumerable: true,
        get: () => {
          throw new Error("broken");
        },
      });
      const code = await codeOf(
        storage.commit([
          put("rows", "s", "a", "kept", 2),
          put("rows", "s", "a", "first", 1),
          { type: "clear", table: "outbox", space: "s" },
          put("meta", "s", "m", "", 1),
          broken,
        ]),
      );
      expect(code).toEqual("failed");
      expect(await everything(storage)).toEqual(before);
      await storage.commit([put("rows", "s", "a", "next", 1)]);
      const after = storage.persistent ? await restart() : storage;
      expect((await after.entries("rows", "s")).map(({ b }) => b)).toEqual(["kept", "next"]);
    },
  );
}

export function checkConcurrentCommits(check: Check, expect: Expect): void {
  check(
    "commits at the same time all take effect, each as a whole, one handle's in order",
    async ({ open }) => {
      const handles = [await open(), await open()];
      await Promise.all(
        Array.from({ length: 60 }, (_, n) => {
          const own = `handle-${n % 2}`;
          return handles[n % 2]!.commit([
            put("rows", "s", "both", "x", n),
            put("rows", "s", own, "last", n),
            put("rows", "s", "all", String(n), n),
            put("rows", "s", "both", "y", n),
          ]);
        }),
      );
      const [first, second] = handles as [ClientStorage, ClientStorage];
      expect(await first.entries("rows", "s")).toEqual(await second.entries("rows", "s"));
      expect((await first.entries("rows", "s")).filter(({ a }) => a === "all").length).toEqual(60);
      expect(await first.get("rows", "s", "handle-0", "last")).toEqual(58);
      expect(await first.get("rows", "s", "handle-1", "last")).toEqual(59);
      expect(await first.get("rows", "s", "both", "x")).toEqual(await first.get("rows", "s", "both", "y"));
    },
  );

  check("a read sees the commits that were asked for before it", async ({ open }) => {
    const storage = await open();
    const commits = Array.from({ length: 20 }, (_, n) =>
      storage.commit([put("outbox", "s", `event-${n}`, "", n)]),
    );
    expect((await storage.entries("outbox", "s")).length).toEqual(20);
    expect(await storage.get("outbox", "s", "event-19")).toEqual(19);
    await Promise.all(commits);
  });
}

export function checkClears(check: Check, expect: Expect): void {
  const neighbours = ["", "a", "a\0", "a\0b", "aa", "b", "A", "\u{1F600}"];
  check("clear removes what is under `a` and nothing beside it", async ({ open }) => {
    const storage = await open();
    const changes = neighbours.flatMap((a) => [
      put("rows", "s", a, "1", 1),
      put("rows", "s", a, "\uFFFF\uFFFF", 1),
    ]);
    for (const a of neighbours) {
      await storage.commit(changes);
      await storage.commit([{ type: "clear", table: "rows", space: "s", a }]);
      const left = (await storage.entries("rows", "s")).map((kept) => kept.a);
      expect(left).toEqual(
        neighbours
          .filter((other) => other !== a)
          .sort(order)
          .flatMap((other) => [other, other]),
      );
    }
  });

  check("clear of a space leaves other spaces and other tables", async ({ open }) => {
    const storage = await open();
    await storage.commit(
      neighbours.flatMap((space) => [put("rows", space, "x", "y", 1), put("outbox", space, "x", "", 1)]),
    );
    await storage.commit([{ type: "clear", table: "rows", space: "a" }]);
    for (const space of neighbours) {
      expect((await storage.entries("rows", space)).length).toEqual(space === "a" ? 0 : 1);
      expect((await storage.entries("outbox", space)).length).toEqual(1);
    }
  });
}
