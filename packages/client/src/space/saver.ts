import type { PendingEvent } from "../replica/pending-event.js";
import type { ClientStorage, StorageChange } from "../storage/port.js";

/** Told of the local writes of a transaction, and why they could not be stored if so. */
export type Written = (events: readonly PendingEvent[], refusal?: { readonly cause: unknown }) => void;

/**
 * Stores local writes: what is put within one turn of the event loop goes into one transaction, and what is
 * put while that one runs goes into the next, so that the cost of a write does not grow with the backlog.
 */
export class Saver {
  readonly #storage: () => ClientStorage;
  readonly #written: Written;
  #waiting: StorageChange[] = [];
  /** The local writes among them. */
  #events: PendingEvent[] = [];
  /** The transaction that will take what waits; undefined while nothing waits. */
  #next: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(storage: () => ClientStorage, written: Written) {
    this.#storage = storage;
    this.#written = written;
  }

  /** Stores a local write, as `put` does. */
  write(event: PendingEvent, ...changes: StorageChange[]): Promise<void> {
    this.#events.push(event);
    return this.put(...changes);
  }

  /** Resolves when the changes are durable. @throws StorageError when they could not be stored. */
  put(...changes: StorageChange[]): Promise<void> {
    for (const change of changes) this.#waiting.push(change);
    return (this.#next ??= this.#begin());
  }

  #begin(): Promise<void> {
    let events: readonly PendingEvent[] = [];
    const stored = this.#running.then(() => {
      const batch = this.#waiting;
      events = this.#events;
      this.#waiting = [];
      this.#events = [];
      this.#next = undefined;
      const commit = this.#storage().commit(batch);
      this.#running = commit.catch(() => undefined);
      return commit;
    });
    const told = (refusal?: { readonly cause: unknown }): void => {
      if (events.length > 0) this.#written(events, refusal);
    };
    stored.then(
      () => told(),
      (cause: unknown) => told({ cause }),
    );
    return stored;
  }

  /** Resolves when nothing waits or runs. */
  async idle(): Promise<void> {
    while (this.#next) await this.#next.catch(() => undefined);
    await this.#running;
  }
}
