/**
 * How often a decoder may ask a value for its members: a few times for each that it has, however they are nested,
 * and for those that a message could have.
 */
export const mostReads = (value: unknown): number => 50 + 8 * sizeOf(value);

/** How many members and elements a value has, at any depth; what it has twice counts once. */
function sizeOf(value: unknown): number {
  let size = 1;
  const seen = new Set<unknown>();
  const waiting = [value];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next !== "object" || next === null || seen.has(next)) continue;
    seen.add(next);
    const members: unknown[] = Object.values(next);
    size += members.length;
    for (const member of members) waiting.push(member);
  }
  return size;
}

/** A value that counts how often its members are asked for: work that outgrows its input shows on any machine. */
export function countReads(value: unknown): { readonly value: unknown; readonly reads: () => number } {
  let reads = 0;
  const wrapped = new Map<object, object>();
  const wrap = (inner: unknown): unknown => {
    if (typeof inner !== "object" || inner === null) return inner;
    const made = wrapped.get(inner) ?? new Proxy(inner, handler);
    wrapped.set(inner, made);
    return made;
  };
  const handler: ProxyHandler<object> = {
    get(target, name) {
      reads += 1;
      const member: unknown = Reflect.get(target, name);
      // What can never change has to be given as it is.
      return Reflect.getOwnPropertyDescriptor(target, name)?.configurable === false ? member : wrap(member);
    },
    has(target, name) {
      reads += 1;
      return Reflect.has(target, name);
    },
    ownKeys(target) {
      reads += 1;
      return Reflect.ownKeys(target);
    },
    getOwnPropertyDescriptor(target, name) {
      reads += 1;
      return Reflect.getOwnPropertyDescriptor(target, name);
    },
  };
  return { value: wrap(value), reads: () => reads };
}
