import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import {
  type ClockPort,
  type RandomPort,
  type Sha256,
  decodeText,
  randomIdentifier,
} from "@landfall/protocol";
import { type ExportPosition, exportSpaces } from "../operations/export.js";
import {
  type ExportHeader,
  exportFormat,
  exportLine,
  hexOf,
  maxLineBytes,
  sectionRows,
} from "../operations/export-format.js";
import type { Progress } from "../operations/verify-records.js";
import { nativeSha256 } from "../platform.js";
import { LineError, readLines } from "./bounded-lines.js";
import { checkAbsent, moveIntoPlace } from "./durable-file.js";
import { readDataFile } from "./read-file.js";

export interface ExportFileOptions {
  /** The data file; a server may have it open and go on writing. */
  readonly file: string;
  readonly to: string;
  /** Only this space. */
  readonly space?: string;
  /** Replaces a file that is there. */
  readonly overwrite?: boolean;
  readonly clock: ClockPort;
  readonly random: RandomPort;
  /** Hears of rows that were written; it may throw to break the export off. */
  readonly progress?: Progress;
}

export interface ExportReport {
  readonly file: string;
  readonly bytes: number;
  /** Rows that were written now. */
  readonly rows: number;
  /** Rows that an earlier run, which was broken off, had written. */
  readonly resumedAfter: number;
}

/**
 * Writes spaces out as lines of JSON, as of one moment, while their server goes on. Until it is whole the file's
 * name ends in `.partial`; a run that was broken off is gone on with by the next one.
 *
 * @throws Error that says what is in the way, and what to do.
 */
export async function exportFile(options: ExportFileOptions): Promise<ExportReport> {
  const { file, to, space, overwrite = false, clock, random, progress = () => undefined } = options;
  if (!overwrite) checkAbsent(to);
  const partial = `${to}.partial`;
  const begun = existsSync(partial) ? findPosition(partial, nativeSha256) : undefined;
  const handle = openPartial(partial, begun?.end);
  let rows = 0;
  try {
    await readDataFile(file, async (snapshot) => {
      const chunks = exportSpaces(snapshot, {
        id: begun?.position.header.id ?? randomIdentifier(random),
        madeAt: begun?.position.header.madeAt ?? Math.floor(clock.now()),
        hash: nativeSha256,
        ...(space === undefined ? {} : { spaces: [space] }),
        ...(begun === undefined ? {} : { from: begun.position }),
      });
      for await (const chunk of chunks) {
        writeAll(handle, chunk.text);
        rows += chunk.rows;
        await progress(chunk.rows);
      }
    });
  } catch (error) {
    if (rows === 0 && !begun) rmSync(partial, { force: true });
    throw inWords(error, partial);
  } finally {
    closeSync(handle);
  }
  moveIntoPlace(partial, to);
  return { file: resolve(to), bytes: statSync(to).size, rows, resumedAfter: begun?.rows ?? 0 };
}

/** Opens the file for what comes after `end`; anew without one. */
function openPartial(partial: string, end: number | undefined): number {
  try {
    mkdirSync(dirname(resolve(partial)), { recursive: true });
    if (end !== undefined) truncateSync(partial, end);
    return openSync(partial, end === undefined ? "w" : "a");
  } catch (error) {
    throw inWords(error, partial);
  }
}

/** What the system says of a file, with what to do. */
function inWords(error: unknown, partial: string): unknown {
  if ((error as { syscall?: string }).syscall === undefined) return error;
  return new Error(
    `${partial} could not be written (${(error as Error).message}). See whether there is room, and the right to write there; then the same command goes on from what is written.`,
    { cause: error },
  );
}

function writeAll(handle: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += writeSync(handle, bytes, at);
}

interface Begun {
  readonly position: ExportPosition;
  /** Bytes up to the last line that can be gone on from. */
  readonly end: number;
  /** Rows up to there. */
  readonly rows: number;
}

/** Reads an export that was broken off, up to the last place where all is well; undefined where there is none. */
function findPosition(partial: string, hash: Sha256): Begun | undefined {
  const reading = new PartialExport(hash);
  try {
    for (const { text, end } of readLines(partial, maxLineBytes)) if (!reading.take(text, end)) break;
  } catch (error) {
    if (!(error instanceof LineError)) throw error;
  }
  return reading.begun;
}

class PartialExport {
  begun: Begun | undefined;
  #header: ExportHeader | undefined;
  #finished: string[] = [];
  #current: ExportPosition["current"];
  #section: string[] = [];
  #rows = 0;

  constructor(private readonly hash: Sha256) {}

  /** @returns false for a line that cannot be, which is where what is well ends. */
  take(text: string, end: number): boolean {
    const decoded = decodeText(exportLine, text);
    if (!decoded.ok) return false;
    const line = decoded.value;
    if ("landfall" in line) {
      if (line.format !== exportFormat) return false;
      this.#header = line;
    } else if ("space" in line) {
      const { space, generation } = line;
      if (this.#current?.space !== space) this.#current = { space, generation, after: 0, rows: 0 };
      return true;
    } else if ("member" in line) return true;
    else if ("domain" in line) {
      return this.#section.push(text) <= sectionRows;
    } else if ("checkpoint" in line) {
      const body = `${this.#section.join("\n")}\n`;
      if (!this.#current || hexOf(this.hash(body)) !== line.sha256) return false;
      this.#current = { ...this.#current, after: line.after, rows: this.#current.rows + line.rows };
      this.#rows += line.rows;
      this.#section = [];
    } else if ("end" in line) {
      this.#finished.push(line.end);
      this.#current = undefined;
    } else return false;
    if (!this.#header) return false;
    const position = { header: this.#header, finished: [...this.#finished], current: this.#current };
    this.begun = { position, end, rows: this.#rows };
    return true;
  }
}
