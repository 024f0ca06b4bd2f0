import {
  type Fence,
  type StorageChange,
  type StorageTable,
  storageTables,
} from "@landfall/client/storage/port";
import type { ClientData } from "./client-tables.js";
import type { ClientProcess } from "./client-process.js";

/** What a crash leaves of the calls that had no answer yet. */
export interface CrashTail {
  /** Whether a commit that waited was carried out after all; none is unless said. */
  readonly keeps?: () => boolean;
  /** How many of its changes a commit leaves that was not carried out: a disk that tears. None unless said. */
  readonly tears?: (changes: number) => number;
}

/** Some of the tables, a bit for each. */
export type TableSet = number;

export const noTables: TableSet = 0;
export const everyTable: TableSet = 2 ** storageTables.length - 1;

export const setOf = (table: StorageTable): TableSet => 1 << storageTables.indexOf(table);

/** A call on an account's data that has not answered yet. */
export interface AccountCall {
  readonly process: ClientProcess;
  /** Tables that it looks at, and that it changes. */
  readonly reads: TableSet;
  readonly writes: TableSet;
  /** What it is to write, for a crash in the middle of it. */
  readonly commit?: { readonly changes: readonly StorageChange[]; readonly fence: Fence | undefined };
  /** Carries it out when its turn has come, and calls back when it is over. */
  readonly begin: (data: () => ClientData, over: () => void) => void;
}

interface Waiting {
  readonly call: AccountCall;
  /** It has begun, and what it waits for is its own. */
  begun: boolean;
}

/** Whether two calls have to keep their order. */
const touch = (x: AccountCall, y: AccountCall): boolean =>
  ((x.writes & (y.writes | y.reads)) | (x.reads & y.writes)) !== 0;

/**
 * The calls of all processes on one account, each begun when those before it that share a table with it are over,
 * as transactions of IndexedDB are. Calls that share none may overtake each other.
 */
export class AccountQueue {
  /** Rises when the data goes under the handles on it. */
  era = 0;
  /** Why the last era has ended. */
  ending = "";
  #waiting: Waiting[] = [];
  #isHeld = false;

  constructor(private readonly data: () => ClientData) {}

  add(call: AccountCall): void {
    this.#waiting.push({ call, begun: false });
    this.#pump();
  }

  /** Nothing begins until it is released. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.#pump();
  }

  /** The data is gone, or another: handles of this era are `lost`. */
  lose(reason: string): void {
    this.era += 1;
    this.ending = reason;
  }

  /** A process has ended: of its calls only those are carried out that the crash leaves. */
  dropAll(process: ClientProcess, { keeps, tears }: CrashTail): void {
    const dropped: AccountCall[] = [];
    const left: Waiting[] = [];
    for (const waiting of this.#waiting) {
      const { call } = waiting;
      if (call.process !== process) {
        left.push(waiting);
        continue;
      }
      const { commit } = call;
      const atGate = process.atGate(call);
      if (atGate === "after") continue;
      // What came later on the same tables cannot be there when this is not.
      const canBe = commit && atGate === undefined && !dropped.some((earlier) => touch(earlier, call));
      if (canBe && keeps?.() === true) {
        left.push(orphan(call, commit));
        continue;
      }
      dropped.push(call);
      const torn = canBe ? commit.changes.slice(0, tears?.(commit.changes.length) ?? 0) : [];
      if (torn.length > 0) left.push(orphan(call, { changes: torn, fence: commit?.fence }));
    }
    this.#waiting = left;
    this.#pump();
  }

  #pump(): void {
    if (this.#isHeld) return;
    for (let i = 0; i < this.#waiting.length; i++) {
      const waiting = this.#waiting[i] as Waiting;
      if (waiting.begun) continue;
      const isFree = this.#waiting.slice(0, i).every(({ call }) => !touch(call, waiting.call));
      if (!isFree) continue;
      waiting.begun = true;
      waiting.call.begin(this.data, () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        this.#pump();
      });
    }
  }
}

/** A commit that nobody waits for any more. */
function orphan(call: AccountCall, commit: NonNullable<AccountCall["commit"]>): Waiting {
  const begin: AccountCall["begin"] = (data, over) => {
    try {
      data().commit(commit.changes, commit.fence);
    } catch {
      // Nobody is left to hear that it was refused.
    }
    over();
  };
  return { call: { ...call, begin }, begun: false };
}
