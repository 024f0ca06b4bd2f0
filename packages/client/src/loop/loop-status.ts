import type { Life } from "./life.js";
import type { LoopStatus, SpaceState, SpaceSync } from "./port.js";

export interface LoopFacts {
  readonly life: Life;
  readonly spaces: ReadonlyMap<string, { readonly sync: SpaceSync }>;
  readonly socketOpen: boolean;
  /** Events of the request that is under way. */
  readonly sending: number;
  /** When the client tries again by itself, by the server's clock. */
  readonly retryAt: number | null;
  readonly clockSkewMs: number;
  readonly lastSyncedAt: number | null;
}

const worstFirst: readonly SpaceState[] = ["frozen", "revoked", "outdated", "catching-up"];

/** What the loop says of itself: what keeps the whole client from syncing comes before what a space suffers from. */
export function loopStatus({ life, spaces, socketOpen, sending, retryAt, clockSkewMs, lastSyncedAt }: LoopFacts): LoopStatus {
  const all = [...spaces.values()].map(({ sync }) => sync);
  const worst = worstFirst.map((state) => all.find((sync) => sync.state === state)).find((sync) => sync !== undefined);
  const { mode, reason, code, task } = life;
  const ready = mode === "ready";
  return {
    state: ready ? (worst?.state ?? "live") : mode,
    reason: reason || (worst?.reason ?? ""),
    connection: !ready && mode !== "backing-off" ? "offline" : socketOpen ? "socket" : "polling",
    phase: task === "exchanging" ? (sending > 0 ? "sending" : "fetching") : ready ? "idle" : "blocked",
    lastSyncedAt,
    error: code === "" ? null : { code, message: reason, retryAt },
    clockSkewMs,
    spaces: Object.fromEntries([...spaces].map(([space, { sync }]) => [space, sync])),
  };
}
