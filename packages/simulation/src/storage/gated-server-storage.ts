import type { GroupConnection } from "@landfall/server/storage/group-commit";
import { type MaybePromise, chain } from "@landfall/server/maybe-promise";
import type { Snapshot, SpaceTransaction, Storage } from "@landfall/server/storage/port";
import { type CallGate, type Refusals, endless } from "./call-gate.js";
import { fullError } from "./memory-connection.js";

type Asked<T> = { [K in keyof T]: T[K] extends (...args: never) => unknown ? K : never }[keyof T] & string;

/** A call of a server's storage: of a batch, of a view (`read:…`), or of the group. */
export type ServerCallKind =
  | Exclude<Asked<SpaceTransaction>, "publish">
  | `read:${Asked<Snapshot>}`
  | "begin"
  | "commit";

/** Like SQLite's own error for a block that cannot be read or written. */
function brokenError(): Error {
  return Object.assign(new Error("disk I/O error"), { errcode: 10 });
}

const broken = (): never => {
  throw brokenError();
};

/** Puts a gate around the connection that writes. A commit that is `full`, or fails, loses its group. */
export function gatedConnection(inner: GroupConnection, gate: CallGate<ServerCallKind>): GroupConnection {
  const refusals: Refusals = {
    full() {
      throw fullError();
    },
    fail: broken,
  };
  const assertAlive = (): void => {
    if (gate.isDead) throw new Error("The process has ended.");
  };
  return {
    begin: () => {
      assertAlive();
      return gate.untilTheEnd(gate.pass("begin", () => inner.begin(), refusals));
    },
    batch(space, commitModifiedAt, place) {
      assertAlive();
      return inner.batch(space, commitModifiedAt, place);
    },
    keep() {
      assertAlive();
      inner.keep();
    },
    undo() {
      assertAlive();
      inner.undo();
    },
    commit: () => {
      assertAlive();
      return gate.untilTheEnd(gate.pass("commit", () => inner.commit(), refusals));
    },
    rollback() {
      if (!gate.isDead) inner.rollback();
    },
  };
}

/**
 * A server's storage in which every call passes a gate. After the end of the process nothing of it answers.
 *
 * @param loseGroup rolls back the open transaction, as SQLite does when it finds no room.
 */
export function gatedServerStorage(
  inner: Storage,
  gate: CallGate<ServerCallKind>,
  loseGroup: () => void,
): Storage {
  return {
    write(space, batch) {
      if (gate.isDead) return endless();
      return gate.whileAlive(
        inner.write(space, (transaction) => {
          const gated = new GatedTransaction(transaction, gate, loseGroup);
          return gate.untilTheEnd(chain(batch(gated), (value) => gated.end(value)));
        }),
      );
    },
    read(view) {
      if (gate.isDead) return endless();
      return gate.whileAlive(inner.read((snapshot) => gate.untilTheEnd(view(gatedSnapshot(snapshot, gate)))));
    },
    onCommit: (listener) =>
      inner.onCommit((commit) => {
        if (!gate.isDead) listener(commit);
      }),
    stats: () => inner.stats(),
    // A killed process closes nothing; what it left has been let go already.
    close: () => (gate.isDead ? Promise.resolve() : inner.close()),
  };
}

class GatedTransaction implements SpaceTransaction {
  #failure: { readonly error: unknown } | undefined;
  /** What reads is refused only by what fails: a full disk does not keep it from anything. */
  readonly #reading: Refusals = { fail: () => this.#fail(brokenError()) };
  readonly #writing: Refusals = {
    full: () => {
      this.loseGroup();
      return this.#fail(fullError());
    },
    fail: () => this.#fail(brokenError()),
  };

  constructor(
    private readonly inner: SpaceTransaction,
    private readonly gate: CallGate<ServerCallKind>,
    private readonly loseGroup: () => void,
  ) {}

  /** @throws what a call was refused with, even if the batch went on as if nothing had happened. */
  end<T>(value: T): T {
    if (this.#failure) throw this.#failure.error;
    return value;
  }

  open(device: string, user: string): ReturnType<SpaceTransaction["open"]> {
    return this.#read("open", () => this.inner.open(device, user));
  }

  records(keys: Parameters<SpaceTransaction["records"]>[0]): ReturnType<SpaceTransaction["records"]> {
    return this.#read("records", () => this.inner.records(keys));
  }

  scan(range: Parameters<SpaceTransaction["scan"]>[0]): ReturnType<SpaceTransaction["scan"]> {
    return this.#read("scan", () => this.inner.scan(range));
  }

  lookup(...of: Parameters<SpaceTransaction["lookup"]>): ReturnType<SpaceTransaction["lookup"]> {
    return this.#read("lookup", () => this.inner.lookup(...of));
  }

  outcomes(...of: Parameters<SpaceTransaction["outcomes"]>): ReturnType<SpaceTransaction["outcomes"]> {
    return this.#read("outcomes", () => this.inner.outcomes(...of));
  }

  knownEvents(ids: readonly string[]): ReturnType<SpaceTransaction["knownEvents"]> {
    return this.#read("knownEvents", () => this.inner.knownEvents(ids));
  }

  members(): ReturnType<SpaceTransaction["members"]> {
    return this.#read("members", () => this.inner.members());
  }

  save(changes: Parameters<SpaceTransaction["save"]>[0]): MaybePromise<void> {
    return this.#write("save", () => this.inner.save(changes));
  }

  startGeneration(...of: Parameters<SpaceTransaction["startGeneration"]>): MaybePromise<void> {
    return this.#write("startGeneration", () => this.inner.startGeneration(...of));
  }

  pruneTombstones(domain: string, upTo: number, limit?: number): MaybePromise<number> {
    return this.#write("pruneTombstones", () => this.inner.pruneTombstones(domain, upTo, limit));
  }

  clearLookups(): MaybePromise<void> {
    return this.#write("clearLookups", () => this.inner.clearLookups());
  }

  saveMember(member: Parameters<SpaceTransaction["saveMember"]>[0]): MaybePromise<void> {
    return this.#write("saveMember", () => this.inner.saveMember(member));
  }

  publish(...of: Parameters<SpaceTransaction["publish"]>): void {
    this.inner.publish(...of);
  }

  #read<T>(kind: ServerCallKind, run: () => MaybePromise<T>): MaybePromise<T> {
    if (this.#failure) throw this.#failure.error;
    return this.gate.pass(kind, run, this.#reading);
  }

  #write<T>(kind: ServerCallKind, run: () => MaybePromise<T>): MaybePromise<T> {
    if (this.#failure) throw this.#failure.error;
    return this.gate.pass(kind, run, this.#writing);
  }

  #fail(error: Error): never {
    this.#failure = { error };
    throw error;
  }
}

function gatedSnapshot(inner: Snapshot, gate: CallGate<ServerCallKind>): Snapshot {
  const pass = <T>(kind: Asked<Snapshot>, run: () => MaybePromise<T>): MaybePromise<T> =>
    gate.pass<T>(`read:${kind}`, run, { fail: broken });
  return {
    space: (space, user, device) => pass("space", () => inner.space(space, user, device)),
    writer: (space, generation, device, user) =>
      pass("writer", () => inner.writer(space, generation, device, user)),
    generations: (space) => pass("generations", () => inner.generations(space)),
    page: (request) => pass("page", () => inner.page(request)),
    rows: (space, domain, keys, keysOnly) => pass("rows", () => inner.rows(space, domain, keys, keysOnly)),
    versionAt: (space, domain, modifiedAt) =>
      pass("versionAt", () => inner.versionAt(space, domain, modifiedAt)),
    tombstones: (space, domain, limit) => pass("tombstones", () => inner.tombstones(space, domain, limit)),
    contents: (space) => pass("contents", () => inner.contents(space)),
    members: (space) => pass("members", () => inner.members(space)),
    memberships: (user) => pass("memberships", () => inner.memberships(user)),
    spaces: () => pass("spaces", () => inner.spaces()),
    writers: (space, generation) => pass("writers", () => inner.writers(space, generation)),
  };
}
