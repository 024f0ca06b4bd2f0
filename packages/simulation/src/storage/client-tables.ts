import { checkFence } from "@landfall/client/storage/fence";
import {
  type Fence,
  type StorageChange,
  type StorageEntry,
  StorageError,
  type StorageTable,
  type StorageValue,
  storageTables,
  termName,
} from "@landfall/client/storage/port";

/** The data of one account, as whole commits; each call answers at once. */
export interface ClientData {
  entries(table: StorageTable, space: string): StorageEntry[];
  get(table: StorageTable, space: string, a: string, b: string): StorageValue;
  /** All of it, or nothing. @throws FencedError @throws StorageError */
  commit(changes: readonly StorageChange[], fence: Fence | undefined): void;
  spaces(): string[];
}

/** `a` → `b` → value. No map is empty, so that a key of the outer one is in use. */
type SpaceEntries = Map<string, Map<string, StorageValue>>;

/** What an entry takes beside its value. */
const entryBytes = 50;
const sizes = new WeakMap<object, number>();

function sizeOf(value: StorageValue): number {
  if (typeof value !== "object" || value === null) return String(value).length;
  let size = sizes.get(value);
  if (size === undefined) sizes.set(value, (size = JSON.stringify(value).length));
  return size;
}

/** An account in memory. Values are kept and given as they are. */
export class ClientTables implements ClientData {
  readonly #tables = new Map<StorageTable, Map<string, SpaceEntries>>(
    storageTables.map((table) => [table, new Map()]),
  );

  /** @param room how much it may take, about; read anew at each commit. */
  constructor(private readonly room: { readonly maxBytes?: number } = {}) {}

  entries(table: StorageTable, space: string): StorageEntry[] {
    const found: StorageEntry[] = [];
    const of = this.#table(table).get(space) ?? (new Map() as SpaceEntries);
    // The default order of strings is that of UTF-16 code units, as the port asks.
    for (const a of [...of.keys()].sort()) {
      const values = of.get(a) as Map<string, StorageValue>;
      for (const b of [...values.keys()].sort()) found.push({ space, a, b, value: values.get(b) });
    }
    return found;
  }

  get(table: StorageTable, space: string, a: string, b: string): StorageValue {
    return this.#table(table).get(space)?.get(a)?.get(b);
  }

  spaces(): string[] {
    return [...new Set([...this.#tables.values()].flatMap((table) => [...table.keys()]))].sort();
  }

  commit(changes: readonly StorageChange[], fence: Fence | undefined): void {
    if (fence) checkFence(fence, this.get("meta", fence.space, termName, ""));
    const { maxBytes } = this.room;
    if (maxBytes === undefined) {
      for (const change of changes) this.#make(change, undefined);
      return;
    }
    const before = this.#bytes();
    const undo: (() => void)[] = [];
    for (const change of changes) this.#make(change, undo);
    const after = this.#bytes();
    if (after <= maxBytes || after <= before) return;
    for (const step of undo.reverse()) step();
    throw new StorageError("full", "Nothing was written: no room is left. Free some space.");
  }

  #make(change: StorageChange, undo: (() => void)[] | undefined): void {
    const { table, space, a } = change;
    if (change.type === "put")
      return this.#set(table, space, change.a, change.b, { value: change.value }, undo);
    if (change.type === "putAll") {
      for (const [b, value] of change.values) this.#set(table, space, change.a, b, { value }, undo);
      return;
    }
    if (change.type === "delete") return this.#set(table, space, change.a, change.b, undefined, undo);
    for (const [under, values] of [...(this.#table(table).get(space) ?? [])]) {
      if (a !== undefined && under !== a) continue;
      for (const b of [...values.keys()]) this.#set(table, space, under, b, undefined, undo);
    }
  }

  /** Puts one value, or takes it out where there is none, with the maps that this leaves empty. */
  #set(
    table: StorageTable,
    space: string,
    a: string,
    b: string,
    put: { readonly value: StorageValue } | undefined,
    undo: (() => void)[] | undefined,
  ): void {
    const spaces = this.#table(table);
    let of = spaces.get(space);
    let values = of?.get(a);
    if (undo) {
      const before = values?.has(b) ? { value: values.get(b) } : undefined;
      undo.push(() => this.#set(table, space, a, b, before, undefined));
    }
    if (put) {
      if (!of) spaces.set(space, (of = new Map()));
      if (!values) of.set(a, (values = new Map()));
      values.set(b, put.value);
    } else if (of && values) {
      values.delete(b);
      if (values.size === 0) of.delete(a);
      if (of.size === 0) spaces.delete(space);
    }
  }

  #table(table: StorageTable): Map<string, SpaceEntries> {
    return this.#tables.get(table) as Map<string, SpaceEntries>;
  }

  #bytes(): number {
    let sum = 0;
    for (const spaces of this.#tables.values())
      for (const of of spaces.values())
        for (const [a, values] of of)
          for (const [b, value] of values) sum += entryBytes + a.length + b.length + sizeOf(value);
    return sum;
  }
}
