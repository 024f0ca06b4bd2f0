import type { Row, SpaceError } from "@landfall/protocol";
import type { Recovery } from "../loop/port.js";
import type { Cut } from "../replica/cut.js";
import type { PendingEvent } from "../replica/pending-event.js";
import type { StorageChange } from "../storage/port.js";
import type { InboxItem } from "./inbox-item.js";
import { recoverRows } from "./lost-rows.js";
import { type SettledOutcome, rejectedItems } from "./settlement.js";
import type { SpaceSession } from "./space-session.js";
import { type Aside, type ReplicaMeta, dropEvent, putEvent, putItem, putMeta } from "./space-store.js";

/** What a space does about an error that the server gave for it (DESIGN rules 3, 8 and 12). Nothing unsynced is ever dropped. */
export async function recover(session: SpaceSession, error: SpaceError): Promise<Recovery> {
  switch (error.code) {
    case "not_found":
      return notFound(session);
    case "revoked":
      // Whoever is out asks again from time to time: nothing is left to leave then.
      if (session.meta.generation !== undefined || session.outbox.events.length > 0)
        await leaveBase(session, "revoked", error.message);
      return { next: "stop", state: "revoked", reason: error.message };
    case "generation_changed":
      return newGeneration(session, error);
    case "cursor_ahead":
      // The head is where the server is by now, and may lie above the place where its history was cut.
      await historyLost(session, error.head);
      return { next: "again" };
    case "seq_gap":
      return seqGap(session, error.expected ?? 1);
    case "device_forked":
      return forked(session);
    case "too_large":
      return tooLarge(session, error.message);
    case "schema_unsupported":
      return { next: "stop", state: "outdated", reason: error.message };
    default:
      return {
        next: "later",
        reason: error.message,
        ...(error.retryAfterMs === undefined ? {} : { afterMs: error.retryAfterMs }),
      };
  }
}

async function notFound(session: SpaceSession): Promise<Recovery> {
  if (!session.meta.create)
    return {
      next: "later",
      reason: "There is no such space, or you are not a member yet. What you write is kept.",
    };
  const refusal = await session.context.createSpace(session.space);
  return refusal === undefined ? { next: "again" } : { next: "later", reason: refusal };
}

/** Drops base and parks pending events in the inbox: the space is gone, or not ours any more. */
async function leaveBase(
  session: SpaceSession,
  code: string,
  reason: string,
  meta: Partial<ReplicaMeta> = {},
): Promise<void> {
  const { space } = session;
  const events = session.outbox.events;
  const parked = events.flatMap((event) =>
    rejectedItems(event, code, reason, "parked", (domain, key) =>
      session.replica.present(session.replica.baseRow(domain, key)),
    ),
  );
  const items = session.inThisVersion(parked);
  const next: ReplicaMeta = {
    cursors: {},
    nextSeq: 1,
    revision: session.meta.revision + 1,
    device: session.context.device(),
    ...meta,
  };
  const changes: StorageChange[] = [
    { type: "clear", table: "rows", space },
    ...events.map((event) => dropEvent(space, event.id)),
    ...items.map((item) => putItem(space, item)),
    putMeta(space, next),
  ];
  await session.commit(changes);
  session.meta = next;
  session.outdated = undefined;
  const ids = new Set(events.map((event) => event.id));
  session.outbox.removeAll(ids);
  session.outbox.nextSeq = 1;
  // Nothing of a base that is gone is offered back (DESIGN rule 12).
  session.aside = undefined;
  session.refetch.clear();
  const patch = new Map<string, Map<string, Row | null>>();
  for (const domain of session.domains)
    patch.set(domain, new Map([...session.replica.baseRows(domain).keys()].map((key) => [key, null])));
  const { outbox, replica } = session;
  const remove = new Set(replica.pending.flatMap(({ id }) => (outbox.get(id) ? [] : [id])));
  await replica.step({ patch, remove });
  session.changeInbox(items, []);
  const settled = new Map<string, SettledOutcome>();
  for (const { id, seq = 0 } of events) {
    const outcome: SettledOutcome = { status: "rejected", id, seq, code, message: reason };
    settled.set(id, outcome);
    session.receipts.settle(id, outcome);
  }
  // Of what the storage had refused to take, other tabs learn from this alone that it is over.
  session.context.publish(space, { type: "reload", settled });
}

/** The server turns out to lack what it had confirmed, and does not say where its history was cut. */
export async function historyLost(session: SpaceSession, at = Number.MAX_SAFE_INTEGER): Promise<void> {
  session.context.report(
    "history_lost",
    `The server has lost history of ${session.space}; it is read again, and what it lost is kept.`,
  );
  const recovering = earlier(session.meta.recovering, { at, exact: false });
  keepAside(session, recovering);
  // Base still has what is kept aside: after a crash it is found there again.
  const meta: ReplicaMeta = { ...session.meta, recovering };
  await session.commit([putMeta(session.space, meta)]);
  session.meta = meta;
}

/** Of two losses that base has not been fetched anew for, the one that goes further back counts (DESIGN rule 12). */
function earlier(before: Aside | undefined, now: Aside): Aside {
  if (!before) return now;
  return { ...now, at: Math.min(before.at, now.at), exact: before.exact && now.exact };
}

/** Rows that the server may have lost are kept aside, and every domain is fetched again; base stands meanwhile. */
export function keepAside(session: SpaceSession, from: Aside): void {
  session.outbox.forgetVersions(from.exact ? from.at : 0);
  const rows: Row[] = [];
  for (const domain of session.domains) {
    for (const row of session.replica.baseRows(domain).values())
      if (!from.exact || row.version > from.at) rows.push(session.replica.present(row) as Row);
    session.refetch.add(domain);
  }
  session.exchanges.abandon();
  session.aside = { ...from, rows };
}

/** What is to be done about what a server lost. */
interface EndedRecovery {
  readonly items: readonly InboxItem[];
  /** Events that offer rows back. */
  readonly made: readonly PendingEvent[];
  /** To be called when all that is stored and shown. */
  tell(): void;
}

/** Ends a recovery with the cut that brings all that the server has; undefined while there is none, or it goes on. */
export function endRecovery(
  session: SpaceSession,
  cut: Cut,
  rowOf: (domain: string, key: string) => Row | undefined,
): EndedRecovery | undefined {
  const { aside, context, space } = session;
  if (!aside || ![...session.refetch].every((domain) => cut.reset.includes(domain))) return undefined;
  const { offers, items } = recoverRows(aside, rowOf, context.rules);
  // What shows of rows of a newer version is of that one, which a server that went back to an older one does not take.
  const shown = Math.min(session.meta.schema?.version ?? 0, cut.schema?.version ?? 0);
  const newest = Math.max(context.schemaVersion ?? 0, shown);
  const madeUnder = newest > 0 ? { schema: newest } : {};
  return {
    items,
    made: offers.map((op) => ({ ...session.newEvent({ ops: [op] }, context.stamps.next()), ...madeUnder })),
    tell() {
      if (offers.length > 0) context.wake();
      context.report(
        "recovered",
        `${space} is as the server has it; ${offers.length} rows that it had lost are offered back, ${items.length} are in the inbox.`,
      );
    },
  };
}

async function newGeneration(session: SpaceSession, error: SpaceError): Promise<Recovery> {
  const generation = error.generation;
  if (generation === undefined) return { next: "later", reason: error.message };
  if (error.reason === "wiped") {
    session.context.report("wiped", `The space ${session.space} was wiped.`);
    await leaveBase(session, "wiped", "The space was wiped before this edit was synced.", { generation });
    return { next: "again" };
  }
  session.context.report(
    "restored",
    `The server's copy of ${session.space} was restored from a backup; what it lost is kept here.`,
  );
  // `at` counts in the generation that the client knows only when that is the parent.
  const isParent = error.parent === session.meta.generation;
  const lost: Aside =
    isParent && error.at !== undefined
      ? { at: error.at, exact: true }
      : { at: Number.MAX_SAFE_INTEGER, exact: false };
  const recovering = earlier(session.meta.recovering, {
    ...lost,
    ...(error.recoverUntil === undefined ? {} : { until: error.recoverUntil }),
  });
  keepAside(session, recovering);
  const { lastSeq } = error;
  const isRestored = ({ restored, seq = Number.POSITIVE_INFINITY }: PendingEvent): boolean =>
    isParent && lastSeq !== undefined && (restored === true || seq <= lastSeq);
  await renumber(session, { generation, cursors: {}, recovering }, 1, isRestored);
  return { next: "again" };
}

/** One session's share of a renumbering: what to store, and what to do when it is stored. */
interface Renumbering {
  readonly changes: readonly StorageChange[];
  show(): Promise<void>;
}

/** Takes the seqs of a space's pending events back; they get new ones when they are sent, under their old ids. */
function planRenumber(
  session: SpaceSession,
  meta: Partial<ReplicaMeta>,
  nextSeq: number,
  isRestored?: (event: PendingEvent) => boolean,
): Renumbering {
  const device = session.meta.device ?? session.context.device();
  const changed = session.outbox.renumber(device, nextSeq, isRestored);
  const next: ReplicaMeta = {
    ...session.meta,
    device: session.context.device(),
    ...meta,
    nextSeq,
    revision: session.meta.revision + 1,
  };
  return {
    changes: [...changed.map((event) => putEvent(session.space, event)), putMeta(session.space, next)],
    async show() {
      session.meta = next;
      await session.rejoin();
      session.context.publish(session.space, { type: "reload" });
    },
  };
}

async function renumber(
  session: SpaceSession,
  meta: Partial<ReplicaMeta>,
  nextSeq: number,
  isRestored?: (event: PendingEvent) => boolean,
): Promise<void> {
  const plan = planRenumber(session, meta, nextSeq, isRestored);
  await session.commit(plan.changes);
  await plan.show();
}

/**
 * Gives all open spaces to a new device in one transaction with `changes` (DESIGN rule 3). The space that asks
 * is in its own turn already; the others are held until it is done.
 */
export async function forkSessions(
  sessions: readonly SpaceSession[],
  asking: SpaceSession,
  device: string,
  changes: readonly StorageChange[],
  committed: () => void,
): Promise<void> {
  const others = sessions.filter((session) => session !== asking);
  const holding = async (at: number): Promise<void> => {
    const next = others[at];
    if (next) return next.exclusively(() => holding(at + 1));
    for (const session of sessions) await session.joinStored();
    const plans = sessions.map((session) => planRenumber(session, { device }, 1));
    await asking.commit([...changes, ...plans.flatMap((plan) => plan.changes)]);
    committed();
    for (const plan of plans) await plan.show();
  };
  await holding(0);
}

async function seqGap(session: SpaceSession, expected: number): Promise<Recovery> {
  if (expected <= session.outbox.acked) {
    session.context.report(
      "history_lost",
      `The server has lost history of ${session.space}; it is read again, and what it lost is kept.`,
    );
    // What is known of the loss already is more than a gap tells.
    const recovering = session.meta.recovering ?? { at: Number.MAX_SAFE_INTEGER, exact: false };
    if (!session.aside) keepAside(session, recovering);
    await renumber(session, { recovering }, expected, () => false);
  } else await renumber(session, {}, expected);
  return { next: "again" };
}

/** The prefix that the other copy sent too is found to be duplicates when it is sent again with `was` (DESIGN rule 3). */
async function forked(session: SpaceSession): Promise<Recovery> {
  // Another space of the same answer may have been told before, and all have become the new device since they asked.
  if (session.exchanges.askedAs === session.context.device()) {
    session.context.report(
      "device_forked",
      "This installation was copied. This copy goes on as a new device.",
    );
    await session.context.forkDevice(session);
  }
  return { next: "again" };
}

/** The event is given up, and stays until its void is answered: an earlier send of it may have got through. */
async function tooLarge(session: SpaceSession, message: string): Promise<Recovery> {
  const [event] = session.outbox.events;
  if (!event || event.seq === undefined || event.void) return { next: "later", reason: message };
  const voided = { ...event, void: true as const, refused: { code: "too_large", message } };
  await session.commit([putEvent(session.space, voided)]);
  session.outbox.replace(voided);
  session.replica.update(voided);
  session.context.publish(session.space, { type: "sent", events: [voided] });
  return { next: "again" };
}
