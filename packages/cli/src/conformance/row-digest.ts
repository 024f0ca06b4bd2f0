import { createHash } from "node:crypto";

// Written from docs/protocol.md alone, and apart from packages/protocol: a fault there must not hide itself here.

export interface Live {
  readonly domain: string;
  readonly key: string;
  readonly version: number;
  readonly fields: { readonly [name: string]: unknown };
  readonly stamps: { readonly [name: string]: string };
}

/** RFC 8785: members by the UTF-16 units of their names, no white space, scalars as ECMAScript writes them. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, item]) => `${JSON.stringify(name)}:${canonical(item)}`).join(",")}}`;
}

function lengthAndText(text: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** What one row adds to the digest of its domain. */
export function rowNumber({ domain, key, version, fields, stamps }: Live): bigint {
  const rowHash = createHash("sha256").update(canonical({ fields, stamps }), "utf8").digest();
  const versionBytes = Buffer.alloc(8);
  versionBytes.writeBigUInt64BE(BigInt(version));
  const hash = createHash("sha256")
    .update(
      Buffer.concat([lengthAndText(domain), lengthAndText(key), lengthAndText(""), versionBytes, rowHash]),
    )
    .digest("hex");
  return BigInt(`0x${hash.slice(0, 32)}`);
}

/** The digest of rule 10 over the live ones of these rows. */
export function digestOf(rows: readonly (Live | { readonly deleted: true })[]): {
  readonly count: number;
  readonly sum: string;
} {
  const live = rows.filter((row): row is Live => !("deleted" in row));
  const sum = live.reduce((total, row) => total + rowNumber(row), 0n) % (1n << 128n);
  return { count: live.length, sum: sum.toString(16).padStart(32, "0") };
}
