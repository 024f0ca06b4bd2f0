import { afterTurn } from "./turn.js";

/** Something that waits for its time; without `run` it has been taken back. */
export interface Entry {
  readonly atMs: number;
  readonly sequence: number;
  run: (() => void) | undefined;
}

const before = (a: Entry, b: Entry): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);

/** More steps than any run needs: some part asks again and again without coming further. */
const maxSteps = 300_000;

/**
 * The only place where anything of the world waits: one queue in order of virtual time, and of the calls where times
 * are equal. Between two steps everything that the first one promised has happened.
 */
export class EventQueue {
  readonly #heap: Entry[] = [];
  #sequence = 0;
  #nowMs = 0;
  /** Steps taken. */
  steps = 0;

  /** Milliseconds since the world began; moves only from step to step. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Runs at that time, or at the next step where it has passed. @throws where it is no time. */
  at(atMs: number, run: () => void): Entry {
    if (Number.isNaN(atMs))
      throw new Error("A step has no time: its plan lacks something, or reckons with it wrongly.");
    const entry: Entry = { atMs: Math.max(atMs, this.#nowMs), sequence: this.#sequence++, run };
    this.#push(entry);
    return entry;
  }

  after(delayMs: number, run: () => void): Entry {
    return this.at(this.#nowMs + delayMs, run);
  }

  /** Takes steps until `done` says so before one, or nothing is left. @throws what a step threw. */
  drive(done: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        try {
          if (done()) return resolve();
          const next = this.#next();
          if (!next) return resolve();
          this.#nowMs = next.atMs;
          this.steps += 1;
          if (this.steps > maxSteps)
            throw new Error(`More than ${maxSteps} steps: something never comes to rest.`);
          (next.run as () => void)();
        } catch (error) {
          return reject(error instanceof Error ? error : new Error(String(error)));
        }
        afterTurn(turn);
      };
      afterTurn(turn);
    });
  }

  /** Takes steps until that has come about. @throws what it threw, or where nothing brings it about in so long. */
  async settle<T>(work: Promise<T>, withinMs: number): Promise<T> {
    const endMs = this.#nowMs + withinMs;
    let isOver = false;
    const ending = work.finally(() => (isOver = true));
    ending.catch(() => undefined);
    await this.drive(() => isOver || this.#nowMs >= endMs);
    // Whoever awaited it now would do so for ever.
    if (!isOver) throw new Error(`Something that was waited for did not come about in ${withinMs} ms.`);
    return ending;
  }

  /** The next entry that was not taken back. */
  #next(): Entry | undefined {
    for (;;) {
      const next = this.#pop();
      if (!next || next.run) return next;
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = heap[parent] as Entry;
      if (!before(entry, other)) break;
      heap[at] = other;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child += 1;
      if (!before(heap[child] as Entry, last)) break;
      heap[at] = heap[child] as Entry;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}
