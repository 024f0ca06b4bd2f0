import {
  type Decoder,
  array,
  choose,
  fieldName,
  finite,
  hasMember,
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
  stampName,
  tagged,
  tuple,
  uint,
} from "./decode.js";
import { isPlainWrite } from "./event-check.js";
import type { Json } from "./json.js";
import * as limits from "./limits.js";
import type { Expectation, ExpectedVersion, OfferOp, Op, WireEvent } from "./op.js";

const fields: Decoder<{ readonly [field: string]: Json }> = map(fieldName, json, limits.maxFields);
const onRecord = { domain: identifier, key: identifier };

const offeredRecord = object({
  op: literal("offer"),
  ...onRecord,
  set: fields,
  stamps: map(stampName, stamp, limits.maxFields + 1, "*"),
});
const offeredDelete = object({ op: literal("offer"), ...onRecord, deletedAt: uint });

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
  offer: choose<OfferOp>([offeredRecord, offeredDelete], (value) =>
    hasMember(value, "deletedAt") ? offeredDelete : offeredRecord,
  ),
  deleteMany: object({
    op: literal("deleteMany"),
    domain: identifier,
    keys: optional(array(identifier, limits.maxKeysPerOp)),
    upTo: optional(uint),
  }),
});

const bySeq = object({ seq: positive });
const expectedVersion: Decoder<ExpectedVersion> = choose<ExpectedVersion>([uint, bySeq], (value) =>
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

const anyEvent = choose<WireEvent>([opsEvent, actionEvent, voidEvent], (value) =>
  hasMember(value, "void") ? voidEvent : hasMember(value, "action") ? actionEvent : opsEvent,
);

/** An event as a device sends it: ops, an action, or void. */
export const eventDecoder: Decoder<WireEvent> = {
  form: anyEvent.form,
  read: (value) => (isPlainWrite(value) ? (value as WireEvent) : anyEvent.read(value)),
};

/** The part of an event that must be sound for the event to get an outcome of its own. */
export const eventIdentityDecoder: Decoder<{ readonly id: string; readonly seq: number }> = {
  form: "id:stamp,seq:uint+",
  read(value) {
    const event = (typeof value === "object" && value !== null ? value : {}) as {
      id?: unknown;
      seq?: unknown;
    };
    return { id: stamp.read(event.id), seq: positive.read(event.seq) };
  },
};
