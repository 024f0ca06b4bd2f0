import { randomBytes } from "node:crypto";

/** 62 random bits behind the variant of a UUID: what tells writers apart. Written apart from packages/protocol. */
export function randomTail(): string {
  const hex = randomBytes(8).toString("hex");
  return `${"89ab"[randomBytes(1)[0]! & 3]}${hex.slice(1, 4)}-${hex.slice(4)}`;
}

/** The text of a stamp (docs/protocol.md, rule 6). */
export function stampOf(ms: number, counter: number, tail: string): string {
  const time = ms.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, "0")}-${tail}`;
}

export interface Reading {
  readonly ms: number;
  readonly counter: number;
}

export function readingOf(stamp: string): Reading {
  const hex = stamp.replaceAll("-", "");
  return { ms: Number.parseInt(hex.slice(0, 12), 16), counter: Number.parseInt(hex.slice(13, 16), 16) };
}

export const tailOf = (stamp: string): string => stamp.slice(19);

/** A name that nobody else can have. */
export const unguessable = (what: string): string => `${what}-${randomBytes(12).toString("hex")}`;
