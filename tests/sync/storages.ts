import { type ClientStorageFactory, StorageError } from "@landfall/client";
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

/** A storage on a disk that takes nothing more while `isFull`. */
export function fullStorage() {
  const inner = memoryStorage();
  const disk = { isFull: false };
  const storage: ClientStorageFactory = {
    ...inner,
    async open(name) {
      const handle = await inner.open(name);
      return {
        ...handle,
        commit: async (changes, fence) => {
          if (disk.isFull) throw new StorageError("full", "No room is left on this device.");
          return handle.commit(changes, fence);
        },
      };
    },
  };
  return { disk, storage };
}
