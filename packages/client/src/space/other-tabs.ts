import type { Row } from "@landfall/protocol";
import type { PendingEvent } from "../replica/pending-event.js";
import { unreadable } from "../replica/rows-schema.js";
import { differingRows } from "./base-patch.js";
import { keepAside } from "./recovery.js";
import { type SettledOutcome, type Settlement, endOf } from "./settlement.js";
import { type CutNews, type SpaceNews, type WriteNews, settledBy } from "./space-news.js";
import type { SpaceSession } from "./space-session.js";
import { loadMeta, loadSpace } from "./space-store.js";

/**
 * What an open space takes in of the other tabs that share its storage: what they tell of it, and, where something of that
 * was missed, the storage itself (docs/decisions/tabs.md).
 */
export class OtherTabs {
  readonly #session: SpaceSession;
  /** Writes of other tabs, heard with nothing else in between, that wait to be taken in. */
  #heard: WriteNews[] = [];
  /** What news that waits to be taken in tells of writes that are over: in the storage they may be that already. */
  readonly #over = new Map<string, SettledOutcome>();
  /** The revision at which the storage was read: this tab has heard of all that was settled since then. */
  #readAt: number;

  constructor(session: SpaceSession) {
    this.#session = session;
    this.#readAt = session.meta.revision;
  }

  /** Of what was settled up to the next cut not all is remembered any more: the storage tells. */
  forgot(): void {
    this.#readAt = this.#session.meta.revision + 1;
  }

  /** Takes in what another tab told of this space. */
  hear(news: SpaceNews): Promise<void> {
    if (news.type === "write") this.#heard.push(news);
    else this.#heard = [];
    if (news.type === "local") this.#session.local.hear(news.rows);
    const heard = this.#heard;
    const settled = settledBy(news);
    for (const [id, outcome] of settled) this.#over.set(id, outcome);
    return this.#session.exclusively(async () => {
      try {
        if (!this.#session.stopped) await this.#take(news, heard);
      } finally {
        for (const id of settled.keys()) this.#over.delete(id);
      }
    });
  }

  #take(news: SpaceNews, heard: WriteNews[]): void | Promise<void> {
    const session = this.#session;
    const { outbox, meta } = session;
    switch (news.type) {
      case "write":
        return this.#takeIn(heard.splice(0));
      case "sent":
        return this.#takeSent(news.events.map(this.#inThisVersion));
      case "cut":
        // After a gap the storage is read again; of what it had no room for only this word tells that it is over.
        const steps = news.revision - meta.revision;
        if (!outbox.remember(news.settlement.settled) && steps < 1) return;
        if (this.#cannotRead(news)) return this.#leaveOut(news, steps > 1);
        if (steps !== 1) return this.#reload();
        session.meta = {
          ...meta,
          generation: news.cut.generation,
          schema: news.cut.schema,
          cursors: news.cut.cursors,
          revision: news.revision,
          syncedAt: session.context.wall.now(),
        };
        for (const rows of news.cut.rows.values()) session.observe(rows.values());
        return session.show(news.cut, this.#brought(news.settlement));
      case "inbox":
        return session.changeInbox(news.put, news.drop);
      case "local":
        return session.local.takeIn();
      case "reload":
        return this.#reload();
      case "opened":
        // What no storage had room for a new tab learns from those that know of it: numbers, and then what comes after them.
        const { refused } = outbox;
        if (refused.length > 0) session.context.publish(session.space, { type: "sent", events: outbox.sent });
        return session.tellWrites(refused, false);
    }
  }

  #takeSent(events: readonly PendingEvent[]): void | Promise<void> {
    const { outbox, replica } = this.#session;
    for (const event of events) outbox.replace(event);
    return replica.sent(events);
  }

  /** Whether a cut is of a newer version of the app than this tab. */
  #cannotRead({ cut }: CutNews): boolean {
    const reason = unreadable(cut.schema, this.#session.context.schemaVersion);
    if (reason !== undefined) this.#session.outdated = reason;
    return reason !== undefined;
  }

  /** What is here stays as it was before a cut that cannot be read, and what the cut has settled goes on showing over it. */
  async #leaveOut({ settlement, revision }: CutNews, isAfterGap: boolean): Promise<void> {
    const session = this.#session;
    const { settled, items } = settlement;
    session.outbox.removeAll(settled);
    const refused = [...settled].filter(([, outcome]) => endOf(outcome) === "rejected");
    await session.replica.step({ remove: new Set(refused.map(([id]) => id)) });
    session.replica.confirm(settled.keys());
    for (const [id, outcome] of settled) session.receipts.settle(id, outcome);
    if (isAfterGap) return this.#reload();
    session.meta = { ...session.meta, revision };
    session.changeInbox(items, []);
    session.context.changed();
  }

  /** The events of a cut of a tab of another version. */
  #brought({ changed, made, ...rest }: Settlement): Settlement {
    const bring = this.#inThisVersion;
    return { ...rest, changed: changed.map(bring), ...(made && { made: made.map(bring) }) };
  }

  /** An event that another tab has told or stored. What a newer one has brought over to send it shows here as it was written. */
  readonly #inThisVersion = (event: PendingEvent): PendingEvent => {
    const { context, outbox } = this.#session;
    const known = outbox.get(event.id);
    if (!known?.schema || !event.schema || event.schema <= known.schema) return context.migrate(event);
    const { schema, ops, action, args } = known;
    return { ...event, schema, ...(ops ? { ops } : { action, args }) };
  };

  /**
   * Takes in writes of other tabs, as many as wait: a reading of the storage waits for what the other tab writes at
   * that time, so one reading for each would leave this tab further and further behind.
   */
  async #takeIn(heard: readonly WriteNews[]): Promise<void> {
    const { space, context, outbox, replica } = this.#session;
    const add: PendingEvent[] = [];
    const look = async (event: PendingEvent, { isStored, revision }: WriteNews): Promise<void> => {
      if (outbox.knows(event.id)) return;
      // It was pending where its tab stood; what was settled from there to where this one read the storage, that tells.
      if (isStored && revision < this.#readAt) {
        if (!(await context.storage.get("outbox", space, event.id))) return;
      }
      const joined = this.#session.join(event);
      outbox.markReady(event.id, isStored);
      if (this.#session.shows(joined)) add.push(joined);
    };
    await Promise.all(heard.flatMap((news) => news.events.map((event) => look(event, news))));
    await replica.step({ add });
    context.wake();
  }

  /**
   * Takes the replica from the storage again, telling listeners only of what differs. What a leader had not told of the
   * seqs that it gave, others hear of by this tab.
   * @param leads nobody else moves base. @param isAdopted the storage is that of the account which has taken over a guest's data.
   */
  reload(leads = false, isAdopted = false): Promise<void> {
    this.#heard = [];
    const { space, context, outbox } = this.#session;
    return this.#session.exclusively(async () => {
      if (this.#session.stopped) return;
      await this.#reload(leads, isAdopted);
      context.publish(space, { type: "sent", events: outbox.sent });
    });
  }

  /**
   * Takes the replica from another account's storage; nothing that was only in memory may come along (DESIGN §8).
   * @param why what has become of the account
   */
  leaveAccount(why: string): Promise<void> {
    const { space, context, outbox } = this.#session;
    return this.#session.exclusively(async () => {
      const { refused } = outbox;
      if (refused.length > 0)
        context.report(
          "unsynced_lost",
          `${refused.length} writes to ${space} could not be stored on this device, and are lost: ${why}.`,
        );
      for (const { id } of refused) outbox.markReady(id, true);
      this.#session.receipts.forget();
      if (!this.#session.stopped) await this.#reload(false, true);
    });
  }

  async #reload(leads = false, isOtherAccount = false): Promise<void> {
    const session = this.#session;
    const { space, context, outbox, replica } = session;
    const { storage } = context;
    // What is on its way to the storage by now, or was refused by it, may not be found there and is not gone.
    const gone = outbox.stored;
    // Every step of base counts the revision up: where it is ours, we hold its rows, and reading them costs most of an opening.
    const hasBase = leads && (await loadMeta(storage, space))?.revision === session.meta.revision;
    const stored = await session.local.read(loadSpace(storage, space, hasBase));
    session.local.replace(stored.local, isOtherAccount);
    // A write that the storage had refused was sent by the leader from memory: only its word of it tells that it is over.
    for (const id of this.#over.keys()) gone.add(id);
    session.exchanges.abandon();
    // Who takes numbers back counts the revision up.
    const isAsKnown = stored.meta.revision === session.meta.revision;
    session.meta = stored.meta;
    session.outdated = unreadable(stored.meta.schema, context.schemaVersion);
    this.#readAt = stored.meta.revision;
    outbox.nextSeq = stored.meta.nextSeq;
    for (const rows of stored.rows.values()) session.observe(rows.values());
    const patch = new Map<string, Map<string, Row | null>>();
    const isReadable = session.outdated === undefined;
    // Of rows that this app cannot read, those stay that it could, with what was written over them.
    for (const domain of hasBase || !(isReadable || isOtherAccount) ? [] : session.domains)
      patch.set(
        domain,
        differingRows(replica.baseRows(domain), isReadable ? stored.rows.get(domain) : undefined),
      );
    for (const event of stored.outbox) {
      gone.delete(event.id);
      const migrated = this.#inThisVersion(event);
      outbox.reread(migrated, isAsKnown);
      session.join(migrated);
    }
    outbox.removeAll(gone);
    const refused = stored.inbox.flatMap(({ kind, event }) =>
      event && kind !== "superseded" ? [event.id] : [],
    );
    for (const [id, outcome] of this.#over) if (endOf(outcome) === "rejected") refused.push(id);
    await session.rejoin(patch, new Set(refused));
    // What was kept aside is of the base that stood before; what is stored says whether a recovery is under way.
    session.aside = undefined;
    session.refetch.clear();
    if (stored.meta.recovering) keepAside(session, stored.meta.recovering);
    session.inbox.clear();
    session.changeInbox(stored.inbox, []);
    for (const id of gone) {
      const outcome = this.#over.get(id);
      if (outcome) session.receipts.settle(id, outcome);
      else session.receipts.lose(id);
    }
  }
}
