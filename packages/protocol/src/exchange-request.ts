import {
  type Decoder,
  type Infer,
  array,
  base64url,
  identifier,
  literal,
  map,
  object,
  oneOf,
  optional,
  positive,
  text,
  tuple,
  uint,
} from "./decode.js";
import { eventDecoder } from "./event-decoder.js";
import * as limits from "./limits.js";

/** Events are decoded one by one, so that a malformed one is rejected alone and its neighbours go on (DESIGN §6). */
const undecodedEvent: Decoder<unknown> = { form: eventDecoder.form, read: (value) => value };

const spaceRequest = object({
  space: identifier,
  /** Absent at the first contact. */
  generation: optional(identifier),
  /** All outcomes up to this seq are durable at the device. */
  acked: optional(uint),
  /** The domains that the device follows, with the version up to which it has each. */
  cursors: map(identifier, uint, limits.maxDomains),
  /** For scans that began from 0: the head when each began. */
  scan: optional(map(identifier, uint, limits.maxDomains)),
  events: optional(array(undecodedEvent, limits.maxEventsPerRequest * 10)),
  /** Rows that the device has: key with version. */
  known: optional(array(tuple(identifier, identifier, uint), limits.maxKnown)),
});

/** `POST /v1/exchange`: one request of the write–read loop (DESIGN §6). */
export const exchangeRequest = object({
  protocol: literal(1),
  device: identifier,
  limit: optional(positive),
  spaces: array(spaceRequest, limits.maxSpacesPerRequest),
});
export type ExchangeRequest = Infer<typeof exchangeRequest>;
export type SpaceRequest = Infer<typeof spaceRequest>;

/** `POST /v1/reconcile`: one round of finding out in which rows two replicas of a domain differ (rule 10). */
export const reconcileRequest = object({
  protocol: literal(1),
  space: identifier,
  generation: identifier,
  domain: identifier,
  /** Only rows of versions up to this one count: the index up to which the asking side has everything. */
  upTo: uint,
  frame: base64url(limits.maxReconcileFrameBytes),
  /** Rows that the asking side wants by their keys: those that it has and the other side seems not to have. */
  keys: optional(array(identifier, limits.maxReconcileRows)),
});
export type ReconcileRequest = Infer<typeof reconcileRequest>;

/** `POST /v1/spaces` */
export const createSpaceRequest = object({ space: optional(identifier) });
/** What a member may do: owners manage members and the space, writers write, readers read. */
export type Role = "owner" | "writer" | "reader";
/** `PUT /v1/spaces/:space/members/:user` */
export const setMemberRequest = object({ role: oneOf<Role>("owner", "writer", "reader") });

/** What a client says over the socket (DESIGN §6.1). */
export const socketHello = object({
  type: literal("hello"),
  token: text(limits.maxTokenChars),
  device: identifier,
});
export const socketAuth = object({ type: literal("auth"), token: text(limits.maxTokenChars) });
/** An exchange that is small; the token goes with it, as with any request. */
export const socketExchange = object({
  type: literal("exchange"),
  id: uint,
  token: text(limits.maxTokenChars),
  request: exchangeRequest,
});
export type SocketExchange = Infer<typeof socketExchange>;
export const socketWatch = object({
  type: literal("watch"),
  spaces: map(identifier, array(identifier, limits.maxDomains), limits.maxWatchedSpaces),
});
