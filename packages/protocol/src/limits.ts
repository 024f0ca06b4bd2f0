/**
 * Every bound of the protocol, each with its reason. A server may announce smaller or larger values for
 * those in `/v1/info`; the rest are fixed, because both sides must agree on them.
 */
export const limits = {
  /** Events in one request, where `/v1/info` does not say otherwise (DESIGN §6). */
  maxEventsPerRequest: 100,
  /** Bytes of one request's body, where `/v1/info` does not say otherwise: one batch of 1 MB and its envelope. */
  maxBodyBytes: 1_100_000,
  /** Bytes of events in one request: what a phone on a bad line can still get through. */
  maxBatchBytes: 1_000_000,
  /** Spaces in one request: an account's working set, and a bound on the work of one call. */
  maxSpacesPerRequest: 64,
  /** Domains of one space that a request may follow. */
  maxDomains: 128,
  /** Ops of one event: an event is one person's step, not an import. */
  maxOpsPerEvent: 1_000,
  /** Keys of one `deleteMany`. */
  maxKeysPerOp: 1_000,
  /** Fields of one record. */
  maxFields: 256,
  /** Bytes of one record's fields as JSON, about: what a list of records can still be read from memory with. */
  maxRecordBytes: 256_000,
  /** Nesting of a JSON value: deeper is a mistake or an attack on the stack. */
  maxDepth: 32,
  /** Members of a set field, and of one op on it. */
  maxSetMembers: 10_000,
  /** Expectations of one event. */
  maxExpectations: 256,
  /** Rows that one `known` list may name. */
  maxKnown: 10_000,
  /** Rows of one page: the soft `limit` of a request at most. */
  maxPageRows: 10_000,
  /** Rows of a page when a request does not say. */
  defaultPageRows: 1_000,
  /** Characters of a message to people. */
  maxMessageChars: 1_000,
  /** Bytes of one socket frame from a client: hello, auth and watch are small. */
  maxSocketFrameBytes: 65_536,
  /** Bytes of a delta's rows; what is larger is fetched. */
  maxDeltaBytes: 16_384,
  /** Rows of a delta; what is more is fetched. */
  maxDeltaRows: 20,
} as const;
