import { clientStorageConformance } from "@landfall/client/storage/conformance";
import { put, remove } from "@landfall/client/storage/conformance/world";
import type { ClientStorage, StorageChange } from "@landfall/client/storage/port";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { StorageCall, Verdict } from "./call-gate.js";
import { ClientDisk, type ClientDiskOptions } from "./client-disk.js";
import { SqlitePlace } from "./sqlite-place.js";

const disks: ClientDisk[] = [];
afterEach(() => {
  for (const disk of disks.splice(0)) disk.dispose();
});

const kinds: readonly [string, (options?: ClientDiskOptions) => ClientDisk][] = [
  ["in memory, frozen", (options) => new ClientDisk(options)],
  ["in memory, copied", (options) => new ClientDisk({ ...options, values: "copied" })],
  ["sqlite", (options = {}) => new ClientDisk(options, new SqlitePlace(options))],
];

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = (): void => void (settled = true);
  promise.then(note, note);
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

const codeOf = async (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => "done",
    (error: unknown) => (error as { code?: string }).code,
  );

/** A verdict for calls of a kind, from one of them on, once; all others go. */
function once(kind: string, verdict: Verdict, skip = 0): (call: StorageCall) => Verdict {
  let left = skip;
  let done = false;
  return (call) => {
    if (done || call.kind !== kind || left-- > 0) return "go";
    done = true;
    return verdict;
  };
}

const row = (n: number): StorageChange => put("rows", "s", "a", `k${n}`, { n });
const rowsOf = async (storage: ClientStorage): Promise<string[]> =>
  (await storage.entries("rows", "s")).map(({ b }) => b);

describe.each(kinds)("%s", (_, makeDisk) => {
  const make = (options?: ClientDiskOptions): ClientDisk => {
    const disk = makeDisk(options);
    disks.push(disk);
    return disk;
  };

  describe("conformance", () => {
    const shared = makeDisk();
    afterAll(() => shared.dispose());
    clientStorageConformance({ describe, it, expect }, () => shared.start({ hook: () => "go" }).factory);
  });

  it("rule 2: what was acknowledged outlives a crash; the dead hear nothing and change nothing", async () => {
    const disk = make();
    const [first, second] = [disk.start(), disk.start()];
    const dead = await first.factory.open("ann");
    const other = await second.factory.open("ann");
    await dead.commit([row(1)]);
    await other.commit([row(2)]);
    disk.crash();
    expect([first.isDead, second.isDead]).toEqual([true, true]);
    const calls = [dead.commit([row(3)]), other.get("rows", "s", "a", "k1"), first.factory.open("ann")];
    expect(await Promise.all(calls.map(isSettled))).toEqual([false, false, false]);
    const again = await disk.start().factory.open("ann");
    expect(await rowsOf(again)).toEqual(["k1", "k2"]);
  });

  it("a process that ends alone leaves the others at work", async () => {
    const disk = make();
    const [first, second] = [disk.start(), disk.start()];
    const dead = await first.factory.open("ann");
    const other = await second.factory.open("ann");
    first.kill();
    expect(await isSettled(dead.commit([row(1)]))).toBe(false);
    await other.commit([row(2)]);
    expect(await rowsOf(other)).toEqual(["k2"]);
  });

  it.each([
    ["crash-before", []],
    ["crash-after", ["k1"]],
  ] as const)(
    "rule 2: %s of a commit tells nobody, and leaves all of it or nothing",
    async (verdict, left) => {
      const disk = make();
      let crashes = 0;
      const process = disk.start({ hook: once("commit", verdict), crashed: () => (crashes += 1) });
      const storage = await process.factory.open("ann");
      expect(await isSettled(storage.commit([row(1), put("outbox", "s", "e", "", 1)]))).toBe(false);
      expect([crashes, process.isDead]).toEqual([1, true]);
      const again = await disk.start().factory.open("ann");
      expect(await rowsOf(again)).toEqual(left);
      expect((await again.entries("outbox", "s")).length).toBe(left.length);
      await again.commit([row(5)]);
      expect(await rowsOf(again)).toEqual([...left, "k5"]);
    },
  );

  it("a crash can be had at each call of a life", async () => {
    const run = async (at: number, verdict: Verdict): Promise<{ calls: number; acknowledged: number }> => {
      const disk = make();
      let acknowledged = 0;
      const hook = ({ n }: StorageCall): Verdict => (n === at ? verdict : "go");
      const life = async (): Promise<void> => {
        const storage = await disk.start({ hook }).factory.open("ann");
        await storage.spaces();
        for (let i = 0; i < 3; i++) {
          await storage.get("meta", "s", "x");
          await storage.commit([put("rows", "s", "a", "count", i + 1), row(i)]);
          acknowledged = i + 1;
        }
        await storage.entries("rows", "s");
      };
      await isSettled(life());
      const calls = disk.calls.n;
      disk.crash();
      const after = await disk.start().factory.open("ann");
      const count = (await after.get("rows", "s", "a", "count")) ?? 0;
      expect([acknowledged, acknowledged + 1]).toContain(count);
      expect((await rowsOf(after)).filter((b) => b !== "count").length).toBe(count);
      return { calls, acknowledged };
    };
    const whole = await run(0, "go");
    expect(whole).toEqual({ calls: 9, acknowledged: 3 });
    for (let at = 1; at <= whole.calls; at++)
      for (const verdict of ["crash-before", "crash-after"] as const)
        expect((await run(at, verdict)).calls).toBe(at);
  });

  it("§8: without room a commit is `full` and writes nothing; reads go on, and it goes on when there is room", async () => {
    const disk = make();
    const storage = await disk.start({ hook: once("commit", "full", 1) }).factory.open("ann");
    await storage.commit([row(1)]);
    expect(await codeOf(storage.commit([row(2)]))).toBe("full");
    expect(await rowsOf(storage)).toEqual(["k1"]);
    await storage.commit([row(3)]);
    expect(await rowsOf(storage)).toEqual(["k1", "k3"]);
  });

  it("a call that fails says so, and nothing of it was written", async () => {
    const disk = make();
    for (const [kind, code] of [
      ["open", "unavailable"],
      ["commit", "failed"],
      ["get", "failed"],
      ["destroy", "failed"],
    ] as const) {
      const { factory } = disk.start({ hook: once(kind, "fail") });
      const life = async (): Promise<void> => {
        const storage = await factory.open("ann");
        await storage.commit([row(1)]);
        await storage.get("rows", "s", "a", "b");
        await storage.destroy(() => true);
      };
      expect(await codeOf(life())).toBe(code);
    }
  });

  it("an account that may not grow takes what fits; what makes it smaller is taken", async () => {
    const disk = make({ maxBytes: 200_000 });
    const storage = await disk.start().factory.open("ann");
    const big = (n: number): StorageChange => put("rows", "s", "a", `k${n}`, "x".repeat(20_000));
    let n = 0;
    let code: unknown = "done";
    while (n < 30 && (code = await codeOf(storage.commit([big(n)]))) === "done") n += 1;
    expect(code).toBe("full");
    expect(n).toBeGreaterThan(2);
    expect((await rowsOf(storage)).length).toBe(n);
    await storage.commit([remove("rows", "s", "a", "k0"), remove("rows", "s", "a", "k1")]);
    await storage.commit([big(50)]);
    expect((await rowsOf(storage)).length).toBe(n - 1);
  });

  describe("commits that wait", () => {
    /** A disk on which a commit, the first unless said, waits until it is told to go on. */
    async function waiting(skip = 0) {
      const disk = make();
      let goOn = (): void => {};
      const process = disk.start({
        hook: once("commit", "slow", skip),
        slow: () => new Promise<void>((resolve) => (goOn = resolve)),
      });
      const storage = await process.factory.open("ann");
      return { disk, process, storage, goOn: () => goOn() };
    }

    it("rule 2: those that share a table keep their order, reads too; others pass", async () => {
      const { storage, goOn } = await waiting();
      const slow = storage.commit([row(1)]);
      const read = storage.entries("rows", "s");
      const next = storage.commit([row(2), put("outbox", "s", "e", "", 1)]);
      const aside = storage.commit([put("local", "s", "a", "b", 1)]);
      expect(await Promise.all([slow, read, next, aside].map(isSettled))).toEqual([
        false,
        false,
        false,
        true,
      ]);
      goOn();
      await Promise.all([slow, next]);
      expect((await read).map(({ b }) => b)).toEqual(["k1"]);
      expect(await rowsOf(storage)).toEqual(["k1", "k2"]);
    });

    it("rule 2: a crash leaves of them what the order allows, each whole", async () => {
      for (const kept of [[], [0], [0, 1], [1], [2]]) {
        const { disk, storage } = await waiting();
        const calls = [
          storage.commit([row(1), put("meta", "s", "one", "", 1)]),
          storage.commit([row(2)]),
          storage.commit([put("inbox", "s", "three", "", 1)]),
        ];
        expect(await isSettled(calls[2] as Promise<void>)).toBe(true);
        let asked = -1;
        disk.crash({ keeps: () => kept.includes((asked += 1)) });
        expect(await Promise.all(calls.slice(0, 2).map(isSettled))).toEqual([false, false]);
        const again = await disk.start().factory.open("ann");
        const first = kept.includes(0);
        // The second cannot be there without the first: both write rows.
        expect(await rowsOf(again)).toEqual([
          ...(first ? ["k1"] : []),
          ...(first && kept.includes(1) ? ["k2"] : []),
        ]);
        expect(await again.get("meta", "s", "one")).toBe(first ? 1 : undefined);
        expect(await again.get("inbox", "s", "three")).toBe(1);
      }
    });

    it("a disk that tears leaves a part of what was never acknowledged, and of nothing else", async () => {
      const { disk, storage } = await waiting(1);
      await storage.commit([put("local", "s", "kept", "", 1)]);
      const torn = storage.commit([row(1), row(2), row(3)]);
      disk.crash({ tears: () => 2 });
      expect(await isSettled(torn)).toBe(false);
      const again = await disk.start().factory.open("ann");
      expect(await rowsOf(again)).toEqual(["k1", "k2"]);
      expect(await again.get("local", "s", "kept")).toBe(1);
    });

    it("a tab that ends leaves its commits to the crash, and the others go on behind them", async () => {
      const { disk, process, storage } = await waiting();
      const other = await disk.start().factory.open("ann");
      const own = storage.commit([row(1)]);
      const behind = other.commit([row(2)]);
      expect(await isSettled(behind)).toBe(false);
      process.kill({ keeps: () => true });
      expect([await isSettled(own), await isSettled(behind)]).toEqual([false, true]);
      expect(await rowsOf(other)).toEqual(["k1", "k2"]);
    });

    it("§8: a fence is compared when the commit's turn has come", async () => {
      const { disk, storage, goOn } = await waiting();
      const other = await disk.start().factory.open("ann");
      const newer = storage.commit([put("meta", "s", "term", "", 5)]);
      const stale = codeOf(other.commit([row(1)], { space: "s", term: 4 }));
      goOn();
      await newer;
      expect(await stale).toBe("fenced");
    });
  });

  describe("what goes and comes back", () => {
    async function filled() {
      const disk = make();
      const storage = await disk.start().factory.open("ann");
      await storage.commit([
        row(1),
        put("outbox", "s", "e1", "", 1),
        put("outbox", "t", "e2", "", 2),
        put("inbox", "s", "i1", "", 3),
      ]);
      return { disk, storage };
    }
    const places = (entries: readonly { table: string; space: string; a: string }[]): string[] =>
      entries.map(({ table, space, a }) => `${table} ${space} ${a}`);

    it("§8: all of it is evicted: handles are lost, and it opens empty", async () => {
      const { disk, storage } = await filled();
      expect(places(disk.evict())).toEqual(["rows s a", "outbox s e1", "inbox s i1", "outbox t e2"]);
      expect(await codeOf(storage.commit([row(2)]))).toBe("lost");
      expect(await codeOf(storage.spaces())).toBe("lost");
      const again = await disk.start().factory.open("ann");
      expect(await again.spaces()).toEqual([]);
      await again.commit([row(3)]);
      expect(await codeOf(storage.spaces())).toBe("lost");
    });

    it("§8: some tables, or some spaces, are evicted and the others stay", async () => {
      const { disk, storage } = await filled();
      expect(places(disk.evict({ tables: ["rows", "inbox"], spaces: ["s"] }))).toEqual([
        "rows s a",
        "inbox s i1",
      ]);
      expect(await codeOf(storage.spaces())).toBe("lost");
      const again = await disk.start().factory.open("ann");
      expect(places(disk.snapshot())).toEqual(["outbox s e1", "outbox t e2"]);
      expect(places(disk.evict({ spaces: ["t"] }))).toEqual(["outbox t e2"]);
      expect(await codeOf(again.spaces())).toBe("lost");
      expect(disk.peek("ann", "outbox", "s").map(({ a }) => a)).toEqual(["e1"]);
      expect(disk.peek("bob", "outbox", "s")).toEqual([]);
    });

    it("an older state comes back whole, and says what went with the newer one", async () => {
      const { disk, storage } = await filled();
      const older = disk.snapshot();
      await storage.commit([row(9), remove("rows", "s", "a", "k1"), put("outbox", "s", "e9", "", 9)]);
      const gone = disk.restoreOlder(older);
      expect(gone.map(({ table, a, b }) => `${table} ${a} ${b}`)).toEqual(["rows a k9", "outbox e9 "]);
      expect(await codeOf(storage.spaces())).toBe("lost");
      expect(disk.snapshot()).toEqual(older);
      expect(await rowsOf(await disk.start().factory.open("ann"))).toEqual(["k1"]);
    });

    it("a cloned disk holds the same, and each goes its own way, even when there is no room left", async () => {
      const { disk, storage } = await filled();
      disk.options.maxBytes = 1;
      const clone = disk.clone();
      disks.push(clone);
      delete disk.options.maxBytes;
      expect(clone.options.maxBytes).toBe(1);
      delete clone.options.maxBytes;
      expect(clone.snapshot()).toEqual(disk.snapshot());
      const other = await clone.start().factory.open("ann");
      await other.commit([row(7)]);
      await storage.commit([row(8)]);
      expect([await rowsOf(other), await rowsOf(storage)]).toEqual([
        ["k1", "k7"],
        ["k1", "k8"],
      ]);
    });
  });
});

describe("values", () => {
  it("frozen: who changes what it gave or got is told so", async () => {
    const storage = await new ClientDisk().start().factory.open("ann");
    const value = { list: [{ n: 1 }] };
    await storage.commit([put("rows", "s", "a", "b", value)]);
    expect(() => ((value.list[0] as { n: number }).n = 2)).toThrow(TypeError);
    const got = (await storage.get("rows", "s", "a", "b")) as typeof value;
    expect(() => got.list.push({ n: 3 })).toThrow(TypeError);
  });

  it("copied: what anybody does to it afterwards changes nothing", async () => {
    const storage = await new ClientDisk({ values: "copied" }).start().factory.open("ann");
    const value = { list: [1] };
    await storage.commit([put("rows", "s", "a", "b", value)]);
    value.list.push(2);
    ((await storage.get("rows", "s", "a", "b")) as typeof value).list.push(3);
    for (const entry of await storage.entries("rows", "s")) (entry.value as typeof value).list.push(4);
    expect(await storage.get("rows", "s", "a", "b")).toEqual({ list: [1] });
  });
});
