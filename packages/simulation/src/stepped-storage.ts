import type { ClientStorage, ClientStorageFactory } from "@landfall/client/storage/port";
import type { Program } from "./program.js";
import type { RandomStream } from "./random-stream.js";

/** The end of a process at one of its storage calls: before the call does anything, or when it has and nobody knows yet. */
export interface PlannedCrash {
  /** Calls that still go through. */
  leftCalls: number;
  readonly after: boolean;
  /** Called when it has happened. */
  readonly crash: () => void;
}

/** How long a call of a storage takes at most, in milliseconds. */
const slowestMs = 2;

/**
 * A device's storage as one tab has it: every call takes its time, calls of one handle come in their order, and what
 * a call gives comes to the tab only while it is awake.
 */
export function steppedStorage(
  factory: ClientStorageFactory,
  program: Program,
  random: RandomStream,
): ClientStorageFactory {
  const { queue } = program;
  let lastMs = 0;
  const step = <T>(kind: string, work: () => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      lastMs = Math.max(lastMs, queue.nowMs + random.fraction() * slowestMs);
      queue.at(lastMs, () => {
        if (!program.alive) return;
        work().then(
          (value) => program.take(kind, () => resolve(value)),
          (error: unknown) =>
            program.take(kind, () => reject(error instanceof Error ? error : new Error(String(error)))),
        );
      });
    });
  return {
    kind: factory.kind,
    open: (name) =>
      step("disk opens", async () => {
        const storage = await factory.open(name);
        return stepped(storage);
      }),
    destroy: (name) => step("disk destroys", () => factory.destroy(name)),
  };

  function stepped(storage: ClientStorage): ClientStorage {
    return {
      kind: storage.kind,
      persistent: storage.persistent,
      entries: (table, space) => step("disk lists", () => storage.entries(table, space)),
      get: (table, space, a, b) => step("disk reads", () => storage.get(table, space, a, b)),
      commit: (changes, fence) => step("disk writes", () => storage.commit(changes, fence)),
      spaces: () => step("disk lists", () => storage.spaces()),
      close: () => step("disk closes", () => storage.close()),
    };
  }
}
