/** A port for time: milliseconds since 1970; may be wrong, jump or stand still. */
export interface ClockPort {
  now(): number;
}

/** A port for randomness that cannot be guessed. */
export interface RandomPort {
  /** Fresh random bytes. */
  bytes(count: number): Uint8Array;
}

/** A port for timers; the returned function cancels. */
export interface TimerPort {
  after(delayMs: number, run: () => void): () => void;
}

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz";

/** A random identifier of 20 characters (about 103 bits): what a key or a space's name cannot be guessed by. */
export function randomIdentifier(random: RandomPort): string {
  let text = "";
  while (text.length < 20) {
    for (const byte of random.bytes(24)) {
      // 252 is the largest multiple of 36 in a byte; what lies above would favour the first characters.
      if (byte < 252 && text.length < 20) text += alphabet[byte % 36];
    }
  }
  return text;
}

/** A random UUID of version 4 (RFC 9562 §5.4). */
export function randomUuid(random: RandomPort): string {
  const bytes = random.bytes(16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  let hex = "";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
