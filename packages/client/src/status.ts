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
  /** Domains that differed from the server's and are being mended. */
  readonly repairing: readonly string[];
  /** Rows that were mended since the space was opened. */
  readonly repairedRows: number;
}

/** How the client is (DESIGN §8): one immutable object; a new one only when something changed. */
export interface ClientStatus extends Omit<LoopStatus, "spaces"> {
  readonly state: SyncState;
  /** Whose data is shown: an account, whatever token the app has by now; null where it is a guest's, or nobody's. */
  readonly account: string | null;
  readonly pending: PendingStatus;
  /** Whether every open space has ever been whole on this device. */
  readonly hasSynced: boolean;
  readonly storage: StorageStatus;
  readonly spaces: { readonly [space: string]: SpaceStatus };
}
