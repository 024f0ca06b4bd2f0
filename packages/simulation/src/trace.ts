/** A step of a run, as a person reads it. */
export interface TraceLine {
  readonly atMs: number;
  readonly actor: string;
  readonly kind: string;
  readonly text: string;
}

/**
 * What happened, as a hash: two runs of one seed are the same exactly when their hashes are. Lines are kept only
 * where somebody wants to read them; a seed can always be run again for that.
 */
export class Trace {
  #high = 0x811c9dc5;
  #low = 0x01000193;
  readonly lines: TraceLine[] = [];

  /** @param keep whether the lines are kept. */
  constructor(
    readonly now: () => number,
    readonly keep: boolean,
  ) {}

  /** Takes in that something happened: who, what kind of thing, and with what. */
  note(actor: string, kind: string, text = ""): void {
    const atMs = this.now();
    this.#take(String(atMs));
    this.#take(actor);
    this.#take(kind);
    this.#take(text);
    if (this.keep) this.lines.push({ atMs, actor, kind, text });
  }

  #take(text: string): void {
    let high = this.#high;
    let low = this.#low;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      high = Math.imul(high ^ code, 0x01000193);
      low = Math.imul(low ^ code, 0x5bd1e995) ^ (low >>> 15);
    }
    this.#high = Math.imul(high ^ 0xff, 0x01000193);
    this.#low = low ^ (low >>> 13);
  }

  /** 16 hex digits. */
  get hash(): string {
    return [this.#high, this.#low].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }
}
