import {
  type ClientStorage,
  type ClientStorageFactory,
  FencedError,
  type StorageChange,
  type StorageEntry,
  StorageError,
} from "@landfall/client/storage/port";
import type { MaybePromise } from "@landfall/server/maybe-promise";
import {
  type AccountCall,
  type CrashTail,
  type TableSet,
  everyTable,
  noTables,
  setOf,
} from "./account-queue.js";
import { CallGate, type CallPorts, type Refusals, endless } from "./call-gate.js";
import type { ClientDisk } from "./client-disk.js";
import type { ClientData } from "./client-tables.js";

export type ClientCallKind = "open" | "entries" | "snapshot" | "get" | "commit" | "spaces" | "destroy";

/** How calls come to the disk, and their answers back. */
export interface Carrier {
  /** In the order of the calls. */
  there(call: () => void): void;
  back(kind: ClientCallKind | "close", answer: () => void): void;
}

export interface ClientDiskPorts extends CallPorts<ClientCallKind> {
  /** Both ways take no time, unless given. */
  readonly carrier?: Carrier;
  /** Is told what is to be written, when that comes to the disk. */
  readonly commits?: (changes: readonly StorageChange[]) => void;
}

const atOnce: Carrier = { there: (call) => call(), back: (_, answer) => answer() };

const refuse = (code: StorageError["code"], message: string) => (): never => {
  throw new StorageError(code, message);
};
const fail = refuse("failed", "The storage failed, nothing was written. It can be tried again.");
const full = refuse("full", "Nothing was written: no room is left. Free some space.");
const refusals: Readonly<Record<ClientCallKind, Refusals>> = {
  open: { full, fail: refuse("unavailable", "The storage cannot be opened.") },
  entries: { fail },
  snapshot: { fail },
  get: { fail },
  commit: { full, fail },
  spaces: { fail },
  destroy: { fail },
};

/** A process on a device's disk, as a tab is. When it has ended, no call of its storages answers any more. */
export class ClientProcess {
  readonly factory: ClientStorageFactory;
  readonly #gate: CallGate<ClientCallKind>;
  #tail: CrashTail = {};
  #atGate: { readonly call: AccountCall; at: "before" | "after" } | undefined;

  /** @param ended is told at the very moment. */
  constructor(
    private readonly disk: ClientDisk,
    private readonly ports: ClientDiskPorts,
    ended: (tail: CrashTail) => void,
  ) {
    this.#gate = new CallGate(ports, disk.calls, () => ended(this.#tail));
    this.factory = {
      kind: "indexeddb",
      open: (name) => this.#open(() => (disk.isTorn ? refusals.open.fail() : this.#handle(name))),
    };
  }

  get isDead(): boolean {
    return this.#gate.isDead;
  }

  /** Ends it, with what its calls that had no answer yet leave. */
  kill(tail: CrashTail = {}): void {
    this.#tail = tail;
    this.#gate.kill();
  }

  /** Where a call is whose verdict has ended the process: before it did anything, or after it. */
  atGate(call: AccountCall): "before" | "after" | undefined {
    return this.#atGate?.call === call ? this.#atGate.at : undefined;
  }

  /** Sends a call to the disk. A dead process hears nothing of it. */
  #send<T>(kind: ClientCallKind | "close", work: (answer: Answer<T>) => void): Promise<T> {
    if (this.isDead) return endless();
    const { carrier = atOnce } = this.ports;
    return new Promise<T>((resolve, reject) => {
      const answer: Answer<T> = {
        gives: (value) => carrier.back(kind, () => resolve(value)),
        fails: (error) =>
          carrier.back(kind, () => reject(error instanceof Error ? error : new Error(String(error)))),
      };
      carrier.there(() => {
        if (!this.isDead) answering(answer, () => work(answer));
      });
    });
  }

  /** Opening waits for no other call. */
  #open<T>(run: () => T): Promise<T> {
    return this.#send<T>("open", (answer) => give(answer, this.#gate.pass("open", run, refusals.open)));
  }

  #handle(name: string): ClientStorage {
    const account = this.disk.account(name);
    const { era } = account;
    let closed = false;
    const assertUsable = (): void => {
      if (closed) throw new StorageError("lost", "The storage was closed. Open it again.");
      if (account.era !== era)
        throw new StorageError("lost", `The storage ${account.ending}. Open it again.`);
    };
    const add = <T>(kind: ClientCallKind, on: On, run: (data: ClientData) => T, answer: Answer<T>): void =>
      account.add(this.#callOf(kind, on, assertUsable, run, answer));
    const read = <T>(kind: ClientCallKind, reads: TableSet, run: (data: ClientData) => T): Promise<T> =>
      this.#send<T>(kind, (answer) => add(kind, { reads, writes: noTables }, run, answer));
    const { disk, ports } = this;
    const listed = (entries: readonly StorageEntry[]): StorageEntry[] =>
      entries.map((entry) => ({ ...entry, value: disk.hold(entry.value) }));
    return {
      kind: "indexeddb",
      persistent: true,
      entries: (table, space) => read("entries", setOf(table), (data) => listed(data.entries(table, space))),
      snapshot: (tables, space) =>
        read(
          "snapshot",
          tables.reduce((set, table) => set | setOf(table), noTables),
          (data) => tables.map((table) => listed(data.entries(table, space))),
        ),
      get: (table, space, a, b = "") =>
        read("get", setOf(table), (data) => disk.hold(data.get(table, space, a, b))),
      spaces: () => read("spaces", everyTable, (data) => data.spaces()),
      commit: (given, fence) =>
        this.#send<void>("commit", (answer) => {
          ports.commits?.(given);
          assertUsable();
          const changes = this.#take(given);
          const on = {
            reads: fence ? setOf("meta") : noTables,
            writes: changes.reduce((tables, { table }) => tables | setOf(table), noTables),
            commit: { changes, fence },
          };
          add("commit", on, (data) => data.commit(changes, fence), answer);
        }),
      destroy: (may) =>
        this.#send<boolean>("destroy", (answer) => {
          const run = (data: ClientData): boolean => {
            const outbox = data.spaces().flatMap((space) => data.entries("outbox", space));
            if (!may(listed(outbox))) return false;
            disk.remove(name);
            return true;
          };
          add("destroy", { reads: everyTable, writes: everyTable }, run, answer);
        }),
      close: () =>
        this.#send<void>("close", ({ gives }) => {
          closed = true;
          gives();
        }),
    };
  }

  /** The changes as they are now, whatever becomes of the values. @throws StorageError */
  #take(changes: readonly StorageChange[]): StorageChange[] {
    try {
      return changes.map((change) => {
        if (change.type === "put") return { ...change, value: this.disk.hold(change.value) };
        if (change.type !== "putAll") return { ...change };
        const held = [...change.values].map(([b, value]) => [b, this.disk.hold(value)] as const);
        return { ...change, values: new Map(held) };
      });
    } catch (cause) {
      throw new StorageError("failed", "Nothing was written: the changes could not be read.", { cause });
    }
  }

  /** What stands in an account's queue for a call. */
  #callOf<T>(
    kind: ClientCallKind,
    on: On,
    assertUsable: () => void,
    run: (data: ClientData) => T,
    { gives, fails }: Answer<T>,
  ): AccountCall {
    const call: AccountCall = {
      ...on,
      process: this,
      begin: (data, over) => {
        const answer: Answer<T> = {
          gives: (value) => {
            if (this.isDead) return;
            over();
            gives(value);
          },
          fails: (error) => {
            if (this.isDead) return;
            over();
            fails(asStorageError(error));
          },
        };
        const atGate = (this.#atGate = { call, at: "before" as "before" | "after" });
        const pass = (): T => {
          assertUsable();
          const value = run(data());
          atGate.at = "after";
          return value;
        };
        answering(answer, () => give(answer, this.#gate.pass(kind, pass, refusals[kind])));
        this.#atGate = undefined;
      },
    };
    return call;
  }
}

type On = Pick<AccountCall, "reads" | "writes" | "commit">;

/** What settles a call; either comes once. */
interface Answer<T> {
  readonly gives: (value: T) => void;
  readonly fails: (error: unknown) => void;
}

function give<T>({ gives, fails }: Answer<T>, value: MaybePromise<T>): void {
  if (value instanceof Promise) value.then(gives, fails);
  else gives(value);
}

/** Does what a call is answered by; where that throws, the call fails. */
function answering<T>({ fails }: Answer<T>, work: () => void): void {
  try {
    work();
  } catch (error) {
    fails(error);
  }
}

function asStorageError(error: unknown): Error {
  if (error instanceof StorageError || error instanceof FencedError) return error;
  return new StorageError("failed", "The storage failed, nothing was written.", { cause: error });
}
