/**
 * Every bound of the protocol, each with its reason. A server may announce other values for those in
 * `/v1/info`; the rest are fixed, because both sides must agree on them.
 *
 * They are known together as `limits`. Who imports that from this file, and not from the package, has only those in its
 * bundle that it names.
 */

/** Events in one request, unless `/v1/info` says otherwise: one round trip settles a morning's work, and one lost answer repeats little. */
export const maxEventsPerRequest = 100;
/** Bytes of one request's body, unless `/v1/info` says otherwise: a full batch and the envelope around it. */
export const maxBodyBytes = 1_100_000;
/** Bytes of events in one request, unless `/v1/info` says otherwise: what a phone on a bad line can still get through. */
export const maxBatchBytes = 1_000_000;
/** Spaces in one request: an account's working set, and a bound on the work of one call. */
export const maxSpacesPerRequest = 64;
/** Domains of one space that a request may follow: a schema has dozens, and each costs a cursor in every request. */
export const maxDomains = 128;
/** Ops of one event: an event is one person's step, not an import, and it is merged under the space's lock. */
export const maxOpsPerEvent = 1_000;
/** Keys of one `deleteMany`: as many rows as an event can touch by other ops. */
export const maxKeysPerOp = 1_000;
/** Fields of one record, counting those that were unset: each keeps a stamp for ever, and every row carries them all. */
export const maxFields = 256;
/** Bytes of one record's fields as JSON, about: a row is sent, hashed and stored whole whenever a field of it changes. */
export const maxRecordBytes = 256_000;
/** Nesting of a JSON value: deeper is a mistake or an attack on the stack. */
export const maxDepth = 32;
/** Members of a set field, and of one op on it: a set is stored and sorted whole at each change; what is larger is a domain of its own. */
export const maxSetMembers = 10_000;
/** Expectations of one event: each is a row that is read under the space's lock. */
export const maxExpectations = 256;
/** Rows that one `known` list may name: as many as a page has. */
export const maxKnown = 10_000;
/** Rows of one page, the soft `limit` of a request at most: what is staged at once on a small device. */
export const maxPageRows = 10_000;
/** Rows of a page when a request does not say: large enough that the round trip no longer counts. */
export const defaultPageRows = 1_000;
/** Rows of one answer: pages never end inside a version, and a `deleteMany` by version may touch a whole domain. */
export const maxAnswerRows = 1_000_000;
/** Spaces or members in one list: more is a directory, which has no place in one answer. */
export const maxListed = 100_000;
/** Characters of a message to people: a paragraph; what is longer is cut. */
export const maxMessageChars = 1_000;
/** Characters of a user's or server's name: an e-mail address or an issuer's subject fits. */
export const maxNameChars = 256;
/** Characters of a token: servers and proxies refuse headers above this anyway. */
export const maxTokenChars = 16_384;
/** Bytes of one socket frame from a client: hello, auth, watch and a small exchange fit. */
export const maxSocketFrameBytes = 65_536;
/** Characters of the message of an exchange over the socket: even where all of them are long ones it fits into a frame. */
export const maxSocketRequestChars = 16_384;
/** Bytes of an answer over the socket: what is larger comes by HTTP, where it streams at the reader's pace. */
export const maxSocketAnswerBytes = 65_536;
/** Spaces that one socket watches: each costs the server an entry and a read of the access table with every `heads`. */
export const maxWatchedSpaces = 1_024;
/** Bytes of a delta's rows: what is larger is fetched, so that one slow reader does not hold much of the server's memory. */
export const maxDeltaBytes = 16_384;
/** Rows of a delta: what is more is fetched, where it is paged. */
export const maxDeltaRows = 20;
/** Bytes of one frame of a reconciliation: a few thousand fingerprints, which is more than a difference that is worth finding needs. */
export const maxReconcileFrameBytes = 65_536;
/** Rows that one request of a reconciliation wants, by what differs and again by keys: what differs by more is fetched as a whole. */
export const maxReconcileRows = 1_000;
/** Requests of one reconciliation: each narrows what differs to a sixteenth, so that more means that it does not come to an end. */
export const maxReconcileRounds = 12;
