import { askedMs, backoffMs, hintMs, idleMs } from "./pace.js";
import type { ClientState } from "./port.js";

/** `ready`: nothing keeps the client as a whole from syncing, so its spaces say how it is. */
export type ClientMode = ClientState | "ready";

/** The client-wide part of the life of a sync (DESIGN §8). */
export interface Life {
  readonly mode: ClientMode;
  /** Why, for a person to read. */
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
  /** What `credentials` gave. */
  | { readonly type: "token" | "noToken" }
  /** The exchange was answered; or there was nothing to ask for. */
  | { readonly type: "answered"; readonly backoffMs: number }
  | { readonly type: "skipped" }
  /** No token could be had (`credentials`), the server not be reached (`network`), or it refused. */
  | {
      readonly type: "failed";
      readonly code: string;
      readonly message: string;
      readonly retryAfterMs: number;
    }
  | { readonly type: "unauthorized"; readonly message: string }
  /** What the platform believes. */
  | { readonly type: "cameOnline" | "wentOffline" }
  /** The app or a person asks to try now. */
  | { readonly type: "urged" }
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
type Cell<T extends EventType> = (
  life: Life,
  event: Extract<LifeEvent, { readonly type: T }>,
  moment: Moment,
) => Life;
type Row = { readonly [T in EventType]: Cell<T> };

export const firstLife: Life = {
  mode: "ready",
  reason: "",
  code: "",
  task: "none",
  failures: 0,
  refusals: 0,
  notBeforeMs: 0,
  heldUntilMs: 0,
  triedMs: Number.NEGATIVE_INFINITY,
};
const never = Number.POSITIVE_INFINITY;

const stay = (life: Life): Life => life;
/** The task has ended and changes nothing. */
const rest = (life: Life): Life => ({ ...life, task: "none" });
/** All is forgotten but what the server asked for. */
const ready = ({ triedMs, heldUntilMs }: Life): Life => ({
  ...firstLife,
  triedMs,
  heldUntilMs,
  notBeforeMs: heldUntilMs,
});
const go = (life: Life, _event: unknown, { now, hasToken }: Moment): Life => ({
  ...life,
  task: hasToken ? "exchanging" : "asking",
  triedMs: now,
});
const atOnce = (life: Life, _event: unknown, { now }: Moment): Life => ({
  ...life,
  notBeforeMs: Math.max(life.heldUntilMs, now),
});

const fail = (
  life: Life,
  mode: ClientMode,
  code: string,
  reason: string,
  { now, random }: Moment,
  leastMs = 0,
  retryAfterMs = 0,
): Life => {
  const failures = life.failures + 1;
  const heldUntilMs = Math.max(life.heldUntilMs, now + askedMs(retryAfterMs, random));
  return {
    ...life,
    mode,
    code,
    reason,
    task: "none",
    failures,
    heldUntilMs,
    notBeforeMs: Math.max(heldUntilMs, now + leastMs, now + backoffMs(failures, random)),
  };
};
const failed: Cell<"failed"> = (life, { code, message, retryAfterMs }, moment) =>
  code === "network"
    ? fail(life, "offline", code, message, moment, moment.online ? 0 : idleMs)
    : fail(life, "backing-off", code, message, moment, 0, retryAfterMs);
const signedOut = (life: Life): Life => ({
  ...ready(life),
  mode: "signed-out",
  reason: "Nobody is signed in.",
  notBeforeMs: never,
});
/** The first refusal only makes the app give another token; the second means that it has none that is good. */
const unauthorized: Cell<"unauthorized"> = (life, { message }, moment) =>
  life.refusals === 0
    ? { ...life, task: "none", refusals: 1 }
    : fail(life, "needs-auth", "unauthorized", message, moment, idleMs);
const answered: Cell<"answered"> = (life, event, { now, random }) => {
  const heldUntilMs = now + askedMs(event.backoffMs, random);
  return {
    ...ready({ ...life, heldUntilMs }),
    ...(event.backoffMs > 0 && { code: "paused", reason: "The server asked for a pause." }),
  };
};

/** A try as soon as hints may bring one about. */
const hinted = (life: Life, _event: unknown, { now }: Moment): Life => ({
  ...life,
  notBeforeMs: Math.max(life.heldUntilMs, Math.min(life.notBeforeMs, Math.max(now, life.triedMs + hintMs))),
});
/** The platform may be wrong, so the server is still tried, if at a longer pace. */
const wentOffline = (life: Life, _event: unknown, moment: Moment): Life => ({
  ...fail({ ...life, failures: 0 }, "offline", "network", "The device has no network.", moment, idleMs),
  task: life.task,
});
const lock: Cell<"lock"> = (life, { reason }) => ({
  ...life,
  mode: "locked",
  reason,
  code: "",
  notBeforeMs: never,
});
const unlock = (life: Life): Life => ({ ...ready(life), task: life.task });

/** What the states that try to sync have in common. */
const trying: Row = {
  due: go,
  token: rest,
  noToken: signedOut,
  answered,
  skipped: rest,
  failed,
  unauthorized,
  cameOnline: hinted,
  wentOffline: stay,
  urged: atOnce,
  lock,
  unlock: stay,
};
/** What the states have in common in which nothing is sent, so that an exchange may end in them but changes nothing. */
const resting: Row = { ...trying, answered: rest, failed: rest, unauthorized: rest };

/** Every state times every event; a new one of either does not compile until all of its cells are decided. */
const table: { readonly [M in ClientMode]: Row } = {
  ready: { ...trying, cameOnline: stay, wentOffline },
  offline: trying,
  "backing-off": {
    ...trying,
    cameOnline: (life, event, moment) => (life.code === "credentials" ? hinted(life, event, moment) : life),
  },
  // It is left when the server has taken a token, not when the app gives one.
  "needs-auth": {
    ...trying,
    noToken: (life, _event, moment) => fail(life, "needs-auth", life.code, life.reason, moment, idleMs),
  },
  "signed-out": { ...resting, token: ready, failed },
  locked: { ...resting, due: stay, noToken: rest, cameOnline: stay, urged: stay, unlock },
};

/** One step of the life. What to do follows from `task`: what it newly names is to be begun. */
export function step(life: Life, event: LifeEvent, moment: Moment): Life {
  return (table[life.mode][event.type] as Cell<EventType>)(life, event, moment);
}
