import { type Json, isSafeMember, limits } from "@landfall/protocol";
import { type Invalid, invalid } from "./validation.js";

type Path = readonly (string | number)[];

/** In Unicode mode a pair is one character: only halves match. They have no UTF-8 form, so two sides would not agree on them. */
const loneSurrogate = /\p{Surrogate}/u;

export type JsonCopy = { readonly ok: true; readonly value: Json } | Invalid;

/**
 * A copy of a value that holds JSON and nothing else, cut loose from the app's objects: what is kept can
 * then neither change under the replica nor differ from what the wire carries. Members that are
 * undefined are left out, as JSON has it; anything else that JSON would drop or bend is an issue.
 */
export function copyJson(value: unknown, path: Path = [], depth: number = limits.maxDepth): JsonCopy {
  switch (typeof value) {
    case "boolean":
      return { ok: true, value };
    case "string":
      return loneSurrogate.test(value) ? invalid(path, "Half a surrogate pair is not text.") : { ok: true, value };
    case "number":
      // Negative zero comes back from JSON as zero.
      return Number.isFinite(value) ? { ok: true, value: value === 0 ? 0 : value } : invalid(path, `${value} is not a JSON number.`);
    case "object":
      if (value === null) return { ok: true, value };
      if (depth <= 0) return invalid(path, `Nested deeper than ${limits.maxDepth} levels.`);
      return Array.isArray(value) ? copyList(value, path, depth - 1) : copyMembers(value, path, depth - 1);
    default:
      return invalid(path, `${typeof value === "undefined" ? "Undefined" : `A ${typeof value}`} is not JSON.`);
  }
}

function copyList(list: readonly unknown[], path: Path, depth: number): JsonCopy {
  const copies: Json[] = [];
  for (let i = 0; i < list.length; i++) {
    const copied = copyJson(list[i], [...path, i], depth);
    if (!copied.ok) return copied;
    copies.push(copied.value);
  }
  return { ok: true, value: copies };
}

function copyMembers(members: object, path: Path, depth: number): JsonCopy {
  const prototype: unknown = Object.getPrototypeOf(members);
  // The prototype of plain objects has none of its own, in this realm and in any other.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    return invalid(path, `${Object.prototype.toString.call(members)} is not JSON; store a plain value instead.`);
  }
  const copies: Record<string, Json> = {};
  for (const [name, member] of Object.entries(members)) {
    if (member === undefined) continue;
    if (!isSafeMember(name) || loneSurrogate.test(name)) return invalid([...path, name], "This name is not allowed in JSON that is kept.");
    const copied = copyJson(member, [...path, name], depth);
    if (!copied.ok) return copied;
    copies[name] = copied.value;
  }
  return { ok: true, value: copies };
}
