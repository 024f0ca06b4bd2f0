import { type ExportReport, type ImportedSpace, exportFile, importFile } from "@landfall/server/operations";
import { sizeText } from "./backup.js";
import type { Machine } from "./machine.js";
import { onFile, plainFile, sqliteFile } from "./storage-address.js";
import { type Terminal, watchWork } from "./terminal.js";

export interface ExportCommand {
  readonly storage: string;
  readonly to: string;
  readonly space?: string;
  readonly force?: true;
}

/** `landfall export`: spaces as lines of JSON, as of one moment, while the server goes on. */
export function exportData(
  command: ExportCommand,
  terminal: Terminal,
  machine: Machine,
): Promise<ExportReport> {
  const { storage, space, force } = command;
  const file = sqliteFile(storage);
  const to = plainFile("--to", command.to);
  const progress = watchWork(
    terminal,
    machine.elapsedMs,
    (rows) => `Exporting: ${rows} rows …`,
    `Stopped. What was written is in ${to}.partial; the same command goes on from there.`,
  );
  const { clock, random } = machine;
  return onFile(() =>
    exportFile({
      file,
      to,
      ...(space === undefined ? {} : { space }),
      overwrite: force === true,
      clock,
      random,
      progress,
    }),
  );
}

export interface ImportCommand {
  readonly from: string;
  readonly storage: string;
  readonly space?: string;
  readonly as?: string;
  readonly owner?: string;
}

/** `landfall import`: what an export holds, into spaces that are not there yet. */
export function importData(
  command: ImportCommand,
  terminal: Terminal,
  machine: Machine,
): Promise<readonly ImportedSpace[]> {
  const { storage, space, as, owner } = command;
  const file = sqliteFile(storage);
  const from = plainFile("--from", command.from);
  const progress = watchWork(
    terminal,
    machine.elapsedMs,
    (lines) => `Importing: ${lines} lines …`,
    "Stopped. What was imported stays; the same command goes on from there.",
  );
  const { clock, random } = machine;
  return onFile(() =>
    importFile({
      from,
      file,
      ...(space === undefined ? {} : { only: space }),
      ...(as === undefined ? {} : { as }),
      ...(owner === undefined ? {} : { owner }),
      clock,
      random,
      progress,
    }),
  );
}

export function describeExport({ file, bytes, rows, resumedAfter }: ExportReport): string {
  const resumed = resumedAfter > 0 ? `; ${resumedAfter} more had been written before` : "";
  return `${file} is written: ${rows} row(s) in ${sizeText(bytes)}${resumed}.`;
}

export function describeImport(spaces: readonly ImportedSpace[]): string {
  if (spaces.length === 0) return "The export has no spaces.";
  return spaces
    .map(({ space, rows, written, resumed }) => {
      const how = resumed ? ` ${rows - written} had been imported before, or were the same.` : "";
      return `${space}: ${written} of ${rows} row(s) written.${how}`;
    })
    .join("\n");
}
