import { existsSync, readFileSync, readdirSync } from "node:fs";
import { root } from "./source-files.js";

/** What the checks use of a package.json. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  readonly keywords?: readonly string[];
  readonly license?: string;
  readonly author?: string;
  readonly type?: string;
  readonly sideEffects?: boolean;
  readonly private?: boolean;
  readonly engines?: Readonly<Record<string, string>>;
  readonly files?: readonly string[];
  readonly bin?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, { readonly types: string; readonly default: string }>>;
  /** Files of the package itself that differ by platform, under a name that starts with `#`. */
  readonly imports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

const folders: readonly string[] = readdirSync(`${root}packages`).toSorted();
const isPrivate = (name: string): boolean => readManifest(`packages/${name}`).private === true;

/** The names of the folders under `packages/` that are published. */
export const packageNames: readonly string[] = folders.filter((name) => !isPrivate(name));

/** The names of those that are there for this workspace alone, and have no entries. */
export const privatePackageNames: readonly string[] = folders.filter(isPrivate);

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(`${root}${folder}/package.json`, "utf8")) as Manifest;
}

/** The entries of a package: the name under which each is imported, and its source file where there is one. */
export function entriesOf(
  name: string,
): { readonly specifier: string; readonly source: string | undefined }[] {
  const { exports = {} } = readManifest(`packages/${name}`);
  return Object.entries(exports).map(([subpath, target]) => {
    const stem = target.default.replace("./dist/", `packages/${name}/src/`).replace(/\.js$/, "");
    const source = [`${stem}.ts`, `${stem}.tsx`].find((path) => existsSync(root + path));
    return { specifier: `@landfall/${name}${subpath.slice(1)}`, source };
  });
}
