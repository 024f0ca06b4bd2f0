import type { Op, UpdateOp } from "./op.js";

/**
 * What decoding a single op cannot see: that no (domain, key) is named twice, that an update names each
 * field once, and that a `deleteMany` says what to delete and stands alone on its domain where it goes by
 * version (DESIGN §5.3).
 *
 * @returns why the ops are invalid, or undefined.
 */
export function opsConflict(ops: readonly Op[]): string | undefined {
  const named = new Set<string>();
  const swept = new Set<string>();
  const domains = new Set<string>();
  for (const op of ops) {
    if (op.op === "deleteMany") {
      if ((op.keys === undefined) === (op.upTo === undefined))
        return "a deleteMany takes either keys or upTo";
      if (op.upTo !== undefined && domains.has(op.domain))
        return `a deleteMany by version is the only op on ${op.domain} in its event`;
      if (op.upTo !== undefined) swept.add(op.domain);
    }
    if (op.op === "update") {
      const twice = fieldNamedTwice(op);
      if (twice !== undefined)
        return `the update of ${op.domain}/${op.key} names the field ${twice} more than once`;
    }
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

/** A field that an update both sets and unsets, or unsets twice: which of the two was meant is not for the server to guess. */
function fieldNamedTwice(op: UpdateOp): string | undefined {
  const unset = new Set<string>();
  for (const field of op.unset ?? []) {
    if (unset.has(field) || (op.set !== undefined && Object.hasOwn(op.set, field))) return field;
    unset.add(field);
  }
  return undefined;
}
