import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { join, posix } from "node:path";
import { type Plugin, build } from "esbuild";
import { sources } from "../../scripts/sources.mjs";
import { root } from "../style/source-files.js";
import type { Program } from "./programs.js";

/** Resolves programs of pages from memory, and leaves packages that are not ours to Node. */
function resolution(programs: readonly Program[]): Plugin {
  const texts = new Map(programs.map((program) => [program.path, program]));
  return {
    name: "landfall-docs",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^\.\.?\// }, ({ path, importer, namespace }) => {
        if (namespace !== "page") return undefined;
        const wanted = posix.join(posix.dirname(importer), path).replace(/\.js$/, ".ts");
        return texts.has(wanted) ? { path: wanted, namespace: "page" } : undefined;
      });
      onResolve({ filter: /^[^./#]/ }, ({ path, kind }) =>
        kind === "entry-point" ? { path, namespace: "page" } : { path, external: true },
      );
      onLoad({ filter: /.*/, namespace: "page" }, ({ path }) => ({
        contents: (texts.get(path) as Program).text,
        loader: path.endsWith("x") ? "tsx" : "ts",
        resolveDir: root,
      }));
    },
  };
}

export interface Ended {
  readonly code: number | null;
  readonly printed: readonly string[];
  readonly errors: string;
}

/** How long a program may take before it counts as one that does not end. */
const patienceMs = 200_000;

/** Runs a program in a process of its own, in an empty folder, until it ends by itself. */
export async function runProgram(program: Program, programs: readonly Program[]): Promise<Ended> {
  // Below node_modules, where Node finds the packages that the program imports.
  const cache = `${root}node_modules/.cache/landfall/docs`;
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(`${cache}/run-`);
  try {
    const { outputFiles } = await build({
      entryPoints: [program.path],
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node20.19",
      sourcemap: "inline",
      write: false,
      logLevel: "silent",
      plugins: [sources("node"), resolution(programs)],
    });
    writeFileSync(
      join(folder, "program.mjs"),
      (outputFiles[0] as { readonly contents: Uint8Array }).contents,
    );
    return await untilEnd(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function untilEnd(folder: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--enable-source-maps", "program.mjs"], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: patienceMs,
      killSignal: "SIGKILL",
    });
    let printed = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    child.on("error", reject);
    child.on("close", (code) =>
      resolve({
        code,
        printed: printed.split("\n").slice(0, -1),
        errors: code === null ? `${errors}It did not end within ${patienceMs} ms.` : errors,
      }),
    );
  });
}
