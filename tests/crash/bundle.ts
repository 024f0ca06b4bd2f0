import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { sources } from "../../scripts/sources.mjs";

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
    plugins: [sources("node")],
  });
  return outfile;
}
