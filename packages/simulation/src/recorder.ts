import type { Entry, Who } from "./history.js";
import { maxEntries } from "./history.js";
import type { EventQueue } from "./event-queue.js";

type Untimed<E> = E extends Entry ? Omit<E, "at"> : never;

/** Writes down what happens at the edges of the parts, for those who judge it. */
export class Recorder {
  readonly entries: Entry[] = [];
  overflow = false;

  constructor(readonly queue: EventQueue) {}

  /** What comes while a call is under way, whose own entry stands before it. */
  #held: Untimed<Entry>[] | undefined;

  /** Holds back what comes until the call that brings it about has returned and was written down. */
  hold(): void {
    this.#held = [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const entry of held) this.add(entry);
  }

  /** @param isFirst written down before what is held back. */
  add(entry: Untimed<Entry>, isFirst = false): void {
    if (this.#held && !isFirst) {
      this.#held.push(entry);
      return;
    }
    if (this.entries.length >= maxEntries) {
      this.overflow = true;
      return;
    }
    this.entries.push(Object.assign(entry, { at: this.queue.nowMs }));
  }
}

/** Who a tab is, for the entries of one of its runs. */
export const whoIs = (device: string, tab: string, run: number): Who => ({
  device,
  tab: `${device}.${tab}`,
  run,
});
