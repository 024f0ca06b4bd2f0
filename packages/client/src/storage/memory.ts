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

/**
 * Space → a → b → value; what has the empty `b` lies under `null` → a, since a map for each of many such entries
 * would take more than they do. Empty inner maps are removed, so that a key of the outer map is a space in use.
 */
type Space = Map<string | null, Map<string, StorageValue>>;
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
  const entries: ClientStorage["entries"] = async (table, space) =>
    sortedEntries(space, tables()[table].get(space));
  return {
    kind: "memory",
    persistent: false,
    entries,
    // Nothing comes between the beginnings of these calls, and that is when they look.
    snapshot: (named, space) => Promise.all(named.map((table) => entries(table, space))),
    async get(table, space, a, b = "") {
      const domains = tables()[table].get(space);
      return domains?.get(b ? a : null)?.get(b || a);
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
  for (const [domain, keys] of domains)
    for (const [key, value] of keys)
      entries.push({ space, a: domain ?? key, b: domain === null ? "" : key, value });
  // Strings compare by UTF-16 code units, as the port asks.
  return entries.sort((x, y) => (x.a < y.a || (x.a === y.a && x.b < y.b) ? -1 : 1));
}

function commit(
  tables: Account["tables"],
  changes: readonly StorageChange[],
  fence: Fence | undefined,
): void {
  try {
    if (fence) checkFence(fence, tables.meta.get(fence.space)?.get(null)?.get(termName));
    // Everything that can throw happens while the changes are read; making them cannot.
    changes.forEach((change) => change.type === "put" && void change.value);
  } catch (error) {
    if (error instanceof FencedError) throw error;
    throw new StorageError("failed", "Nothing was written: the changes could not be read.", { cause: error });
  }
  changes.forEach((change) => make(tables[change.table], change));
}

function make(table: Table, change: StorageChange): void {
  const { space, a } = change;
  const domains = submap(table, space);
  if (change.type === "put") put(domains, change.a, change.b, change.value);
  // A first sync puts a hundred thousand, and its code has hardly run before: a loop over pairs would be slow.
  else if (change.type === "putAll") change.values.forEach((value, b) => put(domains, change.a, b, value));
  else if (a === undefined) domains.clear();
  else if (change.type === "delete") remove(domains, a, change.b);
  else {
    domains.delete(a);
    remove(domains, a, "");
  }
  if (domains.size === 0) table.delete(space);
}

function put(domains: Space, a: string, b: string, value: StorageValue): void {
  submap(domains, b ? a : null).set(b || a, value);
}

/** Removes one entry, and the map that this leaves empty. */
function remove(domains: Space, a: string, b: string): void {
  const domain = b ? a : null;
  const keys = domains.get(domain);
  keys?.delete(b || a);
  if (keys?.size === 0) domains.delete(domain);
}
