import { keepSame } from "../keep-same.js";
import type { Life } from "./life.js";
import type { LoopStatus, SpaceState, SpaceSync } from "./port.js";

const worstFirst: readonly SpaceState[] = ["frozen", "revoked", "outdated", "catching-up", "live"];
const rank = ({ state }: SpaceSync): number => worstFirst.indexOf(state);
const never = Number.POSITIVE_INFINITY;

/**
 * What the loop says of itself: what keeps the whole client from syncing comes before what a space suffers from.
 * @param old what it said last; the same object where it says the same.
 */
export function loopStatus(
  old: LoopStatus | undefined,
  { mode, reason, code, task }: Life,
  spaces: { readonly [space: string]: SpaceSync },
  facts: {
    readonly socketOpen: boolean;
    readonly sending: boolean;
    readonly retryAt: number | null;
    readonly clockSkewMs: number;
  },
): LoopStatus {
  const { socketOpen, sending, retryAt, clockSkewMs } = facts;
  const ready = mode === "ready";
  let worst: SpaceSync | undefined;
  let syncedAt = never;
  for (const sync of Object.values(spaces)) {
    if (!worst || rank(sync) < rank(worst)) worst = sync;
    // Everything was in step when the last of those that go on was.
    if (sync.state === "live" || sync.state === "catching-up")
      syncedAt = Math.min(syncedAt, sync.lastSyncedAt ?? 0);
  }
  return keepSame(old, {
    state: ready ? (worst?.state ?? "live") : mode,
    reason: reason || (worst?.reason ?? ""),
    connection: !ready && mode !== "backing-off" ? "offline" : socketOpen ? "socket" : "polling",
    phase: task === "exchanging" ? (sending ? "sending" : "fetching") : ready ? "idle" : "blocked",
    lastSyncedAt: (syncedAt < never && syncedAt) || null,
    error: keepSame(old?.error, code ? { code, message: reason, retryAt } : null),
    clockSkewMs,
    spaces: keepSame(old?.spaces, spaces),
  });
}
