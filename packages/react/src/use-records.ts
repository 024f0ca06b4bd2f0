import type { DomainHandle, RecordOf } from "@landfall/client";
import type { Query, Typed } from "@landfall/schema";
import { useCallback, useMemo, useSyncExternalStore } from "react";

const none: readonly never[] = [];

/** A query is plain JSON, and a new object that says the same asks the same. What is undefined is said too. */
function textOf(query: object): string {
  return JSON.stringify(query, (_name, value: unknown) =>
    value === undefined ? { undefined: true } : value,
  );
}

/**
 * The records that a query finds, kept up to date. The list is new exactly when something in it has changed,
 * and a record in it is new exactly when it has changed itself.
 *
 * @param domain undefined while the space is opening: the list is empty then.
 * @param query may be a new object at every render; all records without one.
 */
export function useRecords<D extends Typed>(
  domain: DomainHandle<D> | undefined,
  query: Query<RecordOf<D>> = {},
): readonly RecordOf<D>[] {
  const text = textOf(query);
  // oxlint-disable-next-line react/exhaustive-deps -- `text` stands for the query, whose identity means nothing
  const live = useMemo(() => domain?.live(query), [domain, text]);
  const subscribe = useCallback(
    (listener: () => void) => live?.subscribe(listener) ?? (() => undefined),
    [live],
  );
  return useSyncExternalStore(
    subscribe,
    () => live?.current ?? none,
    () => none,
  );
}

/** One record, kept up to date; undefined while there is none. */
export function useRecord<D extends Typed>(
  domain: DomainHandle<D> | undefined,
  key: string | undefined,
): RecordOf<D> | undefined {
  const subscribe = useCallback(
    (listener: () => void) =>
      domain && key !== undefined ? domain.watchRecord(key, listener) : () => undefined,
    [domain, key],
  );
  return useSyncExternalStore(
    subscribe,
    () => (key === undefined ? undefined : domain?.get(key)),
    () => undefined,
  );
}
