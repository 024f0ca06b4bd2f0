import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
// oxlint-disable-next-line import/no-unassigned-import -- it puts in place the classes that a browser has.
import "fake-indexeddb/auto";
import { IDBFactory as FakeFactory } from "fake-indexeddb";
import * as fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { indexedDbStorage } from "./indexeddb.js";
import { memoryStorage } from "./memory.js";
import {
  FencedError,
  storageTables,
  type ClientStorage,
  type ClientStorageFactory,
  type Fence,
  type StorageChange,
  type StorageTable,
} from "./port.js";
import { sqliteStorage } from "./sqlite.js";

/** One flat map from the whole key to the value: as naive as a storage can be. */
class Model {
  entries = new Map<string, unknown>();

  commit(changes: readonly StorageChange[], fence: Fence | undefined): boolean {
    if (fence && ((this.entries.get(keyOf("meta", fence.space, "term", "")) ?? 0) as number) > fence.term)
      return false;
    for (const change of changes) {
      if (change.type === "put")
        this.entries.set(keyOf(change.table, change.space, change.a, change.b), change.value);
      else if (change.type === "putAll")
        for (const [b, value] of change.values)
          this.entries.set(keyOf(change.table, change.space, change.a, b), value);
      else if (change.type === "delete")
        this.entries.delete(keyOf(change.table, change.space, change.a, change.b));
      else {
        for (const key of [...this.entries.keys()]) {
          const [table, space, a] = JSON.parse(key) as string[];
          if (table === change.table && space === change.space && (change.a === undefined || change.a === a))
            this.entries.delete(key);
        }
      }
    }
    return true;
  }

  /** Every entry, in the order of table, space, a and b. */
  dump(): unknown[] {
    return [...this.entries]
      .map(([key, value]) => [...(JSON.parse(key) as string[]), value])
      .sort((left, right) => {
        const at = [0, 1, 2, 3].find((i) => left[i] !== right[i]) ?? 0;
        return (left[at] as string) < (right[at] as string) ? -1 : 1;
      });
  }
}

function keyOf(...parts: [table: string, space: string, a: string, b: string]): string {
  return JSON.stringify(parts);
}

async function dump(storage: ClientStorage): Promise<unknown[]> {
  const found: unknown[] = [];
  const spaces = await storage.spaces();
  for (const table of [...storageTables].sort()) {
    for (const space of spaces) {
      for (const entry of await storage.entries(table, space))
        found.push([table, entry.space, entry.a, entry.b, entry.value]);
    }
  }
  return found;
}

const part = fc.oneof(
  fc.constantFrom(
    "",
    "a",
    "ab",
    "a\0",
    "b",
    "\\",
    "\\0061",
    "\u{1F600}",
    "\uE000",
    "\uFFFF",
    "\uD800",
    "\uDC00",
    "term",
  ),
  fc.string({ unit: "binary", maxLength: 4 }),
);
const table = fc.constantFrom(...storageTables);
const space = fc.constantFrom("", "s", "s\0", "\u{1F600}", "\uE000");
// Values are what a JSON text can say, which leaves out -0.
const value = fc.jsonValue({ maxDepth: 3 }).map((drawn) => JSON.parse(JSON.stringify(drawn)) as unknown);
const anyPut = fc
  .record({ type: fc.constant("put" as const), table, space, a: part, b: part, value })
  // The term is a number, and has its own arbitrary below.
  .filter((put) => put.table !== "meta" || put.a !== "term" || put.b !== "");
const change: fc.Arbitrary<StorageChange> = fc.oneof(
  { weight: 6, arbitrary: anyPut },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("putAll" as const),
      table: fc.constantFrom(...storageTables.filter((name) => name !== "meta")),
      space,
      a: part,
      values: fc.array(fc.tuple(part, value), { maxLength: 4 }).map((entries) => new Map(entries)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant("delete" as const), table, space, a: part, b: part }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("clear" as const), table, space, a: part }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("clear" as const), table, space }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("put" as const),
      table: fc.constant<StorageTable>("meta"),
      space,
      a: fc.constant("term"),
      b: fc.constant(""),
      value: fc.nat(5),
    }),
  },
);
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("commit" as const),
      changes: fc.array(change, { maxLength: 12 }),
      fence: fc.option(fc.record({ space, term: fc.nat(5) }), { nil: undefined }),
      handle: fc.nat(1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reopen" as const), handle: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("together" as const),
      commits: fc.array(fc.array(change, { maxLength: 4 }), { maxLength: 5 }),
      handle: fc.nat(1),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function isFenced(commit: Promise<void>): Promise<boolean> {
  try {
    await commit;
    return false;
  } catch (error) {
    if (error instanceof FencedError) return true;
    throw error;
  }
}

async function follow(
  makeFactory: () => ClientStorageFactory,
  name: string,
  steps: readonly Step[],
): Promise<void> {
  const model = new Model();
  let factory = makeFactory();
  let handles = [await factory.open(name), await factory.open(name)];
  try {
    for (const step of steps) {
      if (step.do === "commit") {
        const passes = model.commit(step.changes, step.fence);
        const commit = handles[step.handle]!.commit(step.changes, step.fence);
        if ((await isFenced(commit)) === passes)
          throw new Error(`a fence that passes: ${passes}, was not so`);
      } else if (step.do === "together") {
        // Each names all tables by a change of nothing, so that the order of the calls holds.
        const commits = step.commits.map((changes) => [
          ...changes,
          ...storageTables.map((table) => ({ type: "delete" as const, table, space: "none", a: "", b: "" })),
        ]);
        for (const changes of commits) model.commit(changes, undefined);
        await Promise.all(commits.map((changes) => handles[step.handle]!.commit(changes)));
      } else if (step.do === "reopen") {
        await handles[step.handle]!.close();
        handles[step.handle] = await factory.open(name);
      } else if (handles[0]!.persistent) {
        await Promise.all(handles.map((handle) => handle.close()));
        factory = makeFactory();
        handles = [await factory.open(name), await factory.open(name)];
      }
      expect(await dump(handles[0]!)).toEqual(model.dump());
    }
    expect(await dump(handles[1]!)).toEqual(model.dump());
    expect(await handles[1]!.spaces()).toEqual(
      [...new Set(model.dump().map((entry) => (entry as string[])[1]!))].sort(),
    );
    for (const [key, stored] of model.entries) {
      const [in_, ...parts] = JSON.parse(key) as [StorageTable, string, string, string];
      expect(await handles[1]!.get(in_, ...parts)).toEqual(stored);
    }
  } finally {
    await handles[0]!.destroy(() => true);
    await Promise.all(handles.map((handle) => handle.close()));
  }
}

const folder = mkdtempSync(join(tmpdir(), "landfall-model-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const indexedDB = new FakeFactory();

describe.each<[string, () => ClientStorageFactory]>([
  ["memory", memoryStorage],
  ["indexeddb", () => indexedDbStorage({ indexedDB })],
  ["sqlite", () => sqliteStorage(join(folder, "app.db"))],
])("%s storage", (kind, makeFactory) => {
  it("rule 2: holds at every step what a plain map holds", async () => {
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 15 }), (steps) =>
        follow(makeFactory, `${kind}-${++runs}`, steps),
      ),
      { numRuns: 100 },
    );
  });
});
