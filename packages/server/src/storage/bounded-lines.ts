import { isUtf8 } from "node:buffer";
import { closeSync, openSync, readSync } from "node:fs";

export interface Line {
  readonly text: string;
  /** From 1. */
  readonly number: number;
  /** Where the next line begins, in bytes. */
  readonly end: number;
}

/** Thrown for a line that is too long, is no UTF-8, or has no end. */
export class LineError extends Error {
  override readonly name = "LineError";

  constructor(
    message: string,
    /** Of the line, from 1. */
    readonly line: number,
  ) {
    super(message);
  }
}

/**
 * The lines of a file, one after another; no more than a line and 64 KiB are held.
 * @param maxBytes of a line; a longer one is refused before it is held whole.
 * @throws LineError
 */
export function* readLines(file: string, maxBytes: number): Generator<Line> {
  const handle = openSync(file, "r");
  try {
    const chunk = Buffer.alloc(65_536);
    let held: Buffer = Buffer.alloc(0);
    let number = 0;
    let end = 0;
    for (;;) {
      const count = readSync(handle, chunk, 0, chunk.length, null);
      if (count === 0) break;
      let bytes = Buffer.concat([held, chunk.subarray(0, count)]);
      for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10)) {
        number += 1;
        end += at + 1;
        yield { text: decode(bytes.subarray(0, at), number), number, end };
        bytes = bytes.subarray(at + 1);
      }
      if (bytes.length > maxBytes)
        throw new LineError(`the line has more than ${maxBytes} bytes`, number + 1);
      held = bytes;
    }
    if (held.length > 0) throw new LineError("the last line has no end: the file was cut off", number + 1);
  } finally {
    closeSync(handle);
  }
}

function decode(bytes: Buffer, number: number): string {
  if (!isUtf8(bytes)) throw new LineError("the line is not UTF-8", number);
  return bytes.toString("utf8");
}
