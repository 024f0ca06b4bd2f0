import { type ServerMessage, limits } from "@landfall/protocol";
import { keepSame } from "../status.js";
import { createBudget } from "./budget.js";
import { runExchange } from "./exchange.js";
import { type LifeEvent, firstLife, step } from "./life.js";
import { loopStatus } from "./loop-status.js";
import { pace } from "./pace.js";
import { type PokeLine, createPokeLine } from "./poke-line.js";
import { type Loop, type LoopOptions, type LoopStatus, SyncError } from "./port.js";
import { type TrackedSpace, dueAtMs, hear, look, retry, trackSpace, whyNotLanded } from "./tracked-space.js";

const never = Number.POSITIVE_INFINITY;

/** Characters of a `watch`; spaces that do not fit are polled. */
const maxWatchChars = limits.maxSocketFrameBytes - 1_024;

interface Waiter {
  /** The number of the exchange that each space was part of last when the wait began. */
  readonly rounds: ReadonlyMap<TrackedSpace, number>;
  readonly resolve: () => void;
  readonly reject: (error: SyncError) => void;
}

/**
 * The synchronizer: keeps spaces in step with the server, one exchange at a time (DESIGN §4, §8). The
 * tables of `life` and `tracked-space` decide; the timers and calls here only carry it out.
 */
export function createLoop({ remote, ports, session, serverClock, device, onStatus }: LoopOptions): Loop {
  const { uptime, clock, timers, random, online } = ports;
  const spaces = new Map<string, TrackedSpace>();
  const budget = createBudget();
  let waiters: readonly Waiter[] = [];
  let life = firstLife;
  let running = false;
  /** Of this run; a new one with every start, so that what a stopped run still brings is passed over. */
  let abort = new AbortController();
  let inFlight: Promise<void> = Promise.resolve();
  let cancelTimer = (): void => undefined;
  let endHints = (): void => undefined;
  let round = 0;
  let sending = 0;
  /** The server has answered, and was asked for its limits, since the start. */
  let reached = false;
  let informed = false;
  let renewNotBeforeMs = 0;
  let retryAt: number | null = null;
  let lastSyncedAt: number | null = null;
  let toldMs = 0;

  const now = (): number => uptime.now();
  /** In [0, 1). */
  const chance = (): number => new DataView(random.bytes(4).buffer).getUint32(0) / 2 ** 32;
  const serverMs = (): number => Math.round(serverClock.now());
  const describe = (): LoopStatus => loopStatus({ life, spaces, socketOpen: line?.open === true, sending, retryAt, clockSkewMs: serverClock.skewMs, lastSyncedAt });

  const { pokes } = remote;
  let greeting = { token: "", device: "" };
  const line = pokes && createPokeLine({
    connect: (listener) => pokes((greeting = { token: session.token ?? "", device: device() }), listener),
    now,
    random: chance,
    message: heard,
    unauthorized: () => session.refuse(greeting.token),
    changed() {
      for (const tracked of spaces.values()) {
        tracked.unsure = line?.open === true;
        look(tracked, now() + (tracked.unsure ? pace.firstHeadsMs : pace.idleMs));
      }
      tick();
    },
  });
  const idleMs = ({ watched }: TrackedSpace): number => (watched && line?.open ? pace.watchedIdleMs : pace.idleMs);
  let status = describe();

  function report(): void {
    toldMs = now();
    const next = keepSame(status, describe());
    if (next === status) return;
    status = next;
    onStatus(status);
  }

  function heard(message: ServerMessage): void {
    if (message.type === "heads") {
      for (const [space, heads] of Object.entries(message.spaces)) {
        const tracked = spaces.get(space);
        if (!tracked) continue;
        for (const domain of Object.keys(heads)) hear(tracked, [domain], heads[domain] as number);
        if (tracked.unsure) tracked.pollAtMs = Math.max(tracked.pollAtMs, now() + pace.watchedIdleMs);
        tracked.unsure = false;
      }
    } else if ("space" in message) {
      const tracked = spaces.get(message.space);
      if (!tracked) return;
      if (message.type === "revoked") look(tracked, 0);
      // The device's own writes come back in the answer that they were sent with.
      else if (message.by === device()) return;
      else if (message.type === "poke") hear(tracked, message.domains, message.index);
      else {
        const fetchIt = (): void => hear(tracked, message.domains, message.index);
        void tracked.space.delta(message).then((applied) => (applied ? undefined : fetchIt()), fetchIt).then(tick);
        return;
      }
    }
    tick();
  }

  /** Does what is due, and sets the timer for what is due next. */
  function tick(): void {
    if (!running) return;
    cancelTimer();
    const idle = life.task === "none";
    let next = idle ? wantedAtMs() : never;
    if (next <= now()) return dispatch({ type: "due" });
    next = Math.min(next, line ? keepLine(line) : never, renew());
    if (next < never) cancelTimer = timers.after(Math.max(0, next - now()), tick);
    settle();
    report();
  }

  function wantedAtMs(): number {
    // Whoever has no token or no server looks for one, whether spaces are due or not.
    let at = life.mode === "ready" && session.token !== undefined ? never : 0;
    for (const tracked of spaces.values()) at = Math.min(at, dueAtMs(tracked));
    return Math.max(at, life.notBeforeMs);
  }

  function keepLine(line: PokeLine): number {
    if (life.mode === "signed-out" || life.mode === "needs-auth" || life.mode === "locked") line.close();
    // A clone has taken an id of its own.
    if (line.open && greeting.device !== device()) line.close();
    if (life.mode !== "ready" || !reached || session.token === undefined || spaces.size === 0) return never;
    const next = line.upkeep();
    let room = maxWatchChars;
    const watch: { [space: string]: readonly string[] } = {};
    for (const [name, tracked] of [...spaces].slice(0, limits.maxWatchedSpaces)) {
      room -= JSON.stringify(tracked.space.domains).length + name.length + 4;
      tracked.watched = room > 0;
      if (tracked.watched) watch[name] = tracked.space.domains;
    }
    line.watch(watch);
    return next;
  }

  /** Asks for another token before this one expires; if that fails, this one serves until it is refused. */
  function renew(): number {
    if (session.renewAtMs === undefined || life.task === "asking" || life.mode === "locked") return never;
    const inMs = Math.max(session.renewAtMs - serverClock.now(), renewNotBeforeMs - now());
    if (inMs > 0) return now() + inMs;
    renewNotBeforeMs = now() + pace.renewRetryMs;
    void session.ask().then((token) => token === null || line?.auth(token), () => undefined).then(tick);
    return renewNotBeforeMs;
  }

  function dispatch(event: LifeEvent): void {
    const before = life;
    life = step(life, event, { now: now(), random: chance(), hasToken: session.token !== undefined, online: online.isOnline() });
    if (life.notBeforeMs !== before.notBeforeMs) {
      const inMs = life.notBeforeMs - now();
      retryAt = inMs > 0 && inMs < never ? serverMs() + Math.round(inMs) : null;
    }
    if (life.task !== before.task && life.task !== "none") inFlight = life.task === "asking" ? ask(abort) : exchange(abort);
    tick();
  }

  async function ask(mine: AbortController): Promise<void> {
    let event: LifeEvent;
    try {
      const token = await session.ask();
      if (token !== null) line?.auth(token);
      event = { type: token === null ? "noToken" : "token" };
    } catch (error) {
      event = { type: "noWord", message: error instanceof Error ? error.message : String(error) };
    }
    if (mine === abort) dispatch(event);
  }

  async function exchange(mine: AbortController): Promise<void> {
    const token = session.token as string;
    const due = [...spaces.values()].filter((tracked) => dueAtMs(tracked) <= now()).sort((a, b) => a.turn - b.turn);
    let sentMs = 0;
    let sendable = new Map<TrackedSpace, number>();
    const event = await runExchange({
      remote, token, device: device(), budget, stopped: mine.signal, due, now, round: ++round, probe: life.mode !== "ready",
      writesWait: () => [...spaces.values()].some((tracked) => tracked.sendAtMs <= now() && tracked.space.sendable > (sendable.get(tracked) ?? 0)),
      moment: (tracked) => ({ now: now(), random: chance(), idleMs: idleMs(tracked), serverMs: serverMs() }),
      time: (ms) => serverClock.sample(ms, sentMs, clock.now()),
      sending(events) {
        sending = events;
        sentMs = clock.now();
        sendable = new Map([...spaces.values()].map((tracked) => [tracked, tracked.space.sendable]));
        report();
      },
      progressed: () => void (now() - toldMs >= pace.progressMs && report()),
    });
    if (mine !== abort) return;
    sending = 0;
    if (event.type === "unauthorized") session.refuse(token);
    if (event.type === "answered") {
      reached = true;
      const open = [...spaces.values()].filter(({ sync }) => sync.state !== "frozen" && sync.state !== "revoked");
      const waits = open.some(({ space }) => space.sendable > 0);
      if (!waits && open.every(({ sync }) => sync.state === "live")) lastSyncedAt = serverMs();
      if (waits) inform();
    }
    dispatch(event);
  }

  /** Asks for the server's limits once one batch was not enough; the usual ones hold until they are known. */
  function inform(): void {
    if (informed) return;
    informed = true;
    void session.authorized((token) => remote.info(token)).then((info) => budget.limit(info.limits), () => undefined);
  }

  /** Tells those who wait in `syncNow` how it ended. */
  function settle(): void {
    const blocked = life.task === "none" && life.notBeforeMs > now();
    waiters = waiters.filter(({ rounds, resolve, reject }) => {
      const whys = [...rounds].map(([tracked, asked]) => whyNotLanded(tracked, asked)).filter((why) => why !== undefined);
      const waiting = whys.includes("waiting");
      if (waiting && !blocked) return true;
      const why = waiting ? { code: life.code || life.mode, message: life.reason } : whys[0];
      if (why === undefined || why === "waiting") resolve();
      else reject(new SyncError(why.code, why.message));
      return false;
    });
  }

  return {
    get status() {
      return status;
    },
    start() {
      if (running) return;
      running = true;
      reached = false;
      informed = false;
      life = life.mode === "locked" ? { ...life, task: "none" } : firstLife;
      for (const [name, { space }] of spaces) spaces.set(name, trackSpace(space));
      endHints = online.subscribe(() => {
        if (!online.isOnline()) return dispatch({ type: "wentOffline" });
        if (now() - life.triedMs > pace.freshMs) for (const tracked of spaces.values()) look(tracked, 0);
        dispatch({ type: "cameOnline" });
      });
      // What a stopped run still had under way ends first.
      const mine = abort;
      void inFlight.then(() => mine === abort && tick());
    },
    async stop() {
      if (!running) return await inFlight;
      running = false;
      cancelTimer();
      endHints();
      line?.close();
      const ending = abort;
      abort = new AbortController();
      ending.abort();
      for (const { reject } of waiters) reject(new SyncError("stopped", "The client stopped syncing."));
      waiters = [];
      await inFlight;
    },
    addSpace(space) {
      spaces.set(space.space, trackSpace(space));
      tick();
    },
    removeSpace(name) {
      const tracked = spaces.get(name);
      if (tracked) tracked.closed = true;
      spaces.delete(name);
      tick();
    },
    wake: tick,
    syncNow: () =>
      new Promise((resolve, reject) => {
        if (!running) return reject(new SyncError("stopped", "The client is not syncing."));
        for (const tracked of spaces.values()) retry(tracked);
        waiters = [...waiters, { rounds: new Map([...spaces.values()].map((tracked) => [tracked, tracked.askedRound])), resolve, reject }];
        dispatch({ type: "syncNow" });
      }),
    signIn() {
      session.forget();
      if (running) dispatch({ type: "signIn" });
    },
    lock: (reason) => dispatch({ type: "lock", reason }),
    unlock: () => dispatch({ type: "unlock" }),
  };
}
