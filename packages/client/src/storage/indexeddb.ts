import { checkFence } from "./fence.js";
import {
  FencedError,
  StorageError,
  lostStorage,
  storageTables,
  termName,
  type ClientStorage,
  type ClientStorageFactory,
  type Fence,
  type StorageChange,
  type StorageEntry,
  type StorageTable,
  type StorageValue,
} from "./port.js";

export interface IndexedDbOptions {
  /**
   * Where databases live; the global `indexedDB` when absent, asked for at each `open`. `IDBKeyRange` is
   * the global one in every case.
   */
  readonly indexedDB?: IDBFactory;
  /** `strict` by default: a commit resolves when the browser has flushed it to the disk (DESIGN rule 2). */
  readonly durability?: IDBTransactionDurability;
}

/**
 * Entries are kept as the JSON text of `[a, b, value]`. One `getAll` and one parse then read a whole
 * table, which Chromium does in two thirds of the time of reading keys and structured values.
 */
type Stored = [a: string, b: string, value: StorageValue];

/**
 * The storage of browsers: one database per account, named `landfall:<name>`, with one object store per
 * table. Creating the factory touches nothing, so that it may exist where pages are rendered.
 */
export function indexedDbStorage({
  indexedDB,
  durability = "strict",
}: IndexedDbOptions = {}): ClientStorageFactory {
  // Reading the global can itself throw (SecurityError), so it is read inside `opening`.
  const request = (ask: (factory: IDBFactory) => IDBOpenDBRequest): Promise<IDBDatabase> =>
    opening(async () => {
      const factory = indexedDB ?? globalThis.indexedDB;
      if (!factory) throw new Error("there is none");
      return answer(ask(factory));
    });
  return {
    kind: "indexeddb",
    async open(name) {
      const database = `landfall:${name}`;
      const remove = (): Promise<unknown> => request((factory) => factory.deleteDatabase(database));
      const connect = async (): Promise<Connection> => {
        const db = await request((factory) => {
          const asked = factory.open(database, 1);
          asked.onupgradeneeded = () =>
            storageTables.forEach((table) => asked.result.createObjectStore(table));
          return asked;
        });
        return { db, birth: await opening(() => birthOf(db)) };
      };
      for (;;) {
        const found = await connect();
        if (found.birth !== undefined) return handleOn(new OpenDatabase(found, connect, durability), remove);
        // Whoever has emptied it has not come to deleting it, or never will.
        found.db.close();
        await remove();
      }
    },
  };
}

/** A connection, and the database that it is to: of one name there can be several, one after the other. */
interface Connection {
  readonly db: IDBDatabase;
  /** Undefined where the account was destroyed, and the database is about to go. */
  readonly birth: string | undefined;
}

/** Keys in `meta`, where every other one is an array: that the account was destroyed, and what tells a database from others of its name. */
const endMark = 2;
const birthMark = 1;

/** Resolves when a transaction is stored: a browser may find only then that there is no room. */
const stored = (tx: IDBTransaction): Promise<void> =>
  new Promise((resolve, reject) => {
    tx.oncomplete = () => resolve();
    tx.onabort = () => reject(tx.error);
  });

/** Reads what tells a database from others, and gives it that where it has nothing yet. @returns undefined where it was emptied */
async function birthOf(db: IDBDatabase): Promise<string | undefined> {
  for (const mode of ["readonly", "readwrite"] as const) {
    const meta = db.transaction("meta", mode).objectStore("meta");
    const [end, standing] = await Promise.all([answer(meta.get(endMark)), answer(meta.get(birthMark))]);
    if (end !== undefined) return undefined;
    if (standing !== undefined) return standing as string;
    if (mode === "readwrite") {
      meta.put(crypto.getRandomValues(new Uint32Array(4)).join(), birthMark);
      await stored(meta.transaction);
    }
  }
  return birthOf(db);
}

/** A browser that does not answer for so long has no storage: whoever waits is told (`unavailable`). */
const reopenMs = 10_000;

/**
 * A database for as long as its account is open. Browsers cut connections off while a page sleeps (WebKit), or when they
 * are short of memory; a new one is made when it is next needed.
 */
class OpenDatabase {
  readonly #birth: string | undefined;
  readonly #connect: () => Promise<Connection>;
  readonly #durability: IDBTransactionDurability;
  /** Undefined from when it was cut off until it is needed again. */
  #db: IDBDatabase | undefined;
  #reopening: Promise<IDBDatabase> | undefined;
  /** Ends with the newest commit; undefined while none is under way. */
  #committing: Promise<unknown> | undefined;
  /** Why it cannot be used any more; empty while it can. */
  ended = "";

  constructor(opened: Connection, connect: () => Promise<Connection>, durability: IDBTransactionDurability) {
    this.#birth = opened.birth;
    this.#connect = connect;
    this.#durability = durability;
    this.#use(opened.db);
  }

  end(why: string): void {
    this.ended ||= why;
    this.#db?.close();
  }

  #use(db: IDBDatabase): void {
    this.#db = db;
    // Whoever deletes or upgrades the database waits for this connection to close.
    db.onversionchange = () => {
      db.close();
      this.end("deleted or upgraded elsewhere");
    };
    db.onclose = () => this.#drop(db);
  }

  #drop(db: IDBDatabase | undefined): void {
    if (this.#db === db) this.#db = undefined;
    db?.close();
  }

  #reopen(): Promise<IDBDatabase> {
    let timer: ReturnType<typeof setTimeout>;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new StorageError("unavailable", "The browser does not open its storage again.")),
        reopenMs,
      );
    });
    const connected = this.#connect().then(({ db, birth }) => {
      // One that comes late finds that another has come before it.
      this.#db?.close();
      this.#use(db);
      // What this page holds is not what is there now.
      if (birth !== this.#birth) this.end("deleted, or evicted by the browser");
      if (!this.ended) return db;
      db.close();
      throw lostStorage(this.ended);
    });
    return Promise.race([connected, late]).finally(() => {
      clearTimeout(timer);
      this.#reopening = undefined;
    });
  }

  read<T>(tables: readonly StorageTable[], work: (tx: IDBTransaction) => Promise<T>): Promise<T> {
    // What a commit before it stores is read, as IndexedDB itself has it.
    return this.#behind(() => this.#transact(tables, "readonly", work));
  }

  /** One commit after the other: one that is done again must not come behind a later one. */
  write<T>(tables: readonly StorageTable[], work: (tx: IDBTransaction) => Promise<T>): Promise<T> {
    const done = this.#behind(() => this.#transact(tables, "readwrite", work));
    const over = (): void => {
      if (this.#committing === committing) this.#committing = undefined;
    };
    const committing = done.then(over, over);
    this.#committing = committing;
    return done;
  }

  #behind<T>(work: () => Promise<T>): Promise<T> {
    return this.#committing ? this.#committing.then(work) : work();
  }

  /** Does work in a transaction, and does it again, once, where the connection was cut off. @throws StorageError, FencedError */
  async #transact<T>(
    tables: readonly StorageTable[],
    mode: IDBTransactionMode,
    work: (tx: IDBTransaction) => Promise<T>,
  ): Promise<T> {
    for (let isRetry = false; ; isRetry = true) {
      const used = this.#db;
      try {
        if (this.ended) throw lostStorage(this.ended);
        const db = used ?? (await (this.#reopening ??= this.#reopen()));
        return await work(db.transaction(tables, mode, { durability: this.#durability }));
      } catch (error) {
        if (isRetry || this.ended || !isCutOff(error)) throw storageError(error);
        this.#drop(used);
      }
    }
  }
}

function handleOn(database: OpenDatabase, remove: () => Promise<unknown>): ClientStorage {
  return {
    kind: "indexeddb",
    persistent: true,
    entries: (table, space) => database.read([table], (tx) => entriesIn(tx, table, space)),
    snapshot: (tables, space) =>
      database.read(tables, (tx) => Promise.all(tables.map((table) => entriesIn(tx, table, space)))),
    get: (table, space, a, b = "") =>
      database.read([table], async (tx) => valueOf(await answer(tx.objectStore(table).get([space, a, b])))),
    commit: (changes, fence) => {
      const tables = new Set<StorageTable>(["meta"]);
      for (const { table } of changes) tables.add(table);
      return database.write([...tables], (tx) => write(tx, changes, fence));
    },
    spaces: () =>
      database.read(storageTables, async (tx) => {
        const spaces = await Promise.all(storageTables.map((table) => spacesIn(tx.objectStore(table))));
        return [...new Set(spaces.flat())].sort();
      }),
    async destroy(may) {
      const isEmptied = await database.write(storageTables, (tx) => empty(tx, may));
      // Who has deleted it meanwhile may have begun anew.
      if (isEmptied && !database.ended) {
        database.end("deleted");
        await remove();
      }
      return isEmptied;
    },
    close: async () => database.end("closed"),
  };
}

/** What a request answers; awaiting it leaves its transaction active for the next one. */
function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function entriesIn(tx: IDBTransaction, table: StorageTable, space: string): Promise<StorageEntry[]> {
  const texts: string[] = await answer(tx.objectStore(table).getAll(under(space)));
  return (JSON.parse(`[${texts.join()}]`) as Stored[]).map(([a, b, value]) => ({ space, a, b, value }));
}

/** Asks for everything at once and awaits only the end, so that the cost of a commit is that of its own changes. */
function write(
  tx: IDBTransaction,
  changes: readonly StorageChange[],
  fence: Fence | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let refusal: unknown;
    const attempt = (step: () => void): void => {
      try {
        step();
      } catch (error) {
        refusal = error;
        tx.abort();
      }
    };
    tx.oncomplete = () => resolve();
    tx.onabort = () => reject(refusal ?? tx.error);
    attempt(() => {
      const meta = tx.objectStore("meta");
      // The term is read before the changes and compared while they wait: nothing of them is committed by then.
      const term = fence && meta.get([fence.space, termName, ""]);
      const mark = meta.get(endMark);
      for (const change of changes) ask(tx.objectStore(change.table), change);
      mark.onsuccess = () =>
        attempt(() => {
          if (mark.result !== undefined) throw lostStorage("deleted");
          if (term) checkFence(fence, valueOf(term.result));
          tx.commit();
        });
    });
  });
}

/** Takes everything away, and says so to whoever comes before the database itself is gone. */
async function empty(tx: IDBTransaction, may: Parameters<ClientStorage["destroy"]>[0]): Promise<boolean> {
  const outbox = tx.objectStore("outbox");
  const [keys, values] = await Promise.all([answer(outbox.getAllKeys()), answer(outbox.getAll())]);
  const entries = keys.map((key, at) => {
    const [space, a, b] = key as [string, string, string];
    return { space, a, b, value: valueOf(values[at] as string) };
  });
  if (!may(entries)) return false;
  for (const table of storageTables) tx.objectStore(table).clear();
  tx.objectStore("meta").put("", endMark);
  await stored(tx);
  return true;
}

function ask(store: IDBObjectStore, change: StorageChange): void {
  const { space, a } = change;
  const put = (value: StorageValue, b: string): unknown =>
    store.put(JSON.stringify([a, b, value]), [space, a as string, b]);
  if (change.type === "put") put(change.value, change.b);
  else if (change.type === "putAll") change.values.forEach(put);
  else store.delete(change.type === "delete" ? [space, change.a, change.b] : under(space, a));
}

/** All keys of a space, or those under `a`: an array sorts after every string. */
function under(space: string, a?: string): IDBKeyRange {
  const prefix = a === undefined ? [space] : [space, a];
  return IDBKeyRange.bound(prefix, [...prefix, []]);
}

/** Jumps from space to space, so that the cost is that of the spaces and not of their entries. */
async function spacesIn(store: IDBObjectStore): Promise<string[]> {
  const spaces: string[] = [];
  let from: IDBValidKey = [];
  for (;;) {
    const key = (await answer(store.getKey(IDBKeyRange.lowerBound(from)))) as [string] | undefined;
    if (!key) return spaces;
    spaces.push(key[0]);
    from = [key[0], []];
  }
}

function valueOf(text: string | undefined): StorageValue {
  return text === undefined ? undefined : (JSON.parse(text) as Stored)[2];
}

async function opening<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (nameOf(error) === "QuotaExceededError") throw storageError(error);
    throw new StorageError(
      "unavailable",
      `IndexedDB cannot be used here (${textOf(error)}). Private windows and blocked site data turn it off.`,
      { cause: error },
    );
  }
}

function storageError(error: unknown): StorageError | FencedError {
  if (error instanceof StorageError || error instanceof FencedError) return error;
  const name = nameOf(error);
  if (name === "QuotaExceededError") {
    return new StorageError("full", "Nothing was written: there is no room left. Free some space.", {
      cause: error,
    });
  }
  if (isCutOff(error)) return lostStorage(`closed (${textOf(error ?? "aborted")})`, { cause: error });
  return new StorageError("failed", `Nothing was written: ${textOf(error)}.`, {
    cause: error,
  });
}

/** Whether the browser may have closed the connection: a transaction that neither we nor an error aborted was aborted by it. */
const isCutOff = (error: unknown): boolean =>
  !error ||
  ["AbortError", "InvalidStateError", "NotFoundError", "UnknownError"].includes(nameOf(error) ?? "");

function nameOf(error: unknown): string | undefined {
  return (error as Error | null)?.name;
}

function textOf(error: unknown): string {
  return String(error);
}
