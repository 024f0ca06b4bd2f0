import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type * as Sqlite from "@photostructure/sqlite";
import { transform } from "esbuild";
import { expect, test } from "vitest";
import { root } from "./source-files.js";

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

const lockText = readFileSync(`${root}package-lock.json`, "utf8");
const locked = Object.entries((JSON.parse(lockText) as { packages: Record<string, LockedPackage> }).packages);
const installed = locked.filter(([path, { link }]) => path.includes("node_modules/") && link !== true);

/** Packages with an install script that we do without; a test below holds that they work all the same. */
const worksWithoutScript = ["node_modules/@photostructure/sqlite", "node_modules/esbuild"];

test("the lockfile names no registry, so that anyone's own serves", () => {
  const addresses = locked.flatMap(([path, { resolved }]) =>
    resolved?.includes("://") ? [`${path}: ${resolved}`] : [],
  );
  expect(addresses).toEqual([]);
  expect(lockText).not.toMatch(/registry\.|\/-\/[\w.-]+\.tgz/);
});

test("every package from a registry is pinned by its hash", () => {
  expect(installed.filter(([, { integrity }]) => integrity === undefined).map(([path]) => path)).toEqual([]);
});

test("the lockfile has the programs for every system, else a clean install refuses it", () => {
  const names = new Set(installed.map(([path]) => path.replace(/^.*node_modules\//, "")));
  const missing = locked.flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !names.has(name))
      .map((name) => `${path} may want ${name}`),
  );
  expect(missing).toEqual([]);
});

test("the lockfile agrees with every package.json of the workspace", () => {
  const kinds = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"] as const;
  const workspaces = locked.filter(([path]) => !path.includes("node_modules/"));
  expect(workspaces.length).toBeGreaterThan(1);
  for (const [folder, entry] of workspaces) {
    const manifest = JSON.parse(readFileSync(`${root}${folder}/package.json`, "utf8")) as LockedPackage;
    for (const kind of kinds) expect(entry[kind] ?? {}, `${kind} of ${folder}`).toEqual(manifest[kind] ?? {});
  }
});

test("no package needs an install script", () => {
  expect(readFileSync(`${root}.npmrc`, "utf8").split("\n")).toContain("ignore-scripts=true");
  const scripted = installed.filter(([, { hasInstallScript, optional }]) => hasInstallScript && !optional);
  expect(scripted.map(([path]) => path).toSorted()).toEqual(worksWithoutScript);
});

test("esbuild works without its install script", async () => {
  expect((await transform("let a: number = 1 + 1", { loader: "ts", minify: true })).code.trim()).toBe(
    "let a=2;",
  );
});

test("SQLite works without its install script", () => {
  const fromServer = createRequire(`${root}packages/server/package.json`);
  const { DatabaseSync } = fromServer("@photostructure/sqlite") as typeof Sqlite;
  const database = new DatabaseSync(":memory:");
  expect(database.prepare("SELECT 40 + 2 AS answer").get()).toEqual({ answer: 42 });
  database.close();
});
