import type { SpaceError } from "@landfall/protocol";
import type { AnswerEnd, AnswerHead } from "../remote/port.js";
import { askedMs, backoffMs, outdatedMs } from "./pace.js";
import type { Budget, Landing, Recovery, SpacePart, SpaceState, SpaceSync, SyncedSpace } from "./port.js";

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

/** Why a space has not landed. */
export interface Trouble {
  readonly code: string;
  readonly message: string;
}

export interface TrackingPorts {
  now(): number;
  /** In [0, 1). */
  chance(): number;
  serverMs(): number;
  idleMs(tracked: TrackedSpace): number;
}

/** A space as the loop knows it: its state, and when it is to be asked next. Times are uptime in milliseconds. */
export class TrackedSpace {
  readonly space: SyncedSpace;
  readonly #ports: TrackingPorts;
  sync: SpaceSync = { state: "catching-up", reason: "", progress: null, lastSyncedAt: null };
  /** Rows are known to be left. */
  #far = false;
  /** The socket tells of its changes. */
  watched = false;
  /** Removed, perhaps while an answer was under way. */
  closed = false;
  /** The exchange in which it was last served: those that waited longest go first. */
  turn = 0;
  /** Asked at the latest then; Infinity when it is not said. */
  #lookAtMs = 0;
  /** The exchange that was the newest when it was said: one under way may have passed what is to be seen. */
  #lookSaidIn = 0;
  /** From when the idle time runs, and its share that this space takes, so that not all are asked together. */
  #idleFromMs = 0;
  #share = 1;
  /** Trouble: not asked before. */
  #notBeforeMs = 0;
  /** A deferred event: nothing is sent before. */
  #sendAtMs = 0;
  readonly #heads: { [domain: string]: number } = {};
  /** Where the last answer left the space, and how often in a row it asked again without having come further. */
  #mark = "";
  #stalls = 0;
  #asked = 0;
  #landed = 0;
  #why: Trouble | undefined;
  /** The versions from and to which it catches up. */
  #cursor = 0;
  #from: number | undefined;
  #to = 0;

  constructor(space: SyncedSpace, ports: TrackingPorts) {
    this.space = space;
    this.#ports = ports;
  }

  #pass(event: SpaceEvent, change: Partial<SpaceSync>): void {
    this.sync = { ...this.sync, reason: "", ...change, state: table[this.sync.state][event] };
  }

  /** Whether the space goes on by itself. */
  get #goesOn(): boolean {
    return this.sync.state === "catching-up" || this.sync.state === "live";
  }

  /** Whether events may go now. */
  get maySend(): boolean {
    return this.#sendAtMs <= this.#ports.now();
  }

  get #wantedAtMs(): number {
    const { space } = this;
    if (!this.#goesOn) return this.#lookAtMs;
    if (this.#far || space.isBehind(this.#heads)) return 0;
    return Math.min(this.#lookAtMs, this.#idleFromMs + this.#ports.idleMs(this) * this.#share, space.sendable > 0 ? this.#sendAtMs : Number.POSITIVE_INFINITY);
  }

  /** When it is to be asked next; Infinity when not by itself. */
  get dueAtMs(): number {
    return Math.max(this.#wantedAtMs, this.#notBeforeMs);
  }

  /** Has it asked soon, if it goes on at all. */
  look(): void {
    if (!this.#goesOn) return;
    this.#lookAtMs = 0;
    this.#lookSaidIn = this.#asked;
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

  /** Its part of the exchange number `round`. Never rejects: what goes wrong becomes the space's trouble. */
  async request(budget: Budget & { readonly first: boolean }, round: number): Promise<SpacePart | undefined> {
    this.#asked = round;
    this.#why = undefined;
    try {
      const part = await this.space.request(this.maySend ? budget : { ...budget, events: 0 });
      if (!part) this.trouble("not_open", "The space is not open.");
      else {
        this.#cursor = Math.min(...Object.values(part.request.cursors));
        if (part.request.events?.length || budget.first || this.space.sendable === 0) this.turn = round;
      }
      return part;
    } catch (error) {
      this.#broke(error);
      return undefined;
    }
  }

  begin(head: AnswerHead): void {
    this.#from ??= this.#cursor;
    this.#to = head.head;
    this.space.begin(head);
  }

  /** Rows up to that version have come. */
  came(version: number): void {
    const from = this.#from ?? 0;
    if (this.sync.state === "catching-up") {
      this.sync = { ...this.sync, progress: { done: Math.max(0, version - from), total: Math.max(this.#to, version) - from, unit: "changes" } };
    }
  }

  /** Never rejects, as `request`. */
  end(end: AnswerEnd): Promise<void> {
    return this.space.end(end).then((landing) => this.#land(end, landing)).catch((error: unknown) => this.#broke(error));
  }

  /** Never rejects, as `request`. */
  fail(error: SpaceError): Promise<void> {
    return this.space.failed(error).then((recovery) => this.#recover(error.code, recovery)).catch((trouble: unknown) => this.#broke(trouble));
  }

  #land({ lastSeq, cursors, scan }: AnswerEnd, { moreToFetch, retryAfterMs }: Landing): void {
    const { now, chance, serverMs } = this.#ports;
    const before = this.#mark;
    this.#mark = JSON.stringify([lastSeq, cursors, scan]);
    this.#far = moreToFetch;
    if (this.#lookSaidIn !== this.#asked) this.#lookAtMs = Number.POSITIVE_INFINITY;
    this.idle();
    if (retryAfterMs !== undefined) {
      this.#sendAtMs = now() + askedMs(retryAfterMs, chance());
      this.#why = { code: "deferred", message: "The server asked to send an event later." };
    }
    if (moreToFetch) this.#pass("partial", {});
    else {
      this.#from = undefined;
      this.#pass("landed", { progress: null, lastSyncedAt: serverMs() });
    }
    const done = this.#wantedAtMs > now();
    this.#again(done || this.#mark !== before);
    if (done && !this.#why) this.#landed = this.#asked;
  }

  #recover(code: string, recovery: Recovery): void {
    if (recovery.next === "stop") this.stop(recovery.state, recovery.reason);
    else if (recovery.next === "later") this.trouble(code, recovery.reason, recovery.afterMs);
    else {
      this.#lookAtMs = 0;
      this.#again(false);
    }
  }

  /** The space may ask again at once, unless it does so over and over without having come further. */
  #again(further: boolean): void {
    const { now, chance } = this.#ports;
    // Who had to let others send first has not stalled.
    this.#stalls = further ? 0 : this.#stalls + Number(this.turn === this.#asked);
    this.#notBeforeMs = 0;
    if (this.#stalls <= freeStalls) return;
    this.#why = { code: "stalled", message: "The space asks again and again without coming further." };
    this.#notBeforeMs = now() + backoffMs(this.#stalls - freeStalls, chance());
  }

  #broke(error: unknown): void {
    this.trouble("failed", String(error));
  }

  trouble(code: string, message: string, afterMs = 0): void {
    const { now, chance } = this.#ports;
    this.#why = { code, message };
    // Whatever is asked for, it backs off: nothing may make a hot loop.
    this.#notBeforeMs = now() + Math.max(backoffMs(++this.#stalls, chance()), askedMs(afterMs, chance()));
    this.#pass("trouble", { reason: message });
  }

  stop(state: "outdated" | "frozen" | "revoked", reason: string): void {
    this.#lookAtMs = state === "outdated" ? this.#ports.now() + outdatedMs : Number.POSITIVE_INFINITY;
    this.sync = { ...this.sync, state, reason, progress: null };
  }

  /** Somebody asks to try again: trouble is forgotten, and stops that may be over. */
  retry(): void {
    this.#pass("retry", { reason: this.sync.state === "frozen" ? this.sync.reason : "" });
    this.#notBeforeMs = this.#sendAtMs = 0;
    this.look();
  }

  /** Why it has not landed since exchange `round`; undefined when it has, `waiting` while it may. */
  whyNot(round: number): Trouble | "waiting" | undefined {
    if (this.#landed > round) return undefined;
    if (!this.#goesOn) return { code: this.sync.state, message: this.sync.reason };
    return (this.#asked > round && this.#why) || "waiting";
  }
}
