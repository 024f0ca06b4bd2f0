import { askedMs, backoffMs, pace } from "./pace.js";
import type { ClientState } from "./port.js";

/** `ready`: nothing keeps the client as a whole from syncing, so its spaces say how it is. */
export type ClientMode = ClientState | "ready";

/** The client-wide part of the life of a sync (DESIGN §8). */
export interface Life {
  readonly mode: ClientMode;
  /** Why, for a person to read; empty in `ready`. */
  readonly reason: string;
  /** The code of the failure that led here; empty when there is none. */
  readonly code: string;
  /** What is under way: never two things at a time. */
  readonly task: "none" | "asking" | "exchanging";
  /** Failures in a row. */
  readonly failures: number;
  /** Tokens refused in a row. */
  readonly refusals: number;
  /** Nothing is tried before; by uptime, as all that follow. */
  readonly notBeforeMs: number;
  /** As `notBeforeMs`, but by the server's wish: not even a person's impatience shortens it. */
  readonly heldUntilMs: number;
  readonly triedMs: number;
}

export type LifeEvent =
  /** It is time, and there is something to do. */
  | { readonly type: "due" }
  /** What `credentials` gave: a token, null, or a throw. */
  | { readonly type: "token" }
  | { readonly type: "noToken" }
  | { readonly type: "noWord"; readonly message: string }
  /** How the exchange ended. */
  | { readonly type: "answered"; readonly backoffMs: number }
  | { readonly type: "skipped" }
  | { readonly type: "unreachable"; readonly message: string }
  | { readonly type: "refused"; readonly code: string; readonly message: string; readonly retryAfterMs: number }
  | { readonly type: "unauthorized"; readonly message: string }
  /** What the platform believes. */
  | { readonly type: "cameOnline" }
  | { readonly type: "wentOffline" }
  /** What the app or a person wants. */
  | { readonly type: "signIn" }
  | { readonly type: "syncNow" }
  | { readonly type: "lock"; readonly reason: string }
  | { readonly type: "unlock" };

/** What a step may depend on besides the state: nothing is read from outside. */
export interface Moment {
  /** Uptime in milliseconds. */
  readonly now: number;
  /** In [0, 1). */
  readonly random: number;
  readonly hasToken: boolean;
  readonly online: boolean;
}

type EventType = LifeEvent["type"];
type EventOf<T extends EventType> = Extract<LifeEvent, { readonly type: T }>;
type Cell<T extends EventType> = (life: Life, event: EventOf<T>, moment: Moment) => Life;
type Row = { readonly [T in EventType]: Cell<T> };

export const firstLife: Life = {
  mode: "ready", reason: "", code: "", task: "none", failures: 0, refusals: 0, notBeforeMs: 0, heldUntilMs: 0, triedMs: Number.NEGATIVE_INFINITY,
};

const stay = (life: Life): Life => life;
/** The task has ended and changes nothing. */
const rest = (life: Life): Life => ({ ...life, task: "none" });
const ask = (life: Life, _event: unknown, { now }: Moment): Life => ({ ...life, task: "asking", triedMs: now });
const go = (life: Life, event: unknown, moment: Moment): Life => (moment.hasToken ? { ...life, task: "exchanging", triedMs: moment.now } : ask(life, event, moment));

const fail = (life: Life, mode: ClientMode, code: string, reason: string, { now, random }: Moment, leastMs = 0, askMs = 0): Life => {
  const failures = life.failures + 1;
  const heldUntilMs = Math.max(life.heldUntilMs, now + askedMs(askMs, random));
  return { ...life, mode, code, reason, task: "none", failures, heldUntilMs, notBeforeMs: Math.max(heldUntilMs, now + Math.max(leastMs, backoffMs(failures, random))) };
};

/** All is forgotten but what the server asked for. */
const ready = ({ triedMs, heldUntilMs }: Life): Life => ({ ...firstLife, triedMs, heldUntilMs, notBeforeMs: heldUntilMs });
const signedOut = (life: Life): Life => ({ ...ready(life), mode: "signed-out", reason: "Nobody is signed in.", notBeforeMs: Number.POSITIVE_INFINITY });
const needsAuth = (life: Life, message: string, moment: Moment): Life => fail(life, "needs-auth", "unauthorized", message, moment, pace.idleMs);
const noWord: Cell<"noWord"> = (life, { message }, moment) => fail(life, "backing-off", "credentials", `The app could not get a token: ${message}`, moment);

const answered: Cell<"answered"> = (life, event, { now, random }) => {
  const heldUntilMs = now + askedMs(event.backoffMs, random);
  return { ...ready(life), heldUntilMs, notBeforeMs: heldUntilMs, ...(event.backoffMs > 0 && { code: "paused", reason: "The server asked for a pause." }) };
};
const offline = (life: Life, message: string, moment: Moment): Life => fail(life, "offline", "network", message, moment, moment.online ? 0 : pace.idleMs);
const unreachable: Cell<"unreachable"> = (life, { message }, moment) => offline(life, message, moment);
const refused: Cell<"refused"> = (life, { code, message, retryAfterMs }, moment) => fail(life, "backing-off", code, message, moment, 0, retryAfterMs);
/** The first refusal only makes the app give another token; the second means that it has none that is good. */
const unauthorized: Cell<"unauthorized"> = (life, { message }, moment) =>
  life.refusals === 0 ? { ...life, task: "none", refusals: 1 } : needsAuth(life, message, moment);

/** As soon as a hint may bring a try about. */
const hinted = (life: Life, _event: unknown, { now }: Moment): Life => ({
  ...life, notBeforeMs: Math.max(life.heldUntilMs, Math.min(life.notBeforeMs, Math.max(now, life.triedMs + pace.hintMs))),
});
const wentOffline: Cell<"wentOffline"> = (life, _event, moment) => ({ ...offline({ ...life, failures: 0 }, "The device says that it has no network.", moment), task: life.task });
const atOnce = (life: Life, _event: unknown, { now }: Moment): Life => ({ ...life, notBeforeMs: Math.max(life.heldUntilMs, now) });
const lock: Cell<"lock"> = (life, { reason }) => ({ ...life, mode: "locked", reason, code: "", notBeforeMs: Number.POSITIVE_INFINITY });
const unlock = (life: Life): Life => ({ ...ready(life), task: life.task });

/** Every state times every event; a new one of either does not compile until each of its cells is decided. */
const table: { readonly [M in ClientMode]: Row } = {
  ready: {
    due: go, token: rest, noToken: signedOut, noWord, answered, skipped: rest, unreachable, refused, unauthorized,
    cameOnline: stay, wentOffline, signIn: stay, syncNow: atOnce, lock, unlock: stay,
  },
  offline: {
    due: go, token: rest, noToken: signedOut, noWord, answered, skipped: rest, unreachable, refused, unauthorized,
    cameOnline: hinted, wentOffline: stay, signIn: atOnce, syncNow: atOnce, lock, unlock: stay,
  },
  "backing-off": {
    due: go, token: rest, noToken: signedOut, noWord, answered, skipped: rest, unreachable, refused, unauthorized,
    cameOnline: (life, event, moment) => (life.code === "credentials" ? hinted(life, event, moment) : life),
    wentOffline: stay, signIn: atOnce, syncNow: atOnce, lock, unlock: stay,
  },
  // What follows a refusal is tried with a new token, but the state is left only when the server takes it.
  "needs-auth": {
    due: go, token: rest, noToken: (life, _event, moment) => needsAuth(life, life.reason, moment), noWord, answered, skipped: rest, unreachable, refused, unauthorized,
    cameOnline: hinted, wentOffline: stay, signIn: atOnce, syncNow: atOnce, lock, unlock: stay,
  },
  "signed-out": {
    due: ask, token: ready, noToken: signedOut, noWord, answered: rest, skipped: rest, unreachable: rest, refused: rest, unauthorized: rest,
    cameOnline: hinted, wentOffline: stay, signIn: atOnce, syncNow: atOnce, lock, unlock: stay,
  },
  locked: {
    due: stay, token: rest, noToken: rest, noWord: rest, answered: rest, skipped: rest, unreachable: rest, refused: rest, unauthorized: rest,
    cameOnline: stay, wentOffline: stay, signIn: stay, syncNow: stay, lock, unlock,
  },
};

/** One step of the life. What to do follows from `task`: what it newly names is to be begun. */
export function step(life: Life, event: LifeEvent, moment: Moment): Life {
  return (table[life.mode][event.type] as Cell<EventType>)(life, event, moment);
}
