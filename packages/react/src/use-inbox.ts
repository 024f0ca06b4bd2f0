import type { InboxHandle, InboxItem } from "@landfall/client";
import { useCallback, useSyncExternalStore } from "react";

const none: readonly InboxItem[] = [];

/**
 * What waits for a person's decision in a space, oldest first. The handle has the ways to decide: `retry`,
 * `writeAgain`, `keepCopy` and `dismiss`.
 *
 * @param inbox undefined while the space is opening: the list is empty then.
 */
export function useInbox(inbox: InboxHandle | undefined): readonly InboxItem[] {
  const subscribe = useCallback(
    (listener: () => void) => inbox?.subscribe(listener) ?? (() => undefined),
    [inbox],
  );
  return useSyncExternalStore(
    subscribe,
    () => inbox?.current ?? none,
    () => none,
  );
}
