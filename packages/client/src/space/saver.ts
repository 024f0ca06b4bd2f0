import type { ClientStorage, StorageChange } from "../storage/port.js";

/**
 * Stores local writes: what is put within one turn of the event loop goes into one transaction, and what is
 * put while that one runs goes into the next, so that the cost of a write does not grow with the backlog.
 */
export class Saver {
  readonly #storage: () => ClientStorage;
  #waiting: StorageChange[] = [];
  /** The transaction that will take what waits; undefined while nothing waits. */
  #next: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(storage: () => ClientStorage) {
    this.#storage = storage;
  }

  /** Resolves when the changes are durable. @throws StorageError when they could not be stored. */
  put(...changes: StorageChange[]): Promise<void> {
    for (const change of changes) this.#waiting.push(change);
    this.#next ??= this.#running.then(() => {
      const batch = this.#waiting;
      this.#waiting = [];
      this.#next = undefined;
      const commit = this.#storage().commit(batch);
      this.#running = commit.catch(() => undefined);
      return commit;
    });
    return this.#next;
  }

  /** Resolves when nothing waits or runs. */
  async idle(): Promise<void> {
    while (this.#next) await this.#next.catch(() => undefined);
    await this.#running;
  }
}
