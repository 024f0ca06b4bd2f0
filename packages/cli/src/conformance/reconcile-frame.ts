import { createHash } from "node:crypto";
import { Departure } from "./check.js";
import { type Live, rowNumber } from "./row-digest.js";

// Frames of a reconciliation, written from docs/protocol.md alone and apart from packages/protocol.

/** One range: from where the one before it ended to its bound; a bound of undefined is the end of everything. */
export interface Range {
  readonly bound: { readonly version: number; readonly prefix: string } | undefined;
  readonly mode: number;
  /** A fingerprint, or the numbers of a list, in hex. */
  readonly body: readonly string[];
}

function varint(value: number): readonly number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}

export function writeFrame(ranges: readonly Range[]): string {
  const bytes: number[] = [];
  let version = 0;
  for (const { bound, mode, body } of ranges) {
    if (bound === undefined) bytes.push(0);
    else {
      bytes.push(
        ...varint(1 + bound.version - version),
        ...varint(bound.prefix.length),
        ...Buffer.from(bound.prefix),
      );
      ({ version } = bound);
    }
    bytes.push(mode);
    if (mode > 1) bytes.push(...varint(body.length));
    for (const hex of body) bytes.push(...Buffer.from(hex, "hex"));
  }
  return Buffer.from(bytes).toString("base64url");
}

/** @throws Departure where the text is no frame. */
export function readFrame(text: string): readonly Range[] {
  const bytes = Buffer.from(text, "base64url");
  if (bytes.toString("base64url") !== text)
    throw new Departure(`the frame ${text.slice(0, 60)} is not base64url`);
  let at = 0;
  const byte = (): number => {
    const value = bytes[at++];
    if (value === undefined) throw new Departure(`the frame ${text.slice(0, 60)} is cut off`);
    return value;
  };
  const number = (): number => {
    let [value, unit] = [0, 1];
    for (let next = byte(); ; next = byte(), unit *= 128) {
      value += (next & 127) * unit;
      if (next < 128) return value;
    }
  };
  const ranges: Range[] = [];
  let version = 0;
  while (at < bytes.length) {
    const distance = number();
    let bound: Range["bound"];
    if (distance > 0) {
      version += distance - 1;
      bound = {
        version,
        prefix: Array.from({ length: number() }, () => String.fromCharCode(byte())).join(""),
      };
    }
    const mode = byte();
    if (mode > 3) throw new Departure(`a range of mode ${mode}`);
    const items = mode === 0 ? 0 : mode === 1 ? 1 : number();
    const body = Array.from({ length: items }, () =>
      Array.from({ length: 16 }, () => byte().toString(16).padStart(2, "0")).join(""),
    );
    ranges.push({ bound, mode, body });
  }
  return ranges;
}

export const numberHex = (row: Live): string => rowNumber(row).toString(16).padStart(32, "0");

/** What the items of a range come to. */
export function fingerprint(rows: readonly Live[]): string {
  const sum = rows.reduce((total, row) => total + rowNumber(row), 0n) % (1n << 128n);
  const bytes = Buffer.from(
    sum.toString(16).padStart(32, "0") + rows.length.toString(16).padStart(16, "0"),
    "hex",
  );
  return createHash("sha256").update(bytes).digest("hex").slice(0, 32);
}

/** Rows in the order in which items are compared. */
export const inItemOrder = (rows: readonly Live[]): readonly Live[] =>
  rows.toSorted((a, b) => a.version - b.version || (a.key < b.key ? -1 : 1));

/** Whether a row lies before a bound. */
export const isBefore = ({ version, key }: Live, bound: Range["bound"]): boolean =>
  bound === undefined || version < bound.version || (version === bound.version && key < bound.prefix);
