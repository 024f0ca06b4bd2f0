/** `next`, or the old one where each part of it is the same: what is the same object has not changed. */
export function keepSame<T extends object | null>(old: T | undefined, next: T): T {
  if (!old || !next) return next;
  const before = Object.entries(old);
  const after = next as { readonly [name: string]: unknown };
  return before.length === Object.keys(after).length &&
    before.every(([name, part]) => Object.is(part, after[name]))
    ? old
    : next;
}
