import type { Op } from "./op.js";

/**
 * What decoding a single op cannot see: that no (domain, key) is named twice, that an update names each
 * field once, and that a `deleteMany` says what to delete and stands alone on its domain where it goes by
 * version (DESIGN §5.3).
 *
 * @returns why the ops are invalid, or undefined.
 */
export function opsConflict(ops: readonly Op[]): string | undefined {
  const [only] = ops;
  // Most events are one op on one key.
  if (ops.length === 1 && only && only.op !== "deleteMany") return conflictWithin(only);
  const named = new Set<string>();
  const swept = new Set<string>();
  const domains = new Set<string>();
  for (const op of ops) {
    if (op.op === "deleteMany") {
      if ((op.keys === undefined) === (op.upTo === undefined))
        return "a deleteMany takes either keys or upTo";
      if (op.upTo !== undefined) swept.add(op.domain);
    }
    const within = conflictWithin(op);
    if (within) return within;
    if (swept.has(op.domain) && domains.has(op.domain))
      return `a deleteMany by version is the only op on ${op.domain} in its event`;
    domains.add(op.domain);
    for (const key of op.op === "deleteMany" ? (op.keys ?? []) : [op.key]) {
      const name = `${op.domain}/${key}`;
      if (named.has(name))
        return `the event has more than one op on ${name}; put them into one op, or into two events`;
      named.add(name);
    }
  }
  return undefined;
}

/** That an update both sets and unsets a field, or unsets it twice: which of the two was meant is not for the server to guess. */
function conflictWithin(op: Op): string | undefined {
  if (op.op !== "update" || op.unset === undefined) return undefined;
  const named = new Set(Object.keys(op.set ?? {}));
  for (const field of op.unset) {
    if (named.has(field))
      return `the update of ${op.domain}/${op.key} names the field ${field} more than once`;
    named.add(field);
  }
  return undefined;
}
