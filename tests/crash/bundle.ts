import { join } from "node:path";
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
          onResolve({ filter: /^#net$/ }, () => ({ path: `${packages}client/src/node-net.ts` }));
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
