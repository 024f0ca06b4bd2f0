import { createHash } from "node:crypto";
import { canonicalText } from "./canonical.js";
import { type LiveRow, type ModelState, stampsOf } from "./model-row.js";

const sha256 = (data: Uint8Array | string): Buffer => createHash("sha256").update(data).digest();

function lengthAndText(text: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** The row's number in its domain's digest (DESIGN §5.4). */
export function elementOf(row: LiveRow): bigint {
  const content = sha256(canonicalText({ fields: row.fields, stamps: stampsOf(row) }));
  const version = Buffer.alloc(8);
  version.writeBigUInt64BE(BigInt(row.version));
  const parts = [lengthAndText(row.domain), lengthAndText(row.key), lengthAndText(""), version, content];
  return BigInt(`0x${sha256(Buffer.concat(parts)).subarray(0, 16).toString("hex")}`);
}

/** Rows that stand unchanged for long are hashed once. */
const elements = new WeakMap<LiveRow, bigint>();

/** Count and sum of the live rows of a domain, from nothing. */
export function digestOf(
  state: ModelState,
  domain: string,
): { readonly count: number; readonly sum: string } {
  let count = 0;
  let sum = 0n;
  for (const row of state.values()) {
    if (row.domain !== domain || row.deleted) continue;
    let element = elements.get(row);
    if (element === undefined) elements.set(row, (element = elementOf(row)));
    count += 1;
    sum += element;
  }
  return { count, sum: (sum % 2n ** 128n).toString(16).padStart(32, "0") };
}
