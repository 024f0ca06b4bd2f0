import { ClientTables, type ClientData } from "./client-tables.js";

/** Where a device keeps the data of its accounts. */
export interface ClientPlace {
  /** The data of an account; empty where there is none yet. */
  data(name: string): ClientData;
  /** Accounts that there are. */
  names(): readonly string[];
  remove(name: string): void;
  /** The processes that had it open are gone without a word; what was committed is found again. */
  powerLoss(): void;
  /** Another place of the same kind, with nothing in it. */
  another(room: { readonly maxBytes?: number }): ClientPlace;
  /** Lets go of what it holds outside of memory. */
  dispose(): void;
}

/** Accounts in memory. */
export class MemoryPlace implements ClientPlace {
  readonly #accounts = new Map<string, ClientTables>();

  constructor(private readonly room: { readonly maxBytes?: number } = {}) {}

  data(name: string): ClientTables {
    let tables = this.#accounts.get(name);
    if (!tables) this.#accounts.set(name, (tables = new ClientTables(this.room)));
    return tables;
  }

  names(): readonly string[] {
    return [...this.#accounts.keys()].sort();
  }

  remove(name: string): void {
    this.#accounts.delete(name);
  }

  powerLoss(): void {
    // Every commit is whole and kept.
  }

  another(room: { readonly maxBytes?: number }): MemoryPlace {
    return new MemoryPlace(room);
  }

  dispose(): void {
    // There is nothing outside of memory.
  }
}
