import type { Command } from "commander";
import {
  type BackupCommand,
  type RestoreCommand,
  backup,
  describeBackup,
  describeRestore,
  restore,
} from "./backup.js";
import {
  type ExportCommand,
  type ImportCommand,
  describeExport,
  describeImport,
  exportData,
  importData,
} from "./export.js";
import type { Machine } from "./machine.js";
import { option } from "./settings.js";
import { sqliteFile } from "./storage-address.js";
import type { Terminal } from "./terminal.js";
import { describeVerification, verify } from "./verify.js";

interface Json {
  readonly json?: true;
}

/** The commands of whoever looks after a server's data. */
export function addOperations(landfall: Command, terminal: Terminal, machine: Machine): void {
  addBackup(landfall, terminal, machine);
  addRestore(landfall, terminal, machine);
  addVerify(landfall, terminal, machine);
  addExport(landfall, terminal, machine);
  addImport(landfall, terminal, machine);
}

function addBackup(landfall: Command, terminal: Terminal, machine: Machine): void {
  landfall
    .command("backup")
    .description("copy a server's data as of one moment into a file, while the server goes on")
    .addOption(option("storage").makeOptionMandatory())
    .addOption(option("to").makeOptionMandatory())
    .addOption(option("force"))
    .addOption(option("json"))
    .addHelpText(
      "after",
      "\nThe copy appears under its name when it is whole and on the disk, and is a data file itself.\n\nExamples:\n  landfall backup --storage sqlite:landfall.db --to backup/landfall.db\n  landfall backup --storage sqlite:landfall.db --to backup/$(date +%F).db --json",
    )
    .action(async (options: BackupCommand & Json) => {
      const report = await backup(options, terminal, machine);
      terminal.print(options.json ? JSON.stringify(report, null, 2) : describeBackup(report));
    });
}

function addRestore(landfall: Command, terminal: Terminal, machine: Machine): void {
  landfall
    .command("restore")
    .description("bring a server's data back from a backup, and begin a new history in every space")
    .addOption(option("from").makeOptionMandatory())
    .addOption(option("storage").makeOptionMandatory())
    .addOption(option("force"))
    .addOption(option("skipVerify"))
    .addOption(option("json"))
    .addHelpText(
      "after",
      "\nStop the server first. The backup is verified, and stays as it is; what it replaces is kept under another name.\n\nExamples:\n  landfall restore --from backup/landfall.db --storage sqlite:landfall.db --force",
    )
    .action(async (options: RestoreCommand & Json) => {
      const report = await restore(options, terminal, machine);
      terminal.print(
        options.json ? JSON.stringify(report, null, 2) : describeRestore(sqliteFile(options.storage), report),
      );
    });
}

function addVerify(landfall: Command, terminal: Terminal, machine: Machine): void {
  landfall
    .command("verify")
    .description("recompute every digest and invariant of a data file, and say what is damaged")
    .addOption(option("storage").makeOptionMandatory())
    .addOption(option("json"))
    .addHelpText(
      "after",
      "\nReads only, as of one moment, beside a running server too. Exit status 1 when something is damaged.\n\nExamples:\n  landfall verify --storage sqlite:landfall.db\n  landfall verify --storage sqlite:backup/landfall.db --json",
    )
    .action(async (options: { readonly storage: string } & Json) => {
      const report = await verify(options, terminal, machine);
      terminal.print(options.json ? JSON.stringify(report, null, 2) : describeVerification(report));
      if (!report.ok) process.exitCode = 1;
    });
}

function addExport(landfall: Command, terminal: Terminal, machine: Machine): void {
  landfall
    .command("export")
    .description("write spaces out as lines of JSON, as of one moment, while the server goes on")
    .addOption(option("storage").makeOptionMandatory())
    .addOption(option("to").makeOptionMandatory())
    .addOption(option("space"))
    .addOption(option("force"))
    .addOption(option("json"))
    .addHelpText(
      "after",
      "\nRecords, deletes, stamps and members; for everything, and for a server that is to go on, make a backup. A run that was broken off is gone on with by the same command.\n\nExamples:\n  landfall export --storage sqlite:landfall.db --to all.ndjson\n  landfall export --storage sqlite:landfall.db --space site-7 --to site-7.ndjson",
    )
    .action(async (options: ExportCommand & Json) => {
      const report = await exportData(options, terminal, machine);
      terminal.print(options.json ? JSON.stringify(report, null, 2) : describeExport(report));
    });
}

function addImport(landfall: Command, terminal: Terminal, machine: Machine): void {
  landfall
    .command("import")
    .description("read an export into spaces that are not there yet")
    .addOption(option("from").makeOptionMandatory())
    .addOption(option("storage").makeOptionMandatory())
    .addOption(option("space"))
    .addOption(option("as"))
    .addOption(option("owner"))
    .addOption(option("json"))
    .addHelpText(
      "after",
      "\nStop the server first. A run that was broken off is gone on with by the same command, and one that is repeated changes nothing.\n\nExamples:\n  landfall import --from all.ndjson --storage sqlite:landfall.db\n  landfall import --from all.ndjson --storage sqlite:landfall.db --space site-7 --as site-7-copy --owner ann",
    )
    .action(async (options: ImportCommand & Json) => {
      const spaces = await importData(options, terminal, machine);
      terminal.print(options.json ? JSON.stringify({ spaces }, null, 2) : describeImport(spaces));
    });
}
