import { FencedError, type Fence, type StorageValue } from "./port.js";

/**
 * Compares a fence with the stored term; storages call it inside the transaction of the commit.
 * @throws FencedError when the stored term is newer (DESIGN §8).
 */
export function checkFence(fence: Fence, stored: StorageValue): void {
  const term = (stored ?? 0) as number;
  // Asked this way round, a stored term that is not a number refuses too.
  if (!(term <= fence.term)) {
    throw new FencedError(
      `Nothing was written: term ${fence.term} has ended, another tab leads in term ${term}.`,
    );
  }
}
