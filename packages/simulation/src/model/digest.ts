import { hash } from "node:crypto";
import { canonicalText } from "./canonical.js";
import { type DomainState, type LiveRow, type ModelState, stampsOf } from "./model-row.js";

/** The row's number in its domain's digest (DESIGN §5.4). */
export function elementOf(row: LiveRow): bigint {
  const content = canonicalText({ fields: row.fields, stamps: stampsOf(row) });
  const texts = [row.domain, row.key, ""].map((text) => Buffer.from(text, "utf8"));
  const data = Buffer.alloc(texts.reduce((length, text) => length + 4 + text.length, 8 + 32));
  let at = 0;
  for (const text of texts) {
    at = data.writeUInt32BE(text.length, at);
    at += text.copy(data, at);
  }
  at = data.writeBigUInt64BE(BigInt(row.version), at);
  data.write(hash("sha256", content, "hex"), at, "hex");
  return BigInt(`0x${hash("sha256", data, "hex").slice(0, 32)}`);
}

/** Rows and domains that stand unchanged for long are hashed once. */
const elements = new WeakMap<LiveRow, bigint>();
const known = new WeakMap<DomainState, Digest>();

interface Digest {
  readonly count: number;
  readonly sum: string;
}

const nothing: DomainState = new Map();

/** Count and sum of the live rows of a domain, from nothing. */
export function digestOf(state: ModelState, domain: string): Digest {
  const rows = state.get(domain) ?? nothing;
  let digest = known.get(rows);
  if (!digest) known.set(rows, (digest = digestOfRows(rows)));
  return digest;
}

function digestOfRows(rows: DomainState): Digest {
  let count = 0;
  let sum = 0n;
  for (const row of rows.values()) {
    if (row.deleted) continue;
    let element = elements.get(row);
    if (element === undefined) elements.set(row, (element = elementOf(row)));
    count += 1;
    sum += element;
  }
  return { count, sum: (sum % 2n ** 128n).toString(16).padStart(32, "0") };
}
