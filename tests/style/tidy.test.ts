import { basename } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { entriesOf, packageNames, readManifest } from "./packages.js";
import { ports } from "./ports.js";
import { importsOf, isTest, listFiles, parse, placeOf, readFiles, walk } from "./source-files.js";

/** Globals through which time, randomness, network, storage and locks come in (DESIGN rule 11). */
const effects = new Set([
  "Date.now",
  "new Date",
  "performance",
  "Math.random",
  "crypto",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "fetch",
  "WebSocket",
  "EventSource",
  "XMLHttpRequest",
  "BroadcastChannel",
  "navigator",
  "indexedDB",
  "localStorage",
  "sessionStorage",
]);

/** Modules of Node that bring the same. */
const effectModules = new Set([
  "node:crypto",
  "node:timers",
  "node:timers/promises",
  "node:http",
  "node:https",
  "node:net",
]);

const maxLines = 600;
const longFile = /^\/\/ Longer than 600 lines because \S.{20,}$/m;
const vagueNames = ["utils", "util", "helpers", "helper", "common", "misc", "manager"];
// The brackets keep this line from finding itself.
const leftovers = /\b(T[O]DO|F[I]XME|X[X]X|H[A]CK)\b/;
const machinePaths = /(?<![\w.])\/(work|root|home|Users)\/[\w.-]+/;

const sources = readFiles(["packages"], [".ts", ".tsx"]).filter(({ path }) => !isTest(path));
const allCode = readFiles(
  ["packages", "tests", "scripts", "bench", "examples"],
  [".ts", ".tsx", ".mjs", ".js", ".css"],
);

test("rule 11: the core reaches the world only through ports", () => {
  const found = new Map<string, Set<string>>();
  const places: string[] = [];
  for (const source of sources) {
    const file = parse(source);
    const own = ports[source.path]?.uses ?? [];
    const note = (name: string, place: string) => {
      found.set(source.path, (found.get(source.path) ?? new Set()).add(name));
      if (!own.includes(name)) places.push(`${place} uses ${name}`);
    };
    const declared = declaredNames(file);
    walk(file, (node) => {
      const module = moduleOf(node);
      if (module !== undefined && effectModules.has(module)) note(module, placeOf(file, node));
      const name = effectOf(node, declared);
      if (name !== undefined && effects.has(name)) note(name, placeOf(file, node));
    });
  }
  expect(places, "bring it in through a port, or name the file in tests/style/ports.ts").toEqual([]);
  const stale = Object.entries(ports).flatMap(([path, { uses }]) =>
    uses.filter((name) => found.get(path)?.has(name) !== true).map((name) => `${path} does not use ${name}`),
  );
  expect(stale, "take these out of tests/style/ports.ts").toEqual([]);
});

/** The effect that a node is a use of, as it is written in `effects`. */
function effectOf(node: ts.Node, declared: ReadonlySet<string>): string | undefined {
  if (ts.isNewExpression(node) && node.expression.getText() === "Date" && !node.arguments?.length)
    return "new Date";
  if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
    const object = node.expression.text;
    if (object === "Date" || object === "Math") return `${object}.${node.name.text}`;
    if (["globalThis", "window", "self"].includes(object)) return node.name.text;
  }
  if (!ts.isIdentifier(node) || declared.has(node.text)) return undefined;
  const { parent } = node;
  const isName =
    (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
    (ts.isPropertyAssignment(parent) && parent.name === node) ||
    (ts.isBindingElement(parent) && parent.propertyName === node) ||
    ts.isImportSpecifier(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isMethodDeclaration(parent) ||
    ts.isTypeReferenceNode(parent) ||
    ts.isTypeQueryNode(parent) ||
    ts.isTypeOfExpression(parent) ||
    ts.isJSDoc(parent);
  return isName ? undefined : node.text;
}

/** The module that a statement imports for more than its types. */
function moduleOf(node: ts.Node): string | undefined {
  if (!ts.isImportDeclaration(node) || !ts.isStringLiteral(node.moduleSpecifier)) return undefined;
  const isForTypes = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
  return isForTypes ? undefined : node.moduleSpecifier.text;
}

/** The names that a file gives to its own things. A part taken off the global object is not its own. */
function declaredNames(file: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  walk(file, (node) => {
    const isOwn =
      ts.isParameter(node) ||
      ts.isFunctionDeclaration(node) ||
      ts.isImportSpecifier(node) ||
      ts.isNamespaceImport(node) ||
      ts.isVariableDeclaration(node) ||
      ts.isBindingElement(node);
    if (!isOwn || !node.name || !ts.isIdentifier(node.name)) return;
    if (ts.isBindingElement(node) && /\bglobalThis\b/.test(node.parent.parent.getText())) return;
    names.add(node.name.text);
  });
  return names;
}

test("nothing is left to do, and no path of a machine is written down", () => {
  const texts = readFiles(
    ["."],
    [".ts", ".tsx", ".mjs", ".js", ".json", ".md", ".css", ".html", ".txt", ".yml"],
  );
  const wrong = texts.flatMap(({ path, text }) =>
    text
      .split("\n")
      .flatMap((line, index) =>
        leftovers.test(line) || machinePaths.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : [],
      ),
  );
  expect(wrong).toEqual([]);
});

test("what tests share registers nothing when it is loaded: test files share their modules, so only the first would have it", () => {
  const hooks = /^(before|after)(All|Each)\(/m;
  const shared = allCode.filter(({ path }) => !/\.test\.tsx?$/.test(path));
  expect(shared.filter(({ text }) => hooks.test(text)).map(({ path }) => path)).toEqual([]);
});

test("no file has more than 600 lines without a written reason", () => {
  const long = allCode
    .filter(({ text }) => text.split("\n").length > maxLines && !longFile.test(text))
    .map(({ path }) => path);
  expect(long).toEqual([]);
});

test("every exception to a lint rule says why", () => {
  const silent = allCode.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, index) => {
      const isException =
        /(?:\/\/|\/\*)\s*(?:oxlint-disable|eslint-disable|@ts-ignore|@ts-expect-error)/.test(line);
      const isExplained = /(?: -- |@ts-expect-error:? )\S.{7,}/.test(line);
      return isException && !isExplained ? [`${path}:${index + 1}`] : [];
    }),
  );
  expect(silent).toEqual([]);
});

test("names are kebab-case and say what a thing is", () => {
  const wrong = listFiles(".").filter((path) => {
    // README.md, LICENSE and the like are written so everywhere.
    if (/^[A-Z]+(\.md)?$/.test(basename(path))) return false;
    const stems = path.split("/").map((part) => part.split(".")[0] ?? "");
    return stems.some((stem) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(stem) || vagueNames.includes(stem));
  });
  expect(wrong).toEqual([]);
});

test("there are no enums: a union of strings says the same and leaves no code", () => {
  const enums = readFiles(["packages"], [".ts", ".tsx"]).flatMap((source) => {
    const file = parse(source);
    const places: string[] = [];
    walk(file, (node) => void (ts.isEnumDeclaration(node) && places.push(placeOf(file, node))));
    return places;
  });
  expect(enums).toEqual([]);
});

test("every source file is reached from an entry of its package", () => {
  // What is not published has no entries; knip finds what nothing uses there.
  const published = sources.filter(({ path }) => packageNames.includes(path.split("/")[1] ?? ""));
  const byPath = new Map(published.map((source) => [source.path, source]));
  const reached = new Set<string>();
  const reach = (path: string) => {
    const source = byPath.get(path);
    if (source === undefined || reached.has(path)) return;
    reached.add(path);
    for (const name of importsOf(source)) for (const target of resolve(path, name)) reach(target);
  };
  for (const name of packageNames)
    for (const { source } of entriesOf(name)) if (source !== undefined) reach(source);
  reach("packages/cli/src/main.ts");
  expect([...byPath.keys()].filter((path) => !reached.has(path))).toEqual([]);
});

/** The source files that an import may mean; a name with `#` has one for each platform. */
function resolve(from: string, name: string): string[] {
  if (name.startsWith("#")) {
    const folder = from.split("/").slice(0, 2).join("/");
    const targets = JSON.stringify(readManifest(folder).imports?.[name] ?? {}).matchAll(
      /"\.\/dist\/([^"]+)\.js"/g,
    );
    return [...targets].map(([, stem]) => `${folder}/src/${stem}.ts`);
  }
  if (!name.startsWith(".")) return [];
  const stem = new URL(name, `file:///${from}`).pathname.slice(1).replace(/\.js$/, "");
  return [`${stem}.ts`, `${stem}.tsx`];
}
