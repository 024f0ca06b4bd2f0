import type { DeltaMessage, Row, SpaceError } from "@landfall/protocol";
import type { Budget, Landing, Recovery, SpacePart, SyncedSpace } from "../loop/port.js";
import type { AnswerCheckpoint, AnswerEnd, AnswerHead } from "../remote/port.js";
import { type Horizons, forgottenDeletes } from "../replica/forgotten-deletes.js";
import { asKnown, rowsSchema, unreadable } from "../replica/rows-schema.js";
import { Staging } from "../replica/staging.js";
import { deltaCut } from "./delta-cut.js";
import { recover } from "./recovery.js";
import { Requests } from "./requests.js";
import type { SpaceSession } from "./space-session.js";
import { putMeta } from "./space-store.js";

/** The loop's side of an open space: what it asks of the server, and what answers have brought that is no cut yet. */
export class Exchanges implements SyncedSpace {
  readonly #session: SpaceSession;
  readonly #requests: Requests;
  #staging: Staging | undefined;
  /** The device that the newest request was made as. */
  askedAs = "";
  /** The request under way asks for no rows, since none could be read. */
  #isBlind = false;
  /** The horizons up to which base holds no tombstones any more. */
  #horizons: Horizons = {};
  /** The history that an answer is of which is not taken in. */
  #unread = "";

  constructor(session: SpaceSession) {
    this.#session = session;
    this.#requests = new Requests(session);
  }

  get space(): string {
    return this.#session.space;
  }

  get domains(): readonly string[] {
    return this.#session.domains;
  }

  get generation(): string | undefined {
    return this.#session.meta.generation;
  }

  /** What was written on a history that was lost waits until the rows that are offered back can go before it. */
  get #holds(): boolean {
    return this.#session.aside?.until !== undefined;
  }

  get sendable(): number {
    const { stopped, outbox } = this.#session;
    return stopped || this.#holds ? 0 : outbox.sendable(this.#staging?.outcomeCount ?? 0);
  }

  request(budget: Budget & { readonly first: boolean }): Promise<SpacePart | undefined> {
    const session = this.#session;
    return session.exclusively(async () => {
      if (session.stopped) return undefined;
      this.askedAs = session.context.device();
      const staging = (this.#staging ??= this.#stage());
      await this.#meet(staging.generation);
      const events = this.#holds ? 0 : budget.events;
      this.#isBlind = session.outdated !== undefined;
      return this.#requests.next({ ...budget, events }, staging, this.#isBlind);
    });
  }

  ahead(budget: Budget): Promise<SpacePart | undefined> {
    const session = this.#session;
    return session.exclusively(async () => {
      const staging = this.#staging;
      // Only a replica that is whole and in step can say where its writes will bring it.
      if (session.stopped || this.#isBlind || !staging?.isFresh || session.refetch.size > 0) return undefined;
      const cursor = staging.cursors[this.domains[0] ?? ""] ?? 0;
      if (this.domains.some((domain) => staging.cursors[domain] !== cursor)) return undefined;
      return this.#requests.ahead(budget, cursor);
    });
  }

  adopt(): Promise<boolean> {
    const session = this.#session;
    return session.exclusively(async () => {
      if (this.#staging || session.stopped || session.refetch.size > 0) return false;
      if (!this.#requests.adopt()) return false;
      this.#staging = this.#stage();
      return true;
    });
  }

  #stage(): Staging {
    const { meta, refetch, replica, context } = this.#session;
    return new Staging({
      cursors: meta.cursors,
      reset: refetch,
      baseRow: (domain, key) => replica.baseRow(domain, key),
      rules: context.rules,
    });
  }

  begin(head: AnswerHead): void {
    const session = this.#session;
    const { schema } = session.meta;
    const { schemaVersion } = session.context;
    session.outdated =
      unreadable(asKnown(rowsSchema(head), schema), schemaVersion) ?? unreadable(schema, schemaVersion);
    // Nothing is taken in of rows that cannot be read, nor of what counts as in them (DESIGN rule 5).
    if (session.outdated === undefined && !this.#isBlind) this.#staging?.begin(head, this.#requests.sent);
    else {
      this.#staging = undefined;
      this.#unread = head.generation;
    }
  }

  rows(rows: readonly Row[]): void {
    this.#staging?.rows(rows);
    this.#session.observe(rows);
  }

  checkpoint(checkpoint: AnswerCheckpoint): void {
    this.#staging?.checkpoint(checkpoint);
  }

  async end(end: AnswerEnd): Promise<Landing> {
    const session = this.#session;
    const staging = this.#staging;
    if (!staging) {
      await session.exclusively(() => this.#meet(this.#unread));
      return { moreToFetch: this.#isBlind, outdated: session.outdated };
    }
    staging.end(end);
    const retryAfterMs = staging.deferredForMs;
    if (!end.more) await this.#land(staging, end.horizons);
    return { moreToFetch: end.more, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }

  failed(error: SpaceError): Promise<Recovery> {
    return this.#session.exclusively(async () => {
      this.#staging = undefined;
      return recover(this.#session, error);
    });
  }

  isBehind(heads: { readonly [domain: string]: number }): boolean {
    const { meta, refetch } = this.#session;
    if (refetch.size > 0) return true;
    return this.domains.some((domain) => (heads[domain] ?? 0) > (meta.cursors[domain] ?? 0));
  }

  /** Fetches a domain anew: now, or behind what is being fetched already. */
  fetchAgain(domain: string): void {
    this.#session.refetch.add(domain);
    if (!this.#staging) this.#session.context.wake();
  }

  /** Forgets what answers have brought so far: it was staged for a base that is to be fetched anew. */
  abandon(): void {
    this.#staging = undefined;
  }

  delta(message: DeltaMessage): Promise<boolean> {
    const session = this.#session;
    return session.exclusively(async () => {
      const { meta, domains, replica } = session;
      if (session.stopped || this.#staging || session.aside || message.generation !== meta.generation)
        return false;
      if (session.outdated !== undefined) return false;
      const cut = deltaCut(message, domains, meta, (domain, key) => replica.baseRow(domain, key));
      if (cut === undefined || cut === "known") return cut === "known";
      session.observe(message.rows);
      await session.apply(cut);
      return true;
    });
  }

  /**
   * Takes in the history that the space is of before a cut of it is there: what is sent to it must not be sent to one that
   * follows on a wipe, and of what it had of that a restored one says how far it goes (DESIGN rule 12).
   */
  async #meet(generation: string | undefined): Promise<void> {
    const session = this.#session;
    if (generation === undefined || session.meta.generation !== undefined) return;
    const { create: _create, ...meta } = session.meta;
    session.meta = { ...meta, generation };
    // What cannot be stored holds until the app ends, or something else is stored of the space.
    await session.commit([putMeta(session.space, session.meta)]).catch(() => undefined);
  }

  #land(staging: Staging, horizons: Horizons): Promise<void> {
    const session = this.#session;
    return session.exclusively(async () => {
      if (this.#staging !== staging) return;
      const brought = staging.toCut();
      const gone = forgottenDeletes(horizons, this.#horizons, brought, session.replica);
      const cut = gone ? { ...brought, gone } : brought;
      await session.apply(cut);
      this.#staging = undefined;
      this.#horizons = horizons;
      for (const domain of cut.reset) session.refetch.delete(domain);
      const { digests, repairs } = session;
      digests.compare(
        cut.digests,
        (domain, index) => !session.stopped && session.meta.cursors[domain] === index,
        (domain, agrees) => (agrees ? repairs.agrees(domain) : repairs.differs(domain)),
      );
    });
  }
}
