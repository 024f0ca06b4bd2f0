import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { packageNames, readManifest } from "./packages.js";
import { root } from "./source-files.js";

const workspace = readManifest(".");

test.each(packageNames)("%s says in its package.json what others need to know", (name) => {
  const manifest = readManifest(`packages/${name}`);
  expect(manifest).toMatchObject({
    name: `@landfall/${name}`,
    version: workspace.version,
    license: "Apache-2.0",
    author: "The Landfall authors",
    type: "module",
    engines: workspace.engines,
  });
  expect(manifest.private).toBeUndefined();
  expect(manifest.description).toMatch(/^[A-Z].{20,}\.$/);
  expect(manifest.keywords).toContain("offline-first");
  expect(manifest.files).toEqual(expect.arrayContaining(["dist", "!dist/.tsbuildinfo"]));
  expect(existsSync(`${root}packages/${name}/README.md`), "it has a README.md").toBe(true);
  // npm packs only a licence that lies in the package itself.
  expect(readFileSync(`${root}packages/${name}/LICENSE`, "utf8")).toBe(
    readFileSync(`${root}LICENSE`, "utf8"),
  );
});

test.each(packageNames)("%s depends on exact versions", (name) => {
  const { dependencies, optionalDependencies } = readManifest(`packages/${name}`);
  const loose = Object.entries({ ...dependencies, ...optionalDependencies }).filter(
    ([dependency, version]) =>
      dependency.startsWith("@landfall/") ? version !== workspace.version : !/^\d+\.\d+\.\d+$/.test(version),
  );
  expect(loose).toEqual([]);
});
