import type { AnswerEnd } from "../remote/port.js";
import { askedMs, backoffMs, pace } from "./pace.js";
import type { Landing, Recovery, SpaceState, SpaceSync, SyncedSpace } from "./port.js";

/** What can happen to a space: a whole cut landed, a part of one, trouble, a stop, or somebody asks to try again. */
type SpaceEvent = "landed" | "partial" | "trouble" | "outdated" | "frozen" | "revoked" | "retry";

const stops = { outdated: "outdated", frozen: "frozen", revoked: "revoked" } as const;

/** The life of a space while the client as a whole is in order: every state times every event. */
const table: { readonly [S in SpaceState]: { readonly [E in SpaceEvent]: SpaceState } } = {
  "catching-up": { ...stops, landed: "live", partial: "catching-up", trouble: "catching-up", retry: "catching-up" },
  live: { ...stops, landed: "live", partial: "catching-up", trouble: "catching-up", retry: "live" },
  outdated: { ...stops, landed: "live", partial: "catching-up", trouble: "outdated", retry: "catching-up" },
  revoked: { ...stops, landed: "live", partial: "catching-up", trouble: "revoked", retry: "catching-up" },
  // Evidence of a server's fault is not talked away by asking again (DESIGN §9).
  frozen: { ...stops, landed: "frozen", partial: "frozen", trouble: "frozen", retry: "frozen" },
};

/** A space as the loop knows it. Times are uptime in milliseconds. */
export interface TrackedSpace {
  readonly space: SyncedSpace;
  sync: SpaceSync;
  /** When to look again though nothing is known to be new. */
  pollAtMs: number;
  /** Trouble: not asked before. */
  notBeforeMs: number;
  /** A deferred event: nothing is sent before. */
  sendAtMs: number;
  /** Rows are known to be left. */
  far: boolean;
  /** The newest index of each domain that was heard of. */
  heads: { [domain: string]: number };
  /** The socket tells of its changes. */
  watched: boolean;
  /** The socket has been told of it, and has not said `heads` of it yet. */
  unsure: boolean;
  /** Removed while an answer was under way. */
  closed: boolean;
  /** Where the last answer left the space, and how often in a row another was wanted from the same place. */
  mark: string;
  stalls: number;
  /** The cursor from which the space catches up, for its progress. */
  fromVersion: number | undefined;
  /** When it was last asked, among all exchanges; 0 when it could not send because others had used up the request. */
  turn: number;
  /** The exchanges that asked for it last, and that last left nothing to do. */
  askedRound: number;
  landedRound: number;
  /** Why the exchange of `askedRound` left something to do that is not done at once. */
  trouble: { readonly code: string; readonly message: string } | undefined;
}

/** When and how fast an answer landed. */
export interface LandingMoment {
  readonly now: number;
  readonly random: number;
  /** The pace when nothing is left to do. */
  readonly idleMs: number;
  readonly serverMs: number;
}

export function trackSpace(space: SyncedSpace): TrackedSpace {
  return {
    space, sync: { state: "catching-up", reason: "", progress: null, lastSyncedAt: null },
    pollAtMs: 0, notBeforeMs: 0, sendAtMs: 0, far: true, heads: {}, watched: false, unsure: false, closed: false, mark: "", stalls: 0, fromVersion: undefined, turn: 0,
    askedRound: 0, landedRound: 0, trouble: undefined,
  };
}

export function pass(tracked: TrackedSpace, event: SpaceEvent, change: Partial<SpaceSync> = {}): void {
  tracked.sync = { ...tracked.sync, reason: "", ...change, state: table[tracked.sync.state][event] };
}

/** Whether the space goes on by itself. */
function goesOn({ sync }: TrackedSpace): boolean {
  return sync.state === "catching-up" || sync.state === "live";
}

/** Has the space asked at that time at the latest, if it goes on at all. */
export function look(tracked: TrackedSpace, atMs: number): void {
  if (goesOn(tracked)) tracked.pollAtMs = Math.min(tracked.pollAtMs, atMs);
}

/** When something is to be done for the space, whatever its trouble; by uptime, Infinity when not by itself. */
function wantedAtMs(tracked: TrackedSpace): number {
  const { space, pollAtMs, sendAtMs } = tracked;
  if (!goesOn(tracked)) return pollAtMs;
  if (tracked.far || space.isBehind(tracked.heads)) return 0;
  return space.sendable > 0 ? Math.min(pollAtMs, sendAtMs) : pollAtMs;
}

/** When the space is to be asked next. */
export function dueAtMs(tracked: TrackedSpace): number {
  return Math.max(wantedAtMs(tracked), tracked.notBeforeMs);
}

/** Notes what a poke or `heads` said; an index never goes back. */
export function hear(tracked: TrackedSpace, domains: readonly string[], index: number): void {
  for (const domain of domains) tracked.heads[domain] = Math.max(tracked.heads[domain] ?? 0, index);
}

/** So many times in a row a space may ask again at once without having come further; only a fault needs more. */
const freeStalls = 2;

/** How long a space that has not come further holds still; so no answer and no error can make a hot loop. */
function stallMs(tracked: TrackedSpace, random: number): number {
  return tracked.stalls > freeStalls ? backoffMs(tracked.stalls - freeStalls, random) : 0;
}

/** Another exchange is wanted at once. */
function again(tracked: TrackedSpace, { now, random }: LandingMoment): void {
  const ms = stallMs(tracked, random);
  tracked.notBeforeMs = now + ms;
  if (ms > 0) tracked.trouble = { code: "stalled", message: "The space asks again and again without coming further." };
}

/** The space could not go on: it is asked again later. */
export function trouble(tracked: TrackedSpace, code: string, message: string, { now, random }: LandingMoment, afterMs?: number): void {
  tracked.stalls += 1;
  tracked.notBeforeMs = now + (afterMs === undefined ? backoffMs(tracked.stalls, random) : Math.max(askedMs(afterMs, random), stallMs(tracked, random)));
  tracked.trouble = { code, message };
  pass(tracked, "trouble", { reason: message });
}

/** The space's part of an answer has landed. */
export function landed(tracked: TrackedSpace, end: AnswerEnd, landing: Landing, at: LandingMoment): void {
  const { now, random, idleMs, serverMs } = at;
  const { moreToFetch, moreToSend, retryAfterMs } = landing;
  const mark = `${end.lastSeq} ${JSON.stringify([end.cursors, end.scan])}`;
  // Who had to let others send first has not stalled.
  tracked.stalls = mark === tracked.mark && tracked.turn > 0 ? tracked.stalls + 1 : 0;
  tracked.mark = mark;
  tracked.far = moreToFetch;
  tracked.pollAtMs = now + idleMs * (0.9 + random / 5);
  tracked.trouble = undefined;
  if (retryAfterMs !== undefined) {
    tracked.sendAtMs = now + askedMs(retryAfterMs, random);
    tracked.trouble = { code: "deferred", message: "The server asked to send an event later." };
  }
  if (moreToFetch) pass(tracked, "partial");
  else {
    tracked.fromVersion = undefined;
    pass(tracked, "landed", { progress: null, lastSyncedAt: serverMs });
  }
  if (moreToFetch || moreToSend || wantedAtMs(tracked) <= now) return again(tracked, at);
  tracked.stalls = 0;
  tracked.notBeforeMs = 0;
  if (!tracked.trouble) tracked.landedRound = tracked.askedRound;
}

/** The space has said what follows from its error. */
export function recover(tracked: TrackedSpace, code: string, recovery: Recovery, at: LandingMoment): void {
  if (recovery.next === "stop") return stop(tracked, recovery.state, recovery.reason, at.now);
  if (recovery.next === "later") return trouble(tracked, code, recovery.reason, at, recovery.afterMs);
  tracked.far = true;
  tracked.stalls += 1;
  again(tracked, at);
}

export function stop(tracked: TrackedSpace, state: "outdated" | "frozen" | "revoked", reason: string, now: number): void {
  tracked.trouble = { code: state, message: reason };
  tracked.pollAtMs = state === "outdated" ? now + pace.outdatedMs : Number.POSITIVE_INFINITY;
  pass(tracked, state, { reason, progress: null });
}

/** Somebody asks to try again: trouble is forgotten, and stops that may be over. */
export function retry(tracked: TrackedSpace): void {
  pass(tracked, "retry", { reason: tracked.sync.state === "frozen" ? tracked.sync.reason : "" });
  tracked.notBeforeMs = 0;
  tracked.sendAtMs = 0;
  look(tracked, 0);
}

/** Why the space has not landed since its exchange number `round`; undefined when it has, or `waiting` while it may. */
export function whyNotLanded(tracked: TrackedSpace, round: number): { readonly code: string; readonly message: string } | "waiting" | undefined {
  if (tracked.closed || tracked.landedRound > round) return undefined;
  if (!goesOn(tracked)) return { code: tracked.sync.state, message: tracked.sync.reason };
  return (tracked.askedRound > round && tracked.trouble) || "waiting";
}
