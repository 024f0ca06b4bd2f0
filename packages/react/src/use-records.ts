import type { DomainHandle, RecordOf } from "@landfall/client";
import type { Query, Typed } from "@landfall/schema";
import { useCallback, useMemo, useSyncExternalStore } from "react";

const none: readonly never[] = [];

/**
 * The records that a query finds, kept up to date. The list is new exactly when something in it has changed.
 *
 * @param domain undefined while the space is opening: the list is empty then.
 */
export function useRecords<D extends Typed>(domain: DomainHandle<D> | undefined, query?: Query<RecordOf<D>>): readonly RecordOf<D>[] {
  // A query is plain JSON, and a new object with the same text asks the same.
  const text = JSON.stringify(query ?? {});
  const live = useMemo(() => domain?.live(JSON.parse(text) as Query<RecordOf<D>>), [domain, text]);
  const subscribe = useCallback((listener: () => void) => live?.subscribe(listener) ?? (() => undefined), [live]);
  const current = (): readonly RecordOf<D>[] => live?.current ?? none;
  return useSyncExternalStore(subscribe, current, () => none);
}

/** One record, kept up to date; undefined while there is none. */
export function useRecord<D extends Typed>(domain: DomainHandle<D> | undefined, key: string | undefined): RecordOf<D> | undefined {
  const subscribe = useCallback(
    (listener: () => void) => (domain && key !== undefined ? domain.watchRecord(key, listener) : () => undefined),
    [domain, key],
  );
  const current = (): RecordOf<D> | undefined => (key === undefined ? undefined : domain?.get(key));
  return useSyncExternalStore(subscribe, current, () => undefined);
}
