import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { cacheFolder, root, runNode, whenMain } from "./child.mjs";
import { setUp } from "./setup.mjs";

/** Builds the packages and the apps of the examples; quick when nothing has changed. Throws when one fails. */
export async function build() {
  await setUp();
  await step("packages", () =>
    runNode("node_modules/typescript/bin/tsc", ["-b", "tsconfig.build.json", "--pretty"]),
  );
  for (const example of readdirSync(`${root}/examples`)) {
    const folder = `${root}/examples/${example}`;
    if (existsSync(`${folder}/vite.config.ts`)) await buildApp(example, folder);
  }
}

/** @param {string} example @param {string} folder */
async function buildApp(example, folder) {
  const stampFile = `${cacheFolder}/build-${example}`;
  const stamp = hashInputs([
    folder,
    ...readdirSync(`${root}/packages`).map((name) => `${root}/packages/${name}/dist`),
  ]);
  const built =
    existsSync(`${folder}/dist`) && existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp;
  if (built) return;
  await step(`examples/${example}`, () =>
    runNode("node_modules/vite/bin/vite.js", ["build", "--logLevel", "warn"], { cwd: folder }),
  );
  mkdirSync(cacheFolder, { recursive: true });
  writeFileSync(stampFile, stamp);
}

/** A hash of the names, sizes and times of what an app is made from. @param {readonly string[]} folders */
function hashInputs(folders) {
  const hash = createHash("sha256");
  const walk = (/** @type {string} */ folder, /** @type {boolean} */ isOutput) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.name === "node_modules" || (entry.name === "dist" && !isOutput) || entry.name.startsWith("."))
        continue;
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        walk(path, isOutput);
        continue;
      }
      const { size, mtimeMs } = statSync(path);
      hash.update(`${path} ${size} ${mtimeMs}\n`);
    }
  };
  for (const folder of folders) if (existsSync(folder)) walk(folder, folder.endsWith("/dist"));
  return hash.digest("hex");
}

/** @param {string} what @param {() => Promise<{ code: number, output: string }>} work */
async function step(what, work) {
  const started = performance.now();
  const { code, output } = await work();
  if (code !== 0) throw new Error(`Building ${what} failed:\n\n${output}`);
  console.log(`Built ${what} in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
}

await whenMain(import.meta.url, build);
