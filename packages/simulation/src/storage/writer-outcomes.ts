import type { StoredOutcome } from "@landfall/server/storage/port";

/** The outcomes of one writer, in order of seq. */
export class WriterOutcomes {
  readonly #outcomes: StoredOutcome[] = [];

  clone(): WriterOutcomes {
    const copy = new WriterOutcomes();
    copy.#outcomes.push(...this.#outcomes);
    return copy;
  }

  between(from: number, to: number): StoredOutcome[] {
    const found: StoredOutcome[] = [];
    for (let i = this.#firstFrom(from); i < this.#outcomes.length; i++) {
      const outcome = this.#outcomes[i] as StoredOutcome;
      if (outcome.seq > to) break;
      found.push(outcome);
    }
    return found;
  }

  /** @throws Error where one of them is there already, as a database with a key on them would. */
  add(outcomes: readonly StoredOutcome[]): void {
    let last = this.#outcomes.at(-1)?.seq ?? 0;
    for (const { seq } of outcomes) {
      if (seq <= last)
        throw new Error(`UNIQUE constraint failed: an outcome of seq ${seq} comes after that of ${last}.`);
      last = seq;
    }
    this.#outcomes.push(...outcomes);
  }

  /** Takes back the newest of them. */
  drop(count: number): void {
    this.#outcomes.length -= count;
  }

  /** Puts others in the place of those with the same seqs. */
  replace(outcomes: readonly StoredOutcome[]): void {
    for (const outcome of outcomes) this.#outcomes[this.#firstFrom(outcome.seq)] = outcome;
  }

  #firstFrom(seq: number): number {
    let low = 0;
    let high = this.#outcomes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#outcomes[middle] as StoredOutcome).seq < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
