import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../examples/fieldbook/serve.mjs", import.meta.url));

export interface Fieldbook {
  /** By name and not by address, as people open it. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Starts the built demo as `npm start` does, in a process of its own, on any free port and with an empty folder
 * for its data.
 *
 * @throws Error with what it said when it does not start; most often it is not built.
 */
export async function startFieldbook(): Promise<Fieldbook> {
  const folder = await mkdtemp(join(tmpdir(), "landfall-fieldbook-"));
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, PORT: "0", LANDFALL_DATA: join(folder, "fieldbook.db") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const port = await new Promise<string>((resolve, reject) => {
    let said = "";
    const hear = (text: Buffer): void => {
      said += text.toString();
      const found = /runs at http:\/\/\S+:(\d+)/.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("close", () => reject(new Error(`Fieldbook did not start. It said:\n${said}`)));
  });
  return {
    url: `http://localhost:${port}/`,
    async close() {
      child.kill("SIGTERM");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
