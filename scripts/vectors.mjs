import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { root, whenMain } from "./child.mjs";
import { load } from "./sim/bundle.mjs";

const folder = `${root}/docs/vectors`;

const help = `node scripts/vectors.mjs [--check]

Writes docs/vectors/*.json from the inputs in tests/vectors. With --check it writes nothing, and fails where a
file is not what it would write.
`;

await whenMain(import.meta.url, async () => {
  const [flag, ...more] = process.argv.slice(2);
  if (more.length > 0 || (flag !== undefined && flag !== "--check"))
    throw new Error(`Not understood.\n\n${help}`);
  const { vectorFiles, fileText } = /** @type {typeof import("../tests/vectors/vector-files.js")} */ (
    await load("tests/vectors/vector-files.ts")
  );
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
