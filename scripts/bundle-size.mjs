import { existsSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { root, whenMain } from "./child.mjs";

/** What a web app pays at most for the client: the target of the first release, in bytes. */
const limitBytes = 20 * 1024;

/** What an app writes that takes the client with its default storage and nothing else. */
const app = `import { createClient } from "@landfall/client"; globalThis.client = createClient;`;

/**
 * The minified and gzipped size of the client in an app: every chunk counts, also those that are loaded
 * later, each gzipped by itself as a server would send it.
 *
 * @returns {Promise<{ bytes: number, limitBytes: number, chunks: { name: string, bytes: number }[] }>}
 */
export async function measureBundle() {
  if (!existsSync(`${root}/packages/client/dist/index.js`)) {
    throw new Error(
      "packages/client is not built, so there is nothing to measure. Run `npm run build` first.",
    );
  }
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    stdin: { contents: app, resolveDir: `${root}/tests`, sourcefile: "app.js" },
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
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
  return { bytes: chunks.reduce((sum, { bytes }) => sum + bytes, 0), limitBytes, chunks };
}

await whenMain(import.meta.url, async () => {
  const { bytes, chunks } = await measureBundle();
  for (const chunk of chunks) console.log(`${String(chunk.bytes).padStart(7)}  ${chunk.name}`);
  console.log(`${bytes} of at most ${limitBytes} bytes, minified and gzipped.`);
  if (bytes > limitBytes) process.exitCode = 1;
});
