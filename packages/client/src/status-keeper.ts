import type { TimerPort } from "@landfall/protocol";
import { keepSame } from "./keep-same.js";
import { tell } from "./listeners.js";
import type { LoopStatus, SyncState } from "./loop/port.js";
import type { SpaceSession } from "./space/space-session.js";
import type { ClientStatus, SpaceStatus, StorageStatus } from "./status.js";

/** Listeners are told at most this often; a person sees no difference, and a burst of writes costs one call. */
const coalesceMs = 16;

const idle: LoopStatus = {
  state: "catching-up",
  reason: "Opening.",
  connection: "offline",
  phase: "idle",
  lastSyncedAt: null,
  error: null,
  clockSkewMs: 0,
  spaces: {},
};

/** Whether a state leaves room for what this tab has to say: the one that leads may be of a newer version. */
const goesOn = (state: SyncState): boolean => state === "live" || state === "catching-up";

const mendingReason = (domains: readonly string[]): string =>
  `${domains.join(", ")} differed from the server's and is being mended.`;

/** Puts the status together from the loop, the open spaces and the storage; a new object only when something differs. */
export class StatusKeeper {
  readonly #timers: TimerPort;
  readonly #sessions: () => Iterable<SpaceSession>;
  readonly #listeners = new Set<() => void>();
  #loop: LoopStatus = idle;
  #account: string | null = null;
  #storage: StorageStatus = { kind: "memory", persistent: false, problem: null };
  #onPending: (count: number) => unknown = () => undefined;
  #noted = -1;
  #current: ClientStatus | undefined;
  /** What the listeners know of; whoever asks in between may have seen a newer one. */
  #told: ClientStatus | undefined;
  #dirty = true;
  #cancel: (() => void) | undefined;

  constructor(timers: TimerPort, sessions: () => Iterable<SpaceSession>) {
    this.#timers = timers;
    this.#sessions = sessions;
  }

  loop(status: LoopStatus): void {
    this.#loop = status;
    this.changed();
  }

  /** Nobody's data is open, and nothing syncs. */
  signedOut(): void {
    this.#account = null;
    this.loop({ ...idle, state: "signed-out", reason: "Nobody is signed in." });
  }

  /** The open spaces show this account's data from here on. */
  account(account: string | null): void {
    this.#account = account;
    this.changed();
  }

  storage(status: StorageStatus, onPending: (count: number) => unknown): void {
    this.#storage = status;
    this.#onPending = onPending;
    this.#noted = -1;
    this.changed();
  }

  /** Says what is wrong with the storage, or that nothing is any more. */
  storageProblem(problem: string | null): void {
    if (this.#storage.problem === problem) return;
    this.#storage = { ...this.#storage, problem };
    this.changed();
  }

  get #pending(): number {
    let count = 0;
    for (const { outbox } of this.#sessions()) count += outbox.count;
    return count;
  }

  changed(): void {
    this.#dirty = true;
    // It is put together for whoever asks or listens: a timer for every change would be for nobody.
    if (this.#cancel || (this.#listeners.size === 0 && this.#pending === this.#noted)) return;
    this.#cancel = this.#timers.after(coalesceMs, () => {
      this.#cancel = undefined;
      const pending = this.#pending;
      if (pending !== this.#noted) this.#onPending((this.#noted = pending));
      if (this.#listeners.size === 0) return;
      const before = this.#told;
      if ((this.#told = this.current) !== before) tell(this.#listeners);
    });
  }

  get current(): ClientStatus {
    if (!this.#dirty && this.#current) return this.#current;
    this.#dirty = false;
    return (this.#current = this.#compose(this.#current));
  }

  /** Every part of the old status that says the same stays the same object, and so does the whole. */
  #compose(old: ClientStatus | undefined): ClientStatus {
    const spaces: Record<string, SpaceStatus> = {};
    let count = 0;
    let bytes = 0;
    let oldestAt: number | null = null;
    let newest: number | null = null;
    let hasSynced = true;
    let outdatedHere: string | undefined;
    for (const session of this.#sessions()) {
      const { space, outbox, meta, repairs } = session;
      count += outbox.count;
      bytes += outbox.bytes;
      const oldest = outbox.oldestAt ?? null;
      if (oldest !== null && (oldestAt === null || oldest < oldestAt)) oldestAt = oldest;
      const synced = meta.syncedAt !== undefined;
      hasSynced &&= synced;
      const sync = this.#loop.spaces[space] ?? {
        state: "catching-up" as const,
        reason: "",
        progress: null,
        lastSyncedAt: null,
      };
      const lastSyncedAt = sync.lastSyncedAt ?? meta.syncedAt ?? null;
      if (lastSyncedAt !== null && (newest === null || lastSyncedAt > newest)) newest = lastSyncedAt;
      const outdated = goesOn(sync.state) ? session.outdated : undefined;
      outdatedHere ??= outdated;
      const before = old?.spaces[space];
      const repairing = keepSame(before?.repairing, repairs.running);
      spaces[space] = keepSame(before, {
        ...sync,
        ...(outdated !== undefined && { state: "outdated" as const }),
        progress: keepSame(before?.progress, sync.progress),
        lastSyncedAt,
        pending: outbox.count,
        hasSynced: synced,
        reason: outdated || sync.reason || (repairing.length > 0 ? mendingReason(repairing) : ""),
        repairing,
        repairedRows: repairs.mendedRows,
      });
    }
    const { state } = this.#loop;
    const isOutdated = outdatedHere !== undefined && goesOn(state);
    return keepSame(old, {
      ...this.#loop,
      ...(isOutdated && { state: "outdated" as const, reason: outdatedHere as string }),
      account: this.#account,
      error: keepSame(old?.error, this.#loop.error),
      lastSyncedAt: this.#loop.lastSyncedAt ?? newest,
      pending: keepSame(old?.pending, { count, bytes, oldestAt }),
      hasSynced,
      storage: this.#storage,
      spaces: keepSame(old?.spaces, spaces),
    });
  }

  subscribe(listener: () => void): () => void {
    if (this.#listeners.size === 0) this.#told = this.current;
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#listeners.clear();
  }
}
