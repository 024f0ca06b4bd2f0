import type { LoopStatus, SpaceSync, SyncState } from "./loop/port.js";

/** Own writes whose outcome is not known yet. */
export interface PendingStatus {
  readonly count: number;
  readonly bytes: number;
  /** When the oldest was made, in milliseconds since 1970; null when there is none. */
  readonly oldestAt: number | null;
}

export interface StorageStatus {
  readonly kind: string;
  /** False where the data ends with the process. */
  readonly persistent: boolean;
  /** What is wrong with the storage, in words; null when nothing is. */
  readonly problem: string | null;
}

export interface SpaceStatus extends SpaceSync {
  readonly pending: number;
  /** Whether the space has ever been whole on this device. */
  readonly hasSynced: boolean;
}

/** How the client is (DESIGN §8): one immutable object; a new one only when something changed. */
export interface ClientStatus extends Omit<LoopStatus, "spaces"> {
  readonly state: SyncState;
  readonly pending: PendingStatus;
  /** Whether every open space has ever been whole on this device. */
  readonly hasSynced: boolean;
  readonly storage: StorageStatus;
  readonly spaces: { readonly [space: string]: SpaceStatus };
}

/** What the client knows of itself that the loop does not. */
export interface ClientFacts {
  readonly pending: PendingStatus;
  readonly storage: StorageStatus;
  readonly spaces: { readonly [space: string]: { readonly pending: number; readonly hasSynced: boolean } };
}

/** Puts the loop's part and the client's together; spaces are those that the client has open. */
export function clientStatus(loop: LoopStatus, { pending, storage, spaces }: ClientFacts): ClientStatus {
  const entries = Object.entries(spaces).map(([space, own]): [string, SpaceStatus] => [space, { ...(loop.spaces[space] ?? unsynced), ...own }]);
  return { ...loop, pending, storage, hasSynced: entries.every(([, space]) => space.hasSynced), spaces: Object.fromEntries(entries) };
}

/**
 * `next` with every part that equals the old one replaced by the old one, so that what did not change
 * stays the same object.
 */
export function keepSame<T>(old: T, next: T): T {
  if (typeof old !== "object" || typeof next !== "object" || old === null || next === null) return next;
  const names = Object.keys(next) as (keyof T)[];
  const kept = { ...next };
  for (const name of names) kept[name] = keepSame(old[name], next[name]);
  return names.length === Object.keys(old).length && names.every((name) => kept[name] === old[name]) ? old : kept;
}

const unsynced: SpaceSync = { state: "catching-up", reason: "", progress: null, lastSyncedAt: null };

export interface StatusStore {
  readonly current: ClientStatus;
  set(next: ClientStatus): void;
  /** Calls after a change, once for all changes of the same moment. Returns what ends it. */
  subscribe(listen: () => void): () => void;
}

export function createStatusStore(current: ClientStatus): StatusStore {
  const listeners = new Set<() => void>();
  let telling = false;
  return {
    get current() {
      return current;
    },
    set(next) {
      const kept = keepSame(current, next);
      if (kept === current) return;
      current = kept;
      if (telling) return;
      telling = true;
      void Promise.resolve().then(() => {
        telling = false;
        // Each on its own, so that one that throws keeps nothing from the others, and its error is seen.
        for (const listen of listeners) void Promise.resolve().then(listen);
      });
    },
    subscribe(listen) {
      // Wrapped, so that the same function may be subscribed twice and each end ends one.
      const mine = (): void => listen();
      listeners.add(mine);
      return () => void listeners.delete(mine);
    },
  };
}
