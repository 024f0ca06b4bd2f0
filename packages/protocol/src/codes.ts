/**
 * The closed list of codes. `family` says where a code is at home and with it how a client recovers:
 * `request` – the whole request failed; `space` – one space of an exchange; `rejected` – final for an
 * event; `deferred` – not handled, the same event is sent again after mending or waiting. A few stand in
 * a second place too: `not_found` is also a space's error, `too_large` also rejects an event, and
 * `forbidden` also ends a request. Where a code stands tells what failed; its family never overrides that.
 */
export interface CodeEntry {
  readonly family: "request" | "space" | "rejected" | "deferred";
  /** HTTP status, where the code ends a request. */
  readonly status?: number;
  /** Whether the same thing may succeed later without a change. */
  readonly retryable: boolean;
  readonly help: string;
}

const entry = (family: CodeEntry["family"], retryable: boolean, help: string, status?: number): CodeEntry =>
  status === undefined ? { family, retryable, help } : { family, retryable, help, status };

export const codes = {
  bad_json: entry("request", false, "The body is not JSON. Send one JSON object as application/json.", 400),
  invalid_request: entry(
    "request",
    false,
    "The request is JSON, but not of the declared shape; the message names the member.",
    400,
  ),
  protocol_unsupported: entry(
    "request",
    false,
    "This server speaks another protocol version. Update the client or the server.",
    400,
  ),
  unauthorized: entry(
    "request",
    false,
    "The token is missing, malformed, expired or not for this server. Sign in again.",
    401,
  ),
  not_found: entry("request", false, "There is no such thing, or you may not know of it.", 404),
  method_not_allowed: entry(
    "request",
    false,
    "This address answers other methods; see the Allow header.",
    405,
  ),
  not_acceptable: entry("request", false, "Ask for application/json or application/x-ndjson.", 406),
  timeout: entry(
    "request",
    true,
    "The request took too long to arrive. Send it again, perhaps in smaller parts.",
    408,
  ),
  not_available: entry(
    "request",
    false,
    "That id cannot be had. Choose another, or let the server make one.",
    409,
  ),
  last_owner: entry(
    "request",
    false,
    "A space keeps at least one owner. Make another member an owner first.",
    409,
  ),
  too_large: entry(
    "request",
    false,
    "The body, event, record or key is larger than the limits in /v1/info. Send smaller batches.",
    413,
  ),
  unsupported_media_type: entry("request", false, "Send application/json without content encoding.", 415),
  rate_limited: entry(
    "request",
    true,
    "Too many requests or sockets. Wait as long as Retry-After says.",
    429,
  ),
  internal: entry(
    "request",
    true,
    "The server failed; nothing of the request was kept unless its answer said so. Send it again.",
    500,
  ),
  unavailable: entry(
    "request",
    true,
    "The server cannot work just now. Wait as long as Retry-After says.",
    503,
  ),

  forbidden: entry("rejected", false, "Your role in this space does not allow that. Ask an owner.", 403),
  revoked: entry(
    "space",
    false,
    "You are no longer a member of this space. Unsynced edits are kept on the device.",
  ),
  generation_changed: entry(
    "space",
    false,
    "The space's history was wiped or restored; the client recovers by itself.",
  ),
  cursor_ahead: entry(
    "space",
    false,
    "The client has seen more than the server has: the server lost history. The client recovers by itself.",
  ),
  device_forked: entry(
    "space",
    false,
    "Another copy of this installation writes under the same device id. The client takes a new id by itself.",
  ),
  seq_gap: entry("space", false, "An event is missing before these. The client sends from the expected seq."),
  schema_unsupported: entry(
    "space",
    false,
    "The server's schema is older than the client's, or than the space's records. What is written is kept on the device; update the server.",
  ),
  quota_exceeded: entry("space", false, "The space is full. Delete something, or raise the quota."),
  invalid_space: entry(
    "space",
    false,
    "The space's part of the request is malformed; the message names the member.",
  ),

  invalid: entry("rejected", false, "The event or a field of it is not valid; the message says which."),
  exists: entry("rejected", false, "The key is taken by another record. Use another key, or put."),
  missing: entry("rejected", false, "There is no record with that key."),
  deleted: entry(
    "rejected",
    false,
    "The record, or its parent, was deleted. Restore that, or keep your version as a copy.",
  ),
  not_unique: entry(
    "rejected",
    false,
    "Another record has the same value in a unique field; the message names it.",
  ),
  unknown_domain: entry(
    "rejected",
    false,
    "The server's schema has no such domain. Update the server or the client.",
  ),
  unknown_action: entry(
    "rejected",
    false,
    "The server's schema has no such action. Update the server or the client.",
  ),
  expectation_failed: entry("rejected", false, "A record that the write depended on has changed since."),
  depends_on: entry(
    "rejected",
    false,
    "The record's create was rejected, so this write has nothing to change.",
  ),
  id_conflict: entry(
    "rejected",
    false,
    "The event's id belongs to another device's event. This is a fault: report it.",
  ),
  recovery_over: entry(
    "rejected",
    false,
    "The time in which the server takes back what it has lost is over. The row is kept in the inbox.",
  ),
  has_children: entry("rejected", false, "Records still refer to this one. Delete or move them first."),
  action_failed: entry(
    "rejected",
    false,
    "The action threw, or ran over its time budget; the message says why.",
  ),
  void: entry("rejected", false, "The event was given up before the server handled it."),

  stale_epoch: entry("deferred", true, "The space's key has changed; the client seals the event again."),
  schema_outdated: entry(
    "deferred",
    true,
    "The event's schema version is no longer accepted. Update the app; the event is kept.",
  ),
  locked: entry("deferred", true, "Somebody has checked the record out. The event is kept and sent again."),
  busy: entry("deferred", true, "The server could not handle the event just now. It is kept and sent again."),
} as const satisfies { readonly [code: string]: CodeEntry };

export type Code = keyof typeof codes;

/** The entry of a code, if it is one of ours: answers may come from a newer server. */
export function codeEntry(code: string): CodeEntry | undefined {
  return Object.hasOwn(codes, code) ? codes[code as Code] : undefined;
}
