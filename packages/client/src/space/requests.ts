import type { SpaceRequest } from "@landfall/protocol";
import type { Budget, SpacePart } from "../loop/port.js";
import type { PendingEvent } from "../replica/pending-event.js";
import type { Staging } from "../replica/staging.js";
import { StorageError } from "../storage/port.js";
import type { SpaceSession } from "./space-session.js";
import { putEvent, putMeta } from "./space-store.js";

type Sent = ReadonlyMap<string, PendingEvent>;
type Cursors = { readonly [domain: string]: number };

/** A request that was made before the answer to the one before it, and what that answer must come to. */
interface Ahead {
  readonly sent: Sent;
  readonly cursor: number;
  readonly generation: string;
}

/**
 * What the requests of a space carry. Numbers that are given to events are durable before they are sent
 * (DESIGN rule 3).
 */
export class Requests {
  readonly #session: SpaceSession;
  /** The events of the request whose answer comes next, by id. */
  sent: Sent = new Map();
  #ahead: Ahead | undefined;

  constructor(session: SpaceSession) {
    this.#session = session;
  }

  /** The part of a request that begins where `staging` is. @param isBlind it asks for no rows. */
  async next(
    budget: Budget & { readonly first: boolean },
    staging: Staging,
    isBlind: boolean,
  ): Promise<SpacePart> {
    this.#ahead = undefined;
    const { chosen, bytes } = await this.#choose(budget, (id) => staging.hasOutcome(id));
    // The cursors are places in the history of what is staged: base may have none yet.
    const { generation = this.#session.meta.generation, cursors, scan } = staging;
    this.sent = new Map(chosen.map((event) => [event.id, event]));
    const request = this.#toRequest(chosen, generation, (domain) => cursors[domain] ?? 0, scan);
    return { request: isBlind ? { ...request, cursors: {} } : request, bytes };
  }

  /**
   * The part that follows the one under way, on the expectation that all of its events are applied. It begins with the last event of that one: the server takes what follows only if that has been
   * handled, and was the same. @param cursor where that one begins.
   */
  async ahead(budget: Budget, cursor: number): Promise<SpacePart | undefined> {
    const { generation } = this.#session.meta;
    const { sent } = this;
    const last = [...sent.values()].at(-1);
    this.#ahead = undefined;
    if (!last || generation === undefined) return undefined;
    const { chosen, bytes } = await this.#choose(
      { events: budget.events - 1, bytes: budget.bytes - JSON.stringify(last).length, first: false },
      (id) => sent.has(id),
    );
    if (chosen.length === 0) return undefined;
    // What came with an earlier answer, since the server had handled it by then, has brought the cursor further already.
    const { outbox } = this.#session;
    let reached = cursor;
    for (const id of sent.keys()) if (!outbox.get(id)?.confirmed) reached += 1;
    this.#ahead = { sent: new Map(chosen.map((event) => [event.id, event])), cursor: reached, generation };
    return { request: this.#toRequest([last, ...chosen], generation, () => reached, {}), bytes };
  }

  /**
   * Whether the replica has come as far as `ahead` expected; then its answer is the one that comes next. Further is
   * as good: applying is monotone (DESIGN rule 5).
   */
  adopt(): boolean {
    const { meta, domains } = this.#session;
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (!ahead || meta.generation !== ahead.generation) return false;
    if (domains.some((domain) => (meta.cursors[domain] ?? 0) < ahead.cursor)) return false;
    this.sent = ahead.sent;
    return true;
  }

  async #choose(
    budget: Budget & { readonly first: boolean },
    isAsked: (id: string) => boolean,
  ): Promise<{ readonly chosen: readonly PendingEvent[]; readonly bytes: number }> {
    const session = this.#session;
    const choice = session.outbox.choose(budget, isAsked);
    const { numbered, nextSeq } = choice;
    if (numbered.length > 0) {
      const isNumbered = { has: (id: string) => numbered.some((event) => event.id === id) };
      const meta = { ...session.meta, nextSeq: session.outbox.storedSeq(isNumbered, nextSeq) };
      const isStored = await session
        .commit([...numbered.map((event) => putEvent(session.space, event)), putMeta(session.space, meta)])
        .then(
          () => true,
          (error: unknown) => {
            // Without room they go from memory. After a crash other writes may get the same seqs; the server
            // tells them apart by their ids, and a fork loses neither (DESIGN rule 3).
            if (!(error instanceof StorageError) || error.code !== "full") throw error;
            return false;
          },
        );
      if (isStored) session.meta = meta;
      session.outbox.number(choice, isStored);
      for (const event of numbered) session.replica.update(event);
      session.context.publish(session.space, { type: "sent", events: numbered });
    } else session.outbox.nextSeq = nextSeq;
    return choice;
  }

  #toRequest(
    chosen: readonly PendingEvent[],
    generation: string | undefined,
    cursorOf: (domain: string) => number,
    scan: Cursors,
  ): SpaceRequest {
    const { space, outbox, domains } = this.#session;
    return {
      space,
      ...(generation === undefined ? {} : { generation }),
      acked: outbox.acked,
      cursors: Object.fromEntries(domains.map((domain) => [domain, cursorOf(domain)])),
      ...(Object.keys(scan).length > 0 ? { scan } : {}),
      ...(chosen.length > 0 ? { events: outbox.toWire(chosen) } : {}),
    };
  }
}
