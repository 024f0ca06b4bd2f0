import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const packages = fileURLToPath(new URL("../../packages/", import.meta.url));

/** Bundles a program of this folder from the sources, as the tests run them. @returns the path of the bundle. */
export async function bundle(name: string, folder: string): Promise<string> {
  const outfile = join(folder, `${name}.mjs`);
  const entry = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
  const standIn = fileURLToPath(import.meta.resolve("@photostructure/sqlite"));
  // Packages that are CommonJS inside need what they are written for.
  const banner = `import { createRequire as makeRequire } from "node:module"; const require = makeRequire(${JSON.stringify(import.meta.url)});`;
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "error",
    banner: { js: banner },
    define: { "import.meta.url": JSON.stringify(import.meta.url) },
    alias: { "@photostructure/sqlite": standIn },
    external: [standIn],
    plugins: [
      {
        name: "landfall-sources",
        setup({ onResolve }) {
          onResolve({ filter: /^#socket$/ }, () => ({ path: `${packages}client/src/node-socket.ts` }));
          onResolve({ filter: /^@landfall\// }, ({ path }) => {
            const [, folder = "", ...rest] = path.split("/");
            return { path: `${packages}${folder}/src/${rest.join("/") || "index"}.ts` };
          });
        },
      },
    ],
  });
  return outfile;
}

/** A process that says things as lines of JSON. */
export class Child<Line> {
  readonly #process: ChildProcess;
  readonly #closed: Promise<unknown>;
  /** What it has said so far. */
  readonly lines: Line[] = [];
  #heard = (): void => {};

  constructor(program: string, args: readonly string[]) {
    this.#process = spawn(process.execPath, ["--no-warnings", program, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#closed = once(this.#process, "close").then(() => this.#heard());
    createInterface({ input: this.#process.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      this.lines.push(JSON.parse(line) as Line);
      this.#heard();
    });
  }

  /** Resolves when what it said is enough. @throws Error when it ends before. */
  async until(isEnough: (lines: readonly Line[]) => boolean): Promise<void> {
    while (!isEnough(this.lines)) {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null)
        throw new Error("The process has ended before its time.");
      await new Promise<void>((resolve) => (this.#heard = resolve));
    }
  }

  /** Ends it without a warning; resolves when all that it said has been heard. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#closed;
  }
}
