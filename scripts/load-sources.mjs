import { pathToFileURL } from "node:url";
import { root } from "./child.mjs";

/**
 * Loads a module of the tests on the sources of the packages, so that a script of theirs needs no build.
 *
 * @param {string} path from the root of the workspace
 * @returns {Promise<any>} its exports
 */
export async function loadSources(path) {
  const { build } = await import("esbuild");
  const outfile = `${root}/node_modules/.cache/landfall/sources/${path.replaceAll("/", "-").replace(/\.ts$/, ".mjs")}`;
  await build({
    entryPoints: [`${root}/${path}`],
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    outfile,
    packages: "external",
    sourcemap: "inline",
    logLevel: "warning",
    plugins: [
      {
        name: "sources",
        setup({ onResolve }) {
          onResolve({ filter: /^@landfall\// }, ({ path: name }) => {
            const [, folder, ...rest] = name.split("/");
            return { path: `${root}/packages/${folder}/src/${rest.join("/") || "index"}.ts` };
          });
          onResolve({ filter: /^#net$/ }, () => ({ path: `${root}/packages/client/src/node-net.ts` }));
        },
      },
    ],
  });
  return import(pathToFileURL(outfile).href);
}
