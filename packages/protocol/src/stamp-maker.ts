import { type Stamp, makeStamp } from "./stamp.js";

/**
 * Makes stamps with one tail. A stamp is compared and looked up as soon as it is made, so its text is made in one piece:
 * one that is put together of parts would be copied then.
 */
export function stampMaker(tail: string): (ms: number, counter: number) => Stamp {
  const codes = Array.from(makeStamp(0, 0, tail), (letter) => letter.charCodeAt(0));
  const put = (from: number, to: number, value: number): void => {
    for (let at = to, rest = value; at > from; rest >>>= 4) {
      const digit = rest & 0xf;
      codes[--at] = digit < 10 ? 0x30 + digit : 0x57 + digit;
    }
  };
  return (ms, counter) => {
    const low = ms % 0x10000;
    put(0, 8, (ms - low) / 0x10000);
    put(9, 13, low);
    put(15, 18, counter);
    return String.fromCharCode(...codes);
  };
}
