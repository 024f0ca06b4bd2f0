import { _SHA256 } from "@noble/hashes/sha2.js";
import { canonicalJson } from "./json.js";
import type { RecordRow } from "./row.js";

/** SHA-256 (FIPS 180-4) of bytes, or of a text's UTF-8, synchronously; servers plug in a native one. */
export type Sha256 = (data: Uint8Array | string) => Uint8Array;

/** Every platform has it, and no types that all of them share say so. */
declare const TextEncoder: new () => { encode(text: string): Uint8Array };

/**
 * SHA-256 in plain JavaScript; runs everywhere. The package's `sha256` is this class behind checks of options, which a
 * web page would have to load.
 */
export const portableSha256: Sha256 = (data) =>
  new _SHA256().update(typeof data === "string" ? new TextEncoder().encode(data) : data).digest();

/** What a digest looks like on the wire: count and sum of the live rows, as they were at an index (DESIGN §5.4). */
export interface WireDigest {
  readonly index: number;
  readonly count: number;
  /** 32 lower-case hex digits. */
  readonly sum: string;
}

const modulus = 1n << 128n;

/** The sum of a domain's element hashes mod 2^128, with their count; adding and removing commute. */
export class DigestSum {
  count: number;
  #sum: bigint;

  constructor(count = 0, sum = "0") {
    this.count = count;
    this.#sum = BigInt(`0x${sum}`);
  }

  add(element: bigint): void {
    this.count += 1;
    this.#sum = (this.#sum + element) % modulus;
  }

  remove(element: bigint): void {
    this.count -= 1;
    this.#sum = (this.#sum - element + modulus) % modulus;
  }

  /** 32 lower-case hex digits. */
  get sum(): string {
    return this.#sum.toString(16).padStart(32, "0");
  }
}

/** The canonical text whose hash stands for a record's content: RFC 8785 JSON of its fields and stamps. */
export function recordContent(fieldsText: string, stampsText: string): string {
  return `{"fields":${fieldsText},"stamps":${stampsText}}`;
}

/**
 * One row's part in its domain's digest: the first 16 bytes, big-endian, of
 * `SHA-256(domain ‖ key ‖ entry ‖ version ‖ rowHash)` (DESIGN §5.4). Strings are UTF-8 behind a 4-byte
 * big-endian length, a record's entry is empty, and the version is 8 bytes big-endian.
 *
 * @param content what `recordContent` gives.
 */
export function elementHash(
  hash: Sha256,
  domain: string,
  key: string,
  version: number,
  content: string,
): bigint {
  const rowHash = hash(content);
  // Identifiers are ASCII (DESIGN §5.3), so their length in characters is their length in bytes.
  const bytes = new Uint8Array(4 + domain.length + 4 + key.length + 4 + 8 + 32);
  const view = new DataView(bytes.buffer);
  let at = writeText(bytes, view, 0, domain);
  at = writeText(bytes, view, at, key);
  view.setUint32(at, 0);
  view.setBigUint64(at + 4, BigInt(version));
  bytes.set(rowHash, at + 12);
  const digest = hash(bytes);
  const out = new DataView(digest.buffer, digest.byteOffset, 16);
  return (out.getBigUint64(0) << 64n) | out.getBigUint64(8);
}

/** The element hash of a row as it came over the wire. */
export function rowElement(hash: Sha256, row: RecordRow): bigint {
  return elementHash(
    hash,
    row.domain,
    row.key,
    row.version,
    recordContent(canonicalJson(row.fields), canonicalJson(row.stamps)),
  );
}

function writeText(bytes: Uint8Array, view: DataView, at: number, text: string): number {
  view.setUint32(at, text.length);
  for (let i = 0; i < text.length; i++) bytes[at + 4 + i] = text.charCodeAt(i);
  return at + 4 + text.length;
}
