import type { CommittedEvent, SpaceCommit } from "../engine-types.js";
import type { MaybePromise } from "../maybe-promise.js";
import { type SpaceTransaction, TransactionLostError } from "./port.js";

/** What one batch of a group does, in a savepoint of its own. */
export interface BatchTransaction extends SpaceTransaction {
  /** What the batch told of, for the listeners. */
  readonly published: readonly {
    readonly generation: string;
    readonly events: readonly CommittedEvent[];
  }[];
  /** The `modifiedAt` that the batch gave the space, or undefined where it left it as it was. */
  readonly movedTo: number | undefined;
  /** Ends the batch. @throws what a statement failed with, even if the batch went on as if nothing had happened. */
  end(): void;
}

/** Where a batch stands in its group. */
export interface BatchPlace {
  /** There is no other: what undoes the transaction undoes the batch. */
  readonly isOnly: boolean;
  /** No other of its space comes after it. */
  readonly isLast: boolean;
}

/** The connection of an embedded database that writes: one transaction at a time, savepoints in it. */
export interface GroupConnection {
  begin(): MaybePromise<void>;
  /** Begins a batch, and gives what it does from there on. */
  batch(space: string, commitModifiedAt: number | undefined, place: BatchPlace): BatchTransaction;
  /** Keeps what the batch did. */
  keep(): void;
  /** Undoes what the batch did. @throws when the whole transaction is gone already. */
  undo(): void;
  /** All of it is durable when this returns. @throws when nothing of it was kept. */
  commit(): MaybePromise<void>;
  /** Undoes the whole transaction, if it still stands. */
  rollback(): void;
}

interface Job {
  readonly space: string;
  readonly batch: (transaction: SpaceTransaction) => MaybePromise<unknown>;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

/** A batch that was carried out, and waits for the commit. */
interface Done {
  readonly job: Job;
  readonly value: unknown;
  readonly published: BatchTransaction["published"];
}

/** Batches in one commit at most: what comes later should not wait for ever, and reads come between commits. */
const maxGroup = 64;

/** Gives other work of the process a turn before the next group, and gathers what arrives meanwhile. */
export type Schedule = (run: () => void) => void;

/**
 * Group commit (DESIGN §7): batches that wait together share one transaction and one fsync, each in its own
 * savepoint, strictly one after another.
 */
export class GroupCommit {
  commits = 0;
  batches = 0;
  largestGroup = 0;
  lostGroups = 0;
  readonly #queue: Job[] = [];
  #running: Promise<void> | undefined;
  #scheduled = false;
  #closed = false;

  constructor(
    private readonly connection: GroupConnection,
    private readonly schedule: Schedule,
    private readonly committed: (commit: SpaceCommit) => void,
  ) {}

  write<T>(space: string, batch: (transaction: SpaceTransaction) => MaybePromise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new Error("The storage is closed."));
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ space, batch, resolve, reject });
      this.#wake();
    });
  }

  /** Resolves when no group is under way. */
  get quiet(): Promise<void> | undefined {
    return this.#running;
  }

  async close(): Promise<void> {
    this.#closed = true;
    while (this.#running || this.#queue.length > 0) await (this.#running ?? this.#start());
  }

  #wake(): void {
    if (this.#scheduled || this.#running) return;
    this.#scheduled = true;
    this.schedule(() => {
      this.#scheduled = false;
      if (!this.#running && this.#queue.length > 0) void this.#start();
    });
  }

  #start(): Promise<void> {
    const group = this.#runGroup(this.#queue.splice(0, maxGroup)).finally(() => {
      this.#running = undefined;
      if (this.#queue.length > 0) this.#wake();
    });
    this.#running = group;
    return group;
  }

  async #runGroup(jobs: readonly Job[]): Promise<void> {
    const done: Done[] = [];
    const commitTimes = new Map<string, number>();
    try {
      const begun = this.connection.begin();
      if (begun) await begun;
      for (const [position, job] of jobs.entries()) {
        const going = this.#runJob(job, commitTimes, {
          isOnly: jobs.length === 1,
          isLast: !jobs.some(({ space }, other) => other > position && space === job.space),
        });
        const finished = going instanceof Promise ? await going : going;
        if (finished) done.push(finished);
      }
      const committed = this.connection.commit();
      if (committed) await committed;
    } catch (cause) {
      this.#lose(jobs, cause);
      return;
    }
    this.commits += 1;
    this.batches += done.length;
    this.largestGroup = Math.max(this.largestGroup, done.length);
    try {
      for (const commit of toCommits(done)) this.committed(commit);
    } finally {
      for (const { job, value } of done) job.resolve(value as never);
    }
  }

  /** Runs one batch, which leaves nothing where it fails. @throws when the transaction is gone. @returns undefined for a batch that failed alone. */
  #runJob(job: Job, commitTimes: Map<string, number>, place: BatchPlace): MaybePromise<Done | undefined> {
    const transaction = this.connection.batch(job.space, commitTimes.get(job.space), place);
    const succeed = (value: unknown): Done | undefined => {
      try {
        transaction.end();
      } catch (error) {
        return fail(error);
      }
      this.connection.keep();
      if (transaction.movedTo !== undefined) commitTimes.set(job.space, transaction.movedTo);
      return { job, value, published: transaction.published };
    };
    const fail = (error: unknown): undefined => {
      try {
        this.connection.undo();
      } catch {
        // A full disk rolls back everything, savepoints too: the group is lost, and this is why.
        throw error;
      }
      job.reject(error);
      return undefined;
    };
    let going: MaybePromise<unknown>;
    try {
      going = job.batch(transaction);
    } catch (error) {
      return fail(error);
    }
    return going instanceof Promise ? going.then(succeed, fail) : succeed(going);
  }

  /** Nothing of the group stands, not even what had been carried out: all of it may be sent again. */
  #lose(jobs: readonly Job[], cause: unknown): void {
    this.lostGroups += 1;
    this.connection.rollback();
    const error = new TransactionLostError(
      `The storage could not commit (${String(cause)}); nothing of it was kept. See to its disk, then it goes on by itself.`,
      { cause },
    );
    for (const job of jobs) job.reject(error);
  }
}

/** One commit for each space and generation, events in index order. */
function toCommits(done: readonly Done[]): SpaceCommit[] {
  const commits: {
    readonly space: string;
    readonly generation: string;
    readonly events: CommittedEvent[];
  }[] = [];
  for (const { job, published } of done) {
    for (const { generation, events } of published) {
      const open = commits.find((commit) => commit.space === job.space && commit.generation === generation);
      if (open) open.events.push(...events);
      else commits.push({ space: job.space, generation, events: [...events] });
    }
  }
  return commits;
}
