import type { SpaceCommit } from "@landfall/server/engine-types";
import type { MaybePromise } from "@landfall/server/maybe-promise";
import { GroupCommit, type GroupConnection, type Schedule } from "@landfall/server/storage/group-commit";
import type { Snapshot, Storage } from "@landfall/server/storage/port";
import { MemoryConnection } from "./memory-connection.js";
import { MemorySnapshot } from "./memory-snapshot.js";
import { ServerStore } from "./server-store.js";
import type { SpaceTables } from "./space-tables.js";

export interface MemoryStorageOptions {
  /** What lies on the disk; nothing unless given. */
  readonly store?: ServerStore;
  /** A change beyond this many bytes, about, loses its whole group, as on a full disk. Read anew at each change. */
  readonly room?: { readonly maxBytes?: number };
  /** How many of the newest commits can be taken back, for a disk that lies about what it has kept. */
  readonly tailCommits?: number;
  /** When a group begins: after the microtask that wrote first, unless given. */
  readonly schedule?: Schedule;
  /** Puts something around the connection that writes. */
  readonly around?: (connection: GroupConnection) => GroupConnection;
}

export interface MemoryStorage extends Storage {
  /** What is committed now. */
  copy(): ServerStore;
  /** Rolls back the open transaction under whoever works in it. */
  loseGroup(): void;
  /** Power goes: the open transaction is undone at once, and the newest commits too, on a disk that lost them. */
  powerLoss(lostCommits?: number): void;
}

/**
 * A server's storage in memory, with the group commit of the real one and without timers or I/O. Readers see whole
 * commits, as of the one before they began.
 */
export function memoryServerStorage(options: MemoryStorageOptions = {}): MemoryStorage {
  const { store = new ServerStore(), schedule = queueMicrotask, around = same } = options;
  const connection = new MemoryConnection(store, options);
  const listeners = new Set<(commit: SpaceCommit) => void>();
  const group = new GroupCommit(around(connection), schedule, (commit) => {
    for (const listener of listeners) listener(commit);
  });
  return {
    copy: () => connection.copy(),
    loseGroup: () => connection.lose(),
    write: (space, batch) => group.write(space, batch),
    read: (view) => readFrom(store, connection, view),
    onCommit(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    stats: () => ({
      commits: group.commits,
      batches: group.batches,
      largestGroup: group.largestGroup,
      lostGroups: group.lostGroups,
    }),
    close: () => group.close(),
    powerLoss(lostCommits = 0) {
      connection.rollback();
      for (let i = 0; i < lostCommits; i++) store.takeBack(connection.tail.pop() ?? new Map());
    },
  };
}

const same = (connection: GroupConnection): GroupConnection => connection;

async function readFrom<T>(
  store: ServerStore,
  connection: MemoryConnection,
  view: (snapshot: Snapshot) => MaybePromise<T>,
): Promise<T> {
  const open = { kept: new Map<string, SpaceTables>() };
  const snapshot = new MemorySnapshot(store, (space) => connection.read(open, space));
  connection.views.add(open);
  try {
    const going = view(snapshot);
    return going instanceof Promise ? await going : going;
  } finally {
    connection.views.delete(open);
  }
}
