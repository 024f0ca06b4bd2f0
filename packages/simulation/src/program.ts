import type { TimerPort } from "@landfall/protocol";
import type { EventQueue } from "./event-queue.js";
import type { Trace } from "./trace.js";

/** Something that is due in a program. */
interface Due {
  readonly kind: string;
  run: (() => void) | undefined;
}

/**
 * A program that runs in the world: a tab, or a server's process. All that comes to it from outside (time, network,
 * disk, other tabs) comes through here, so a program that is frozen does nothing, not even what it has promised
 * itself, and goes on with all of it when it wakes; one that was killed does nothing any more.
 */
export class Program {
  #state: "running" | "frozen" | "dead" = "running";
  #held: Due[] = [];
  readonly #atEnd = new Set<() => void>();
  readonly startedMs: number;

  constructor(
    readonly name: string,
    readonly queue: EventQueue,
    readonly trace: Trace,
  ) {
    this.startedMs = queue.nowMs;
  }

  get alive(): boolean {
    return this.#state !== "dead";
  }

  get frozen(): boolean {
    return this.#state === "frozen";
  }

  /** Runs after a delay, in this program. Returns what takes it back. */
  after(delayMs: number, kind: string, run: () => void): () => void {
    let due: Due | undefined;
    const entry = this.queue.after(delayMs, () => (due = this.take(kind, run)));
    return () => {
      entry.run = undefined;
      // It may have come already, and be held.
      if (due) due.run = undefined;
    };
  }

  /** Something has come for this program just now: it is taken in at once, when it wakes, or never. @returns it where it is held. */
  take(kind: string, run: () => void): Due | undefined {
    if (this.#state === "running") {
      this.trace.note(this.name, kind);
      run();
      return undefined;
    }
    const due = { kind, run };
    if (this.#state === "frozen") this.#held.push(due);
    return due;
  }

  /** As the platforms have them: in whole milliseconds, and never at once. */
  readonly timers: TimerPort = {
    after: (delayMs, run) => this.after(Math.max(1, Math.trunc(delayMs)), "timer", run),
  };

  freeze(): void {
    if (this.#state === "running") this.#state = "frozen";
  }

  /** What came while it was frozen comes now, in the same order. */
  thaw(): void {
    if (this.#state !== "frozen") return;
    this.#state = "running";
    for (const due of this.#held.splice(0))
      this.queue.after(0, () => {
        const { kind, run } = due;
        if (this.#state === "frozen") this.#held.push(due);
        else if (run) this.take(kind, run);
      });
  }

  /** Ends it between two steps, without a word to itself; whoever holds something of it hears of it. */
  kill(): void {
    if (!this.alive) return;
    this.#state = "dead";
    this.#held = [];
    for (const tell of [...this.#atEnd]) tell();
    this.#atEnd.clear();
  }

  /** Calls when the program was killed. Returns what ends it. */
  onEnd(tell: () => void): () => void {
    this.#atEnd.add(tell);
    return () => void this.#atEnd.delete(tell);
  }
}
