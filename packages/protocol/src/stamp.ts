/**
 * The 128-bit id of an event as lower-case UUID text: 48 bits of hybrid-clock milliseconds, a 12-bit
 * counter and a 62-bit tail in the layout of a UUIDv7 (RFC 9562 §5.7; DESIGN §5.1). The order of the
 * texts is the order of the stamps.
 */
export type Stamp = string;

/** Milliseconds and counter: what a hybrid logical clock counts in. */
export interface ClockReading {
  /** Milliseconds since 1970, below 2^48. */
  readonly ms: number;
  /** 0 … 4095. */
  readonly counter: number;
}

export const maxStampMs = 2 ** 48 - 1;
export const maxStampCounter = 0xfff;

const stampPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const tailPattern = /^[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export function isStamp(text: string): boolean {
  return text.length === 36 && stampPattern.test(text);
}

/** @param tail the last 17 characters of a stamp, variant bits included (`8…b` first). */
export function makeStamp(ms: number, counter: number, tail: string): Stamp {
  const time = ms.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, "0")}-${tail}`;
}

export function stampReading(stamp: Stamp): ClockReading {
  return {
    ms: Number.parseInt(stamp.slice(0, 8) + stamp.slice(9, 13), 16),
    counter: Number.parseInt(stamp.slice(15, 18), 16),
  };
}

/** The random part that tells writer sessions apart. */
export function stampTail(stamp: Stamp): string {
  return stamp.slice(19);
}

/**
 * A tail for a writer session: 62 random bits, so that two copies of one installation diverge (DESIGN §5.1).
 * @param random 8 random bytes.
 */
export function makeTail(random: Uint8Array): string {
  let hex = "";
  for (let i = 0; i < 8; i++) {
    const byte = i === 0 ? ((random[0] as number) & 0x3f) | 0x80 : (random[i] as number);
    hex += byte.toString(16).padStart(2, "0");
  }
  return `${hex.slice(0, 4)}-${hex.slice(4)}`;
}

export function isTail(text: string): boolean {
  return tailPattern.test(text);
}
