import type { StorageEntry } from "./port.js";

/**
 * SQLite's drivers cut text at a NUL and replace lone surrogates, which would merge keys. They are
 * written as `\` and four hexadecimal digits, and so is `\` itself.
 */
export function encodeKey(key: string): string {
  return key.replace(
    /[\\\0\p{Surrogate}]/gu,
    (unit) => "\\" + unit.charCodeAt(0).toString(16).padStart(4, "0"),
  );
}

export function decodeKey(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(/\\([0-9a-f]{4})/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
}

/** The order of the port: UTF-16 code units of `a`, then of `b`. */
export function compareKeys(left: StorageEntry, right: StorageEntry): number {
  if (left.a !== right.a) return left.a < right.a ? -1 : 1;
  return left.b < right.b ? -1 : 1;
}
