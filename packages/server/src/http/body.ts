import { isUtf8 } from "node:buffer";
import { LandfallError } from "../landfall-error.js";
import type { Call } from "./call.js";

/** Bytes of bodies that are held at once, over all requests, so that many large ones cannot fill the memory. */
export class BodyBudget {
  #heldBytes = 0;

  constructor(readonly maxBytes: number) {}

  take(bytes: number): void {
    if (this.#heldBytes + bytes > this.maxBytes) {
      throw new LandfallError(
        "unavailable",
        "The server is taking in as much as it can just now. Send again in a moment.",
        {
          retryAfterMs: 1_000,
        },
      );
    }
    this.#heldBytes += bytes;
  }

  give(bytes: number): void {
    this.#heldBytes -= bytes;
  }
}

export interface BodyLimit {
  readonly maxBytes: number;
  readonly budget: BodyBudget;
}

/** Collects a body chunk by chunk, and gives up at the first byte too many. */
export class BodyCollector {
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;

  /** @param declared the Content-Length header: a body that says it is too large is not read at all. */
  constructor(
    readonly limit: BodyLimit,
    declared: string | null | undefined,
  ) {
    if (declared !== undefined && declared !== null && Number(declared) > limit.maxBytes)
      throw tooLarge(limit.maxBytes);
  }

  add(chunk: Uint8Array): void {
    if (this.#bytes + chunk.length > this.limit.maxBytes) throw tooLarge(this.limit.maxBytes);
    this.limit.budget.take(chunk.length);
    this.#bytes += chunk.length;
    this.#chunks.push(chunk);
  }

  whole(): Buffer {
    const [first] = this.#chunks;
    if (this.#chunks.length === 1 && first !== undefined)
      return Buffer.from(first.buffer, first.byteOffset, first.length);
    return Buffer.concat(this.#chunks, this.#bytes);
  }

  /** To be called once when the body is no longer held, however that came. */
  release(): void {
    this.limit.budget.give(this.#bytes);
    this.#bytes = 0;
  }
}

function tooLarge(maxBytes: number): LandfallError {
  return new LandfallError("too_large", `The body is larger than ${maxBytes} bytes. Send smaller batches.`);
}

/** The caller left before its request was whole; there is nobody to answer. */
export class CallerGone extends Error {
  override readonly name = "CallerGone";
}

const json = /^application\/json(?: *; *charset="?utf-8"?)? *$/i;

/**
 * Reads a body of JSON.
 * @throws LandfallError `unsupported_media_type`, `too_large`, `bad_json`.
 */
export async function readJson(call: Call, limit: BodyLimit): Promise<unknown> {
  const encoding = call.header("content-encoding");
  if (encoding !== undefined && encoding.trim().toLowerCase() !== "identity") {
    // A few compressed bytes can stand for gigabytes; what is bounded is what was sent.
    throw new LandfallError("unsupported_media_type", "The body has a Content-Encoding. Send it as it is.");
  }
  if (!json.test(call.header("content-type") ?? "")) {
    throw new LandfallError(
      "unsupported_media_type",
      "The body is not declared as JSON. Send it with Content-Type: application/json.",
    );
  }
  const body = await call.readBody(limit);
  if (!isUtf8(body)) throw new LandfallError("bad_json", "The body is not UTF-8.");
  try {
    return JSON.parse(body.toString("utf8")) as unknown;
  } catch {
    throw new LandfallError("bad_json", "The body is not JSON.");
  }
}
