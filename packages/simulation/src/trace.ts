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
  readonly #known = new Map<string, number>();
  readonly #time = new Float64Array(1);
  readonly #timeWords = new Int32Array(this.#time.buffer);
  readonly lines: TraceLine[] = [];

  /** @param keep whether the lines are kept. */
  constructor(
    readonly now: () => number,
    readonly keep: boolean,
  ) {}

  /** Takes in that something happened: who, what kind of thing, and with what. */
  note(actor: string, kind: string, text = ""): void {
    const atMs = this.now();
    this.#time[0] = atMs;
    this.#word(this.#timeWords[0] as number);
    this.#word(this.#timeWords[1] as number);
    this.#name(actor);
    this.#name(kind);
    this.#text(text);
    if (this.keep) this.lines.push({ atMs, actor, kind, text });
  }

  /** What comes again and again is spelt out once, and then told by its number. */
  #name(name: string): void {
    const number = this.#known.get(name);
    if (number !== undefined) return this.#word(number);
    this.#known.set(name, this.#known.size);
    this.#text(name);
  }

  #word(word: number): void {
    this.#high = Math.imul(this.#high ^ word, 0x01000193);
    this.#low = Math.imul(this.#low ^ word, 0x5bd1e995) ^ (this.#low >>> 15);
    // What was multiplied has stirred the upper bits only.
    this.#high ^= this.#high >>> 16;
  }

  #text(text: string): void {
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
