import type { AppliedOutcome, Json, Op, RejectedOutcome, Row } from "@landfall/protocol";
import type { Cut, FinalOutcome } from "../replica/cut.js";
import { type PendingEvent, type PendingExpectation, noVersion } from "../replica/pending-event.js";
import type { InboxItem } from "./inbox-item.js";
import { refusedOfferItem } from "./lost-rows.js";

/** What the end of a pull means for the outbox and the inbox. */
export interface Settlement {
  /** Events that leave the outbox, with what became of them. */
  readonly settled: ReadonlyMap<string, SettledOutcome>;
  /**
   * Events that stay, but are now known differently. Those whose effect is in base although their outcome was lost on the
   * way are confirmed, and sent again to learn it.
   */
  readonly changed: readonly PendingEvent[];
  readonly items: readonly InboxItem[];
  /** Events that the device makes itself: rows that it offers back (DESIGN rule 12). */
  readonly made?: readonly PendingEvent[];
}

/** An outcome of the server, or the client's own word for an event that it never sent. */
export type SettledOutcome =
  | FinalOutcome
  | {
      readonly status: "rejected";
      readonly id: string;
      readonly code: "depends_on";
      readonly message: string;
    };

/** What became of an event, at first or at a retry. */
export const endOf = (outcome: SettledOutcome): string =>
  outcome.status === "duplicate" ? outcome.of : outcome.status;

/** The index at which an event had its effect, and so the version of what it wrote. */
export const indexOf = (outcome: SettledOutcome): number | undefined =>
  endOf(outcome) === "applied" ? (outcome as AppliedOutcome).index : undefined;

const isVoidOutcome = (outcome: FinalOutcome): boolean => endOf(outcome) === "void";

/** The outcome of an event that this client gave up and that never had an effect. */
function refusalOf(
  { id, seq = 0 }: PendingEvent,
  { code, message }: NonNullable<PendingEvent["refused"]>,
): FinalOutcome {
  return { status: "rejected", id, seq, code, message };
}

/** The fields that an op was to write, for people. */
export function triedFields(op: Op): Json | undefined {
  switch (op.op) {
    case "increment":
      return op.by;
    case "add":
    case "remove":
      return op.values;
    case "delete":
    case "deleteMany":
      return undefined;
    case "offer":
      return "set" in op ? op.set : undefined;
    default:
      return op.set;
  }
}

/**
 * The inbox items of a rejected event: one for each op, or one for an action, and for what a migration has left nothing of.
 *
 * @param before rows as they were before it was refused, as far as they are known still: an update says only a
 * part of a record, so a copy of it needs the rest, and a person wants to know which record it was.
 */
export function rejectedItems(
  event: PendingEvent,
  code: string,
  message: string,
  kind: "rejected" | "parked" = "rejected",
  before: (domain: string, key: string) => Row | undefined = () => undefined,
): InboxItem[] {
  const common = { kind, madeAt: event.madeAt, code, reason: message, event };
  const { id, ops } = event;
  if (!ops) return [{ ...common, id, tried: event.args ?? null, choices: ["retry", "dismiss"] }];
  if (ops.length === 0) return [{ ...common, id, tried: {}, choices: ["dismiss"] }];
  return ops.map((op, i) => {
    const itemId = i === 0 ? id : `${id}~${i}`;
    if (op.op === "offer") return refusedOfferItem(op, itemId, event.madeAt, code, message);
    const row = op.op === "deleteMany" ? undefined : before(op.domain, op.key);
    const rest = row && !row.deleted ? row.fields : undefined;
    const canCopy =
      op.op === "create" ||
      op.op === "put" ||
      op.op === "restore" ||
      (op.op === "update" && rest !== undefined);
    const tried = triedFields(op);
    return {
      ...common,
      id: itemId,
      domain: op.domain,
      ...(op.op === "deleteMany" ? {} : { key: op.key }),
      ...(tried === undefined ? {} : { tried }),
      ...(rest === undefined ? {} : { before: rest }),
      choices: canCopy ? ["retry", "keepCopy", "dismiss"] : ["retry", "dismiss"],
    };
  });
}

/** The name that a field of an event's outcome has in this version of the app; undefined where it is gone. */
type FieldNow = (event: PendingEvent, domain: string, field: string) => string | undefined;

/** Whether an op says what a field is to be: a value, or none. */
function names(op: Op | undefined, field: string): boolean {
  if (!op) return false;
  const said = op as { set?: object; unset?: readonly string[]; stamps?: object };
  const { set = {}, unset = [], stamps = {} } = said;
  return Object.hasOwn(set, field) || unset.includes(field) || Object.hasOwn(stamps, field);
}

function supersededItems(
  event: PendingEvent,
  superseded: NonNullable<AppliedOutcome["superseded"]>,
  rowOf: (domain: string, key: string) => Row | undefined,
  fieldNow: FieldNow,
): InboxItem[] {
  return superseded.map(({ domain, key, field: recorded, by }) => {
    const op = event.ops?.find(
      (candidate) => candidate.domain === domain && candidate.op !== "deleteMany" && candidate.key === key,
    );
    // The server may have recorded it before the event was brought to this version, or after.
    const field = names(op, recorded) ? recorded : (fieldNow(event, domain, recorded) ?? recorded);
    const tried = op && "set" in op ? op.set?.[field] : undefined;
    const row = rowOf(domain, key);
    const won = row && !row.deleted ? row.fields[field] : undefined;
    return {
      id: `${event.id}~${domain}~${key}~${recorded}`,
      kind: "superseded" as const,
      madeAt: event.madeAt,
      domain,
      key,
      field,
      by,
      ...(tried === undefined ? {} : { tried }),
      ...(won === undefined ? {} : { won }),
      reason: "Somebody wrote this field later.",
      event,
      // What an action wanted in a field is not known here: a value that is missing is no wish to clear it.
      choices: names(op, field) ? (["writeAgain", "dismiss"] as const) : (["dismiss"] as const),
    };
  });
}

function dependsOn(event: PendingEvent, keys: ReadonlySet<string>): boolean {
  return (event.ops ?? []).some(
    (op) => op.op !== "deleteMany" && op.op !== "create" && keys.has(`${op.domain}/${op.key}`),
  );
}

/** Own events named in expectations get the version that they turned out to produce. */
function resolveExpectations(
  event: PendingEvent,
  settled: ReadonlyMap<string, SettledOutcome>,
): PendingEvent {
  if (!event.expect?.some(([, , version]) => typeof version !== "number" && settled.has(version.event)))
    return event;
  const expect = event.expect.map((expectation): PendingExpectation => {
    const [domain, key, version] = expectation;
    const outcome = typeof version === "number" ? undefined : settled.get(version.event);
    return outcome ? [domain, key, indexOf(outcome) ?? noVersion] : expectation;
  });
  return { ...event, expect };
}

/** What `settle` looks at of an outbox. */
export interface UnsettledEvents {
  readonly sent: readonly PendingEvent[];
  readonly unsent: readonly PendingEvent[];
  readonly hasOpenExpectations: boolean;
  /** One of them, sent or not. */
  get(id: string): PendingEvent | undefined;
}

/**
 * Works out what a cut settles (DESIGN rules 3, 5, 7 and 9). Pure.
 *
 * @param outbox the events that are not settled, in order. Those that were never sent are looked at only where
 * one of them can be concerned, so that a long queue does not make every cut slow.
 * @param rowOf rows as they will be in base after the cut.
 * @param before rows as they are in base before it.
 * @param fieldNow how fields of outcomes are called in this version.
 */
export function settle(
  cut: Cut,
  outbox: UnsettledEvents,
  rowOf: (domain: string, key: string) => Row | undefined,
  before: (domain: string, key: string) => Row | undefined,
  fieldNow: FieldNow = (_event, _domain, field) => field,
): Settlement {
  const settled = new Map<string, SettledOutcome>();
  const changed: PendingEvent[] = [];
  const items: InboxItem[] = [];
  const refusedKeys = new Set<string>();
  const look = (event: PendingEvent): void => {
    const outcome = cut.outcomes.get(event.id);
    if (outcome) {
      const { void: isVoid, refused } = event;
      // What was given up here is refused only now that it is known to have had no effect.
      const told = refused && isVoidOutcome(outcome) ? refusalOf(event, refused) : outcome;
      settled.set(event.id, told);
      if (endOf(told) === "rejected" && (!isVoid || refused)) {
        const { void: _void, refused: _refused, ...tried } = event;
        const rejection = told as RejectedOutcome;
        items.push(...rejectedItems(tried, rejection.code, rejection.message, "rejected", before));
        // Others may stand on what it was to create.
        for (const op of event.ops ?? []) if (op.op === "create") refusedKeys.add(`${op.domain}/${op.key}`);
      }
      const { superseded } = outcome as AppliedOutcome;
      if (superseded && endOf(outcome) === "applied")
        items.push(...supersededItems(event, superseded, rowOf, fieldNow));
      return;
    }
    const isHandled = event.seq !== undefined && event.seq <= cut.lastSeq;
    if (isHandled || event.restored) {
      // What is fetched of the restored history has its effect, whatever the seq that it is to get there.
      if (!event.confirmed && (isHandled || cut.reset.length > 0))
        changed.push({ ...event, confirmed: true });
    } else if (event.confirmed) {
      // What was in base may be gone with it where a history was lost; the event shows again and is sent again.
      const { confirmed: _confirmed, ...shown } = event;
      if (cut.reset.length > 0) changed.push(shown);
    } else if (refusedKeys.size > 0 && !event.void && dependsOn(event, refusedKeys)) {
      const message = "The record that this write changes was never created.";
      items.push(...rejectedItems(event, "depends_on", message));
      if (event.seq === undefined)
        settled.set(event.id, { status: "rejected", id: event.id, code: "depends_on", message });
      else changed.push({ ...event, void: true });
    } else {
      const resolved = resolveExpectations(event, settled);
      if (resolved !== event) changed.push(resolved);
    }
  };
  outbox.sent.forEach(look);
  if (
    // An installation that found itself copied while the answer came has taken the seqs back of what that settles; of
    // what went ahead, the first was settled before.
    [...cut.outcomes.keys()].some((id) => !settled.has(id) && outbox.get(id)) ||
    refusedKeys.size > 0 ||
    cut.reset.length > 0 ||
    outbox.hasOpenExpectations
  )
    outbox.unsent.forEach(look);
  return { settled, changed, items };
}
