import {
  storageTables,
  type ClientStorage,
  type ClientStorageFactory,
  type StorageChange,
  type StorageEntry,
  type StorageTable,
  type StorageValue,
} from "../port.js";

/** Of the runner's `expect` the suite asks one thing. */
export type Expect = (actual: unknown) => { toEqual: (expected: unknown) => unknown };

/** One storage under test, with a name that no other test uses. */
interface World {
  readonly factory: ClientStorageFactory;
  /** Opens a handle; the suite closes it. */
  readonly open: () => Promise<ClientStorage>;
  /** Closes all handles and opens one as a new process over the same place would. */
  readonly restart: () => Promise<ClientStorage>;
  readonly name: string;
}

export type Check = (title: string, body: (world: World) => Promise<void>) => void;

export function put(
  table: StorageTable,
  space: string,
  a: string,
  b: string,
  value: StorageValue,
): StorageChange {
  return { type: "put", table, space, a, b, value };
}

export function remove(table: StorageTable, space: string, a: string, b: string): StorageChange {
  return { type: "delete", table, space, a, b };
}

export function entry(space: string, a: string, b: string, value: StorageValue): StorageEntry {
  return { space, a, b, value };
}

/** The order of UTF-16 code units. */
export function order(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** All entries of all tables and spaces, with their tables. */
export async function everything(storage: ClientStorage): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const space of await storage.spaces()) {
    for (const table of storageTables) {
      found.push(...(await storage.entries(table, space)).map((kept) => ({ table, ...kept })));
    }
  }
  return found;
}

/** The code with which a call failed, or undefined when it did not. */
export async function codeOf(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}
