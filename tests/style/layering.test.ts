import { existsSync } from "node:fs";
import { posix } from "node:path";
import { expect, test } from "vitest";
import { entriesOf, packageNames, privatePackageNames, readManifest } from "./packages.js";
import { importsOf, isTest, readFiles, root } from "./source-files.js";

/** Which packages a package may import: arrows point one way, from the surface to the core. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  schema: ["protocol"],
  server: ["protocol", "schema"],
  client: ["protocol", "schema"],
  react: ["protocol", "schema", "client"],
  cli: ["protocol", "schema", "client", "server"],
  simulation: ["protocol", "schema", "client", "server"],
};

/**
 * The packages that may import a source file of the engine by its path, as tests may. The simulated world stands
 * where a platform would, below the entries: it joins the engine's parts at their ports, and none of them may be
 * made public for its sake.
 */
const insiders: readonly string[] = ["simulation"];

/** The only files of packages for browsers that may use Node, each with its reason. */
const nodeFiles: Readonly<Record<string, string>> = {
  "packages/client/src/node-fetch.ts": "HTTP of Node, which bundles for browsers leave out",
  "packages/client/src/storage/sqlite-file.ts": "SQLite storage is for clients in Node",
  "packages/client/src/storage/sqlite.ts": "SQLite storage is for clients in Node",
};

const files = readFiles(["packages"], [".ts", ".tsx"]);
const entries = new Set(packageNames.flatMap((name) => entriesOf(name).map(({ specifier }) => specifier)));
const packageOf = (path: string) => path.split("/")[1] ?? "";

test("every package has its place in the layers", () => {
  expect([...packageNames, ...privatePackageNames].toSorted()).toEqual(Object.keys(arrows).toSorted());
});

test("only a package that is not published may reach behind the entries of others", () => {
  expect(insiders).toEqual(privatePackageNames);
});

test("packages import only the packages below them", () => {
  const wrong = files.flatMap((file) => {
    const allowed = [packageOf(file.path), ...(arrows[packageOf(file.path)] ?? [])];
    return importsOf(file)
      .filter((name) => name.startsWith("@landfall/") && !allowed.includes(name.split("/")[1] ?? ""))
      .map((name) => `${file.path} imports ${name}`);
  });
  expect(wrong).toEqual([]);
});

test("packages are imported by entries that they export", () => {
  const outside = readFiles(["bench", "examples", "scripts"], [".ts", ".tsx", ".mjs"]);
  const bound = files.filter(({ path }) => !insiders.includes(packageOf(path)));
  const wrong = [...bound, ...outside].flatMap((file) =>
    importsOf(file)
      .filter((name) => name.startsWith("@landfall/") && !entries.has(name))
      .map((name) => `${file.path} imports ${name}, which no package exports`),
  );
  expect(wrong).toEqual([]);
});

test("tests across packages, and the simulation, import entries, or a source file by its path", () => {
  const isSource = (name: string) => {
    const [, folder = "", ...rest] = name.split("/");
    const stem = `${root}packages/${folder}/src/${rest.join("/")}`;
    return existsSync(`${stem}.ts`) || existsSync(`${stem}.tsx`);
  };
  const inside = files.filter(({ path }) => insiders.includes(packageOf(path)));
  const wrong = [...readFiles(["tests"], [".ts", ".tsx"]), ...inside].flatMap((file) =>
    importsOf(file)
      .filter((name) => name.startsWith("@landfall/") && !entries.has(name) && !isSource(name))
      .map((name) => `${file.path} imports ${name}`),
  );
  expect(wrong).toEqual([]);
});

test("every entry that a package exports has its source at the same path", () => {
  const missing = packageNames
    .flatMap((name) => entriesOf(name))
    .filter(({ source }) => source === undefined)
    .map(({ specifier }) => specifier);
  expect(missing).toEqual([]);
});

test("relative imports stay in their package and name a file", () => {
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((name) => name.startsWith("."))
      .filter((name) => {
        const target = posix.join(posix.dirname(file.path), name);
        // The mistakes that the world must catch are those of tests/faults too.
        const isOfFaults = insiders.includes(packageOf(file.path)) && target.startsWith("tests/faults/");
        const isInside = isOfFaults || target.startsWith(`packages/${packageOf(file.path)}/src/`);
        const stem = target.replace(/\.js$/, "");
        return (
          !isInside ||
          stem === target ||
          !(existsSync(`${root}${stem}.ts`) || existsSync(`${root}${stem}.tsx`))
        );
      })
      .map((name) => `${file.path} imports ${name}`),
  );
  expect(wrong).toEqual([]);
});

test("what a package imports at run time is in its dependencies", () => {
  const wrong = files
    .filter(({ path }) => !isTest(path))
    .flatMap((file) => {
      const manifest = readManifest(`packages/${packageOf(file.path)}`);
      const { dependencies, optionalDependencies, peerDependencies, imports } = manifest;
      const declared: Readonly<Record<string, unknown>> = {
        ...dependencies,
        ...optionalDependencies,
        ...peerDependencies,
        ...imports,
      };
      return importsOf(file)
        .filter((name) => !name.startsWith(".") && !name.startsWith("node:"))
        .map((name) =>
          name
            .split("/")
            .slice(0, name.startsWith("@") ? 2 : 1)
            .join("/"),
        )
        .filter((name) => declared[name] === undefined)
        .map((name) => `${file.path} imports ${name}, which its package.json does not name`);
    });
  expect(wrong).toEqual([]);
});

test("packages for browsers use Node only where it is said", () => {
  const using = files
    .filter(({ path }) => !isTest(path) && !["server", "cli", "simulation"].includes(packageOf(path)))
    .filter((file) => importsOf(file).some((name) => name.startsWith("node:")))
    .map(({ path }) => path);
  expect(using.toSorted()).toEqual(Object.keys(nodeFiles).toSorted());
});
