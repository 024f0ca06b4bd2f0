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
import { submap } from "../submap.js";

/** Space → a → b → value. Empty inner maps are removed, so that a key of the outer map is a space in use. */
type Space = Map<string, Map<string, StorageValue>>;
type Table = Map<string, Space>;

/** The data of one account, shared by all handles on it. */
interface Account {
  readonly tables: Record<StorageTable, Table>;
  destroyed: boolean;
}

/**
 * A storage that ends with the process: for tests, for servers that render, and where a browser has
 * nothing better. All handles that one factory opens under a name share the same data, so that tabs
 * and reopened clients of one process see what they would see on a disk.
 *
 * Values are kept and given back as they are, not copied: they are immutable JSON (see `StorageValue`).
 */
export function memoryStorage(): ClientStorageFactory {
  const accounts = new Map<string, Account>();
  return {
    kind: "memory",
    async open(name) {
      let account = accounts.get(name);
      if (account === undefined) {
        account = emptyAccount();
        accounts.set(name, account);
      }
      return handleOn(account, () => accounts.delete(name));
    },
  };
}

function emptyAccount(): Account {
  const tables = Object.fromEntries(storageTables.map((table) => [table, new Map()]));
  return { tables: tables as Account["tables"], destroyed: false };
}

function handleOn(account: Account, forget: () => void): ClientStorage {
  let closed = false;
  const tables = (): Account["tables"] => {
    if (closed || account.destroyed) throw lostStorage(closed ? "closed" : "deleted");
    return account.tables;
  };
  return {
    kind: "memory",
    persistent: false,
    async entries(table, space) {
      return sortedEntries(space, tables()[table].get(space));
    },
    async get(table, space, a, b = "") {
      return tables()[table].get(space)?.get(a)?.get(b);
    },
    async commit(changes, fence) {
      commit(tables(), changes, fence);
    },
    async spaces() {
      const target = tables();
      return [...new Set(storageTables.flatMap((table) => [...target[table].keys()]))].sort();
    },
    async destroy(may) {
      const { outbox } = tables();
      if (!may([...outbox].flatMap(([space, events]) => sortedEntries(space, events)))) return false;
      account.destroyed = true;
      forget();
      return true;
    },
    async close() {
      closed = true;
    },
  };
}

function sortedEntries(space: string, domains: Space = new Map()): StorageEntry[] {
  const entries: StorageEntry[] = [];
  // The default order of strings is that of UTF-16 code units, as the port asks.
  for (const a of [...domains.keys()].sort()) {
    const keys = domains.get(a)!;
    for (const b of [...keys.keys()].sort()) entries.push({ space, a, b, value: keys.get(b) });
  }
  return entries;
}

function commit(
  tables: Account["tables"],
  changes: readonly StorageChange[],
  fence: Fence | undefined,
): void {
  let read: StorageChange[];
  try {
    if (fence) checkFence(fence, tables.meta.get(fence.space)?.get(termName)?.get(""));
    // Everything that can throw happens while the changes are read; making them cannot.
    read = changes.map((change) => ({ ...change }));
  } catch (error) {
    if (error instanceof FencedError) throw error;
    throw new StorageError("failed", "Nothing was written: the changes could not be read.", { cause: error });
  }
  for (const change of read) make(tables[change.table], change);
}

function make(table: Table, change: StorageChange): void {
  const { space, a } = change;
  if (change.type === "put") submap(submap(table, space), change.a).set(change.b, change.value);
  else if (change.type === "putAll") {
    if (change.values.size === 0) return;
    const keys = submap(submap(table, space), change.a);
    for (const [b, value] of change.values) keys.set(b, value);
  } else if (a === undefined) table.delete(space);
  else remove(table, space, a, change.type === "delete" ? change.b : undefined);
}

/** Removes one entry, or all under `a`, and the maps that this leaves empty. */
function remove(table: Table, space: string, a: string, b?: string): void {
  const domains = table.get(space);
  const keys = domains?.get(a);
  if (domains === undefined || keys === undefined) return;
  if (b !== undefined) keys.delete(b);
  if (b === undefined || keys.size === 0) domains.delete(a);
  if (domains.size === 0) table.delete(space);
}
