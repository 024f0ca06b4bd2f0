import {
  type StorageEntry,
  type StorageTable,
  type StorageValue,
  storageTables,
} from "@landfall/client/storage/port";
import { CallCount } from "./call-gate.js";
import { type ClientPlace, MemoryPlace } from "./client-place.js";
import { AccountQueue, type CrashTail } from "./account-queue.js";
import { type ClientDiskPorts, ClientProcess } from "./client-process.js";
import { type ValueMode, copyOf } from "./value-mode.js";

export interface ClientDiskOptions {
  /** About how much an account takes; a commit beyond that is `full`. Can be changed at any time, in memory. */
  maxBytes?: number;
  /** `frozen`: who changes a value that it gave or got is told so by an error. `copied`: it changes nothing. */
  readonly values?: ValueMode;
}

/** An entry of a disk, with the account and table that it lies in. */
export interface PlacedEntry extends StorageEntry {
  readonly account: string;
  readonly table: StorageTable;
}

/** What lay on a disk at a moment. */
export type ClientImage = readonly PlacedEntry[];

/** What is taken from a disk: all of it, or the entries of some tables, or of some spaces. */
export interface Eviction {
  readonly tables?: readonly StorageTable[];
  readonly spaces?: readonly string[];
}

/**
 * The disk of a device. Several processes (tabs) have it open, and see what the others have committed. A commit is
 * on it as a whole, or not at all, and is acknowledged only then; what was asked for and not yet acknowledged may
 * be there after a crash, or not.
 */
export class ClientDisk {
  readonly calls = new CallCount();
  /** What is on it cannot be read, and nobody can open it. */
  isTorn = false;
  /** Hears what an account had on it that its app has forgotten. */
  forgotten: ((gone: ClientImage) => void) | undefined;
  readonly #accounts = new Map<string, AccountQueue>();
  readonly #processes = new Set<ClientProcess>();

  constructor(
    readonly options: ClientDiskOptions = {},
    private readonly place: ClientPlace = new MemoryPlace(options),
  ) {}

  /** Starts a process on it: its storages come from the `factory` of what this gives. */
  start(ports: ClientDiskPorts = {}): ClientProcess {
    const process = new ClientProcess(this, ports, (tail) => {
      this.#processes.delete(process);
      for (const account of this.#accounts.values()) account.dropAll(process, tail);
    });
    this.#processes.add(process);
    return process;
  }

  /** The power goes: every process ends, with what it had not been told is safe. */
  crash(tail: CrashTail = {}): void {
    // Nothing may begin for those who are alive a little longer.
    for (const account of this.#accounts.values()) account.hold();
    for (const process of this.#processes) process.kill(tail);
    for (const account of this.#accounts.values()) account.release();
    this.place.powerLoss();
  }

  /** The calls on an account's data, in their order. */
  account(name: string): AccountQueue {
    let account = this.#accounts.get(name);
    if (!account) this.#accounts.set(name, (account = new AccountQueue(() => this.place.data(name))));
    return account;
  }

  remove(name: string): void {
    const gone = this.forgotten ? this.snapshot().filter(({ account }) => account === name) : [];
    this.account(name).lose("was deleted");
    this.place.remove(name);
    this.forgotten?.(gone);
  }

  /** Takes data away, as a browser does that needs room. Handles become `lost`. @returns what is gone. */
  evict(what: Eviction = {}): ClientImage {
    const { tables = storageTables, spaces } = what;
    return this.#exchange(
      "was evicted",
      (entry) => !tables.includes(entry.table) || spaces?.includes(entry.space) === false,
    );
  }

  /** What is on it now; it stays as it is. */
  snapshot(): ClientImage {
    return this.place.names().flatMap((account) => {
      const data = this.place.data(account);
      return data
        .spaces()
        .flatMap((space) =>
          storageTables.flatMap((table) =>
            data.entries(table, space).map((entry) => ({ ...entry, account, table })),
          ),
        );
    });
  }

  /** Puts back what lay on it earlier, as a machine does that is restored. Handles become `lost`. @returns what is gone. */
  restoreOlder(image: ClientImage): ClientImage {
    const there = new Set(image.map(keyOf));
    const gone = this.#exchange("was replaced by an older one", () => false);
    this.#write(image);
    return gone.filter((entry) => !there.has(keyOf(entry)));
  }

  /** A disk of its own that holds what lies on this one. */
  clone(): ClientDisk {
    const options = { ...this.options };
    const clone = new ClientDisk(options, this.place.another(options));
    clone.#write(this.snapshot());
    return clone;
  }

  /** What lies in a table, without a call that counts. */
  peek(account: string, table: StorageTable, space: string): readonly StorageEntry[] {
    return this.place.names().includes(account) ? this.place.data(account).entries(table, space) : [];
  }

  /** The value as this disk keeps and gives it. */
  hold(value: StorageValue): StorageValue {
    return copyOf(value, this.options.values ?? "frozen");
  }

  /** Lets go of what it holds outside of memory. */
  dispose(): void {
    this.crash();
    this.place.dispose();
  }

  /** Keeps some entries of all, under handles that are lost. @returns the others. */
  #exchange(reason: string, keep: (entry: PlacedEntry) => boolean): ClientImage {
    const all = this.snapshot();
    for (const account of this.#accounts.values()) account.lose(reason);
    for (const account of this.place.names()) this.place.remove(account);
    this.#write(all.filter(keep));
    return all.filter((entry) => !keep(entry));
  }

  #write(image: ClientImage): void {
    const { maxBytes } = this.options;
    // What lies on a disk lies there, even if there would be no room to write it now.
    delete this.options.maxBytes;
    for (const account of new Set(image.map((entry) => entry.account))) {
      const changes = image
        .filter((entry) => entry.account === account)
        .map(({ table, space, a, b, value }) => ({ type: "put" as const, table, space, a, b, value }));
      this.place.data(account).commit(changes, undefined);
    }
    if (maxBytes !== undefined) this.options.maxBytes = maxBytes;
  }
}

const keyOf = ({ account, table, space, a, b }: PlacedEntry): string =>
  JSON.stringify([account, table, space, a, b]);
