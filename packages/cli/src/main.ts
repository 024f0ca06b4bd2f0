import { createRequire } from "node:module";
import { Command } from "commander";
import { CommandError } from "./command-error.js";
import { type ConformanceOptions, conformance, describeReport } from "./conformance.js";
import { doctor } from "./doctor.js";
import { describeInspection, inspect } from "./inspect.js";
import { thisMachine } from "./machine.js";
import { addOperations } from "./operations.js";
import { type DevOptions, type ServeOptions, dev, serve } from "./serve.js";
import { option } from "./settings.js";
import { StoppedError, type Terminal } from "./terminal.js";

const { version } = createRequire(import.meta.url)("../package.json") as { readonly version: string };

/** The process as a terminal: Ctrl-C, or a supervisor's SIGTERM, asks to stop; a second one is not waited for. */
function processTerminal(): Terminal {
  const stop = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  return {
    print: (line) => void process.stdout.write(`${line}\n`),
    tell: (line) => void process.stderr.write(`${line}\n`),
    stop,
  };
}

function program(terminal: Terminal): Command {
  const landfall = new Command("landfall")
    .description("Offline-first sync: run a server, look into it, find out what is wrong.")
    .version(version, "--version", "display the version")
    .showHelpAfterError("Its --help has all of it, with examples: landfall COMMAND --help");
  addDev(landfall, terminal);
  addServe(landfall, terminal);
  addInspect(landfall, terminal);
  addDoctor(landfall, terminal);
  addConformance(landfall, terminal);
  addOperations(landfall, terminal, thisMachine);
  return landfall;
}

function addDev(landfall: Command, terminal: Terminal): void {
  landfall
    .command("dev")
    .description(
      "run a server for trying things out: no configuration, no schema, anybody signs in as dev:<user>",
    )
    .addOption(option("port"))
    .addOption(option("host"))
    .addOption(option("data"))
    .addOption(option("maxSocketsPerAddress"))
    .addOption(option("keepDeletes"))
    .addOption(option("recoverFor"))
    .addOption(option("keepOutcomes"))
    .addHelpText("after", "\nExamples:\n  landfall dev\n  landfall dev --port 5000 --data /tmp/landfall")
    .action((options: DevOptions) => dev(options, terminal));
}

function addServe(landfall: Command, terminal: Terminal): void {
  landfall
    .command("serve")
    .description("run a server for people; tokens are JWTs, and dev: tokens are refused")
    .addOption(option("storage").makeOptionMandatory())
    .addOption(option("port"))
    .addOption(option("host", "0.0.0.0"))
    .addOption(option("jwtSecret"))
    .addOption(option("allowUnexpiring"))
    .addOption(option("jwks"))
    .addOption(option("issuer"))
    .addOption(option("audience"))
    .addOption(option("maxSocketsPerAddress"))
    .addOption(option("keepDeletes"))
    .addOption(option("recoverFor"))
    .addOption(option("keepOutcomes"))
    .addHelpText(
      "after",
      "\nExamples:\n  LANDFALL_JWT_SECRET=… landfall serve --storage sqlite:landfall.db\n  landfall serve --storage sqlite:landfall.db --jwks https://id.example/jwks.json --issuer https://id.example/ --audience landfall",
    )
    .action((options: ServeOptions) => serve(options, terminal));
}

function addInspect(landfall: Command, terminal: Terminal): void {
  landfall
    .command("inspect")
    .description("show the spaces of a data file: heads, digests, devices and how far each is behind")
    .addOption(option("storage", "sqlite:./.landfall/landfall.db"))
    .addOption(option("space"))
    .addOption(option("json"))
    .addHelpText(
      "after",
      "\nExamples:\n  landfall inspect\n  landfall inspect --storage sqlite:landfall.db --space site-7 --json",
    )
    .action(async ({ storage, space, json }: { storage: string; space?: string; json?: true }) => {
      const found = await inspect({ storage, ...(space === undefined ? {} : { space }) });
      const now = thisMachine.clock.now();
      terminal.print(json ? JSON.stringify(found, null, 2) : describeInspection(found, now));
    });
}

function addDoctor(landfall: Command, terminal: Terminal): void {
  landfall
    .command("doctor")
    .description("check a server and a token as a client would, and say what to do about what is wrong")
    .addOption(option("url", "http://localhost:4400"))
    .addOption(option("token").makeOptionMandatory())
    .addOption(option("storage"))
    .addOption(option("json"))
    .addHelpText(
      "after",
      '\nWith --storage it looks at the data file too: whether it can be read, what restores it has been through, and its newest backup.\n\nExamples:\n  landfall doctor --token dev:ann\n  landfall doctor --url https://sync.example.org --token "$TOKEN" --storage sqlite:landfall.db --json',
    )
    .action(async (options: { url: string; token: string; storage?: string; json?: true }) => {
      const findings = await doctor({ ...options, now: () => thisMachine.clock.now() });
      const lines = findings.flatMap(({ check, ok, said, advice }) => [
        `${ok ? "ok   " : "WRONG"} ${check.padEnd(10)} ${said}`,
        ...(advice === undefined ? [] : [`                 ${advice}`]),
      ]);
      terminal.print(options.json ? JSON.stringify({ findings }, null, 2) : lines.join("\n"));
      if (findings.some(({ ok }) => !ok)) process.exitCode = 1;
    });
}

function addConformance(landfall: Command, terminal: Terminal): void {
  landfall
    .command("conformance")
    .argument("<url>", "address of the server, of any make")
    .description("ask a server all that the protocol says, over HTTP and the socket alone, and report")
    .addOption(option("token").makeOptionMandatory())
    .addOption(option("secondToken"))
    .addOption(option("only"))
    .addOption(option("json"))
    .addHelpText(
      "after",
      "\nIt works in spaces of its own with unguessable ids, and empties them afterwards.\n\nExamples:\n  landfall conformance http://localhost:4400 --token dev:ann --second-token dev:bob\n  landfall conformance http://localhost:4400 --token dev:ann --only socket,digest/content",
    )
    .action(async (url: string, options: Omit<ConformanceOptions, "url"> & { readonly json?: true }) => {
      const report = await conformance({ ...options, url });
      terminal.print(options.json ? JSON.stringify(report, null, 2) : describeReport(report));
      if (report.failed > 0) process.exitCode = 1;
    });
}

/** Runs the command. Exit status 0 when done, 1 when it failed or found something wrong, as usage errors do. */
export async function main(args: readonly string[]): Promise<void> {
  try {
    await program(processTerminal()).parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    process.stderr.write(`landfall: ${error.message}\n`);
    // What a shell says of a process that Ctrl-C has ended.
    process.exitCode = error instanceof StoppedError ? 130 : 1;
  }
}
