import type { SpaceCommit } from "../engine-types.js";
import { refuseUnknown } from "../known-options.js";
import type { MaybePromise } from "../maybe-promise.js";
import { GroupCommit, type GroupConnection, type Schedule } from "./group-commit.js";
import type { GenerationStart, Snapshot, SpaceTransaction, Storage, StorageStats } from "./port.js";
import { type SqliteDatabase, Statements, loadSqlite } from "./sqlite-driver.js";
import { SqliteConnection } from "./sqlite-connection.js";
import { type SqliteOptions, openFile } from "./sqlite-file.js";
import { SqliteSnapshot } from "./sqlite-snapshot.js";

/** The storage of one embedded server, with doors that only operators and tests use. */
export interface SqliteStorage extends Storage {
  /** Gives a space another generation, as a restore does (DESIGN rule 12). Rows stay as they are, unless it is wiped. */
  setGeneration(
    space: string,
    start: Pick<GenerationStart, "generation" | "reason" | "at"> & Partial<GenerationStart>,
  ): Promise<void>;
  /** Drops a domain's tombstones up to a version, and remembers that they are gone. @returns how many. */
  pruneTombstones(space: string, domain: string, upToVersion: number): Promise<number>;
  /** Copies everything, as of one moment, into a new file. */
  backup(file: string): Promise<void>;
}

export type { SqliteOptions } from "./sqlite-file.js";

/**
 * Opens the embedded storage (DESIGN §7): a file, made with its directory where it is not there, or
 * `:memory:`. One process at a time.
 *
 * @throws Error that says what is wrong with the file, and what to do.
 */
export function sqlite(
  file: string,
  options: SqliteOptions & {
    readonly schedule?: Schedule;
    /** Puts something around the connection that writes: how a test crashes at a commit, or fails it. */
    readonly around?: (connection: GroupConnection) => GroupConnection;
  } = {},
): SqliteStorage {
  refuseUnknown("sqlite()", options, { maxBytes: true, schedule: true, around: true });
  if (typeof file !== "string" || file === "" || file.startsWith("sqlite:"))
    throw new Error(
      `sqlite() needs a file such as "landfall.db", without sqlite: before it, and was given ${JSON.stringify(file)}.`,
    );
  const { writer, reader, close } = openFile(loadSqlite(), file, options);
  const listeners = new Set<(commit: SpaceCommit) => void>();
  const { schedule = setImmediate, around = (connection: GroupConnection) => connection } = options;
  const group = new GroupCommit(around(new SqliteConnection(writer)), schedule, (commit) => {
    for (const listener of listeners) listener(commit);
  });
  const reading = new Reading(reader, reader === writer ? group : undefined);
  const write = <T>(space: string, batch: (transaction: SpaceTransaction) => MaybePromise<T>): Promise<T> =>
    group.write(space, batch);
  let closing: Promise<void> | undefined;
  return {
    write,
    read: (view) => reading.read(view),
    onCommit(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    stats: (): StorageStats => ({
      commits: group.commits,
      batches: group.batches,
      largestGroup: group.largestGroup,
      lostGroups: group.lostGroups,
    }),
    close: () =>
      (closing ??= group
        .close()
        .then(() => reading.close())
        .then(close)),
    setGeneration: (space, start) =>
      write(space, (transaction) => startGeneration(transaction, space, start)),
    pruneTombstones: (space, domain, upTo) =>
      write(space, (transaction) => transaction.pruneTombstones(domain, upTo)),
    async backup(target) {
      await group.quiet;
      // Writing another file counts as writing, which the reader is kept from otherwise.
      reader.exec("PRAGMA query_only=OFF");
      try {
        reader.prepare("VACUUM INTO ?").run(target);
      } finally {
        if (reader !== writer) reader.exec("PRAGMA query_only=ON");
      }
    },
  };
}

async function startGeneration(
  transaction: SpaceTransaction,
  space: string,
  start: Parameters<SqliteStorage["setGeneration"]>[1],
): Promise<void> {
  const opened = await transaction.open("", "");
  if (!opened) throw new Error(`There is no space ${space}, so it has no generation to change.`);
  const parent = start.parent ?? opened.state.generation;
  await transaction.startGeneration(
    { startedAt: 0, ...start, parent },
    { ...opened.state, generation: start.generation },
    start.reason === "wiped",
  );
}

/** Snapshots on one connection, one after another. */
class Reading {
  readonly #statements: Statements;
  readonly #snapshot: Snapshot;
  #last: Promise<unknown> | undefined;

  /** @param shared the group commit whose connection this is, where the database is in memory. */
  constructor(
    database: SqliteDatabase,
    private readonly shared: GroupCommit | undefined,
  ) {
    this.#statements = new Statements(database);
    this.#snapshot = new SqliteSnapshot(this.#statements);
  }

  async read<T>(view: (snapshot: Snapshot) => MaybePromise<T>): Promise<T> {
    // On a shared connection an open group's changes would be seen before they are committed.
    while (this.#last || this.shared?.quiet) await (this.#last ?? this.shared?.quiet);
    this.#statements.of("BEGIN").run();
    try {
      const going = view(this.#snapshot);
      if (!(going instanceof Promise)) return going;
      this.#last = going.then(
        () => undefined,
        () => undefined,
      );
      return await going;
    } finally {
      this.#last = undefined;
      this.#statements.of("COMMIT").run();
    }
  }

  async close(): Promise<void> {
    while (this.#last) await this.#last;
  }
}
