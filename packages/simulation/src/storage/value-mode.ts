import type { StorageValue } from "@landfall/client/storage/port";

/** How a disk keeps values apart from those who gave and get them. */
export type ValueMode = "frozen" | "copied";

/** Gives a value as it is kept, and as it is given. */
export function copyOf(value: StorageValue, mode: ValueMode): StorageValue {
  if (mode === "copied")
    return value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as StorageValue);
  freeze(value);
  return value;
}

function freeze(value: unknown): void {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return;
  for (const name in value) freeze((value as { readonly [name: string]: unknown })[name]);
  Object.freeze(value);
}
