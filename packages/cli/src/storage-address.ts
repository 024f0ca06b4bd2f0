import { CommandError } from "./command-error.js";

/**
 * The file that a storage address names.
 * @throws CommandError for what is not known, or known and not built yet.
 */
export function sqliteFile(address: string): string {
  const file = /^sqlite:(.+)$/.exec(address)?.[1];
  if (file !== undefined) return file;
  if (/^postgres(ql)?:/.test(address))
    throw new CommandError(
      "PostgreSQL storage, for more than one server, is not built yet: this release keeps everything in one SQLite file. Give sqlite:FILE.",
    );
  throw new CommandError(`The storage ${JSON.stringify(address)} is not known. Give sqlite:FILE.`);
}

/**
 * The file that a command writes or reads beside its storage: by its name alone, or a folder `sqlite:…` would be made.
 * @throws CommandError
 */
export function plainFile(flag: "--to" | "--from", file: string): string {
  if (!file.startsWith("sqlite:")) return file;
  throw new CommandError(
    `${flag} names a file, without sqlite: before it. Give ${file.slice("sqlite:".length)}.`,
  );
}

/** Runs something on a data file; what its errors say is for the person. */
export async function onFile<T>(run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(error instanceof Error ? error.message : String(error));
  }
}
