import type { Stamp } from "./stamp.js";
import { stampReading } from "./stamp.js";

/**
 * What an action may know besides the records, all of it fixed by the event (DESIGN §5.2): every run, on
 * the client, at a rebase and on the server, is the same function of the state.
 */
export interface EventContext {
  /** When the event was made: the milliseconds of its id. */
  readonly now: number;
  /** The next number of the event's first sequence, from 0 up to but not including 1, with 53 random bits. */
  random(): number;
  /** The next UUID (version 4) of the event's second sequence. */
  uuid(): string;
  /** The user whose event it is. */
  readonly user: string;
  /** The event's id. */
  readonly event: Stamp;
}

/** The context, and the keys for the records that the action creates without naming one. */
export interface ActionRun {
  readonly context: EventContext;
  /** The next key of the event's third sequence: 20 characters, as `randomIdentifier` makes them. */
  newKey(): string;
}

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz";

/**
 * The context of one run of an action. Each of its three sequences has a generator of its own, so that one
 * more call of `random` does not change the keys. A generator is sfc32 (Doty-Humphrey's Small Fast Chaotic
 * PRNG, 32-bit words) whose three words of state and counter start from the 128 bits of the event's id,
 * the first of them mixed with the number of the sequence, and whose first 16 outputs are thrown away.
 */
export function actionContext(event: Stamp, user: string): ActionRun {
  const numbers = sfc32(event, 1);
  const uuids = sfc32(event, 2);
  const keys = sfc32(event, 3);
  const context: EventContext = {
    now: stampReading(event).ms,
    random: () => ((numbers() >>> 5) * 2 ** 26 + (numbers() >>> 6)) / 2 ** 53,
    uuid: () => nextUuid(uuids),
    user,
    event,
  };
  return { context: Object.freeze(context), newKey: () => nextKey(keys) };
}

type Words = () => number;

function sfc32(event: Stamp, sequence: number): Words {
  const hex = event.replaceAll("-", "");
  const word = (at: number): number => Number.parseInt(hex.slice(at, at + 8), 16) | 0;
  let a = word(0) ^ Math.imul(sequence, 0x9e3779b9);
  let b = word(8);
  let c = word(16);
  let counter = word(24);
  const next: Words = () => {
    const out = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + out;
    c |= 0;
    return out >>> 0;
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}

function nextUuid(words: Words): string {
  let hex = "";
  for (let i = 0; i < 4; i++) hex += words().toString(16).padStart(8, "0");
  const variant = "89ab"[Number.parseInt(hex[16] as string, 16) & 3] as string;
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

function nextKey(words: Words): string {
  let text = "";
  while (text.length < 20) {
    const word = words();
    for (let shift = 0; shift < 32 && text.length < 20; shift += 8) {
      const byte = (word >>> shift) & 0xff;
      // 252 is the largest multiple of 36 in a byte; what lies above would favour the first characters.
      if (byte < 252) text += alphabet[byte % 36];
    }
  }
  return text;
}
