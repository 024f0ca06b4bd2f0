import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** The folder of the workspace, with a trailing slash. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

/** A text file of the repository; `path` is relative to its root, with slashes on every system. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

const madeByTools = new Set(["node_modules", "dist", "coverage", "test-results", "package-lock.json"]);

/** All files under a folder of the repository, without what tools make and what starts with a dot. */
export function listFiles(folder = "."): string[] {
  return readdirSync(root + folder, { withFileTypes: true }).flatMap((entry) => {
    if (madeByTools.has(entry.name) || entry.name.startsWith(".")) return [];
    const path = folder === "." ? entry.name : `${folder}/${entry.name}`;
    return entry.isDirectory() ? listFiles(path) : [path];
  });
}

/** The files under the folders whose names end in one of the extensions, e.g. `.ts`, with their text. */
export function readFiles(folders: readonly string[], extensions: readonly string[]): SourceFile[] {
  return folders
    .flatMap((folder) => listFiles(folder))
    .filter((path) => extensions.some((extension) => path.endsWith(extension)))
    .map((path) => ({ path, text: readFileSync(root + path, "utf8") }));
}

/** Tests, and what only tests share: `x.test.ts`, `x.fixture.ts`. */
export const isTest = (path: string): boolean => /\.(test|fixture)\.tsx?$/.test(path);

/** The module names that a file imports or exports from, `import()` and types included. */
export function importsOf({ text }: SourceFile): string[] {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
}

const parsed = new Map<string, ts.SourceFile>();

/** Parses a file, once however many tests look at it. */
export function parse({ path, text }: SourceFile): ts.SourceFile {
  const known = parsed.get(path);
  if (known?.text === text) return known;
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  parsed.set(path, file);
  return file;
}

/** Calls `visit` for every node below and including `node`. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** `path:line` of a node, as editors and terminals open it. */
export function placeOf(file: ts.SourceFile, node: ts.Node): string {
  return `${file.fileName}:${file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1}`;
}
