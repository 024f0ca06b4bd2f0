import { decodeText } from "@landfall/protocol";
import { existsSync } from "node:fs";
import { type ImportOptions, type ImportedSpace, Importer } from "../operations/import.js";
import { exportLine, maxLineBytes } from "../operations/export-format.js";
import type { Progress } from "../operations/verify-records.js";
import { LineError, readLines } from "./bounded-lines.js";
import { type SqliteStorage, sqlite } from "./sqlite.js";

export interface ImportFileOptions extends Omit<ImportOptions, "storage"> {
  readonly from: string;
  /** The data file, made where it is not there; no server may have it open. */
  readonly file: string;
  /** Hears of lines that were read; it may throw to break the import off. */
  readonly progress?: Progress;
}

/** Lines between two reports of progress. */
const progressLines = 500;

/**
 * Reads an export into a data file; see `Importer`.
 * @throws Error that says which line is wrong, and what to do; what came before its section was imported.
 */
export async function importFile(options: ImportFileOptions): Promise<readonly ImportedSpace[]> {
  const { from, file, progress = () => undefined, ...rest } = options;
  if (!existsSync(from))
    throw new Error(`There is no file ${from}. Name one that landfall export has written.`);
  let number = 0;
  let storage: SqliteStorage | undefined;
  try {
    const only = rest.only ?? (rest.as && (onlySpace(from) ?? rest.as));
    storage = sqlite(file);
    const importer = new Importer({ ...rest, storage, ...(only !== undefined && { only }) });
    for (const line of readLines(from, maxLineBytes)) {
      number = line.number;
      await importer.take(line.text);
      if (number % progressLines === 0) await progress(progressLines);
    }
    importer.end();
    return importer.imported;
  } catch (cause) {
    // The name of the space is looked for in lines that have not been counted here.
    if (cause instanceof LineError) number = cause.line;
    else if ((cause as Error).name !== "ImportError") throw cause;
    throw new Error(`${from}, line ${number}: ${(cause as Error).message}.`, { cause });
  } finally {
    await storage?.close();
  }
}

/** The space of an export that has one, so that it need not be named to be given another name; undefined where there is none. */
function onlySpace(from: string): string | undefined {
  const spaces = new Set<string>();
  for (const { text } of readLines(from, maxLineBytes)) {
    // The line of a space says how many members follow. Rows, which are most lines, are not decoded twice.
    const line = text.includes('"members":') ? decodeText(exportLine, text) : undefined;
    if (line?.ok === true && "space" in line.value) spaces.add(line.value.space);
  }
  if (spaces.size > 1)
    throw new Error(
      `${from} has ${spaces.size} spaces, and one can have another name: say which with --space (in code: \`only\`).`,
    );
  return [...spaces][0];
}
