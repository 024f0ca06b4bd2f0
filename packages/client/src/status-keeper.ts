import type { TimerPort } from "@landfall/protocol";
import { tell } from "./listeners.js";
import type { LoopStatus } from "./loop/port.js";
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

/** `next`, with each part that equals the old one being the old one: a part that is the same object has not changed. */
function keepSame(old: unknown, next: unknown): unknown {
  if (typeof old !== "object" || typeof next !== "object" || old === null || next === null) return next;
  const before = old as { readonly [name: string]: unknown };
  const entries = Object.entries(next).map(([name, value]) => [name, keepSame(before[name], value)] as const);
  const same =
    entries.length === Object.keys(before).length &&
    entries.every(([name, value]) => Object.is(before[name], value));
  if (same) return old;
  return Array.isArray(next) ? next : Object.fromEntries(entries);
}

const mendingReason = (domains: readonly string[]): string =>
  `${domains.join(", ")} differed from the server's and is being mended.`;

/** Puts the status together from the loop, the open spaces and the storage; a new object only when something differs. */
export class StatusKeeper {
  readonly #timers: TimerPort;
  readonly #sessions: () => Iterable<SpaceSession>;
  readonly #listeners = new Set<() => void>();
  #loop: LoopStatus = idle;
  #storage: StorageStatus = { kind: "memory", persistent: false, problem: null };
  #onPending: (count: number) => void = () => undefined;
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

  storage(status: StorageStatus, onPending: (count: number) => void): void {
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

  changed(): void {
    this.#dirty = true;
    this.#cancel ??= this.#timers.after(coalesceMs, () => {
      this.#cancel = undefined;
      const { current } = this;
      if (current === this.#told) return;
      this.#told = current;
      tell(this.#listeners);
    });
  }

  get current(): ClientStatus {
    if (!this.#dirty && this.#current) return this.#current;
    this.#dirty = false;
    const next = keepSame(this.#current, this.#compose()) as ClientStatus;
    this.#current = next;
    if (next.pending.count !== this.#noted) this.#onPending((this.#noted = next.pending.count));
    return next;
  }

  #compose(): ClientStatus {
    const spaces: Record<string, SpaceStatus> = {};
    let count = 0;
    let bytes = 0;
    let oldestAt: number | null = null;
    let hasSynced = true;
    for (const { space, outbox, meta, repairs } of this.#sessions()) {
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
      spaces[space] = {
        ...sync,
        lastSyncedAt: sync.lastSyncedAt ?? meta.syncedAt ?? null,
        pending: outbox.count,
        hasSynced: synced,
        reason: sync.reason || (repairs.running.length > 0 ? mendingReason(repairs.running) : ""),
        repairing: repairs.running,
        repairedRows: repairs.mendedRows,
      };
    }
    const newest = Object.values(spaces).reduce<number | null>(
      (latest, { lastSyncedAt }) =>
        lastSyncedAt !== null && (latest === null || lastSyncedAt > latest) ? lastSyncedAt : latest,
      null,
    );
    return {
      ...this.#loop,
      lastSyncedAt: this.#loop.lastSyncedAt ?? newest,
      pending: { count, bytes, oldestAt },
      hasSynced,
      storage: this.#storage,
      spaces,
    };
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#listeners.clear();
  }
}
