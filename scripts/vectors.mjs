import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { root, whenMain } from "./child.mjs";

const folder = `${root}/docs/vectors`;
const bundle = `${root}/node_modules/.cache/landfall/vector-files.mjs`;

const help = `node scripts/vectors.mjs [--check]

Writes docs/vectors/*.json from the inputs in tests/vectors. With --check it writes nothing, and fails where a
file is not what it would write.
`;

/** Loads tests/vectors on the sources of the packages, so that no build is needed. */
async function loadVectorFiles() {
  const { build } = await import("esbuild");
  await build({
    entryPoints: [`${root}/tests/vectors/vector-files.ts`],
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    outfile: bundle,
    packages: "external",
    logLevel: "warning",
    plugins: [
      {
        name: "sources",
        setup({ onResolve }) {
          onResolve({ filter: /^@landfall\// }, ({ path }) => {
            const [, name, ...rest] = path.split("/");
            return {
              path: `${root}/packages/${name}/src/${rest.length === 0 ? "index" : rest.join("/")}.ts`,
            };
          });
        },
      },
    ],
  });
  return /** @type {typeof import("../tests/vectors/vector-files.js")} */ (
    await import(pathToFileURL(bundle).href)
  );
}

await whenMain(import.meta.url, async () => {
  const [flag, ...more] = process.argv.slice(2);
  if (more.length > 0 || (flag !== undefined && flag !== "--check"))
    throw new Error(`Not understood.\n\n${help}`);
  const { vectorFiles, fileText } = await loadVectorFiles();
  mkdirSync(folder, { recursive: true });
  const stale = [];
  for (const [name, content] of Object.entries(await vectorFiles())) {
    const path = `${folder}/${name}`;
    if (flag === undefined) writeFileSync(path, fileText(content));
    else if (readFileSync(path, "utf8") !== fileText(content)) stale.push(name);
  }
  if (stale.length > 0)
    throw new Error(
      `docs/vectors/${stale.join(", ")}: not what the inputs give. Run \`node scripts/vectors.mjs\`, and look at what changes.`,
    );
});
