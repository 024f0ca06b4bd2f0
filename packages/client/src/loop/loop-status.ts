import type { Life } from "./life.js";
import type { LoopStatus, SpaceState, SpaceSync } from "./port.js";

const worstFirst: readonly SpaceState[] = ["frozen", "revoked", "outdated", "catching-up"];

/** What the loop says of itself: what keeps the whole client from syncing comes before what a space suffers from. */
export function loopStatus(
  { mode, reason, code, task }: Life,
  spaces: { readonly [space: string]: SpaceSync },
  facts: { readonly socketOpen: boolean; readonly sending: boolean; readonly retryAt: number | null; readonly clockSkewMs: number; readonly lastSyncedAt: number | null },
): LoopStatus {
  const { socketOpen, sending, retryAt, clockSkewMs, lastSyncedAt } = facts;
  const ready = mode === "ready";
  const rank = ({ state }: SpaceSync): number => worstFirst.indexOf(state) + 1 || 9;
  const worst = Object.values(spaces).sort((a, b) => rank(a) - rank(b))[0];
  return {
    state: ready ? (worst?.state ?? "live") : mode,
    reason: reason || (worst?.reason ?? ""),
    connection: !ready && mode !== "backing-off" ? "offline" : socketOpen ? "socket" : "polling",
    phase: task === "exchanging" ? (sending ? "sending" : "fetching") : ready ? "idle" : "blocked",
    lastSyncedAt,
    error: code ? { code, message: reason, retryAt } : null,
    clockSkewMs,
    spaces,
  };
}
