/** A member that an object has itself; names from outside must not reach its prototype. */
export function own<T>(members: { readonly [name: string]: T } | undefined, name: string): T | undefined {
  return members && Object.hasOwn(members, name) ? members[name] : undefined;
}
