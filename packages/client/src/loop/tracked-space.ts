import type { SpaceError } from "@landfall/protocol";
import { keepSame } from "../keep-same.js";
import type { AnswerEnd, AnswerHead } from "../remote/port.js";
import type { Ahead } from "./ahead.js";
import { askedMs, backoffMs, confirmMs, stoppedMs } from "./pace.js";
import type {
  Budget,
  Landing,
  Progress,
  Recovery,
  SpacePart,
  SpaceState,
  SpaceSync,
  SyncedSpace,
} from "./port.js";

/** What can happen to a space: a whole cut landed, a part of one, trouble, or somebody asks to try again. A stop names its state. */
type SpaceEvent = "landed" | "partial" | "trouble" | "retry";

/** The life of a space while the client as a whole is in order: every state times every event. */
const table: { readonly [S in SpaceState]: { readonly [E in SpaceEvent]: SpaceState } } = {
  "catching-up": { landed: "live", partial: "catching-up", trouble: "catching-up", retry: "catching-up" },
  live: { landed: "live", partial: "catching-up", trouble: "catching-up", retry: "live" },
  outdated: { landed: "live", partial: "catching-up", trouble: "outdated", retry: "catching-up" },
  revoked: { landed: "live", partial: "catching-up", trouble: "revoked", retry: "catching-up" },
  // Evidence of a server's fault is not talked away by asking again (DESIGN §9).
  frozen: { landed: "frozen", partial: "frozen", trouble: "frozen", retry: "frozen" },
};

/** So many times in a row a space may ask again at once without having come further; only a fault needs more. */
const freeStalls = 2;

const never = Number.POSITIVE_INFINITY;

export interface TrackingPorts {
  now(): number;
  /** In [0, 1). */
  chance(): number;
  serverMs(): number;
  idleMs(tracked: TrackedSpace): number;
}

/** Why writes wait though everything has been fetched. */
export const deferredReason = "The server asked to send some writes later.";

/** A space as the loop knows it: its state, and when it is to be asked next. Times are uptime in milliseconds. */
export class TrackedSpace {
  readonly space: SyncedSpace;
  readonly #ports: TrackingPorts;
  sync: SpaceSync = { state: "catching-up", reason: "", progress: null, lastSyncedAt: null };
  /** The socket tells of its changes. */
  watched = false;
  /** Removed, perhaps while an answer was under way. */
  closed = false;
  /** The exchange in which it was last served: those that waited longest go first. */
  turn = 0;
  /** What was sent before the request under way was answered; and the exchange before which nothing is. */
  ahead: Ahead | undefined;
  noAheadBefore = 0;
  /** The newest delta, while it is being taken in. */
  delta: Promise<void> | undefined;
  /** It could not send in the newest exchange because others used up the request. */
  #denied = false;
  /** Looks that were asked for; how many the exchange under way answers, and how many were answered. */
  #looks = 1;
  #looking = 0;
  #looked = 0;
  /** From when the idle time runs, and its share that this space takes, so that not all are asked together. */
  #idleFromMs = 0;
  #share = 1;
  /** Trouble: not asked before. */
  #notBeforeMs = 0;
  /** A deferred event: nothing is sent before. */
  #sendAtMs = 0;
  /** What pokes and `heads` have named. */
  #heads: { [domain: string]: number } = {};
  /** Where the last answer left the space, and how often in a row it asked again without having come further. */
  #mark = "";
  #stalls = 0;
  /** Up to where its outbox was settled when it asked: duplicates move nothing else. */
  #acked = 0;
  /** The versions from and to which it catches up. */
  #cursor = 0;
  #from: number | undefined;
  #to = 0;

  constructor(space: SyncedSpace, ports: TrackingPorts) {
    this.space = space;
    this.#ports = ports;
  }

  #set(change: Partial<SpaceSync>): void {
    this.sync = keepSame(this.sync, { ...this.sync, ...change });
  }

  #pass(event: SpaceEvent, change: Partial<SpaceSync>): void {
    this.#set({ reason: "", ...change, state: table[this.sync.state][event] });
  }

  /** Whether events may go now. */
  get maySend(): boolean {
    return this.#sendAtMs <= this.#ports.now();
  }

  get #wantedAtMs(): number {
    const { space, sync } = this;
    if (sync.state === "frozen") return never;
    const isStopped = sync.state === "outdated" || sync.state === "revoked";
    if (isStopped || this.#looks > this.#looked || space.isBehind(this.#heads)) return 0;
    return Math.min(
      this.#idleFromMs + this.#ports.idleMs(this) * this.#share,
      space.sendable > 0 ? this.#sendAtMs : never,
    );
  }

  /** When it is to be asked next; Infinity when not by itself. */
  get dueAtMs(): number {
    return Math.max(this.#wantedAtMs, this.#notBeforeMs);
  }

  /**
   * Has it asked where the server is in another history: what was lost of its own lies below indexes that a device has seen
   * (DESIGN rule 12). @returns whether it is: then what else was said counts in that history, and not in base's.
   */
  part(generation: string | undefined): boolean {
    const { generation: own } = this.space;
    const parts = generation !== undefined && own !== undefined && generation !== own;
    if (parts) this.look();
    return parts;
  }

  /** Has it asked soon, after what is under way, if it goes on at all. */
  look(): void {
    this.#looks += 1;
  }

  /** The idle time begins anew. */
  idle(): void {
    this.#idleFromMs = this.#ports.now();
    this.#share = 0.9 + this.#ports.chance() / 5;
  }

  /** A poke or `heads` said how far a domain is. */
  hear(domain: string, index: number): void {
    this.#heads[domain] = Math.max(this.#heads[domain] ?? 0, index);
  }

  /** The socket says how it is: when that is what it has, it is in step. Returns whether that is to be told. */
  confirm(): boolean {
    const nowMs = this.#ports.serverMs();
    const { state, lastSyncedAt } = this.sync;
    // In a stream of changes the time is told now and then; nobody reads it faster.
    if (
      state !== "live" ||
      Math.abs(nowMs - (lastSyncedAt ?? 0)) < confirmMs ||
      this.space.isBehind(this.#heads)
    )
      return false;
    this.#set({ lastSyncedAt: nowMs });
    return true;
  }

  /** Its part of the exchange number `round`. Never rejects: what goes wrong becomes the space's trouble. */
  async request(budget: Budget & { readonly first: boolean }, round: number): Promise<SpacePart | undefined> {
    this.#looking = this.#looks;
    try {
      const part = await this.space.request(this.maySend ? budget : { ...budget, events: 0 });
      if (!part) this.trouble("The space is not open.");
      else this.#asks(part, round, !part.request.events?.length && !budget.first && this.space.sendable > 0);
      return part;
    } catch (error) {
      this.#broke(error);
      return undefined;
    }
  }

  /** Takes what went ahead as its part of the exchange, if all came as expected. Never rejects, as `request`. */
  async adopt(part: SpacePart, round: number): Promise<boolean> {
    this.#looking = this.#looks;
    try {
      if (!(await this.space.adopt?.())) return false;
      this.#asks(part, round, false);
      return true;
    } catch {
      return false;
    }
  }

  #asks({ request }: SpacePart, round: number, denied: boolean): void {
    this.#cursor = Math.min(...Object.values(request.cursors));
    this.#acked = request.acked ?? 0;
    this.#denied = denied;
    if (!denied) this.turn = round;
  }

  begin(head: AnswerHead): void {
    // Who asks without cursors fetches no rows.
    if (Number.isFinite(this.#cursor)) this.#from ??= this.#cursor;
    this.#to = head.head;
    this.space.begin(head);
  }

  /** Rows up to that version have come. */
  came(version: number): void {
    const from = this.#from ?? 0;
    if (this.sync.state === "catching-up") {
      const done = Math.max(0, version - from);
      const total = Math.max(this.#to, version) - from;
      this.#set({
        progress: keepSame<Progress | null>(this.sync.progress, { done, total, unit: "changes" }),
      });
    }
  }

  /** Never rejects, as `request`. */
  end(end: AnswerEnd): Promise<void> {
    return this.space
      .end(end)
      .then((landing) => this.#land(end, landing))
      .catch((error: unknown) => this.#broke(error));
  }

  /** Never rejects, as `request`. */
  fail(error: SpaceError): Promise<void> {
    return this.space
      .failed(error)
      .then((recovery) => this.#recover(recovery))
      .catch((trouble: unknown) => this.#broke(trouble));
  }

  #land({ lastSeq, cursors, scan }: AnswerEnd, { moreToFetch, retryAfterMs, outdated }: Landing): void {
    const { now, chance, serverMs } = this.#ports;
    const before = this.#mark;
    this.#mark = JSON.stringify([lastSeq, cursors, scan, this.#acked]);
    this.#looked = this.#looking;
    if (outdated !== undefined) return this.stop("outdated", outdated);
    this.idle();
    if (retryAfterMs !== undefined) this.#sendAtMs = now() + askedMs(retryAfterMs, chance());
    if (moreToFetch) {
      this.look();
      this.#pass("partial", {});
    } else {
      this.#from = undefined;
      const reason = retryAfterMs === undefined ? "" : deferredReason;
      this.#pass("landed", { progress: null, lastSyncedAt: serverMs(), reason });
    }
    this.#again(this.#mark !== before || this.#wantedAtMs > now());
  }

  #recover(recovery: Recovery): void {
    if (recovery.next === "stop") this.stop(recovery.state, recovery.reason);
    else if (recovery.next === "later") this.trouble(recovery.reason, recovery.afterMs);
    else {
      // What was named may have been of a history that is no more; what it is to ask for brings all that is.
      this.#heads = {};
      this.look();
      this.#again(false);
    }
  }

  /** The space may ask again at once, unless it does so over and over without having come further. */
  #again(further: boolean): void {
    // Who had to let others send first has not stalled.
    this.#stalls = further ? 0 : this.#stalls + Number(!this.#denied);
    this.#notBeforeMs = 0;
    if (this.#stalls <= freeStalls) return;
    this.#hold("The space does not come further.", this.#stalls - freeStalls);
    // What was named and never comes was of a history that is no more, or not true; the next `heads` name what is.
    this.#heads = {};
    this.look();
  }

  #broke(error: unknown): void {
    this.trouble(String(error));
  }

  /** It cannot go on. Whatever is asked for, it backs off too: nothing may make a hot loop. */
  trouble(reason: string, afterMs = 0): void {
    this.#hold(reason, ++this.#stalls, afterMs);
  }

  #hold(reason: string, failures: number, afterMs = 0): void {
    const { now, chance } = this.#ports;
    this.#notBeforeMs = now() + Math.max(backoffMs(failures, chance()), askedMs(afterMs, chance()));
    this.#pass("trouble", { reason });
  }

  stop(state: "outdated" | "frozen" | "revoked", reason: string): void {
    this.#notBeforeMs = this.#ports.now() + askedMs(stoppedMs, this.#ports.chance());
    this.#from = undefined;
    this.#set({ state, reason, progress: null });
  }

  /** Somebody asks to try again: trouble is forgotten, and stops that may be over. */
  retry(): void {
    this.#pass("retry", { reason: this.sync.state === "frozen" ? this.sync.reason : "" });
    this.#notBeforeMs = this.#sendAtMs = 0;
    this.look();
  }
}
