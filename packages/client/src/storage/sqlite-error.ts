import { FencedError, StorageError } from "./port.js";

/** SQLite's own primary result codes. */
const codes = { busy: 5, locked: 6, full: 13 };

/** SQLite's primary result code, or undefined for an error that is not SQLite's. */
function resultCode(error: unknown): number | undefined {
  const { errcode } = error as { errcode?: number };
  return errcode === undefined ? undefined : errcode & 0xff;
}

export function isHeldElsewhere(error: unknown): boolean {
  const code = resultCode(error);
  return code === codes.busy || code === codes.locked;
}

export function storageError(path: string, error: unknown): StorageError | FencedError {
  if (error instanceof StorageError || error instanceof FencedError) return error;
  if (resultCode(error) === codes.full) {
    return new StorageError("full", `Nothing was written: no room is left for ${path}. Free some space.`, {
      cause: error,
    });
  }
  return new StorageError(
    "failed",
    `The storage file ${path} failed, nothing was written (${String(error)}).`,
    { cause: error },
  );
}

export function openingError(path: string, error: unknown): StorageError | FencedError {
  if (error instanceof StorageError || resultCode(error) === codes.full) return storageError(path, error);
  const why = isHeldElsewhere(error)
    ? "is open in another process, or through another sqliteStorage() of this one. Close that one, or use another file."
    : `cannot be opened (${String(error)}). Check its place and rights; if it is damaged, move it away and open anew.`;
  return new StorageError("unavailable", `The storage file ${path} ${why}`, { cause: error });
}
