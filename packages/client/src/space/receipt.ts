import type { Json, Op, Stamp } from "@landfall/protocol";
import type { PendingExpectation } from "../replica/pending-event.js";
import type { SettledOutcome } from "./settlement.js";

/** What a write is made of. */
export interface NewEvent {
  readonly ops?: readonly Op[];
  readonly action?: string;
  readonly args?: Json;
  readonly expect?: readonly PendingExpectation[];
}

/** How far a write has come (DESIGN §8). */
export interface Receipt {
  readonly id: Stamp;
  /** Resolves when the write is durable on this device. @throws StorageError when it could not be stored; it is sent all the same. */
  readonly saved: Promise<void>;
  /** Resolves with the server's outcome, whatever it is. */
  readonly settled: Promise<SettledOutcome>;
  /** Resolves when the view shows it; at once for built-in ops, and for an action when its function has run. */
  readonly shown: Promise<void>;
}

/** What receipts of built-in ops say of the view. */
export const shownAtOnce: Promise<void> = Promise.resolve();

/** What settles the promises of outcomes, by event id. They live as long as the page; the inbox keeps what must outlive it. */
export class Receipts {
  readonly #waiting = new Map<string, (outcome: SettledOutcome) => void>();

  expect(id: string): Promise<SettledOutcome> {
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  settle(id: string, outcome: SettledOutcome): void {
    this.#waiting.get(id)?.(outcome);
    this.#waiting.delete(id);
  }

  /** What was written is another account's, or nobody's: what becomes of it is not told here any more. */
  forget(): void {
    this.#waiting.clear();
  }

  /** The outcome came while this tab was not listening: all that is known is that the event is settled. */
  lose(id: string): void {
    this.settle(id, { status: "duplicate", of: "expired", id, seq: 0 });
  }
}
