/** A value, or a promise of it: an embedded storage answers at once, a remote one later. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * Goes on with a value at once where it is there, and when it comes where it is promised. An `await` would
 * cost a turn of the microtask queue for each of the thousands of values that are there already.
 */
export function chain<A, B>(value: MaybePromise<A>, next: (value: A) => MaybePromise<B>): MaybePromise<B> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** Takes the items in turn, each only when the one before is done. */
export function eachInTurn<T>(
  items: readonly T[],
  visit: (item: T, position: number) => MaybePromise<void>,
  from = 0,
): MaybePromise<void> {
  for (let i = from; i < items.length; i++) {
    const going = visit(items[i] as T, i);
    if (going instanceof Promise) return going.then(() => eachInTurn(items, visit, i + 1));
  }
  return undefined;
}
