import { isIdentifier } from "./identifier.js";
import { areSoundFields, isMap, isSoundName, isWhole } from "./row-check.js";
import { isStamp } from "./stamp.js";

/**
 * Whether a parsed value is surely an event of one `create` or `put` as the protocol declares it, with nothing that it
 * expects. It sees what the decoder of events sees, in one pass and without a call for each member: a long outbox is
 * made of these. Of what it refuses the decoder says whether, and what, is wrong.
 */
export function isPlainWrite(value: unknown): boolean {
  if (!isMap(value)) return false;
  const { id, seq, schema, ops } = value as Record<string, unknown>;
  if (!Array.isArray(ops) || ops.length !== 1 || !isMap(ops[0])) return false;
  const { op, domain, key, set } = ops[0] as Record<string, unknown>;
  try {
    return (
      typeof id === "string" &&
      typeof domain === "string" &&
      typeof key === "string" &&
      (op === "create" || op === "put") &&
      isStamp(id) &&
      isWhole(seq) &&
      seq !== 0 &&
      isWhole(schema) &&
      schema !== 0 &&
      isSoundName(domain) &&
      isIdentifier(key) &&
      isMap(set) &&
      Object.keys(value).length === 4 &&
      Object.keys(ops[0]).length === 4 &&
      areSoundFields(set)
    );
  } catch {
    return false;
  }
}
