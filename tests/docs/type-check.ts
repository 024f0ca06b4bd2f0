import ts from "typescript";
import { root } from "../style/source-files.js";
import type { Program } from "./programs.js";

/** The settings that tests are checked with; an example may leave unused what the reader is to use. */
function settings(): ts.CompilerOptions {
  const file = `${root}tsconfig.test.json`;
  const read = ts.readConfigFile(file, (path) => ts.sys.readFile(path));
  const base = ts.readConfigFile(`${root}tsconfig.base.json`, (path) => ts.sys.readFile(path));
  const raw = {
    compilerOptions: { ...base.config.compilerOptions, ...read.config.compilerOptions },
    files: [],
  };
  const { options } = ts.parseJsonConfigFileContent(raw, ts.sys, root);
  const { tsBuildInfoFile: _file, ...rest } = options;
  return { ...rest, incremental: false, noUnusedLocals: false, noUnusedParameters: false };
}

/** Type-checks programs that stand in pages and nowhere on the disk. @returns what is wrong, as `page:line: …`. */
export function typeErrors(programs: readonly Program[]): string[] {
  const options = settings();
  const texts = new Map(programs.map((program) => [`${root}${program.path}`, program]));
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  const virtual: ts.CompilerHost = {
    ...host,
    fileExists: (path) => texts.has(path) || fileExists(path),
    readFile: (path) => texts.get(path)?.text ?? readFile(path),
    getSourceFile: (path, target, ...rest) => {
      const program = texts.get(path);
      return program
        ? ts.createSourceFile(path, program.text, target, true)
        : host.getSourceFile(path, target, ...rest);
    },
  };
  const compiled = ts.createProgram([...texts.keys()], options, virtual);
  return [...texts].flatMap(([path, { page }]) => {
    const file = compiled.getSourceFile(path);
    if (!file) return [`${page}: the program ${path} was not read`];
    return [...compiled.getSyntacticDiagnostics(file), ...compiled.getSemanticDiagnostics(file)].map(
      (found) => {
        const { line } = file.getLineAndCharacterOfPosition(found.start ?? 0);
        return `${page}:${line + 1}: ${ts.flattenDiagnosticMessageText(found.messageText, "\n")}`;
      },
    );
  });
}
