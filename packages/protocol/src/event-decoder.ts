import {
  type Decoder,
  array,
  choose,
  fieldName,
  finite,
  identifier,
  json,
  literal,
  map,
  object,
  oneOf,
  optional,
  positive,
  setMember,
  stamp,
  tagged,
  tuple,
  uint,
} from "./decode.js";
import type { Json } from "./json.js";
import { limits } from "./limits.js";
import type { Expectation, ExpectedVersion, Op, UpdateOp, WireEvent } from "./op.js";

const fields: Decoder<{ readonly [field: string]: Json }> = map(fieldName, json, limits.maxFields);
const onRecord = { domain: identifier, key: identifier };

/** One op of an event (DESIGN §6). */
export const opDecoder: Decoder<Op> = tagged("op", {
  create: object({ op: literal("create"), ...onRecord, set: fields }),
  put: object({ op: literal("put"), ...onRecord, set: fields }),
  update: object({
    op: literal("update"),
    ...onRecord,
    set: optional(fields),
    unset: optional(array(fieldName, limits.maxFields)),
  }),
  increment: object({ op: literal("increment"), ...onRecord, by: map(fieldName, finite, limits.maxFields) }),
  add: object({
    op: oneOf("add"),
    ...onRecord,
    values: map(fieldName, array(setMember, limits.maxSetMembers), limits.maxFields),
  }),
  remove: object({
    op: oneOf("remove"),
    ...onRecord,
    values: map(fieldName, array(setMember, limits.maxSetMembers), limits.maxFields),
  }),
  delete: object({ op: literal("delete"), ...onRecord }),
  restore: object({ op: literal("restore"), ...onRecord, set: fields }),
  deleteMany: object({
    op: literal("deleteMany"),
    domain: identifier,
    keys: optional(array(identifier, limits.maxKeysPerOp)),
    upTo: optional(uint),
  }),
});

const bySeq = object({ seq: positive });
const expectedVersion: Decoder<ExpectedVersion> = choose<ExpectedVersion>(`uint|${bySeq.shape}`, (value) =>
  typeof value === "number" ? uint : bySeq,
);
const expectation: Decoder<Expectation> = tuple(identifier, identifier, expectedVersion);

const head = {
  id: stamp,
  seq: positive,
  schema: optional(positive),
  expect: optional(array(expectation, limits.maxExpectations)),
  was: optional(object({ device: identifier, seq: positive })),
};
const opsEvent = object({ ...head, ops: array(opDecoder, limits.maxOpsPerEvent) });
const actionEvent = object({ ...head, action: identifier, args: json });
const voidEvent = object({ ...head, void: literal(true) });

/** An event as a device sends it: ops, an action, or void. */
export const eventDecoder: Decoder<WireEvent> = choose<WireEvent>(
  `${opsEvent.shape}|${actionEvent.shape}|${voidEvent.shape}`,
  (value) => {
    if (typeof value === "object" && value !== null) {
      if (Object.hasOwn(value, "void")) return voidEvent;
      if (Object.hasOwn(value, "action")) return actionEvent;
    }
    return opsEvent;
  },
);

/** The part of an event that must be sound for the event to get an outcome of its own. */
export const eventIdentityDecoder: Decoder<{ readonly id: string; readonly seq: number }> = choose(
  `id:stamp,seq:uint+`,
  (value) => ({
    shape: "",
    read: () => {
      const event = (typeof value === "object" && value !== null ? value : {}) as {
        id?: unknown;
        seq?: unknown;
      };
      return { id: stamp.read(event.id), seq: positive.read(event.seq) };
    },
  }),
);

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
