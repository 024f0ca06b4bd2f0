import type { BatchPlace, BatchTransaction, GroupConnection } from "@landfall/server/storage/group-commit";
import { MemoryTransaction } from "./memory-transaction.js";
import { type CommitLog, type ServerStore, undoAll } from "./server-store.js";
import type { SpaceTables, Undo } from "./space-tables.js";

/** Like SQLite's own error for a file that may not grow. */
export function fullError(): Error {
  return Object.assign(new Error("database or disk is full"), { errcode: 13 });
}

/** Like SQLite's own error for a savepoint or a commit in a transaction that it has rolled back by itself. */
const goneError = (message: string): Error => Object.assign(new Error(message), { errcode: 1 });

/** Keeps what a reader began on, while commits go on. */
export interface OpenView {
  /** The tables of spaces that commits have changed since, as they were. */
  readonly kept: Map<string, SpaceTables>;
}

/**
 * Transactions and savepoints on a store, by taking changes back. Readers see whole commits only: where a
 * transaction is open on a space, they get a copy in which it is undone.
 */
export class MemoryConnection implements GroupConnection {
  readonly views = new Set<OpenView>();
  /** The newest commits, as long as a disk that lies may lose them. */
  readonly tail: CommitLog[] = [];
  #open = new Map<string, Undo[]>();
  #batch: { readonly space: string; readonly log: Undo[]; readonly bytes: number } | undefined;
  /** The open transaction has been rolled back, as SQLite does by itself when the disk is full. */
  #isGone = false;
  #before = new Map<string, SpaceTables>();

  constructor(
    private readonly store: ServerStore,
    private readonly options: {
      readonly room?: { readonly maxBytes?: number };
      readonly tailCommits?: number;
    },
  ) {}

  begin(): void {
    this.#isGone = false;
  }

  batch(space: string, commitModifiedAt: number | undefined, { isLast }: BatchPlace): BatchTransaction {
    const log: Undo[] = [];
    const tables = this.store.tables(space);
    this.#batch = { space, log, bytes: tables.bytes };
    return new MemoryTransaction(tables, log, commitModifiedAt, isLast, () => this.#checkRoom(tables));
  }

  keep(): void {
    const batch = this.#batch;
    this.#batch = undefined;
    if (!batch) return;
    const { space, log } = batch;
    const open = this.#open.get(space);
    if (open) open.push(...log);
    else if (log.length > 0) this.#open.set(space, log);
  }

  undo(): void {
    if (this.#isGone) throw goneError("no such savepoint: batch");
    const batch = this.#batch;
    this.#batch = undefined;
    if (batch) undoAll(this.store.tables(batch.space), batch.log);
  }

  commit(): void {
    if (this.#isGone) throw goneError("cannot commit - no transaction is active");
    for (const space of this.#open.keys()) {
      for (const { kept } of this.views) if (!kept.has(space)) kept.set(space, this.#committed(space));
    }
    const { tailCommits = 0 } = this.options;
    if (tailCommits > 0) {
      this.tail.push(this.#open);
      if (this.tail.length > tailCommits) this.tail.shift();
    } else {
      // What the order of a space's rows has to be taken back by is in the logs of the tail.
      for (const space of this.#open.keys()) this.store.tables(space).tidy();
    }
    this.#close();
  }

  rollback(): void {
    if (!this.#isGone) this.lose();
  }

  /** Rolls back all of the open transaction, under whoever works in it. */
  lose(): void {
    if (this.#batch) this.undo();
    this.store.takeBack(this.#open);
    this.#close();
    this.#isGone = true;
  }

  /** The store as of the newest commit. */
  copy(): ServerStore {
    const copy = this.store.clone();
    if (this.#batch) undoAll(copy.tables(this.#batch.space), this.#batch.log);
    copy.takeBack(this.#open);
    return copy;
  }

  /** The tables of a space for a reader. */
  read(view: OpenView, space: string): SpaceTables | undefined {
    const kept = view.kept.get(space);
    if (kept) return kept;
    if (!this.#open.has(space) && this.#batch?.space !== space) return this.store.spaces.get(space);
    const before = this.#committed(space);
    view.kept.set(space, before);
    return before;
  }

  /** A space as of the newest commit, while a transaction is open on it. */
  #committed(space: string): SpaceTables {
    let before = this.#before.get(space);
    if (before) return before;
    before = this.store.tables(space).clone();
    if (this.#batch?.space === space) undoAll(before, this.#batch.log);
    undoAll(before, this.#open.get(space) ?? []);
    this.#before.set(space, before);
    return before;
  }

  #close(): void {
    this.#open = new Map();
    this.#before = new Map();
  }

  #checkRoom(tables: SpaceTables): void {
    const maxBytes = this.options.room?.maxBytes;
    const grows = tables.bytes > (this.#batch?.bytes ?? 0);
    if (maxBytes === undefined || !grows || this.store.bytes <= maxBytes) return;
    this.lose();
    throw fullError();
  }
}
