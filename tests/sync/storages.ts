import { type ClientStorage, type ClientStorageFactory, StorageError } from "@landfall/client";
import { memoryStorage } from "@landfall/client/storage/memory";

/** What a platform keeps beside the storage. */
export function notebook() {
  const texts = new Map<string, string>();
  return {
    read: (name: string) => texts.get(name) ?? null,
    write: (name: string, text: string | null) =>
      void (text === null ? texts.delete(name) : texts.set(name, text)),
  };
}

/** A storage in memory of which each handle does some things otherwise. @param name of the account's storage */
export function memoryStorageWith(
  change: (handle: ClientStorage, name: string) => Partial<ClientStorage>,
  inner = memoryStorage(),
): ClientStorageFactory {
  return {
    ...inner,
    async open(name) {
      const handle = await inner.open(name);
      return { ...handle, ...change(handle, name) };
    },
  };
}

/** A storage on a disk that takes nothing more while `isFull`. */
export function fullStorage() {
  const disk = { isFull: false };
  const storage = memoryStorageWith((handle) => ({
    commit: async (changes, fence) => {
      if (disk.isFull) throw new StorageError("full", "No room is left on this device.");
      return handle.commit(changes, fence);
    },
  }));
  return { disk, storage };
}
