import {
  type Decoder,
  type Infer,
  array,
  choose,
  digits32,
  fieldName,
  hasMember,
  identifier,
  json,
  literal,
  map,
  oneOf,
  openObject,
  optional,
  positive,
  stamp,
  stampName,
  tagged,
  text,
  uint,
} from "./decode.js";
import * as limits from "./limits.js";
import type { Row } from "./row.js";
import { isPlainRecord } from "./row-check.js";

const anyText = text(limits.maxMessageChars);
const row = { domain: identifier, key: identifier, version: positive, modifiedAt: uint };
const stamps = map(stampName, stamp, limits.maxFields + 1, "*");
const recordRow = openObject({ ...row, fields: map(fieldName, json, limits.maxFields), stamps });
const tombstone = openObject({ ...row, deleted: literal(true) });

const anyRow = choose<Row>([recordRow, tombstone], (value) =>
  hasMember(value, "deleted") ? tombstone : recordRow,
);

/** A row of an answer, a delta or a pull (DESIGN §5.3). */
export const rowDecoder: Decoder<Row> = {
  form: anyRow.form,
  read: (value) => (isPlainRecord(value) ? (value as Row) : anyRow.read(value)),
};

const supersededField = openObject({ domain: identifier, key: identifier, field: fieldName, by: stamp });
const omittedRow = array(identifier, 3);
const outcomeHead = { id: stamp, seq: positive };
/** What an applied event did. */
const effect = {
  index: positive,
  modifiedAt: uint,
  /** The effective stamp, where it is not the id. */
  eff: optional(stamp),
  superseded: optional(array(supersededField, limits.maxOpsPerEvent * limits.maxFields)),
  /** What an action returned. */
  result: optional(json),
};
const refusal = { code: identifier, message: anyText };

const applied = openObject({
  ...outcomeHead,
  status: literal("applied"),
  ...effect,
  omitted: optional(array(omittedRow, limits.maxOpsPerEvent * limits.maxKeysPerOp)),
});
const rejected = openObject({ ...outcomeHead, status: literal("rejected"), ...refusal });
const voided = openObject({ ...outcomeHead, status: literal("void") });
const deferred = openObject({
  ...outcomeHead,
  status: literal("deferred"),
  ...refusal,
  retryAfterMs: optional(uint),
});
/** A retry: `of` says which outcome the event got first, whose members are given again (none when its body has expired). */
const duplicateApplied = openObject({
  ...outcomeHead,
  status: literal("duplicate"),
  of: literal("applied"),
  ...effect,
});
const duplicateRejected = openObject({
  ...outcomeHead,
  status: literal("duplicate"),
  of: literal("rejected"),
  ...refusal,
});
const duplicateVoid = openObject({ ...outcomeHead, status: literal("duplicate"), of: literal("void") });
const duplicateExpired = openObject({ ...outcomeHead, status: literal("duplicate"), of: literal("expired") });

export type AppliedOutcome = Infer<typeof applied>;
export type RejectedOutcome = Infer<typeof rejected>;
export type VoidOutcome = Infer<typeof voided>;
export type DeferredOutcome = Infer<typeof deferred>;
export type DuplicateOutcome =
  | Infer<typeof duplicateApplied>
  | Infer<typeof duplicateRejected>
  | Infer<typeof duplicateVoid>
  | Infer<typeof duplicateExpired>;
export type Outcome = AppliedOutcome | RejectedOutcome | VoidOutcome | DeferredOutcome | DuplicateOutcome;

/** The outcome of one event (DESIGN §6). */
export const outcomeDecoder: Decoder<Outcome> = tagged("status", {
  applied,
  rejected,
  void: voided,
  deferred,
  duplicate: tagged("of", {
    applied: duplicateApplied,
    rejected: duplicateRejected,
    void: duplicateVoid,
    expired: duplicateExpired,
  }),
});

/** Events of this request with one seq and one index after the other, from these on; `allOutcomes` says what became of each. */
const run = openObject({ seq: positive, count: positive, index: positive, modifiedAt: uint });
export type OutcomeRun = Infer<typeof run>;

export const digestDecoder = openObject({ index: uint, count: uint, sum: digits32 });
const cursors = map(identifier, uint, limits.maxDomains);

/** Why a space could not be handled; each code brings what its recovery needs. */
const spaceError = openObject({
  code: identifier,
  message: anyText,
  /** generation_changed */
  generation: optional(identifier),
  reason: optional(identifier),
  parent: optional(identifier),
  at: optional(uint),
  /** generation_changed: until when rows that were lost may be offered back, in milliseconds of the server's clock; absent when they may not */
  recoverUntil: optional(uint),
  /** generation_changed, restored: the device's newest seq in the generation that it knows, of what the space has of that */
  lastSeq: optional(uint),
  /** cursor_ahead */
  head: optional(uint),
  /** seq_gap */
  expected: optional(uint),
  /** device_forked: the outcomes of the prefix that matched */
  outcomes: optional(array(outcomeDecoder, limits.maxEventsPerRequest * 10)),
  retryAfterMs: optional(uint),
});
export type SpaceError = Infer<typeof spaceError>;

/** Absent where the server has no schema. */
const rowsSchema = {
  /** The schema version that the rows are in. */
  schema: optional(positive),
  /** The oldest version of the app that can read them, where that is an older one (DESIGN §5.2). */
  readableFrom: optional(positive),
};

const settledSpace = {
  space: identifier,
  generation: identifier,
  ...rowsSchema,
  head: uint,
  /** This device's newest handled seq, in the snapshot that the rows were read from. */
  lastSeq: uint,
  outcomes: array(outcomeDecoder, limits.maxEventsPerRequest * 10),
  /** Outcomes that say nothing but what can be counted: most of those of a long outbox. */
  runs: optional(array(run, limits.maxEventsPerRequest * 10)),
  /** Domains that are sent anew from 0: the base of each is replaced (DESIGN §6). */
  reset: optional(array(identifier, limits.maxDomains)),
};
const pageEnd = {
  cursors,
  /** For each domain whose scan from 0 goes on: the head when it began. */
  scan: optional(cursors),
};
/** What a space's last page says besides. */
const lastPage = {
  digests: optional(map(identifier, digestDecoder, limits.maxDomains)),
  /** For each domain that tombstones have been removed of: the index of the newest that was (DESIGN §6). */
  horizons: optional(cursors),
};

/** What an answer is made of, whole or streamed. */
export const answerParts = { spaceError, settledSpace, rowsSchema, pageEnd, lastPage };

/**
 * The answer of an exchange streamed, one JSON object a line (`application/x-ndjson`): `time` once; then for each
 * space a `space` line, its rows in version order (lines without a `type`), `checkpoint` lines where a
 * broken stream may be resumed, and an `end` line; a `failure` line stands in place of all that, or ends a
 * space whose first pages were sent; `done` closes the stream. What ends without `done` was cut off.
 */
export const streamTime = openObject({ type: literal("time"), time: uint });
export const streamSpace = openObject({ type: literal("space"), ...settledSpace });
export const streamCheckpoint = openObject({ type: literal("checkpoint"), ...pageEnd });
/** `lastSeq` and `head` are those of the last page's snapshot. */
export const streamEnd = openObject({
  type: literal("end"),
  head: uint,
  lastSeq: uint,
  ...pageEnd,
  ...lastPage,
});
export const streamFailure = openObject({ type: literal("failure"), space: identifier, error: spaceError });
export const streamDone = openObject({ type: literal("done") });
const streamLines = {
  time: streamTime,
  space: streamSpace,
  checkpoint: streamCheckpoint,
  end: streamEnd,
  failure: streamFailure,
  done: streamDone,
};
export type StreamLine =
  | { [K in keyof typeof streamLines]: Infer<(typeof streamLines)[K]> }[keyof typeof streamLines]
  | (Row & { readonly type?: undefined });

const strangeLine = openObject({ type: oneOf(...Object.keys(streamLines)) });
/** A row says no `type`: what says one that is not known is no row, whatever else it says. */
const rowLine: Decoder<unknown> = {
  form: rowDecoder.form,
  read: (value) => (hasMember(value, "type") ? strangeLine : rowDecoder).read(value),
};

const anyLine = tagged("type", streamLines, rowLine) as Decoder<StreamLine>;
/** One line of a streamed answer. Nearly all lines are rows, and a plain record says no `type`. */
export const streamLine: Decoder<StreamLine> = {
  form: anyLine.form,
  read: (value) => (isPlainRecord(value) ? (value as Row) : anyLine.read(value)),
};

/** The body of an error of a whole request: `application/problem+json` (RFC 9457) with a code of ours. */
export const problemDecoder = openObject({
  code: identifier,
  title: anyText,
  status: uint,
  detail: optional(anyText),
  retryAfterMs: optional(uint),
});
export type Problem = Infer<typeof problemDecoder>;
