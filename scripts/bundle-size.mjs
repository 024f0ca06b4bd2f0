import { existsSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { root, whenMain } from "./child.mjs";

/** What a web app is to pay at most for the client, in bytes: the target of the first release, not met yet. */
const targetBytes = 20 * 1024;

/** What it may cost until the target is met: a change that makes the client larger than this fails. */
const limitBytes = 57_650;

/** What an app writes that takes the client with its default storage and nothing else. */
const app = `import { createClient } from "@landfall/client"; globalThis.client = createClient;`;

/**
 * The minified and gzipped size of the client in an app: every chunk counts, also those that are loaded
 * later, each gzipped by itself as a server would send it.
 *
 * @returns {Promise<{
 *   bytes: number,
 *   limitBytes: number,
 *   chunks: { name: string, bytes: number }[],
 *   sources: { name: string, bytes: number }[],
 * }>} `sources` are the files that most of it comes from, largest first, minified and not gzipped
 */
export async function measureBundle() {
  if (!existsSync(`${root}/packages/client/dist/index.js`)) {
    throw new Error(
      "packages/client is not built, so there is nothing to measure. Run `npm run build` first.",
    );
  }
  const { build } = await import("esbuild");
  const { outputFiles, metafile } = await build({
    stdin: { contents: app, resolveDir: `${root}/tests`, sourcefile: "app.js" },
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    outdir: "out",
    legalComments: "none",
    logLevel: "silent",
  });
  const chunks = outputFiles.map(({ path, contents }) => ({
    name: path.replace(/^.*[\\/]/, ""),
    bytes: gzipSync(contents, { level: 9 }).length,
  }));
  const sources = Object.values(metafile.outputs)
    .flatMap(({ inputs }) => Object.entries(inputs))
    .map(([path, { bytesInOutput }]) => ({ name: path.replace(/^(\.\.\/)+/, ""), bytes: bytesInOutput }))
    .sort((a, b) => b.bytes - a.bytes);
  return { bytes: chunks.reduce((sum, { bytes }) => sum + bytes, 0), limitBytes, chunks, sources };
}

await whenMain(import.meta.url, async () => {
  const { bytes, chunks, sources } = await measureBundle();
  console.log(`Sources, minified:\n${list(sources)}\nChunks, minified and gzipped:\n${list(chunks)}`);
  console.log(
    `${bytes} bytes, minified and gzipped; the limit is ${limitBytes}, the target ${targetBytes}${bytes > targetBytes ? " (missed)" : ""}.`,
  );
  if (bytes > limitBytes) process.exitCode = 1;
});

/** @param {readonly { name: string, bytes: number }[]} files */
function list(files) {
  return files.map(({ name, bytes }) => `${String(bytes).padStart(8)}  ${name}`).join("\n");
}
