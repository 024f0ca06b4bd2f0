export type Members = { readonly [name: string]: unknown };

/** Whether two values of JSON are the same: their canonical texts are. */
function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  return sameMembers(a as Members, b as Members);
}

/** @param more members that `whole` has besides. */
export function sameMembers(part: Members, whole: Members, more = 0): boolean {
  const names = Object.keys(part);
  return (
    names.length + more === Object.keys(whole).length &&
    names.every((name) => Object.hasOwn(whole, name) && sameValue(part[name], whole[name]))
  );
}
