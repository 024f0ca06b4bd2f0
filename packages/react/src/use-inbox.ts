import type { InboxHandle, InboxItem } from "@landfall/client";
import { useCallback, useSyncExternalStore } from "react";

const none: readonly InboxItem[] = [];

/** What waits for a person's decision in a space, oldest first, with the ways to decide. */
export function useInbox(inbox: InboxHandle | undefined): { readonly items: readonly InboxItem[]; readonly inbox: InboxHandle | undefined } {
  const subscribe = useCallback((listener: () => void) => inbox?.subscribe(listener) ?? (() => undefined), [inbox]);
  const items = useSyncExternalStore(subscribe, () => inbox?.current ?? none, () => none);
  return { items, inbox };
}
