import {
  type BackupReport,
  type LastBackup,
  type RestoreReport,
  backupFile,
  restoreFile,
} from "@landfall/server/operations";
import { onFile, plainFile, sqliteFile } from "./storage-address.js";
import { type Terminal, watchWork } from "./terminal.js";
import type { Machine } from "./machine.js";

export interface BackupCommand {
  readonly storage: string;
  readonly to: string;
  readonly force?: true;
}

/** `landfall backup`: a copy as of one moment, while the server goes on. */
export function backup(command: BackupCommand, terminal: Terminal, machine: Machine): Promise<BackupReport> {
  const file = sqliteFile(command.storage);
  const to = plainFile("--to", command.to);
  return onFile(() =>
    backupFile({
      file,
      to,
      overwrite: command.force === true,
      clock: machine.clock,
      begins: (bytes) => terminal.tell(`Copying ${sizeText(bytes)} from ${file} …`),
    }),
  );
}

export interface RestoreCommand {
  readonly from: string;
  readonly storage: string;
  readonly force?: true;
  readonly skipVerify?: true;
}

/** `landfall restore`: the data as a backup has it, under a new generation of every space. */
export function restore(
  command: RestoreCommand,
  terminal: Terminal,
  machine: Machine,
): Promise<RestoreReport> {
  const file = sqliteFile(command.storage);
  const from = plainFile("--from", command.from);
  return onFile(() =>
    restoreFile({
      from,
      file,
      overwrite: command.force === true,
      unverified: command.skipVerify === true,
      clock: machine.clock,
      random: machine.random,
      progress: watchWork(
        terminal,
        machine.elapsedMs,
        (done) => `Verifying the backup: ${done} rows …`,
        "Stopped. Nothing was changed.",
      ),
    }),
  );
}

export function describeBackup({ file, bytes, madeAt, spaces }: BackupReport): string {
  const records = spaces.reduce((sum, space) => sum + space.records, 0);
  return [
    `${file} holds ${spaces.length} space(s) and ${records} record(s) as of ${timeText(madeAt)}, in ${sizeText(bytes)}.`,
    ...spaces.map((space) => `  ${space.space}  head ${space.head}  ${space.records} record(s)`),
    `To try it: landfall verify --storage sqlite:${file}`,
  ].join("\n");
}

export function describeRestore(file: string, { spaces, replaced }: RestoreReport): string {
  return [
    `${file} is restored. Each of its ${spaces.length} space(s) begins a new history:`,
    ...spaces.map(({ space, at, generation }) => `  ${space}  from index ${at}  generation ${generation}`),
    ...(replaced === undefined ? [] : [`What it replaced is kept in ${replaced}.`]),
    "Start the server on it: clients find out by themselves, and lose nothing that they have not sent.",
  ].join("\n");
}

/** What is known of the newest backup, for `inspect` and `doctor`. */
export function describeLastBackup(last: LastBackup | undefined, nowMs: number): string {
  if (!last) return "No backup is known. Make one with: landfall backup";
  const hours = Math.max(0, Math.floor((nowMs - last.madeAt) / 3_600_000));
  const ago = hours < 48 ? `${hours} hour(s)` : `${Math.floor(hours / 24)} days`;
  return `The newest backup that is known was made ${ago} ago: ${last.file}, ${sizeText(last.bytes)}.`;
}

export const timeText = (ms: number): string => new Date(ms).toISOString();

export function sizeText(bytes: number): string {
  return bytes < 1_000_000 ? `${Math.ceil(bytes / 1_000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
