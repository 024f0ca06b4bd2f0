import { existsSync } from "node:fs";
import ts from "typescript";
import { packageNames, readManifest } from "./packages.js";
import { root } from "./source-files.js";

/**
 * What a package offers, as text: for each of its entries the exported names in order, each with its declared
 * type as the build wrote it, without comments.
 *
 * @throws Error when the package is not built.
 */
export function describeApi(name: string): string {
  return entriesOf(name)
    .map(({ specifier, file }) => `// ${specifier}\n\n${describeEntry(file)}`)
    .join("\n");
}

function entriesOf(name: string): { readonly specifier: string; readonly file: string }[] {
  const { exports = {} } = readManifest(`packages/${name}`);
  return Object.entries(exports).map(([subpath, { types }]) => ({
    specifier: `@landfall/${name}${subpath.slice(1)}`,
    file: `${root}packages/${name}/${types.slice(2)}`,
  }));
}

/** Of all packages, which import each other: one reading of their types does for all. */
const program = makeProgram();

function makeProgram(): ts.Program {
  const files = packageNames.flatMap((name) => entriesOf(name)).map(({ file }) => file);
  for (const file of files)
    if (!existsSync(file)) throw new Error(`${file} is not there. Run \`npm run build\` first.`);
  return ts.createProgram(files, {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    skipLibCheck: true,
    types: [],
  });
}

function describeEntry(file: string): string {
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const module = source && checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error(`${file} exports nothing.`);
  return checker
    .getExportsOfModule(module)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((symbol) => describeSymbol(checker, symbol))
    .join("");
}

function describeSymbol(checker: ts.TypeChecker, exported: ts.Symbol): string {
  const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
  const renamed = symbol.name === exported.name ? "" : `// as ${exported.name}\n`;
  const texts = (symbol.declarations ?? []).map((declaration) => printDeclaration(declaration));
  if (texts.length === 0)
    throw new Error(`${exported.name} has no declaration; is a dependency not installed?`);
  return `${renamed}${[...new Set(texts)].join("\n")}\n`;
}

const printer = ts.createPrinter({ removeComments: true });

function printDeclaration(declaration: ts.Declaration): string {
  const file = declaration.getSourceFile();
  const statement = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
  return printer
    .printNode(ts.EmitHint.Unspecified, statement, file)
    .split("\n")
    .filter((line) => line.trim() !== "#private;")
    .join("\n");
}
