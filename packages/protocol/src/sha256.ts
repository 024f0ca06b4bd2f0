/** A global of every platform, of which the types of the language know nothing. */
declare const TextEncoder: new () => { encode(text: string): Uint8Array };

/** SHA-256 (FIPS 180-4) of bytes, or of a text's UTF-8, synchronously; servers plug in a native one. */
export type Sha256 = (data: Uint8Array | string) => Uint8Array;

function firstPrimes(count: number): number[] {
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n++) if (primes.every((prime) => n % prime)) primes.push(n);
  return primes;
}

/**
 * The standard takes its constants from the first 32 fractional bits of the roots of primes. Working them
 * out costs a tenth of the bytes of a table, and none of them is near enough to the next one for an
 * engine's last bit to matter (see the test).
 */
const primes = firstPrimes(64);
const fraction = (root: number): number => ((root % 1) * 2 ** 32) | 0;
const roundConstants = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));
const initialState = Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));

const rotate = (word: number, by: number): number => (word >>> by) | (word << (32 - by));

/** The message schedule of the block at hand; one for all calls, since none is interrupted. */
const schedule = new Int32Array(64);

/** Takes the 64 bytes at `from` into the state. */
function compress(state: Int32Array, message: DataView, from: number): void {
  for (let i = 0; i < 16; i++) schedule[i] = message.getInt32(from + i * 4);
  for (let i = 16; i < 64; i++) {
    const x = schedule[i - 15] as number;
    const y = schedule[i - 2] as number;
    const mixed = (rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3)) + (rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10));
    schedule[i] = (schedule[i - 16] as number) + (schedule[i - 7] as number) + mixed;
  }
  // The names are those of the standard.
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let i = 0; i < 64; i++) {
    const choice = (e & f) ^ (~e & g);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const input = (roundConstants[i] as number) + (schedule[i] as number);
    const first = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + choice + input;
    const second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] = (state[i] as number) + word));
}

/** SHA-256 in plain JavaScript; runs everywhere. It is ours because a package for it is a tenth of a client's size. */
export const portableSha256: Sha256 = (data) => {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  // Behind the message come a bit, zeros and the length in 8 bytes, up to a whole block.
  const message = new DataView(new ArrayBuffer((bytes.length + 72) & -64));
  new Uint8Array(message.buffer).set(bytes);
  message.setUint8(bytes.length, 0x80);
  message.setBigUint64(message.byteLength - 8, BigInt(bytes.length * 8));
  const state = initialState.slice();
  for (let from = 0; from < message.byteLength; from += 64) compress(state, message, from);
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => digest.setInt32(i * 4, word));
  return new Uint8Array(digest.buffer);
};
