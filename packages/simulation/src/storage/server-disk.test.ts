import { storageConformance } from "@landfall/server/storage/conformance";
import { makeSpace, opened, recordAt, stateAt, writerAt } from "@landfall/server/storage/conformance/sample";
import type { SpaceTransaction, Storage } from "@landfall/server/storage/port";
import { afterEach, describe, expect, test } from "vitest";
import type { StorageCall, Verdict } from "./call-gate.js";
import { MemoryServerDisk } from "./memory-server-disk.js";
import type { ServerDisk } from "./server-disk.js";
import { SqliteServerDisk } from "./sqlite-server-disk.js";

const disks: ServerDisk[] = [];
afterEach(() => {
  for (const disk of disks.splice(0)) {
    disk.crash();
    disk.dispose();
  }
});

const kinds: readonly [string, (options?: { maxBytes?: number }) => ServerDisk][] = [
  ["memory", (options = {}) => new MemoryServerDisk(options)],
  ["sqlite", (options = {}) => new SqliteServerDisk(options)],
];

/** Whether a promise has settled by the time that nothing else goes on. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = (): void => void (settled = true);
  promise.then(note, note);
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

const headOf = async (storage: Storage): Promise<number | undefined> =>
  (await storage.read((snapshot) => snapshot.space("s1", "ann")))?.state.head;

/** Moves the head on by one, with a record. */
const step = (storage: Storage): Promise<void> =>
  storage.write("s1", async (transaction) => {
    const { state, writer } = await opened(transaction);
    const head = state.head + 1;
    await transaction.save({
      space: stateAt(head),
      writer: writer ?? writerAt(0),
      records: [recordAt("a", `k${head}`, head)],
    });
  });

/** A hook that gives a verdict to calls of a kind, from the one of a number on, once. */
function once(kind: string, verdict: Verdict, skip = 0): (call: StorageCall) => Verdict {
  let left = skip;
  let done = false;
  return (call) => {
    if (done || call.kind !== kind || left-- > 0) return "go";
    done = true;
    return verdict;
  };
}

describe.each(kinds)("%s", (_, makeDisk) => {
  const make = (options?: { maxBytes?: number }): ServerDisk => {
    const disk = makeDisk(options);
    disks.push(disk);
    return disk;
  };

  describe("conformance", () => {
    storageConformance({ describe, test }, () => make().open({ hook: () => "go" }));
  });

  test("rule 2: what was committed outlives a crash and a closing; the disk has one process at a time", async () => {
    const disk = make();
    const first = disk.open();
    expect(() => disk.open()).toThrow("in use");
    await makeSpace(first);
    await step(first);
    disk.crash();
    const second = disk.open();
    expect(await headOf(second)).toBe(1);
    await step(second);
    await second.close();
    const third = disk.open();
    expect(await headOf(third)).toBe(2);
    expect(await isSettled(first.read((snapshot) => snapshot.spaces()))).toBe(false);
    expect(await isSettled(step(first))).toBe(false);
    await first.close();
    expect(await headOf(third)).toBe(2);
  });

  test("rule 2: a crash in the middle of a batch leaves nothing of its group, and what ran on changes nothing", async () => {
    const disk = make();
    const first = disk.open();
    await makeSpace(first);
    let kept: SpaceTransaction | undefined;
    let goOn = (): void => {};
    const before = step(first);
    const going = first.write("s1", async (transaction) => {
      kept = transaction;
      await opened(transaction);
      await transaction.save({ space: stateAt(7), writer: writerAt(0), records: [recordAt("a", "x", 7)] });
      disk.crash();
      await new Promise<void>((resolve) => (goOn = resolve));
      await transaction.save({ space: stateAt(8) });
    });
    const calls = [before, going, step(first)];
    expect(await Promise.all(calls.map(isSettled))).toEqual([false, false, false]);
    const second = disk.open();
    expect(await headOf(second)).toBe(0);
    goOn();
    expect(await Promise.all(calls.map(isSettled))).toEqual([false, false, false]);
    expect(await isSettled(Promise.resolve(kept?.save({ space: stateAt(9) })))).toBe(false);
    await step(second);
    expect(await headOf(second)).toBe(1);
  });

  test.each(["crash-before", "crash-after"] as const)(
    "rule 2: a %s of the commit tells nobody; only after it the group is there",
    async (verdict) => {
      const disk = make();
      const setUp = disk.open();
      await makeSpace(setUp);
      await setUp.close();
      let crashes = 0;
      const storage = disk.open({ hook: once("commit", verdict), crashed: () => (crashes += 1) });
      const told: unknown[] = [];
      storage.onCommit((commit) => told.push(commit));
      const writes = [step(storage), step(storage)];
      expect(await Promise.all(writes.map(isSettled))).toEqual([false, false]);
      expect([crashes, told]).toEqual([1, []]);
      expect(await headOf(disk.open())).toBe(verdict === "crash-after" ? 2 : 0);
    },
  );

  test("a crash can be had at each call, and leaves what was committed before it", async () => {
    const run = async (at: number, verdict: Verdict): Promise<{ calls: number; acknowledged: number }> => {
      const disk = make();
      let acknowledged = 0;
      let calls = 0;
      const storage = disk.open({ hook: ({ n }) => ((calls = n) === at ? verdict : "go") });
      const life = async (): Promise<void> => {
        await makeSpace(storage);
        for (let i = 0; i < 3; i++) {
          await step(storage);
          acknowledged += 1;
        }
        await storage.read(async (snapshot) => {
          await snapshot.members("s1");
          await snapshot.spaces();
        });
      };
      await isSettled(life());
      disk.crash();
      const after = disk.open();
      const head = (await headOf(after)) ?? 0;
      expect([acknowledged, acknowledged + 1]).toContain(head);
      const { rows } = await after.read((snapshot) =>
        snapshot.page({ space: "s1", domains: [{ domain: "a", after: 0 }], limit: 9, maxBytes: 1e6 }),
      );
      expect(rows.map(({ version }) => version)).toEqual(Array.from({ length: head }, (_each, i) => i + 1));
      return { calls, acknowledged };
    };
    const whole = await run(0, "go");
    expect(whole.acknowledged).toBe(3);
    expect(whole.calls).toBeGreaterThan(15);
    for (let at = 1; at <= whole.calls; at++) {
      for (const verdict of ["crash-before", "crash-after"] as const)
        expect((await run(at, verdict)).calls).toBe(at);
    }
  });

  test.each(["save", "commit"])(
    "§14: a disk that is full at %s loses the whole group, and the next one works",
    async (kind) => {
      const disk = make();
      const storage = disk.open({ hook: once(kind, "full", kind === "save" ? 1 : 1) });
      await makeSpace(storage);
      const results = await Promise.allSettled([step(storage), step(storage), step(storage)]);
      for (const result of results)
        expect(result).toMatchObject({
          status: "rejected",
          reason: {
            name: "TransactionLostError",
            message: expect.stringContaining("disk is full") as string,
          },
        });
      expect(storage.stats().lostGroups).toBe(1);
      expect(await headOf(storage)).toBe(0);
      await step(storage);
      disk.crash();
      expect(await headOf(disk.open())).toBe(1);
    },
  );

  test("§14: a call that fails takes its batch with it and no other, even one that goes on", async () => {
    const disk = make();
    const storage = disk.open({ hook: once("save", "fail", 1) });
    await makeSpace(storage);
    const stubborn = storage.write("s1", async (transaction) => {
      await opened(transaction);
      await transaction.save({ space: stateAt(5) });
      try {
        await transaction.save({ space: stateAt(6) });
      } catch {
        return "went on";
      }
      return "stood";
    });
    const results = await Promise.allSettled([stubborn, step(storage)]);
    expect(results).toMatchObject([
      { status: "rejected", reason: { message: "disk I/O error" } },
      { status: "fulfilled" },
    ]);
    expect(await headOf(storage)).toBe(1);
  });

  test("a failed read fails alone", async () => {
    const disk = make();
    const storage = disk.open({ hook: once("read:space", "fail") });
    await makeSpace(storage);
    await expect(headOf(storage)).rejects.toThrow("disk I/O error");
    expect(await headOf(storage)).toBe(0);
  });

  test("a slow commit keeps others waiting, and what is read meanwhile is what was committed", async () => {
    const disk = make();
    let goOn = (): void => {};
    const storage = disk.open({
      hook: once("commit", "slow", 1),
      slow: () => new Promise<void>((resolve) => (goOn = resolve)),
    });
    await makeSpace(storage);
    const slow = step(storage);
    expect(await isSettled(slow)).toBe(false);
    const later = step(storage);
    const reading = headOf(storage);
    expect(await reading).toBe(0);
    goOn();
    await slow;
    await later;
    expect(await headOf(storage)).toBe(2);
  });

  test("rule 5: a view that takes its time sees one moment, whatever is committed meanwhile", async () => {
    const disk = make();
    const storage = disk.open();
    await makeSpace(storage);
    await step(storage);
    const seen = await storage.read(async (snapshot) => {
      const first = (await snapshot.space("s1", "ann"))?.state.head;
      await step(storage);
      await makeSpace(storage, "s2");
      const { rows } = await snapshot.page({
        space: "s1",
        domains: [{ domain: "a", after: 0 }],
        limit: 9,
        maxBytes: 1e6,
      });
      return [first, (await snapshot.space("s1", "ann"))?.state.head, rows.length, await snapshot.spaces()];
    });
    expect(seen).toEqual([1, 1, 1, ["s1"]]);
    expect(await headOf(storage)).toBe(2);
  });

  test("a copy is the disk as of its newest commit, while a group is open too, and goes its own way", async () => {
    const disk = make();
    const storage = disk.open();
    await makeSpace(storage);
    await step(storage);
    let copy: ServerDisk | undefined;
    await storage.write("s1", async (transaction) => {
      await opened(transaction);
      await transaction.save({ space: stateAt(5), writer: writerAt(0), records: [recordAt("a", "k9", 5)] });
      copy = disk.copy();
    });
    disks.push(copy as ServerDisk);
    const other = (copy as ServerDisk).open();
    expect([await headOf(other), await headOf(storage)]).toEqual([1, 5]);
    await step(other);
    expect([await headOf(other), await headOf(storage)]).toEqual([2, 5]);
  });

  test("a disk that may not grow takes what fits, says so, and loses nothing", async () => {
    const disk = make({ maxBytes: 400_000 });
    const storage = disk.open();
    await makeSpace(storage);
    let written = 0;
    const fill = (): Promise<void> =>
      storage.write("s1", async (transaction) => {
        const { state, writer } = await opened(transaction);
        const head = state.head + 1;
        const fields = JSON.stringify({ text: "x".repeat(20_000) });
        await transaction.save({
          space: stateAt(head),
          writer: writer ?? writerAt(0),
          records: [recordAt("a", `k${head}`, head, fields)],
        });
      });
    const refusal = await (async () => {
      for (; written < 50; written++) await fill();
      return undefined;
    })().catch((error: unknown) => error);
    expect(refusal).toMatchObject({ message: expect.stringContaining("full") as string });
    expect(written).toBeGreaterThan(5);
    expect(await headOf(storage)).toBe(written);
    disk.crash();
    expect(await headOf(disk.open())).toBe(written);
  });
});

test("rule 2: a disk that lies loses what it had acknowledged: a fault that a checker must catch", async () => {
  const disk = new MemoryServerDisk({ losesCommits: 2 });
  const storage = disk.open();
  await makeSpace(storage);
  for (let i = 0; i < 4; i++) await step(storage);
  disk.crash();
  const after = disk.open();
  expect(await headOf(after)).toBe(2);
  const page = await after.read((snapshot) =>
    snapshot.page({ space: "s1", domains: [{ domain: "a", after: 0 }], limit: 9, maxBytes: 1e6 }),
  );
  expect(page.rows.map(({ version }) => version)).toEqual([1, 2]);
});
