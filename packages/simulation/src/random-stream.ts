import type { RandomPort } from "@landfall/protocol";

/**
 * A stream of pseudo-random numbers that is a function of its seed alone (sfc32). Not for secrets.
 *
 * Streams are split by name, so that one part of the world that draws more or less than it did changes nothing for
 * the others: what was shrunk stays the same run but for what was taken out of it.
 */
export class RandomStream {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(readonly name: string) {
    [this.#a, this.#b, this.#c] = hash128(name) as [number, number, number];
    for (let round = 0; round < 12; round++) this.next();
  }

  /** A stream of its own for a part of what this one is for. */
  split(part: string | number): RandomStream {
    return new RandomStream(`${this.name}/${part}`);
  }

  /** 32 bits, as an unsigned number. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  /** In [0, 1). */
  fraction(): number {
    return this.next() / 4_294_967_296;
  }

  /** A whole number from 0 to `below - 1`. */
  below(below: number): number {
    return Math.floor(this.fraction() * below);
  }

  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new Error(`The stream ${this.name} was asked to pick from nothing.`);
    return from[this.below(from.length)] as T;
  }

  /** One of the names, as often as its weight says. */
  weighted<N extends string>(weights: Readonly<Record<N, number>>): N {
    const entries = Object.entries(weights) as [N, number][];
    let left = this.fraction() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) if ((left -= weight) < 0) return name;
    return (entries.at(-1) as [N, number])[0];
  }

  /** A port that draws from this stream. */
  port(): RandomPort {
    return {
      bytes: (count) => {
        const bytes = new Uint8Array(count);
        for (let i = 0; i < count; i += 4) {
          const word = this.next();
          for (let j = i; j < i + 4 && j < count; j++) bytes[j] = word >>> ((j - i) * 8);
        }
        return bytes;
      },
    };
  }
}

/** Three words of a text's hash (FNV-1a, three times from different starts). */
function hash128(text: string): number[] {
  return [2_166_136_261, 3_405_691_582, 305_419_896].map((start) => {
    let hash = start;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16_777_619);
    return hash | 0;
  });
}
