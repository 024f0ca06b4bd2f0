// oxlint-disable-next-line import/no-unassigned-import -- it puts in place the classes that a browser has.
import "fake-indexeddb/auto";
import { forceCloseDatabase, IDBFactory as FakeFactory } from "fake-indexeddb";
import { afterEach, describe, expect, it, vi } from "vitest";
import { clientStorageConformance } from "./conformance.js";
import { indexedDbStorage } from "./indexeddb.js";
import type { StorageChange } from "./port.js";

const shared = new FakeFactory();
clientStorageConformance({ describe, it, expect }, () => indexedDbStorage({ indexedDB: shared }));

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const row: StorageChange = { type: "put", table: "rows", space: "s", a: "a", b: "b", value: 1 };

async function failure(call: Promise<unknown>): Promise<{ name: string; code: string; message: string }> {
  try {
    await call;
  } catch (error) {
    const { name, code, message } = error as { name: string; code: string; message: string };
    return { name, code, message };
  }
  throw new Error("it did not fail");
}

/** Nobody waits here as long as a page does. */
function waitBriefly(): void {
  const { setTimeout: later } = globalThis;
  vi.spyOn(globalThis, "setTimeout").mockImplementation((work: () => void, ms?: number) =>
    later(work, Math.min(ms ?? 0, 50)),
  );
}

/** Opens the database of an account directly, as another page would. */
function openRaw(factory: IDBFactory, version?: number): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = factory.open("landfall:ann", version);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

describe("indexeddb storage: where it cannot be used", () => {
  it("touches nothing until it is opened, and is `unavailable` where there is no IndexedDB", async () => {
    vi.stubGlobal("indexedDB", undefined);
    const factory = indexedDbStorage();
    const { name, code, message } = await failure(factory.open("ann"));
    expect([name, code]).toEqual(["StorageError", "unavailable"]);
    expect(message).toContain("there is none");
  });

  it("uses the global at the time of opening", async () => {
    const factory = indexedDbStorage();
    vi.stubGlobal("indexedDB", new FakeFactory());
    const storage = await factory.open("ann");
    await storage.commit([row]);
    expect((await openRaw(globalThis.indexedDB)).objectStoreNames.length).toBe(5);
    await storage.close();
  });

  it("is `unavailable` where asking for it throws SecurityError", async () => {
    vi.spyOn(globalThis, "indexedDB", "get").mockImplementation(() => {
      throw new DOMException("The operation is insecure.", "SecurityError");
    });
    const { code, message } = await failure(indexedDbStorage().open("ann"));
    expect([code, message.includes("The operation is insecure.")]).toEqual(["unavailable", true]);
  });

  it("is `unavailable` when a newer version has upgraded the database", async () => {
    const indexedDB = new FakeFactory();
    (await openRaw(indexedDB, 2)).close();
    expect((await failure(indexedDbStorage({ indexedDB }).open("ann"))).code).toBe("unavailable");
  });
});

describe("indexeddb storage: a database that goes away", () => {
  it("makes way for a deletion elsewhere and is `lost` from then on", async () => {
    const indexedDB = new FakeFactory();
    const storage = await indexedDbStorage({ indexedDB }).open("ann");
    await storage.commit([row]);
    await new Promise((resolve, reject) => {
      const request = indexedDB.deleteDatabase("landfall:ann");
      request.onsuccess = resolve;
      request.onerror = reject;
    });
    const { code, message } = await failure(storage.entries("rows", "s"));
    expect([code, message]).toEqual([
      "lost",
      "The storage was deleted or upgraded elsewhere. Open it again.",
    ]);
    expect((await failure(storage.commit([row]))).code).toBe("lost");
    await storage.close();
  });

  it("makes way for an upgrade elsewhere, and finishes the commit that was under way", async () => {
    const indexedDB = new FakeFactory();
    const storage = await indexedDbStorage({ indexedDB }).open("ann");
    const committed = storage.commit([row]);
    const upgraded = openRaw(indexedDB, 2);
    await committed;
    const db = await upgraded;
    expect((await failure(storage.get("rows", "s", "a", "b"))).code).toBe("lost");
    const texts = await new Promise((resolve) => {
      const request = db.transaction("rows").objectStore("rows").getAll();
      request.onsuccess = () => resolve(request.result);
    });
    expect(texts).toEqual(['["a","b",1]']);
    db.close();
  });

  it("rule 8: goes on over a new connection where the browser has cut it off", async () => {
    const storage = await indexedDbStorage({ indexedDB: observed() }).open("ann");
    await storage.commit([row]);
    forceCloseDatabase(opened.at(-1) as never);
    await storage.commit([{ ...row, b: "c" }]);
    // A connection that is closed without a word, as WebKit leaves it to a page that slept.
    opened.at(-1)?.close();
    expect((await storage.entries("rows", "s")).map(({ b }) => b)).toEqual(["b", "c"]);
    const cut = opened.at(-1);
    const writes = ["d", "e", "f"].map((b) => storage.commit([{ ...row, b }]));
    forceCloseDatabase(cut as never);
    await Promise.all(writes);
    expect((await storage.entries("rows", "s")).length).toBe(5);
    await storage.close();
    expect((await failure(storage.commit([row]))).message).toContain("closed");
  });

  it("is `lost` when the browser evicts it, also where another one has been made in its place", async () => {
    const indexedDB = observed();
    const factory = indexedDbStorage({ indexedDB });
    const storage = await factory.open("ann");
    await storage.commit([row]);
    // Nobody tells a page that sleeps.
    const cut = opened.at(-1) as IDBDatabase;
    cut.onversionchange = null;
    forceCloseDatabase(cut as never);
    await new Promise((resolve) => {
      indexedDB.deleteDatabase("landfall:ann").onsuccess = resolve;
    });
    const anew = await factory.open("ann");
    expect(await failure(storage.commit([row]))).toMatchObject({
      code: "lost",
      message: "The storage was deleted, or evicted by the browser. Open it again.",
    });
    expect((await failure(storage.entries("rows", "s"))).code).toBe("lost");
    expect(await anew.spaces()).toEqual([]);
  });

  it.each(["UnknownError", "AbortError"])(
    "rule 8: a commit that is done again after %s comes before those that follow it",
    async (error) => {
      const storage = await indexedDbStorage({ indexedDB: observed() }).open("ann");
      const { commit } = IDBTransaction.prototype;
      vi.spyOn(IDBTransaction.prototype, "commit")
        .mockImplementation(function (this: IDBTransaction) {
          commit.call(this);
        })
        .mockImplementationOnce(function (this: IDBTransaction) {
          (this as unknown as { _abort(name: string): void })._abort(error);
        });
      const commits = [1, 2, 3].map((value) => storage.commit([{ ...row, value }]));
      expect(await storage.get("rows", "s", "a", "b")).toBe(3);
      await Promise.all(commits);
      expect(await storage.get("rows", "s", "a", "b")).toBe(3);
    },
  );

  it("is `unavailable` where the browser does not open it again, and goes on when it does", async () => {
    const indexedDB = observed();
    const storage = await indexedDbStorage({ indexedDB }).open("ann");
    await storage.commit([row]);
    waitBriefly();
    vi.spyOn(indexedDB, "open").mockReturnValueOnce({} as IDBOpenDBRequest);
    forceCloseDatabase(opened.at(-1) as never);
    const { code, message } = await failure(storage.commit([{ ...row, value: 2 }]));
    expect([code, message]).toEqual(["unavailable", "The browser does not open its storage again."]);
    await storage.commit([{ ...row, value: 3 }]);
    expect(await storage.get("rows", "s", "a", "b")).toBe(3);
  });

  it("lets go of every connection that comes late, so that signing out waits for none", async () => {
    const indexedDB = observed();
    const storage = await indexedDbStorage({ indexedDB }).open("ann");
    await storage.commit([row]);
    waitBriefly();
    const held: (() => void)[] = [];
    const { open } = indexedDB;
    indexedDB.open = (name, version) => {
      const late = {} as { onsuccess?: () => void; result?: IDBDatabase };
      held.push(() => {
        const request = open(name, version);
        request.addEventListener("success", () => {
          late.result = request.result;
          late.onsuccess?.();
        });
      });
      return late as unknown as IDBOpenDBRequest;
    };
    forceCloseDatabase(opened.at(-1) as never);
    for (let i = 0; i < 2; i++) expect((await failure(storage.commit([row]))).code).toBe("unavailable");
    indexedDB.open = open;
    for (const answerLate of held) answerLate();
    await expect.poll(async () => storage.commit([row]).then(() => "stored")).toBe("stored");
    expect(await storage.destroy(() => true)).toBe(true);
  });

  it("is `full` where there is no room for the mark of a new database", async () => {
    const { put } = IDBObjectStore.prototype;
    vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(function (this: IDBObjectStore, ...of) {
      const request = put.apply(this, of);
      const transaction = this.transaction as unknown as { _abort(name: string): void };
      request.addEventListener("success", () =>
        queueMicrotask(() => transaction._abort("QuotaExceededError")),
      );
      return request;
    });
    expect((await failure(indexedDbStorage({ indexedDB: new FakeFactory() }).open("ann"))).code).toBe("full");
  });

  it("keeps a database that has no mark yet, and gives it one", async () => {
    const indexedDB = new FakeFactory();
    const factory = indexedDbStorage({ indexedDB });
    const before = await factory.open("ann");
    await before.commit([{ ...row, table: "outbox" }]);
    const raw = await openRaw(indexedDB);
    const transaction = raw.transaction("meta", "readwrite");
    transaction.objectStore("meta").clear();
    await new Promise((resolve) => (transaction.oncomplete = resolve));
    raw.close();
    await before.close();
    const after = await factory.open("ann");
    expect((await after.entries("outbox", "s")).length).toBe(1);
    await after.commit([row]);
  });
});

/** The connections that `observed` has opened. */
const opened: IDBDatabase[] = [];

function observed(): IDBFactory {
  const factory = new FakeFactory();
  const open = factory.open.bind(factory);
  factory.open = (name, version) => {
    const request = open(name, version);
    request.addEventListener("success", () => opened.push(request.result));
    return request;
  };
  return factory;
}

describe("indexeddb storage: destroy", () => {
  it("rule 8: a commit behind a destroy is refused, although the database is not deleted yet", async () => {
    const indexedDB = new FakeFactory();
    const factory = indexedDbStorage({ indexedDB });
    const [leaving, writing] = [await factory.open("ann"), await factory.open("ann")];
    await leaving.commit([row]);
    let late: Promise<{ code: string }> | undefined;
    const gone = leaving.destroy(() => {
      late = failure(writing.commit([{ ...row, table: "outbox" }]));
      return true;
    });
    expect(await gone).toBe(true);
    expect((await late)?.code).toBe("lost");
    expect(await indexedDB.databases()).toEqual([]);
  });

  it("rule 8: what was emptied and not deleted, because the page ended there, is deleted and made anew", async () => {
    const indexedDB = new FakeFactory();
    const factory = indexedDbStorage({ indexedDB });
    const leaving = await factory.open("ann");
    await leaving.commit([row]);
    const deleteDatabase = indexedDB.deleteDatabase.bind(indexedDB);
    indexedDB.deleteDatabase = () => {
      throw new Error("the page has ended");
    };
    expect((await failure(leaving.destroy(() => true))).message).toContain("the page has ended");
    indexedDB.deleteDatabase = deleteDatabase;
    const anew = await factory.open("ann");
    expect(await anew.spaces()).toEqual([]);
    await anew.commit([row]);
    expect(await anew.get("rows", "s", "a", "b")).toBe(1);
  });
});

describe("indexeddb storage: commits", () => {
  it("asks for strict durability, and for another one when told", async () => {
    const storage = await indexedDbStorage({ indexedDB: observed() }).open("ann");
    const transaction = vi.spyOn(opened.at(-1)!, "transaction");
    await storage.commit([row]);
    expect(transaction.mock.lastCall).toEqual([["meta", "rows"], "readwrite", { durability: "strict" }]);
    const relaxed = await indexedDbStorage({ indexedDB: observed(), durability: "relaxed" }).open("ann");
    const relaxedTransaction = vi.spyOn(opened.at(-1)!, "transaction");
    await relaxed.commit([row], { space: "s", term: 1 });
    expect(relaxedTransaction.mock.lastCall).toEqual([
      ["meta", "rows"],
      "readwrite",
      { durability: "relaxed" },
    ]);
  });

  it.each([
    ["QuotaExceededError", "full"],
    ["AbortError", "lost"],
    ["UnknownError", "lost"],
    ["DataError", "failed"],
  ])(
    "a transaction that the browser aborts with %s is `%s`, and nothing was written",
    async (error, expected) => {
      const storage = await indexedDbStorage({ indexedDB: new FakeFactory() }).open("ann");
      await storage.commit([row]);
      // The browser finds out while it commits; the stand-in is told to.
      vi.spyOn(IDBTransaction.prototype, "commit").mockImplementation(function (this: IDBTransaction) {
        (this as unknown as { _abort(name: string): void })._abort(error);
      });
      expect(await failure(storage.commit([{ ...row, value: 2 }]))).toMatchObject({
        name: "StorageError",
        code: expected,
      });
      vi.restoreAllMocks();
      expect(await storage.get("rows", "s", "a", "b")).toBe(1);
      await storage.commit([{ ...row, value: 3 }]);
      expect(await storage.get("rows", "s", "a", "b")).toBe(3);
    },
  );

  it("is one transaction of a request for each change and one more, whatever is stored already", async () => {
    const storage = await indexedDbStorage({ indexedDB: observed() }).open("ann");
    const many = Array.from({ length: 2_000 }, (_, i): StorageChange => ({
      type: "put",
      table: "outbox",
      space: "s",
      a: `event-${i}`,
      b: "",
      value: i,
    }));
    await storage.commit(many);
    const requests = vi.spyOn(
      IDBTransaction.prototype as unknown as { _execRequestAsync(work: unknown): unknown },
      "_execRequestAsync",
    );
    await storage.commit([{ ...row, table: "outbox" }]);
    expect(requests).toHaveBeenCalledTimes(2);
  });
});
