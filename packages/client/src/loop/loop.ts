import { type DeltaMessage, type ServerMessage } from "@landfall/protocol";
import * as limits from "@landfall/protocol/limits";
import { createBudget } from "./budget.js";
import { runExchange } from "./exchange.js";
import { type LifeEvent, firstLife, step } from "./life.js";
import { loopStatus } from "./loop-status.js";
import { freshMs, idleMs, progressMs, renewRetryMs, turnMs, watchedIdleMs } from "./pace.js";
import { PokeLine, watchOf } from "./poke-line.js";
import {
  type Loop,
  type LoopOptions,
  type LoopStatus,
  type SpaceSync,
  SyncError,
  type SyncedSpace,
} from "./port.js";
import { TrackedSpace, type TrackingPorts, deferredReason } from "./tracked-space.js";

const never = Number.POSITIVE_INFINITY;

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: SyncError) => void;
}

/**
 * The synchronizer: keeps spaces in step with the server, one exchange at a time (DESIGN §4, §8). The
 * tables of `life` and `tracked-space` decide; the timers and calls here only carry it out.
 */
export function createLoop(options: LoopOptions): Loop {
  return new Synchronizer(options);
}

class Synchronizer implements Loop {
  readonly #options: LoopOptions;
  readonly #tracking: TrackingPorts;
  readonly #spaces = new Map<string, TrackedSpace>();
  readonly #budget = createBudget();
  readonly #line: PokeLine | undefined;
  #waiters: readonly Waiter[] = [];
  /** Somebody asked while an attempt was under way: if that fails, it is not the answer, for they asked for one of their own. */
  #asksAnew = false;
  /** What the socket watches; undefined when that must be worked out again. */
  #watch: { readonly [space: string]: readonly string[] } | undefined;
  #life = firstLife;
  #running = false;
  /** What a stopped run had under way has not ended yet. */
  #ending = false;
  /** Of this run; a new one after every stop, so that what a stopped run still brings is passed over. */
  #abort = new AbortController();
  #inFlight: Promise<void> = Promise.resolve();
  #cancelTimer = (): void => undefined;
  #endHints = (): void => undefined;
  /** Counts exchanges. */
  #round = 0;
  #sending = false;
  /** Since the start, the server has answered, and was asked for its limits. */
  #reached = false;
  #informed = false;
  #renewNotBeforeMs = 0;
  #retryAt: number | null = null;
  #toldMs = 0;
  #told: LoopStatus | undefined;
  /** What the socket said hello with. */
  #greeting = { token: "", device: "" };

  constructor(options: LoopOptions) {
    this.#options = options;
    const { remote, ports, session, serverClock, device } = options;
    const { pokes } = remote;
    const now = (): number => ports.uptime.now();
    let dice: number[] = [];
    const chance = (): number => {
      // A call for random bytes costs much more than the bytes.
      if (dice.length === 0) dice = [...ports.random.bytes(64)];
      return (dice.pop() as number) / 256;
    };
    this.#tracking = {
      now,
      chance,
      serverMs: () => Math.round(serverClock.now()),
      idleMs: ({ watched }) => (watched && this.#line?.open ? watchedIdleMs : idleMs),
    };
    this.#line =
      pokes &&
      new PokeLine({
        connect: (listener) =>
          pokes((this.#greeting = { token: session.token ?? "", device: device() }), listener),
        now,
        chance,
        message: (message) => this.#hear(message),
        unauthorized: () => session.refuse(this.#greeting.token),
        changed: (turned, doubtful) => {
          for (const tracked of this.#all) {
            if (turned) tracked.idle();
            if (doubtful) tracked.look();
          }
          this.#again();
        },
      });
  }

  get #all(): TrackedSpace[] {
    return [...this.#spaces.values()];
  }

  /** Whether writes wait to be sent. */
  get #waits(): boolean {
    return this.#all.some(({ space }) => space.sendable > 0);
  }

  // --- status -------------------------------------------------------------------------------------------

  get status(): LoopStatus {
    const spaces: { [space: string]: SpaceSync } = {};
    for (const [space, { sync }] of this.#spaces) spaces[space] = sync;
    return loopStatus(this.#told, this.#life, spaces, {
      socketOpen: this.#line?.open === true,
      sending: this.#sending,
      retryAt: this.#retryAt,
      clockSkewMs: this.#options.serverClock.skewMs,
    });
  }

  #report(): void {
    this.#toldMs = this.#tracking.now();
    const { status } = this;
    if (status === this.#told) return;
    this.#told = status;
    this.#options.onStatus(status);
  }

  // --- pace ---------------------------------------------------------------------------------------------

  /** Does what is due, and sets the timer for what is due next. */
  wake(): void {
    if (!this.#running || this.#ending) return;
    this.#cancelTimer();
    const { now } = this.#tracking;
    const { mode, task, notBeforeMs, failures } = this.#life;
    if (task === "none" && this.#asksAnew) {
      this.#asksAnew = false;
      if (failures > 0) return this.#dispatch({ type: "urged" });
    }
    // Whoever has no token or no server looks for one, whether spaces are due or not.
    const wanted =
      mode === "ready" && this.#options.session.token !== undefined
        ? Math.min(...this.#all.map(({ dueAtMs }) => dueAtMs))
        : 0;
    let next = task === "none" ? Math.max(wanted, notBeforeMs) : never;
    if (next <= now()) return this.#dispatch({ type: "due" });
    next = Math.min(next, this.#keepLine(), this.#renew());
    if (next < never)
      this.#cancelTimer = this.#options.ports.timers.after(Math.max(0, next - now()), () => this.wake());
    if (task === "none") this.#settle();
  }

  #dispatch(event: LifeEvent): void {
    const { ports, session } = this.#options;
    const { now, chance, serverMs } = this.#tracking;
    const before = this.#life;
    const life = step(before, event, {
      now: now(),
      random: chance(),
      hasToken: session.token !== undefined,
      online: ports.online.isOnline(),
    });
    this.#life = life;
    if (life.notBeforeMs !== before.notBeforeMs) {
      const inMs = life.notBeforeMs - now();
      this.#retryAt = inMs > 0 && inMs < never ? serverMs() + Math.round(inMs) : null;
    }
    if (life.task !== before.task && life.task === "asking") void this.#ask();
    if (life.task !== before.task && life.task === "exchanging") this.#inFlight = this.#exchange();
    // What else there is to do can wait until the request has gone.
    else this.#again();
  }

  /** Asks for another token before this one expires; if that fails, this one serves until it is refused. */
  #renew(): number {
    const { session, serverClock } = this.#options;
    const { now } = this.#tracking;
    if (session.renewAtMs === undefined || this.#life.task === "asking" || this.#life.mode === "locked")
      return never;
    const atMs = Math.max(now() + session.renewAtMs - serverClock.now(), this.#renewNotBeforeMs);
    if (atMs > now()) return atMs;
    this.#renewNotBeforeMs = now() + renewRetryMs;
    void session
      .ask()
      .then(
        (token) => token && this.#line?.auth(token),
        () => undefined,
      )
      .then(() => this.wake());
    return this.#renewNotBeforeMs;
  }

  async #ask(): Promise<void> {
    const mine = this.#abort;
    const event = await this.#options.session.ask().then(
      (token): LifeEvent => {
        if (token) this.#line?.auth(token);
        return { type: token === null ? "noToken" : "token" };
      },
      (error: unknown): LifeEvent => ({
        type: "failed",
        code: "credentials",
        message: `The app could not get a token. ${String(error)}`,
        retryAfterMs: 0,
      }),
    );
    if (mine === this.#abort) this.#dispatch(event);
  }

  async #exchange(): Promise<void> {
    const { remote, ports, session, serverClock, device } = this.#options;
    const { now } = this.#tracking;
    const mine = this.#abort;
    const token = session.token as string;
    // A first request of the usual size need not be followed by many.
    if (this.#all.some(({ space }) => space.sendable > limits.maxEventsPerRequest)) this.#inform();
    const begunMs = now();
    let sentMs = 0;
    /** What each space had to send when the request was made. */
    let sendable = new Map<TrackedSpace, number>();
    const event = await runExchange({
      remote,
      token,
      device: device(),
      budget: this.#budget,
      signal: mine.signal,
      round: ++this.#round,
      due: this.#all.filter(({ dueAtMs }) => dueAtMs <= begunMs).sort((a, b) => a.turn - b.turn),
      probe: this.#life.mode !== "ready",
      onSend: (events) => {
        this.#sending = events > 0;
        sentMs = ports.clock.now();
        sendable = new Map(this.#all.map((tracked) => [tracked, tracked.space.sendable]));
      },
      onSent: () => this.#again(),
      onTime: (ms) => serverClock.sample(ms, sentMs, ports.clock.now()),
      onProgress: () => now() - this.#toldMs >= progressMs && this.#report(),
      // Long fetching does not keep writes waiting: the rest is asked for together with them.
      yields: () =>
        now() - begunMs > turnMs &&
        this.#all.some((tracked) => tracked.maySend && tracked.space.sendable > (sendable.get(tracked) ?? 0)),
    });
    if (mine !== this.#abort) return;
    this.#sending = false;
    if (event.type === "unauthorized") session.refuse(token);
    if (event.type === "answered") {
      this.#reached = true;
      if (this.#waits) this.#inform();
    }
    this.#dispatch(event);
  }

  /** Asks for the server's limits once one batch was not enough; the usual ones hold until they are known. */
  #inform(): void {
    if (this.#informed) return;
    this.#informed = true;
    const { session, remote } = this.#options;
    void session
      .authorized((token) => remote.info(token))
      .then(
        (info) => this.#budget.limit(info.limits),
        () => undefined,
      );
  }

  // --- socket -------------------------------------------------------------------------------------------

  /** Keeps the socket as it should be. Returns when to call again. */
  #keepLine(): number {
    const line = this.#line;
    const { mode } = this.#life;
    const { session, device } = this.#options;
    if (!line) return never;
    // A clone has taken an id of its own.
    if (
      mode === "signed-out" ||
      mode === "needs-auth" ||
      mode === "locked" ||
      (line.open && this.#greeting.device !== device())
    )
      line.close();
    if (mode !== "ready" || !this.#reached || session.token === undefined || this.#spaces.size === 0)
      return never;
    const next = line.upkeep();
    line.watch((this.#watch ??= watchOf(this.#all)));
    return next;
  }

  #hear(message: ServerMessage): void {
    if (message.type === "heads") {
      for (const [space, heads] of Object.entries(message.spaces)) {
        const tracked = this.#spaces.get(space);
        if (!tracked) continue;
        const hear = (): void => {
          if (tracked.part(message.generations?.[space])) return;
          for (const [domain, index] of Object.entries(heads)) tracked.hear(domain, index);
          tracked.confirm();
        };
        // What the deltas before it bring is not asked for.
        if (tracked.delta) void tracked.delta.then(hear).then(() => this.#again());
        else hear();
      }
    }
    const tracked = "space" in message && this.#spaces.get(message.space);
    if (tracked) {
      if (message.type === "revoked") tracked.look();
      // The device's own writes come back in the answer that they were sent with.
      else if (message.by === this.#options.device()) return;
      else if (message.type === "delta") return this.#takeDelta(tracked, message);
      else for (const domain of message.domains) tracked.hear(domain, message.index);
    }
    this.#again();
  }

  /** Has a space apply a delta. One that fits leaves nothing to do, and at most a new time to tell. */
  #takeDelta(tracked: TrackedSpace, message: DeltaMessage): void {
    const taken = (applied: boolean): void => {
      if (tracked.delta === taking) tracked.delta = undefined;
      if (applied) return void (tracked.confirm() && this.#report());
      if (!tracked.part(message.generation))
        for (const domain of message.domains) tracked.hear(domain, message.index);
      this.#again();
    };
    const taking = tracked.space.delta(message).then(taken, () => taken(false));
    tracked.delta = taking;
  }

  #again(): void {
    this.wake();
    this.#report();
  }

  // --- what the client calls ----------------------------------------------------------------------------

  start(): void {
    if (this.#running) return;
    const { online } = this.#options.ports;
    this.#running = true;
    this.#reached = this.#informed = false;
    this.#life = this.#life.mode === "locked" ? { ...this.#life, task: "none" } : firstLife;
    for (const { space } of this.#all) this.addSpace(space);
    this.#endHints = online.subscribe(() => {
      if (!online.isOnline()) return this.#dispatch({ type: "wentOffline" });
      if (this.#tracking.now() - this.#life.triedMs > freshMs)
        for (const tracked of this.#all) tracked.look();
      this.#dispatch({ type: "cameOnline" });
    });
    this.wake();
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#cancelTimer();
    this.#endHints();
    this.#line?.close();
    this.#abort.abort();
    this.#abort = new AbortController();
    for (const { reject } of this.#waiters) reject(new SyncError("stopped", "The client stopped syncing."));
    this.#waiters = [];
    this.#ending = true;
    await this.#inFlight;
    this.#ending = false;
    this.wake();
  }

  addSpace(space: SyncedSpace): void {
    this.#spaces.set(space.space, new TrackedSpace(space, this.#tracking));
    this.#watch = undefined;
    this.wake();
  }

  removeSpace(name: string): void {
    const tracked = this.#spaces.get(name);
    if (tracked) tracked.closed = true;
    this.#spaces.delete(name);
    this.#watch = undefined;
    this.wake();
  }

  syncNow(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.#running) return reject(new SyncError("stopped", "The client is not syncing."));
      for (const tracked of this.#all) tracked.retry();
      this.#waiters = [...this.#waiters, { resolve, reject }];
      this.#asksAnew = this.#life.task !== "none";
      this.#dispatch({ type: "urged" });
    });
  }

  /** Nothing is under way or due: tells those who wait in `syncNow` how it ended. */
  #settle(): void {
    if (this.#waiters.length === 0) return;
    const { state, error, spaces } = this.status;
    const held = Object.keys(spaces).flatMap((space) => {
      const { reason } = spaces[space] as SpaceSync;
      return reason ? `${space}: ${reason}` : [];
    });
    const message = this.#life.reason || held.join(" ") || deferredReason;
    for (const { resolve, reject } of this.#waiters) {
      if (state === "live" && !this.#waits) resolve();
      else reject(new SyncError(error?.code ?? state, message));
    }
    this.#waiters = [];
  }

  signIn(): void {
    this.#options.session.forget();
    if (this.#running) this.#dispatch({ type: "urged" });
  }

  lock(reason: string): void {
    this.#dispatch({ type: "lock", reason });
  }

  unlock(): void {
    this.#dispatch({ type: "unlock" });
  }
}
