import { type Json, isSafeMember } from "@landfall/protocol";
import * as limits from "@landfall/protocol/limits";
import { type Invalid, invalid } from "./validation.js";

type Path = readonly (string | number)[];

/** In Unicode mode a pair is one character: only halves match. They have no UTF-8 form, so two sides would not agree on them. */
const loneSurrogate = /\p{Surrogate}/u;

/** Where a value stopped being JSON; on its way from the depth to `copyJson`, which alone catches it. */
class NotJson extends Error {
  constructor(readonly found: Invalid) {
    super();
  }
}

/**
 * A copy of a value that holds JSON and nothing else, cut loose from the app's objects: what is kept can
 * then neither change under the replica nor differ from what the wire carries. Members that are
 * undefined are left out, as JSON has it; anything else that JSON would drop or bend is an issue.
 */
export function copyJson(
  value: unknown,
  path: Path = [],
): { readonly ok: true; readonly value: Json } | Invalid {
  try {
    return { ok: true, value: copy(value, path, limits.maxDepth) };
  } catch (error) {
    if (error instanceof NotJson) return error.found;
    throw error;
  }
}

function refuse(path: Path, message: string): never {
  throw new NotJson(invalid(path, message));
}

function copy(value: unknown, path: Path, depth: number): Json {
  switch (typeof value) {
    case "boolean":
      return value;
    case "string":
      return loneSurrogate.test(value) ? refuse(path, "Half a surrogate pair is not text.") : value;
    case "number":
      // Negative zero comes back from JSON as zero.
      return Number.isFinite(value) ? value || 0 : refuse(path, `${value} is not JSON.`);
    case "object":
      if (value === null) return value;
      if (depth === 0) refuse(path, `Nested deeper than ${limits.maxDepth} levels.`);
      return Array.isArray(value)
        ? Array.from(value, (item, i) => copy(item, [...path, i], depth - 1))
        : copyMembers(value, path, depth - 1);
    default:
      return refuse(path, `A value of type ${typeof value} is not JSON.`);
  }
}

function copyMembers(members: object, path: Path, depth: number): Json {
  const prototype: unknown = Object.getPrototypeOf(members);
  // The prototype of plain objects has none of its own, in this realm and in any other.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    refuse(path, `${Object.prototype.toString.call(members)} is not JSON; store a plain value instead.`);
  }
  const copies: Record<string, Json> = {};
  for (const [name, member] of Object.entries(members)) {
    if (member === undefined) continue;
    const at = [...path, name];
    if (!isSafeMember(name) || loneSurrogate.test(name)) refuse(at, "This name is not allowed.");
    copies[name] = copy(member, at, depth);
  }
  return copies;
}
