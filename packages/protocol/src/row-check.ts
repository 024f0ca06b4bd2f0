import { json } from "./decode.js";
import { isIdentifier } from "./identifier.js";
import * as limits from "./limits.js";
import { isStamp } from "./stamp.js";

/** Field names that were found sound before: the rows of a domain repeat theirs. */
const soundNames = new Set<string>();
/** More names than any schema has; whoever sends more is checked the long way. */
const maxSoundNames = 4_096;

export function isSoundName(name: string): boolean {
  if (soundNames.has(name)) return true;
  if (!isIdentifier(name)) return false;
  if (soundNames.size < maxSoundNames) soundNames.add(name);
  return true;
}

export const isWhole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

export function areSoundFields(fields: object): boolean {
  let left: number = limits.maxFields;
  for (const name in fields) {
    if (left-- === 0 || !isSoundName(name)) return false;
    const value = (fields as Record<string, unknown>)[name];
    if (typeof value === "string") {
      if (!value.isWellFormed()) return false;
    } else if (typeof value === "number") {
      if (!Number.isFinite(value)) return false;
    } else json.read(value);
  }
  return true;
}

function areSoundStamps(stamps: object): boolean {
  let left = limits.maxFields + 1;
  for (const name in stamps) {
    const value = (stamps as Record<string, unknown>)[name];
    if (left-- === 0 || typeof value !== "string" || !isStamp(value)) return false;
    if (name !== "*" && !isSoundName(name)) return false;
  }
  return Object.hasOwn(stamps, "*");
}

export const isMap = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Whether a parsed value is surely a live record as the protocol declares it, with no member beside. It sees
 * what the decoder of rows sees, in one pass and without a call for each member: a first sync is made of
 * these. Of what it refuses the decoder says whether, and what, is wrong.
 */
export function isPlainRecord(value: unknown): boolean {
  if (!isMap(value)) return false;
  const { domain, key, version, modifiedAt, fields, stamps } = value as Record<string, unknown>;
  try {
    return (
      typeof domain === "string" &&
      typeof key === "string" &&
      isSoundName(domain) &&
      isIdentifier(key) &&
      isWhole(version) &&
      version !== 0 &&
      isWhole(modifiedAt) &&
      isMap(fields) &&
      isMap(stamps) &&
      Object.keys(value).length === 6 &&
      areSoundFields(fields) &&
      areSoundStamps(stamps)
    );
  } catch {
    return false;
  }
}
