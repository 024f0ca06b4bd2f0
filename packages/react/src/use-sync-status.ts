import type { ClientStatus } from "@landfall/client";
import { useCallback, useSyncExternalStore } from "react";
import { useClient } from "./provider.js";

/** How the client is: state and reason, pending writes, progress, last sync (DESIGN §8). */
export function useSyncStatus(): ClientStatus {
  const client = useClient();
  const subscribe = useCallback((listener: () => void) => client.subscribe(listener), [client]);
  const current = (): ClientStatus => client.status;
  return useSyncExternalStore(subscribe, current, current);
}
