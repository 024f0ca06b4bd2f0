const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const values = new Map(Array.from(alphabet, (character, value) => [character, value]));

/** Bytes as base64url without padding (RFC 4648 §5), as every byte string of the protocol is written. */
export function toBase64Url(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(i, i + 3);
    const group = (a << 16) | (b << 8) | c;
    const digits = Math.min(4, bytes.length - i + 1);
    for (let digit = 0; digit < digits; digit++) text += alphabet.charAt((group >> (18 - 6 * digit)) & 63);
  }
  return text;
}

/** The bytes of a text; undefined where it is not the one text that `toBase64Url` gives for them. */
export function fromBase64Url(text: string): Uint8Array | undefined {
  if (text.length % 4 === 1) return undefined;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let held = 0;
  let bits = 0;
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const value = values.get(text.charAt(i));
    if (value === undefined) return undefined;
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = (held >> bits) & 0xff;
  }
  // What is left over of the last character must be 0, or one byte string would have several texts.
  return (held & ((1 << bits) - 1)) === 0 ? bytes : undefined;
}
