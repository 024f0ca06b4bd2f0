import {
  type Decoder,
  type Infer,
  array,
  identifier,
  literal,
  map,
  openObject,
  optional,
  positive,
  tagged,
  text,
  uint,
} from "./decode.js";
import { rowDecoder, streamLine } from "./exchange-answer.js";
import * as limits from "./limits.js";

/** The WebSocket subprotocol (DESIGN §6.1). */
export const socketProtocol = "landfall.v1";

/** Why a server closes a socket (RFC 6455 §7.4.2, private range). */
export const socketCloseCodes = {
  /** The first message was not a valid hello, or none came in time. */
  badHello: 4400,
  /** The token is missing, wrong or expired. */
  unauthorized: 4401,
  /** A frame could not be decoded. */
  badMessage: 4402,
  /** Too many sockets of one user or address, or too many messages. */
  tooMany: 4429,
  /** The reader is too slow; it catches up by exchange. */
  slowReader: 4408,
  /** The server is shutting down; come back. */
  goingAway: 1001,
} as const;

const domains = array(identifier, limits.maxDomains);

const welcome = openObject({ type: literal("welcome"), time: uint });
/** A space has moved to `index`; `by` is the device that wrote, so that it can stay quiet. */
const poke = openObject({
  type: literal("poke"),
  space: identifier,
  domains,
  index: positive,
  by: optional(identifier),
});
/** The newest index of each domain watched; heals lost pokes. */
const heads = openObject({
  type: literal("heads"),
  time: uint,
  spaces: map(identifier, map(identifier, uint, limits.maxDomains), limits.maxWatchedSpaces),
  /** The history that the indexes of a space count in: in another one they say nothing of how far a device is. */
  generations: optional(map(identifier, identifier, limits.maxWatchedSpaces)),
});
const revoked = openObject({ type: literal("revoked"), space: identifier });
/**
 * All watched rows of one event. `from` is the previous index that touched a watched domain; it is applied
 * only if every watched cursor is in [from, index) and no pull is staged, and then all of them move to
 * `index` (DESIGN §6.1).
 */
const delta = openObject({
  type: literal("delta"),
  space: identifier,
  generation: identifier,
  /** The schema version that the rows are in; absent where the server has none. */
  schema: optional(positive),
  domains,
  from: uint,
  index: positive,
  lastSeq: uint,
  by: optional(identifier),
  rows: array(rowDecoder, limits.maxDeltaRows),
});
/** The answer of an exchange as its stream's lines. Without them it is not given here: HTTP gives it, or says why not. */
const answer = openObject({
  type: literal("answer"),
  id: uint,
  lines: optional(array(streamLine, limits.maxAnswerRows)),
});
const refused = openObject({
  type: literal("error"),
  code: identifier,
  message: text(limits.maxMessageChars),
});

export type DeltaMessage = Infer<typeof delta>;
export type PokeMessage = Infer<typeof poke>;
export type HeadsMessage = Infer<typeof heads>;
const messages = { welcome, poke, heads, revoked, delta, answer, error: refused };
export type ServerMessage = {
  [K in keyof typeof messages]: Infer<(typeof messages)[K]>;
}[keyof typeof messages];

/** A message of a newer server; one without a type is none. */
const unknownMessage: Decoder<undefined> = {
  form: "",
  read: (value) =>
    typeof (value as { type?: unknown } | null)?.type === "string" ? undefined : void welcome.read(value),
};

/** What a server says over the socket; an unknown type decodes to undefined and is passed over. */
export const serverMessage: Decoder<ServerMessage | undefined> = tagged("type", messages, unknownMessage);
