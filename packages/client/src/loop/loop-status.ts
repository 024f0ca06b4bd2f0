import type { Life } from "./life.js";
import type { LoopStatus, SpaceState, SpaceSync } from "./port.js";

const worstFirst: readonly SpaceState[] = ["frozen", "revoked", "outdated", "catching-up"];

/** What the loop says of itself: what keeps the whole client from syncing comes before what a space suffers from. */
export function loopStatus(
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
  const rank = ({ state }: SpaceSync): number => worstFirst.indexOf(state) + 1 || 9;
  const ranked = Object.values(spaces).sort((a, b) => rank(a) - rank(b));
  const worst = ranked[0];
  // Everything was in step when the last of those that go on was.
  const synced = ranked
    .filter(({ state }) => state === "live" || state === "catching-up")
    .map(({ lastSyncedAt }) => lastSyncedAt ?? 0);
  return {
    state: ready ? (worst?.state ?? "live") : mode,
    reason: reason || (worst?.reason ?? ""),
    connection: !ready && mode !== "backing-off" ? "offline" : socketOpen ? "socket" : "polling",
    phase: task === "exchanging" ? (sending ? "sending" : "fetching") : ready ? "idle" : "blocked",
    lastSyncedAt: (synced.length > 0 && Math.min(...synced)) || null,
    error: code ? { code, message: reason, retryAt } : null,
    clockSkewMs,
    spaces,
  };
}
