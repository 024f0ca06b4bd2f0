import {
  type ClientStorage,
  type ClientStorageFactory,
  FencedError,
  type StorageChange,
  StorageError,
  type StorageTable,
  storageTables,
} from "@landfall/client/storage/port";
import type { AccountCall, AccountQueue, CrashTail } from "./account-queue.js";
import { CallGate, type CallPorts, type Refusals, never } from "./call-gate.js";
import type { ClientDisk } from "./client-disk.js";
import type { ClientData } from "./client-tables.js";

export type ClientCallKind = "open" | "entries" | "get" | "commit" | "spaces" | "destroy";

const none: ReadonlySet<StorageTable> = new Set();
const every: ReadonlySet<StorageTable> = new Set(storageTables);

const refuse = (code: StorageError["code"], message: string) => (): never => {
  throw new StorageError(code, message);
};
const fail = refuse("failed", "The storage failed, nothing was written. It can be tried again.");
const full = refuse("full", "Nothing was written: no room is left. Free some space.");
const refusals: Readonly<Record<ClientCallKind, Refusals>> = {
  open: { full, fail: refuse("unavailable", "The storage cannot be opened.") },
  entries: { fail },
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
    ports: CallPorts<ClientCallKind>,
    ended: (tail: CrashTail) => void,
  ) {
    this.#gate = new CallGate(ports, disk.calls, () => ended(this.#tail));
    this.factory = {
      kind: "indexeddb",
      open: (name) => this.#alone("open", () => this.#handle(name)),
      destroy: (name) => this.#alone("destroy", () => disk.remove(name)),
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

  #alone<T>(kind: "open" | "destroy", run: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      try {
        Promise.resolve(this.#gate.pass(kind, run, refusals[kind])).then(resolve, reject);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
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
    const ask = <T>(kind: ClientCallKind, on: On, run: (data: ClientData) => T): Promise<T> =>
      this.#ask(account, kind, on, assertUsable, run);
    const { disk } = this;
    return {
      kind: "indexeddb",
      persistent: true,
      entries: (table, space) =>
        ask("entries", { reads: new Set([table]), writes: none }, (data) =>
          data.entries(table, space).map((entry) => ({ ...entry, value: disk.hold(entry.value) })),
        ),
      get: (table, space, a, b = "") =>
        ask("get", { reads: new Set([table]), writes: none }, (data) =>
          disk.hold(data.get(table, space, a, b)),
        ),
      spaces: () => ask("spaces", { reads: every, writes: none }, (data) => data.spaces()),
      commit: async (changes, fence) => {
        if (this.isDead) return never;
        assertUsable();
        const commit = { changes: this.#take(changes), fence };
        const writes = new Set(commit.changes.map(({ table }) => table));
        const reads = fence ? new Set<StorageTable>(["meta"]) : none;
        return ask("commit", { reads, writes, commit }, (data) => data.commit(commit.changes, fence));
      },
      close: async () => void (closed = true),
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

  /** Puts a call in its account's queue. A dead process hears nothing of it. */
  #ask<T>(
    account: AccountQueue,
    kind: ClientCallKind,
    on: On,
    assertUsable: () => void,
    run: (data: ClientData) => T,
  ): Promise<T> {
    if (this.isDead) return never;
    return new Promise<T>((resolve, reject) => {
      const call: AccountCall = {
        ...on,
        process: this,
        begin: (data, over) => {
          const end = (settle: () => void): void => {
            if (this.isDead) return;
            over();
            settle();
          };
          const rejected = (error: unknown): void => end(() => reject(asStorageError(error)));
          const atGate = (this.#atGate = { call, at: "before" as "before" | "after" });
          try {
            const going = this.#gate.pass(
              kind,
              () => {
                assertUsable();
                const value = run(data());
                atGate.at = "after";
                return value;
              },
              refusals[kind],
            );
            if (going instanceof Promise) going.then((value) => end(() => resolve(value)), rejected);
            else end(() => resolve(going));
          } catch (error) {
            rejected(error);
          } finally {
            this.#atGate = undefined;
          }
        },
      };
      account.add(call);
    });
  }
}

type On = Pick<AccountCall, "reads" | "writes" | "commit">;

function asStorageError(error: unknown): Error {
  if (error instanceof StorageError || error instanceof FencedError) return error;
  return new StorageError("failed", "The storage failed, nothing was written.", { cause: error });
}
