import { type Op, type Row, type Stamp, opsConflict } from "@landfall/protocol";
import { tell } from "../listeners.js";
import type { Cut } from "../replica/cut.js";
import { DigestKeeper } from "../replica/digest-keeper.js";
import type { Effects } from "../replica/effects.js";
import type { EventInMaking, PendingEvent } from "../replica/pending-event.js";
import { type BasePatch, Replica } from "../replica/replica.js";
import type { Present } from "../replica/present.js";
import { schemaAfter, unreadable } from "../replica/rows-schema.js";
import { FencedError, type StorageChange } from "../storage/port.js";
import { basePatch } from "./base-patch.js";
import { WriteError } from "./domain-writes.js";
import { Exchanges } from "./exchanges.js";
import type { InboxItem } from "./inbox-item.js";
import type { KeptAside } from "./lost-rows.js";
import { LocalRecords } from "./local-records.js";
import { OtherTabs } from "./other-tabs.js";
import { Outbox } from "./outbox.js";
import { type NewEvent, type Receipt, Receipts, shownAtOnce } from "./receipt.js";
import { mendDomain } from "./mending.js";
import { RecordIndexes } from "./record-indexes.js";
import { Repairs } from "./repairs.js";
import { endRecovery, keepAside } from "./recovery.js";
import { Saver, type Written } from "./saver.js";
import { Serial } from "./serial.js";
import type { SessionContext } from "./session-context.js";
import { type Settlement, settle } from "./settlement.js";
import { newsOf } from "./space-news.js";
import { type ReplicaMeta, cutChanges, emptyMeta, loadSpace, putEvent, putMeta } from "./space-store.js";

/**
 * One open space: its replica and its outbox, between the storage and the loop. Every step of base goes through its
 * serial queue; local writes show at once.
 */
export class SpaceSession {
  readonly space: string;
  readonly replica: Replica;
  readonly indexes: RecordIndexes;
  readonly outbox = new Outbox();
  readonly receipts = new Receipts();
  readonly inbox = new Map<string, InboxItem>();
  readonly context: SessionContext;
  readonly domains: readonly string[];
  readonly #inboxListeners = new Set<() => void>();
  readonly #serial = new Serial();
  readonly #saver: Saver;
  /** What receipts say of the newest transaction. */
  #safe: { readonly stored: Promise<void>; readonly saved: Promise<void> } | undefined;
  readonly digests: DigestKeeper;
  readonly repairs: Repairs;
  meta: ReplicaMeta;
  /** Domains that the client itself asks for anew. */
  readonly refetch = new Set<string>();
  /** Rows that a restored server may have lost; told of once base has been fetched again (DESIGN rule 12). */
  aside: KeptAside | undefined;
  readonly exchanges = new Exchanges(this);
  readonly otherTabs: OtherTabs;
  readonly local = new LocalRecords(this);
  stopped = false;
  /** Why this app cannot take in what the server or another tab has: it is older. */
  outdated: string | undefined;

  private constructor(space: string, context: SessionContext, meta: ReplicaMeta) {
    this.space = space;
    this.context = context;
    this.domains = context.domains;
    this.meta = meta;
    this.otherTabs = new OtherTabs(this);
    this.replica = new Replica(context.rules);
    this.indexes = new RecordIndexes(this.replica);
    const written: Written = (events, refusal) => this.#written(events, refusal);
    this.#saver = new Saver(() => context.storage, written);
    this.digests = new DigestKeeper({
      hash: context.hash,
      timers: context.timers,
      current: (domain, key) => this.replica.baseRow(domain, key),
    });
    this.repairs = new Repairs(context.timers, {
      mend: (domain) => mendDomain(this, domain),
      fetchAgain: (domain) => this.exchanges.fetchAgain(domain),
      report: (code, message) => context.report(code, `${space}: ${message}`),
      changed: () => context.changed(),
    });
    this.outdated = unreadable(meta.schema, context.schemaVersion);
    this.replica.onBaseRows = (domain, rows, base) => this.digests.note(domain, rows, base);
  }

  /** Opens a space from the storage; offline it is as it was left. */
  static async open(
    space: string,
    context: SessionContext,
    options: { create?: boolean } = {},
  ): Promise<SpaceSession> {
    const stored = await loadSpace(context.storage, space);
    const meta: ReplicaMeta = {
      ...stored.meta,
      device: stored.meta.device ?? context.device(),
      ...(options.create && !stored.meta.generation ? { create: true } : {}),
    };
    const session = new SpaceSession(space, context, meta);
    if (stored.meta === emptyMeta) {
      const made = context.storage.commit([putMeta(space, meta)]);
      await made.catch((error: unknown) => {
        if (!context.unstored(error)) throw error;
      });
    }
    session.changeInbox(stored.inbox, []);
    session.outbox.nextSeq = meta.nextSeq;
    for (const event of stored.outbox) session.join(event);
    session.local.replace(stored.local);
    // Rows that this app cannot read are left where they are.
    await session.rejoin(session.outdated === undefined ? stored.rows : new Map());
    for (const rows of stored.rows.values()) session.observe(rows.values());
    if (meta.recovering) keepAside(session, meta.recovering);
    return session;
  }

  /**
   * Runs over base with a patch whatever is in the outbox by now and has no effect in base yet. Where base is to stay an
   * older one than is stored, what is over stays with it. @param refused ids of events that have come to nothing.
   */
  rejoin(patch: BasePatch = new Map(), refused: ReadonlySet<string> = new Set()): void | Promise<void> {
    const isOlder = this.outdated !== undefined && patch.size === 0;
    const isOver = (id: string): boolean => isOlder && !this.outbox.get(id) && !refused.has(id);
    const ids = this.replica.pending.map(({ id }) => id);
    this.replica.confirm(ids.filter(isOver));
    const remove = new Set(ids.filter((id) => !isOver(id)));
    // What is confirmed may be in the base that is here, unless it shows over it or there is none.
    const isBaseless = this.domains.every((domain) => this.replica.baseRows(domain).size === 0);
    const add = this.outbox.events.filter(
      (event) =>
        (!event.confirmed || (isOlder && (isBaseless || remove.has(event.id)))) &&
        (!event.void || event.refused) &&
        this.shows(event),
    );
    return this.replica.step({ patch, remove, add, ...this.#presented });
  }

  /** How base shows, unless what stands in memory is another one than the stored, which cannot be read. */
  get #presented(): { readonly present?: Present } {
    const { schema } = this.meta;
    const { presenter, schemaVersion } = this.context;
    return unreadable(schema, schemaVersion) === undefined ? { present: presenter(schema?.version) } : {};
  }

  /** Whether an event is of a version that this app can read; another is only sent, when this tab leads. */
  shows({ schema = 0 }: PendingEvent): boolean {
    const app = this.context.schemaVersion ?? Number.POSITIVE_INFINITY;
    return schema <= app || (this.outdated === undefined && schema <= (this.meta.schema?.version ?? 0));
  }

  /** An event that the storage or another tab has joins the outbox. */
  join(event: PendingEvent): PendingEvent {
    const migrated = this.context.migrate(event);
    this.context.stamps.observe(event.id);
    this.outbox.add(migrated, true);
    return migrated;
  }

  /** Takes in writes that are stored and that nobody has told of yet, as a tab that died before it could. They do not show yet. */
  async joinStored(): Promise<void> {
    for (const { value } of await this.context.storage.entries("outbox", this.space)) {
      const event = value as PendingEvent;
      if (!this.outbox.knows(event.id)) this.join(event);
    }
  }

  /** Stamps to come lie above those of rows that are seen. */
  observe(rows: Iterable<Row>): void {
    let newest = "";
    for (const row of rows) {
      if (row.deleted) continue;
      for (const field in row.stamps) if (row.stamps[field]! > newest) newest = row.stamps[field]!;
    }
    if (newest) this.context.stamps.observe(newest);
  }

  /** Has the space created at the next contact, unless it has had one. @returns whether that is news to whoever leads */
  wish(): Promise<boolean> {
    return this.exclusively(async () => {
      const { meta, context } = this;
      if (context.term() === undefined || meta.generation !== undefined || meta.create) return false;
      this.meta = { ...meta, create: true };
      // What cannot be stored holds until the app ends, and that wishes for it again.
      await this.commit([putMeta(this.space, this.meta)]).catch(() => undefined);
      return true;
    });
  }

  // --- local writes -------------------------------------------------------------------------------------

  /** Writes built-in ops, unless they could not stand in the view as it is. @throws WriteError */
  writeOps(ops: readonly Op[], expect?: NewEvent["expect"]): Receipt {
    const id = this.context.stamps.next();
    const conflict = opsConflict(ops);
    if (conflict !== undefined) throw new WriteError("invalid", conflict);
    const tried = this.replica.try(ops, id);
    if (tried.failure) throw new WriteError(tried.failure.code, tried.failure.message);
    return this.write(expect ? { ops, expect } : { ops }, id, tried);
  }

  /** @throws WriteError where nothing would ever be stored or sent of a write. */
  checkWritable(): void {
    if (this.stopped) throw new WriteError("stopped", "Nothing was written: the client was closed.");
    if (this.context.leaving())
      throw new WriteError(
        "unauthorized",
        "Nothing was written: somebody signs out, or was signed out. Sign in first.",
      );
  }

  /**
   * Writes a pending event (DESIGN rule 1). Built-in ops show before this returns; an action shows as soon as
   * its function has run. @param tried what built-in ops do in the view as it is.
   */
  write(input: NewEvent, id = this.context.stamps.next(), tried?: Effects): Receipt {
    this.checkWritable();
    const event = this.newEvent(input, id);
    // It shows first: what the rest costs, nobody who looks has to wait for.
    if (tried) this.replica.append(event, tried);
    this.outbox.add(event, false);
    const shown = tried ? shownAtOnce : this.#serial.run(() => this.replica.step({ add: [event] }));
    const clock = this.context.clockChange();
    const stored = this.#saver.write(event, ...(clock ? [clock] : []), putEvent(this.space, event));
    return { id, saved: this.safe(stored), settled: this.receipts.expect(id), shown };
  }

  /** Writes that were stored together may be sent, and are told to other tabs. */
  #written(events: readonly PendingEvent[], refusal?: { readonly cause: unknown }): void {
    if (refusal) {
      // What cannot be kept here can still be kept by the server: the leader sends it from memory.
      this.context.report("storage", `A write could not be stored on this device: ${String(refusal.cause)}`);
      this.context.unstored(refusal.cause);
    } else this.context.stored();
    for (const { id } of events) this.outbox.markReady(id, !refusal);
    this.context.wake();
    this.tellWrites(events, !refusal);
  }

  /** Tells other tabs of writes, but of none that were settled meanwhile. */
  tellWrites(told: readonly PendingEvent[], isStored: boolean): void {
    const events = told.filter(({ id }) => this.outbox.get(id));
    if (events.length > 0)
      this.context.publish(this.space, { type: "write", events, isStored, revision: this.meta.revision });
  }

  /** An event as it joins the outbox. */
  newEvent(input: NewEvent, id: Stamp): PendingEvent {
    const { schemaVersion: schema, wall } = this.context;
    const made: EventInMaking = { id, madeAt: wall.now(), ...input };
    if (schema !== undefined) made.schema = schema;
    if (this.meta.generation !== undefined) made.generation = this.meta.generation;
    return made;
  }

  // --- one step of base ---------------------------------------------------------------------------------

  /** Stores changes under the leader's term. */
  commit(changes: readonly StorageChange[]): Promise<void> {
    const term = this.context.term();
    if (term === undefined) return Promise.reject(new FencedError("Nothing was written: another tab leads."));
    return this.context.storage.commit(changes, { space: "", term }).then(
      () => this.context.stored(),
      (error: unknown) => {
        if (error instanceof FencedError) this.context.fenced();
        else this.context.unstored(error);
        throw error;
      },
    );
  }

  /** Stores a cut, then shows it, then tells who waits (DESIGN rule 5). */
  async apply(cut: Cut, more: readonly InboxItem[] = []): Promise<void> {
    const schema = schemaAfter(cut, this.meta.schema, this.domains);
    const present = this.context.presenter(schema?.version);
    const rowOf = (domain: string, key: string): Row | undefined =>
      present(
        cut.rows.get(domain)?.get(key) ??
          (cut.reset.includes(domain) ? undefined : this.replica.baseRow(domain, key)),
      );
    const { settled, changed, items } = settle(
      cut,
      this.outbox,
      rowOf,
      (domain, key) => this.replica.present(this.replica.baseRow(domain, key)),
      this.context.fieldNow,
    );
    const recovered = endRecovery(this, cut, rowOf);
    const made = recovered?.made ?? [];
    // Put together member by member: spreading over what is there already is slow, and a delta is to be fast.
    const told: Settlement = {
      settled,
      changed,
      items: this.inThisVersion([...items, ...(recovered?.items ?? []), ...more]),
      made,
    };
    const next: { -readonly [M in keyof ReplicaMeta]: ReplicaMeta[M] } = {
      ...this.meta,
      generation: cut.generation,
      schema,
      cursors: cut.cursors,
      nextSeq: this.outbox.storedSeq(settled),
      revision: this.meta.revision + 1,
      syncedAt: this.context.wall.now(),
    };
    delete next.create;
    if (recovered) delete next.recovering;
    const changes = cutChanges(this.space, cut, told);
    const clock = made[0] && this.context.clockChange();
    changes.push(...(clock ? [clock] : []), putMeta(this.space, next));
    await this.commit(changes);
    this.meta = next;
    if (recovered) this.aside = undefined;
    const showing = this.show(cut, told);
    if (showing) await showing;
    recovered?.tell();
    const news = newsOf({ ...cut, schema }, told, next.revision, recovered !== undefined);
    this.context.publish(this.space, news);
  }

  /** Shows a cut that is stored. */
  show(cut: Cut, settlement: Settlement): void | Promise<void> {
    const patch = basePatch(cut, (domain) => this.replica.baseRows(domain));
    const { settled, changed, items, made = [] } = settlement;
    const remove = new Set(settled.keys());
    for (const { id } of changed) remove.add(id);
    for (const event of made) this.join(event);
    const add = [...changed.filter((event) => !event.void && !event.confirmed), ...made].filter((event) =>
      this.shows(event),
    );
    this.outbox.removeAll(settled);
    if (this.outbox.letGo()) this.otherTabs.forgot();
    for (const event of changed) this.outbox.replace(event);
    const tellRest = (): void => {
      if (items.length > 0) this.changeInbox(items, []);
      settled.forEach((outcome, id) => this.receipts.settle(id, outcome));
    };
    const stepping = this.replica.step({ patch, remove, add, ...this.#presented });
    return stepping ? stepping.then(tellRest) : tellRest();
  }

  // --- inbox and local domains --------------------------------------------------------------------------

  subscribeInbox(listener: () => void): () => void {
    this.#inboxListeners.add(listener);
    return () => this.#inboxListeners.delete(listener);
  }

  changeInbox(put: readonly InboxItem[], drop: readonly string[]): void {
    for (const item of put) this.inbox.set(item.id, this.context.migrateItem(item));
    for (const id of drop) this.inbox.delete(id);
    tell(this.#inboxListeners);
  }

  /** What items say of records is in the app's version: it is made of what shows. */
  inThisVersion(items: readonly InboxItem[]): readonly InboxItem[] {
    const { schemaVersion: schema } = this.context;
    return schema === undefined ? items : items.map((item) => ({ ...item, schema }));
  }

  /** Stores changes that are the device's own and no step of base. */
  save(...changes: StorageChange[]): Promise<void> {
    return this.#saver.put(...changes);
  }

  /** What a receipt may say of changes that are stored: in memory that stands in for a storage nothing is safe. */
  safe(stored: Promise<void>): Promise<void> {
    if (this.#safe?.stored === stored) return this.#safe.saved;
    const saved = stored.then(() => {
      const refusal = this.context.refusal();
      if (refusal) throw refusal;
    });
    // The status says it too; an app need not ask.
    saved.catch(() => undefined);
    this.#safe = { stored, saved };
    return saved;
  }

  /** Runs after every step before it, and before every one after. */
  exclusively<T>(task: () => Promise<T>): Promise<T> {
    return this.#serial.run(task);
  }

  /** Takes no more steps; resolves when what was written is stored. */
  async close(): Promise<void> {
    this.stopped = true;
    this.digests.stop();
    this.repairs.stop();
    await this.#serial.run(() => this.saved());
  }

  /** Resolves when what was written so far is stored, or the storage has refused it. */
  saved(): Promise<void> {
    return this.#saver.idle();
  }
}
