import { accessSync, constants, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The path of a program, looked for on the path and then in the folders given; undefined when it is nowhere. */
export function findProgram(name: string, folders: readonly string[] = []): string | undefined {
  const onPath = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...onPath, ...folders].map((folder) => join(folder, name)).find(isExecutable);
}

/** Debian keeps the programs of a PostgreSQL server off the path, one folder for each version. */
export function postgresFolders(): readonly string[] {
  const parent = "/usr/lib/postgresql";
  try {
    return readdirSync(parent).map((version) => join(parent, version, "bin"));
  } catch {
    return [];
  }
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
