import type { ClientStatus } from "@landfall/client";
import { useCallback, useSyncExternalStore } from "react";
import { useProvidedClient } from "./provider.js";

/** How it is before anything is opened: what a server renders, and a browser until it has taken over. */
const unopened: ClientStatus = {
  state: "catching-up",
  reason: "Opening.",
  account: null,
  connection: "offline",
  phase: "idle",
  lastSyncedAt: null,
  error: null,
  clockSkewMs: 0,
  pending: { count: 0, bytes: 0, oldestAt: null },
  hasSynced: false,
  storage: { kind: "memory", persistent: false, problem: null },
  spaces: {},
};

const whole = (status: ClientStatus): ClientStatus => status;

/** How the client is: state and reason, pending writes, progress, last sync (DESIGN §8). */
export function useSyncStatus(): ClientStatus;
/**
 * A part of how the client is; the component renders again only when that part changes.
 *
 * @param select gives a text, number or the like, or an object of the status itself: what it gives is compared
 *   by identity, so an object made on the spot would differ every time.
 */
export function useSyncStatus<T>(select: (status: ClientStatus) => T): T;
export function useSyncStatus<T>(
  select: (status: ClientStatus) => T | ClientStatus = whole,
): T | ClientStatus {
  const client = useProvidedClient();
  const subscribe = useCallback(
    (listener: () => void) => client?.subscribe(listener) ?? (() => undefined),
    [client],
  );
  return useSyncExternalStore(
    subscribe,
    () => select(client?.status ?? unopened),
    () => select(unopened),
  );
}
