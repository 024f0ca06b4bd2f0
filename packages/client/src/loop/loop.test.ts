import { type DeltaMessage, type ServerMessage, type SpaceError, type SpaceRequest, limits } from "@landfall/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type PokeListener, type Remote, RemoteError, type RemoteFailure } from "../remote/port.js";
import { type VirtualTime, createVirtualTime } from "../testing-time.js";
import { createLoop } from "./loop.js";
import type { Landing, Loop, LoopStatus, Recovery, SyncedSpace } from "./port.js";
import { createServerClock } from "./server-clock.js";
import { type CredentialsReason, createSession } from "./session.js";

/** A server of counters: each space is a head that events of anybody move, and knows each device's newest seq. */
interface FakeServer {
  readonly heads: Map<string, number>;
  readonly received: Map<string, number>;
  readonly requests: { readonly atMs: number; readonly spaces: readonly string[]; readonly events: number }[];
  inFlight: number;
  mostInFlight: number;
  /** What the next exchanges meet; the last one stays. */
  weather: (() => RemoteFailure | "ok" | { readonly backoffMs: number })[];
  /** What a space meets. */
  spaceErrors: Map<string, SpaceError>;
  /** Spaces that answers leave out. */
  silent: Set<string>;
  socket: PokeListener | undefined;
  sockets: number;
  socketsRefused: boolean;
  watched: { readonly [space: string]: readonly string[] };
  infos: number;
  maxEvents: number;
  tokens: Set<string>;
  latencyMs: number;
  rowsPerCheckpoint: number;
  streamMs: number;
}

/** A space as small as a space can be: how many own writes wait, and how far it has read. */
class FakeSpace implements SyncedSpace {
  readonly domains = ["note"];
  cursor = 0;
  seq = 0;
  acked = 0;
  deferMs: number | undefined;
  recovery: Recovery = { next: "again" };
  readonly failures: string[] = [];
  brokenTimes = 0;
  stuck = false;
  #head = 0;
  #staged = 0;

  constructor(readonly space: string) {}

  get sendable(): number {
    return this.seq - this.acked;
  }

  request(budget: { readonly events: number }): Promise<{ request: SpaceRequest; bytes: number }> {
    const events = Array.from({ length: Math.min(budget.events, this.sendable) }, (_, i) => ({ seq: this.acked + i + 1 }));
    return Promise.resolve({ request: { space: this.space, cursors: { note: this.cursor }, events }, bytes: events.length * 100 });
  }

  begin(head: { readonly head: number; readonly lastSeq: number }): void {
    this.#head = head.head;
    this.#staged = head.lastSeq;
  }

  rows(): void {}

  checkpoint({ cursors }: { readonly cursors: { readonly [domain: string]: number } }): void {
    if (!this.stuck) this.cursor = cursors["note"] ?? 0;
  }

  end(): Promise<Landing> {
    if (!this.stuck) {
      this.cursor = Math.max(this.cursor, this.#head);
      this.acked = Math.max(this.acked, this.#staged);
    }
    return Promise.resolve({ moreToFetch: this.stuck, moreToSend: this.sendable > 0, ...(this.deferMs === undefined ? {} : { retryAfterMs: this.deferMs }) });
  }

  broken(): void {
    this.brokenTimes += 1;
  }

  failed(error: SpaceError): Promise<Recovery> {
    this.failures.push(error.code);
    // An event that cannot get through alone is given up.
    if (error.code === "too_large") this.acked += 1;
    return Promise.resolve(error.code === "too_large" ? { next: "again" } : this.recovery);
  }

  delta(message: DeltaMessage): Promise<boolean> {
    const fits = this.cursor >= message.from && this.cursor < message.index;
    if (fits) this.cursor = message.index;
    return Promise.resolve(fits);
  }

  isBehind(heads: { readonly [domain: string]: number }): boolean {
    return (heads["note"] ?? 0) > this.cursor;
  }
}

interface World {
  readonly time: VirtualTime;
  readonly server: FakeServer;
  readonly loop: Loop;
  readonly statuses: LoopStatus[];
  readonly asked: CredentialsReason[];
  token: string | null | Error;
  device: string;
  hint(online: boolean): void;
  space(name: string): FakeSpace;
  write(name: string, count?: number): void;
  /** Somebody else's events. */
  others(name: string, count?: number): void;
  requestsWithin(ms: number): number;
}

function fakeServer(): FakeServer {
  return {
    heads: new Map(), received: new Map(), requests: [], inFlight: 0, mostInFlight: 0, weather: [() => "ok"], spaceErrors: new Map(), silent: new Set(), socket: undefined, sockets: 0,
    socketsRefused: false, watched: {}, infos: 0, maxEvents: limits.maxEventsPerRequest, tokens: new Set(["token-1"]), latencyMs: 20, rowsPerCheckpoint: 1_000, streamMs: 0,
  };
}

function fakeRemote(server: FakeServer, time: VirtualTime): Remote {
  const pause = (ms: number): Promise<void> => new Promise((resolve) => void time.timers.after(ms, resolve));
  const refuse = (failure: RemoteFailure): never => {
    throw new RemoteError(failure);
  };
  return {
    async exchange({ spaces }, sink, { token, signal }) {
      const events = spaces.reduce((sum, part) => sum + (part.events?.length ?? 0), 0);
      server.requests.push({ atMs: time.uptime.now(), spaces: spaces.map(({ space }) => space), events });
      server.inFlight += 1;
      server.mostInFlight = Math.max(server.mostInFlight, server.inFlight);
      try {
        await pause(server.latencyMs);
        const weather = (server.weather.length > 1 ? server.weather.shift()! : server.weather[0]!)();
        if (weather !== "ok" && "kind" in weather) refuse(weather);
        if (!server.tokens.has(token)) refuse({ kind: "refused", status: 401, code: "unauthorized", message: "The token has expired." });
        if (events > server.maxEvents) refuse({ kind: "refused", status: 413, code: "too_large", message: "The batch is too large." });
        sink.time(time.clock.now() - time.clock.wrongMs - server.latencyMs / 2);
        for (const { space, cursors, events = [] } of spaces) {
          if (server.silent.has(space)) continue;
          const error = server.spaceErrors.get(space);
          if (error) {
            sink.failure(space, error);
            continue;
          }
          const known = server.received.get(space) ?? 0;
          const fresh = (events as { readonly seq: number }[]).filter(({ seq }) => seq > known);
          const head = (server.heads.get(space) ?? 0) + fresh.length;
          server.heads.set(space, head);
          server.received.set(space, known + fresh.length);
          const lastSeq = known + fresh.length;
          sink.space({ space, generation: "g1", head, lastSeq, outcomes: [], reset: [] });
          for (let cursor = (cursors["note"] ?? 0) + server.rowsPerCheckpoint; cursor < head; cursor += server.rowsPerCheckpoint) {
            if (server.streamMs > 0) await pause(server.streamMs);
            if (signal?.aborted) throw new Error("aborted");
            sink.rows([{ domain: "note", key: "k", version: cursor, modifiedAt: 1, deleted: true }]);
            sink.checkpoint({ cursors: { note: cursor }, scan: {} });
          }
          sink.end({ head, lastSeq, cursors: { note: head }, scan: {}, more: false, digests: {} });
        }
        return weather === "ok" || !("backoffMs" in weather) ? {} : { backoffMs: weather.backoffMs };
      } finally {
        server.inFlight -= 1;
      }
    },
    async info() {
      server.infos += 1;
      await pause(server.latencyMs);
      return {
        time: time.clock.now(), protocol: 1, server: "fake", user: "ann", spaces: {},
        limits: { maxEventsPerRequest: server.maxEvents, maxBodyBytes: 1_100_000, maxBatchBytes: 1_000_000, maxPageRows: 10_000 },
      };
    },
    call: () => Promise.resolve({}),
    pokes(_hello, listener) {
      server.sockets += 1;
      void pause(server.latencyMs).then(() => {
        if (server.socketsRefused) return listener.closed({ unauthorized: false, message: "Closed." });
        server.socket = listener;
        listener.open();
      });
      return {
        watch: (spaces) => void (server.watched = spaces),
        auth: () => undefined,
        close() {
          if (server.socket === listener) server.socket = undefined;
        },
      };
    },
  };
}

function createWorld({ seed = 1, spaces = ["a"], token = "token-1" }: { seed?: number; spaces?: readonly string[]; token?: World["token"] } = {}): World {
  const time = createVirtualTime({ seed });
  const server = fakeServer();
  const statuses: LoopStatus[] = [];
  const asked: CredentialsReason[] = [];
  const listeners = new Set<() => void>();
  let online = true;
  const world: World = {
    time, server, statuses, asked, token, device: "device-1",
    loop: createLoop({
      remote: fakeRemote(server, time),
      ports: {
        ...time,
        online: {
          isOnline: () => online,
          subscribe(listen) {
            listeners.add(listen);
            return () => listeners.delete(listen);
          },
        },
      },
      session: createSession((reason) => {
        asked.push(reason);
        if (world.token instanceof Error) throw world.token;
        return world.token;
      }, time.clock),
      serverClock: createServerClock(time.clock),
      device: () => world.device,
      onStatus: (status) => statuses.push(status),
    }),
    hint(now) {
      online = now;
      for (const listen of listeners) listen();
    },
    space: (name) => fakes.get(name)!,
    write(name, count = 1) {
      world.space(name).seq += count;
      world.loop.wake();
    },
    others(name, count = 1) {
      const from = server.heads.get(name) ?? 0;
      server.heads.set(name, from + count);
      const message: ServerMessage = { type: "poke", space: name, domains: ["note"], index: from + count };
      if (Object.hasOwn(server.watched, name)) server.socket?.message(message);
    },
    requestsWithin: (ms) => server.requests.filter(({ atMs }) => atMs > time.uptime.now() - ms).length,
  };
  const fakes = new Map(spaces.map((name) => [name, new FakeSpace(name)]));
  for (const fake of fakes.values()) world.loop.addSpace(fake);
  world.loop.start();
  return world;
}

const down: RemoteFailure = { kind: "network", message: "The server cannot be reached." };
const minute = 60_000;

describe("the loop", () => {
  test("lands at once, opens the socket, and then stays quiet for minutes", async () => {
    const { server, loop, time, requestsWithin } = createWorld();
    server.heads.set("a", 7);
    await time.advance(200);
    expect(loop.status).toMatchObject({ state: "live", connection: "socket", phase: "idle", error: null, reason: "" });
    expect(loop.status.lastSyncedAt).not.toBeNull();
    expect(server.watched).toEqual({ a: ["note"] });
    await time.advance(5 * minute);
    expect(server.requests.length).toBe(1);
    await time.advance(10 * minute);
    expect(requestsWithin(15 * minute)).toBeLessThanOrEqual(2);
    expect(requestsWithin(11 * minute)).toBe(1);
  });

  test("a write goes at once, and all that came in during an exchange goes with the next", async () => {
    const { server, time, write, space } = createWorld();
    await time.advance(200);
    write("a");
    for (let i = 0; i < 9; i++) write("a");
    await time.advance(100);
    expect(server.requests.map(({ events }) => events)).toEqual([0, 1, 9]);
    expect(space("a").sendable).toBe(0);
    expect(server.mostInFlight).toBe(1);
  });

  test("all due spaces go in one request", async () => {
    const { server, time } = createWorld({ spaces: ["a", "b", "c"] });
    await time.advance(100);
    expect(server.requests).toMatchObject([{ spaces: ["a", "b", "c"] }]);
  });

  test("a request holds at most 64 spaces, and none is left out for long", async () => {
    const names = Array.from({ length: 150 }, (_, i) => `s${i}`);
    const { server, time } = createWorld({ spaces: names });
    await time.advance(1_000);
    expect(server.requests.map(({ spaces }) => spaces.length)).toEqual([64, 64, 22]);
    expect(new Set(server.requests.flatMap(({ spaces }) => spaces)).size).toBe(150);
  });

  test("spaces that share the budget take turns", async () => {
    const { server, time, write, space } = createWorld({ spaces: ["a", "b", "c"] });
    await time.advance(200);
    server.maxEvents = 100;
    write("a", 1_000);
    write("b", 30);
    write("c", 30);
    await time.advance(110);
    expect([space("b").sendable, space("c").sendable]).toEqual([0, 0]);
    expect(space("a").sendable).toBeGreaterThan(0);
    await time.advance(1_000);
    expect(space("a").sendable).toBe(0);
    expect(Math.max(...server.requests.map(({ events }) => events))).toBe(100);
  });

  test("waiting for one's turn is no fault: many full outboxes empty without a pause", async () => {
    const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    const { time, write, space } = createWorld({ spaces: names });
    await time.advance(200);
    for (const name of names) write(name, 300);
    await time.advance(1_000);
    expect(names.map((name) => space(name).sendable)).toEqual(names.map(() => 0));
  });

  test("pokes bring an exchange at once, own ones none, and deltas that fit save it", async () => {
    const { server, time, others, space, loop } = createWorld();
    await time.advance(200);
    others("a");
    await time.advance(50);
    expect(server.requests.length).toBe(2);
    server.heads.set("a", 2);
    server.socket?.message({ type: "poke", space: "a", domains: ["note"], index: 2, by: "device-1" });
    await time.advance(50);
    expect(server.requests.length).toBe(2);
    server.heads.set("a", 3);
    server.socket?.message({ type: "delta", space: "a", generation: "g1", domains: ["note"], from: 1, index: 3, lastSeq: 0, rows: [] });
    await time.advance(50);
    expect([space("a").cursor, server.requests.length]).toEqual([3, 2]);
    server.heads.set("a", 9);
    server.socket?.message({ type: "delta", space: "a", generation: "g1", domains: ["note"], from: 8, index: 9, lastSeq: 0, rows: [] });
    await time.advance(50);
    expect([space("a").cursor, server.requests.length]).toEqual([9, 3]);
    server.heads.set("a", 12);
    server.socket?.message({ type: "heads", time: 1, spaces: { a: { note: 12 }, strange: { note: 4 } } });
    await time.advance(50);
    expect([space("a").cursor, server.requests.length]).toEqual([12, 4]);
    expect(loop.status.state).toBe("live");
  });

  test("a socket that cannot be had means polling every minute, and says so", async () => {
    const { server, loop, time } = createWorld();
    server.socketsRefused = true;
    await time.advance(10 * minute);
    expect(loop.status).toMatchObject({ state: "live", connection: "polling" });
    expect(server.requests.length).toBeGreaterThanOrEqual(9);
    expect(server.requests.length).toBeLessThanOrEqual(12);
    expect(server.sockets).toBeLessThanOrEqual(9);
  });

  test("a lost socket is opened again, and what it missed is heard of by `heads`", async () => {
    const { server, loop, time } = createWorld();
    await time.advance(200);
    server.socket?.closed({ unauthorized: false, message: "Gone." });
    expect(loop.status.connection).toBe("polling");
    await time.advance(7_000);
    expect([loop.status.connection, server.sockets]).toEqual(["socket", 2]);
  });

  test("without a network it is offline with a growing pace, and a write then waits its turn", async () => {
    const { server, loop, time, write, requestsWithin, space } = createWorld();
    server.weather = [() => down];
    await time.advance(10 * minute);
    expect(loop.status).toMatchObject({ state: "offline", phase: "blocked", connection: "offline", error: { code: "network" } });
    const retryAt = loop.status.error?.retryAt as number;
    expect(retryAt).toBeGreaterThan(time.clock.now());
    expect(server.requests.length).toBeLessThanOrEqual(10);
    for (let i = 0; i < 50; i++) write("a");
    await time.advance(1_000);
    expect(requestsWithin(1_000)).toBeLessThanOrEqual(1);
    server.weather = [() => "ok"];
    await time.advance(7 * minute);
    expect([loop.status.state, space("a").sendable]).toEqual(["live", 0]);
  });

  test("coming online is tried at once; going offline is believed only so far", async () => {
    const { server, loop, time, hint, write, space } = createWorld();
    await time.advance(200);
    hint(false);
    expect(loop.status.state).toBe("offline");
    write("a");
    await time.advance(80_000);
    expect([loop.status.state, space("a").sendable]).toEqual(["live", 0]);
    server.weather = [() => down];
    write("a");
    await time.advance(3 * minute);
    expect(loop.status.state).toBe("offline");
    server.weather = [() => "ok"];
    hint(true);
    await time.advance(100);
    expect([loop.status.state, space("a").sendable]).toEqual(["live", 0]);
  });

  test("Retry-After and Landfall-Backoff are obeyed, by impatience too", async () => {
    const { server, loop, time, write } = createWorld();
    await time.advance(200);
    server.weather = [() => ({ kind: "refused", status: 503, code: "unavailable", message: "The server is busy.", retryAfterMs: 90_000 }), () => ({ backoffMs: 40_000 }), () => "ok"];
    write("a");
    await time.advance(100);
    expect(loop.status).toMatchObject({ state: "backing-off", reason: "The server is busy.", error: { code: "unavailable" } });
    await expect(loop.syncNow()).rejects.toMatchObject({ code: "unavailable", message: "The server is busy." });
    await time.advance(89_000);
    expect(server.requests.length).toBe(2);
    await time.advance(25_000);
    expect(server.requests.length).toBe(3);
    expect(loop.status).toMatchObject({ state: "live", error: { code: "paused" } });
    write("a");
    const before = server.requests.length;
    const backoffEnd = server.requests.at(-1)!.atMs + 40_000;
    await time.advance(backoffEnd - time.uptime.now());
    expect(server.requests.length).toBe(before);
    await time.advance(12_000);
    expect(server.requests.length).toBe(before + 1);
  });

  test("a portal's page is told apart from a server, and backs off", async () => {
    const { server, loop, time } = createWorld();
    server.weather = [() => ({ kind: "garbled", message: "What answered is not a Landfall server." })];
    await time.advance(minute);
    expect(loop.status).toMatchObject({ state: "backing-off", error: { code: "garbled" } });
    expect(server.requests.length).toBeLessThanOrEqual(6);
  });

  test("413 halves the batch until it passes, and an event that is too large alone is the space's to give up", async () => {
    const { server, loop, time, write, space } = createWorld();
    await time.advance(200);
    server.maxEvents = 30;
    write("a", 200);
    await time.advance(3_000);
    expect(space("a").sendable).toBe(0);
    expect(space("a").failures).toEqual([]);
    expect(server.infos).toBe(1);
    server.maxEvents = 0;
    write("a", 2);
    await time.advance(3_000);
    expect(space("a").failures).toEqual(["too_large", "too_large"]);
    expect(loop.status.state).toBe("live");
    server.maxEvents = 100;
    write("a", 2_000);
    await time.advance(10_000);
    expect(space("a").sendable).toBe(0);
    expect(Math.max(...server.requests.slice(-5).map(({ events }) => events))).toBe(30);
  });

  test("a batch that takes too long is halved too", async () => {
    const { server, time, write, space } = createWorld();
    await time.advance(200);
    const slow: RemoteFailure = { kind: "network", message: "The server does not answer.", timedOut: true };
    server.weather = [() => slow, () => slow, () => "ok"];
    write("a", 100);
    await time.advance(20_000);
    expect(server.requests.map(({ events }) => events).slice(1, 6)).toEqual([100, 50, 25, 25, 25]);
    await time.advance(1_000);
    expect(space("a").sendable).toBe(0);
  });

  test("limits of the server are asked for once one batch was not enough", async () => {
    const { server, time, write, space } = createWorld();
    server.maxEvents = 1_000;
    await time.advance(200);
    expect(server.infos).toBe(0);
    write("a", 2_500);
    await time.advance(300);
    expect(server.infos).toBe(1);
    expect(server.requests.map(({ events }) => events).slice(1)).toEqual([100, 100, 1_000, 1_000, 300]);
    expect(space("a").sendable).toBe(0);
  });

  test("401: credentials are asked again, then needs-auth with a reason; a sign-in goes on at once", async () => {
    const world = createWorld();
    const { server, loop, time, asked, write, space } = world;
    await time.advance(200);
    server.tokens = new Set(["token-2"]);
    world.token = "token-2";
    write("a");
    await time.advance(100);
    expect(asked).toEqual(["start", "refused"]);
    expect([loop.status.state, space("a").sendable]).toEqual(["live", 0]);
    server.tokens = new Set(["token-3"]);
    write("a");
    await time.advance(10 * minute);
    expect(loop.status).toMatchObject({ state: "needs-auth", reason: "The token has expired.", error: { code: "unauthorized" } });
    expect(asked.length).toBeLessThanOrEqual(10);
    world.token = "token-3";
    loop.signIn();
    await time.advance(100);
    expect([loop.status.state, space("a").sendable]).toEqual(["live", 0]);
  });

  test("nobody signed in: not one request, until somebody is", async () => {
    const world = createWorld({ token: null });
    await world.time.advance(minute);
    expect(world.loop.status).toMatchObject({ state: "signed-out", reason: "Nobody is signed in." });
    await expect(world.loop.syncNow()).rejects.toMatchObject({ code: "signed-out" });
    expect(world.server.requests.length).toBe(0);
    world.token = "token-1";
    world.loop.signIn();
    await world.time.advance(100);
    expect(world.loop.status.state).toBe("live");
  });

  test("credentials that throw back off with the reason", async () => {
    const world = createWorld({ token: new Error("The sign-in service is down.") });
    await world.time.advance(minute);
    expect(world.loop.status).toMatchObject({ state: "backing-off", error: { code: "credentials" } });
    expect(world.loop.status.reason).toContain("The sign-in service is down.");
    expect(world.asked.length).toBeLessThanOrEqual(6);
  });

  test("a token is renewed before it expires, and one that never gets younger is not asked for in a loop", async () => {
    const startMs = createVirtualTime().clock.now();
    const jwt = (expiresInMs: number): string => `x.${btoa(JSON.stringify({ exp: Math.floor((startMs + expiresInMs) / 1_000) }))}.y`;
    const first = jwt(10 * minute);
    const world = createWorld({ token: first });
    const { time, server, asked } = world;
    server.tokens.add(first);
    await time.advance(8 * minute);
    expect(asked).toEqual(["start"]);
    const next = jwt(60 * minute);
    server.tokens.add(next);
    world.token = next;
    await time.advance(1.5 * minute);
    expect(asked).toEqual(["start", "renew"]);
    await time.advance(70 * minute);
    expect(asked.length).toBeLessThanOrEqual(2 + 45);
    expect(world.loop.status.state).toBe("live");
  });

  test("space errors: again goes on, later waits, stop stops only that space, and syncNow says why", async () => {
    const { server, loop, time, space, write } = createWorld({ spaces: ["a", "b"] });
    await time.advance(200);
    space("a").recovery = { next: "stop", state: "revoked", reason: "You are no longer a member of this space." };
    server.spaceErrors.set("a", { code: "revoked", message: "No longer a member." });
    write("a");
    await time.advance(100);
    expect(loop.status).toMatchObject({ state: "revoked", reason: "You are no longer a member of this space.", spaces: { a: { state: "revoked" }, b: { state: "live" } } });
    write("a");
    write("b");
    await time.advance(5 * minute);
    expect(server.requests.slice(2).every(({ spaces }) => !spaces.includes("a"))).toBe(true);
    expect(space("b").sendable).toBe(0);
    const [failure] = await Promise.all([loop.syncNow().catch((error: unknown) => error), time.advance(100)]);
    expect(failure).toMatchObject({ name: "SyncError", code: "revoked" });
    server.spaceErrors.delete("a");
    const again = loop.syncNow();
    await time.advance(200);
    await again;
    expect(loop.status.state).toBe("live");
  });

  test("a syncNow that comes while an exchange is under way is answered by one that follows at once", async () => {
    const { server, loop, time } = createWorld();
    server.latencyMs = 200;
    await time.advance(100);
    expect([server.requests.length, loop.status.state]).toEqual([1, "catching-up"]);
    const sync = loop.syncNow();
    await time.advance(1_000);
    expect([server.requests.length, loop.status.state]).toEqual([2, "live"]);
    await sync;
  });

  test("an error that the space always answers with `again`, and an answer that never comes further, make no hot loop", async () => {
    const { server, loop, time, space } = createWorld({ spaces: ["a", "b"] });
    server.spaceErrors.set("a", { code: "seq_gap", message: "An event is missing." });
    space("b").stuck = true;
    await time.advance(10 * minute);
    expect(server.requests.length).toBeLessThanOrEqual(40);
    expect(loop.status.state).toBe("catching-up");
    await expect(Promise.race([loop.syncNow(), time.advance(minute).then(() => "waits")])).rejects.toMatchObject({ code: "catching-up" });
  });

  test("`later` without end makes no hot loop, whatever time it asks for", async () => {
    const { server, time, space } = createWorld();
    server.spaceErrors.set("a", { code: "quota_exceeded", message: "The space is full." });
    space("a").recovery = { next: "later", afterMs: 0, reason: "The space is full." };
    await time.advance(10 * minute);
    expect(server.requests.length).toBeLessThanOrEqual(12);
  });

  test("a deferred event holds sending, not fetching", async () => {
    const { server, time, write, space, others } = createWorld();
    await time.advance(200);
    space("a").deferMs = 30_000;
    server.received.set("a", 5);
    write("a", 6);
    await time.advance(100);
    const before = server.requests.length;
    write("a");
    await time.advance(10_000);
    expect(server.requests.length).toBe(before);
    others("a");
    await time.advance(100);
    expect(server.requests.at(-1)).toMatchObject({ events: 0 });
    space("a").deferMs = undefined;
    await time.advance(40_000);
    expect(space("a").sendable).toBe(0);
  });

  test("a long first sync is broken off at a checkpoint for writes, and goes on from there", async () => {
    const { server, time, write, space, loop } = createWorld();
    server.heads.set("a", 100_000);
    server.streamMs = 1_000;
    await time.advance(5_000);
    expect(loop.status.spaces["a"]?.progress).toMatchObject({ total: 100_000, unit: "changes" });
    expect(loop.status).toMatchObject({ state: "catching-up", phase: "fetching" });
    write("a");
    await time.advance(10_000);
    expect(server.received.get("a")).toBe(1);
    expect(space("a").brokenTimes).toBe(1);
    expect(server.requests).toMatchObject([{ events: 0 }, { events: 1 }]);
    await time.advance(200_000);
    expect(loop.status).toMatchObject({ state: "live" });
    expect(space("a").cursor).toBe(100_001);
    expect(loop.status.spaces["a"]?.progress).toBeNull();
  });

  test("a socket that confirms what is there keeps the time of the last sync", async () => {
    const { server, loop, time } = createWorld({ spaces: ["a", "b"] });
    server.heads.set("a", 5);
    await time.advance(200);
    const first = loop.status.lastSyncedAt as number;
    await time.advance(30_000);
    server.socket?.message({ type: "heads", time: 1, spaces: { a: { note: 5 } } });
    expect(loop.status.spaces["a"]?.lastSyncedAt).toBeGreaterThanOrEqual(first + 30_000);
    expect(loop.status.lastSyncedAt).toBe(first);
    server.socket?.message({ type: "heads", time: 1, spaces: { b: { note: 0 } } });
    expect(loop.status.lastSyncedAt).toBeGreaterThanOrEqual(first + 30_000);
  });

  test("a server of another protocol makes its spaces outdated; it is asked again every hour", async () => {
    const { server, loop, time } = createWorld();
    server.weather = [() => ({ kind: "refused", status: 400, code: "protocol_unsupported", message: "This server speaks another protocol version." })];
    await time.advance(30 * minute);
    expect(loop.status).toMatchObject({ state: "outdated", reason: "This server speaks another protocol version." });
    expect(server.requests.length).toBe(1);
    server.weather = [() => "ok"];
    await time.advance(31 * minute);
    expect([loop.status.state, server.requests.length]).toEqual(["live", 2]);
  });

  test("a space whose own work fails, or that the answer leaves out, backs off alone", async () => {
    const { server, loop, time, space, write } = createWorld({ spaces: ["a", "b", "c"] });
    space("a").end = () => Promise.reject(new Error("The disk is full."));
    space("b").request = () => Promise.reject(new Error("The storage is gone."));
    server.silent.add("c");
    await time.advance(minute);
    const { a, b, c } = loop.status.spaces;
    expect([a?.reason, b?.reason, c?.reason]).toEqual(["Error: The disk is full.", "Error: The storage is gone.", "The server's answer leaves the space out."]);
    expect(server.requests.length).toBeLessThanOrEqual(15);
    server.silent.clear();
    await time.advance(5 * minute);
    write("c");
    await time.advance(100);
    expect([space("c").sendable, loop.status.spaces["c"]?.state]).toEqual([0, "live"]);
  });

  test("a fault in a space's staging ends the exchange, and backs off", async () => {
    const { server, loop, time, space } = createWorld();
    space("a").begin = () => {
      throw new Error("A fault.");
    };
    await time.advance(minute);
    expect(loop.status).toMatchObject({ state: "backing-off", error: { code: "internal", message: "Error: A fault." } });
    expect(server.requests.length).toBeLessThanOrEqual(6);
  });

  test("a space that is removed while its answer is under way gets no end", async () => {
    const { loop, time, space } = createWorld();
    let ends = 0;
    space("a").end = () => {
      ends += 1;
      return Promise.resolve({ moreToFetch: false, moreToSend: false });
    };
    await time.advance(10);
    loop.removeSpace("a");
    await time.advance(minute);
    expect([ends, loop.status.state]).toEqual([0, "live"]);
  });

  test("a revoked message is confirmed by an exchange", async () => {
    const { server, time } = createWorld();
    await time.advance(200);
    server.socket?.message({ type: "revoked", space: "a" });
    await time.advance(100);
    expect(server.requests.length).toBe(2);
  });

  test("a socket refused for its token asks for another", async () => {
    const world = createWorld();
    await world.time.advance(200);
    world.server.socket?.closed({ unauthorized: true, message: "The token has expired." });
    await world.time.advance(20_000);
    expect(world.asked).toEqual(["start", "refused"]);
    expect(world.loop.status.connection).toBe("socket");
  });

  test("a clone that takes a new device id says hello anew", async () => {
    const world = createWorld();
    await world.time.advance(200);
    world.device = "device-2";
    world.write("a");
    await world.time.advance(200);
    expect([world.server.sockets, world.loop.status.connection]).toEqual([2, "socket"]);
  });

  test("a wrong clock is told, corrected, and stops nothing", async () => {
    const { time, loop, write, space } = createWorld();
    await time.advance(200);
    expect(loop.status.clockSkewMs).toBe(0);
    const year = 365 * 24 * 60 * minute;
    for (const wrongMs of [3 * year, -2 * year]) {
      time.clock.wrongMs = wrongMs;
      write("a");
      await time.advance(200);
      expect(loop.status.clockSkewMs).toBe(wrongMs);
      expect(loop.status.lastSyncedAt as number).toBeLessThan(time.clock.now() - wrongMs + minute);
      expect([loop.status.state, space("a").sendable]).toEqual(["live", 0]);
    }
  });

  test("locked, nothing goes; unlocked, it goes on", async () => {
    const { server, time, loop, write, space } = createWorld();
    await time.advance(200);
    loop.lock("The app is locked.");
    write("a");
    await time.advance(5 * minute);
    expect(loop.status).toMatchObject({ state: "locked", reason: "The app is locked." });
    expect(server.requests.length).toBe(1);
    await expect(loop.syncNow()).rejects.toMatchObject({ code: "locked" });
    loop.unlock();
    await time.advance(100);
    expect([loop.status.state, space("a").sendable]).toEqual(["live", 0]);
  });

  test("stop ends what is under way and lets nothing more out; a start goes on", async () => {
    const { server, time, loop, write, space, statuses } = createWorld();
    await time.advance(10);
    const told = statuses.length;
    const stopped = loop.stop();
    await time.advance(100);
    await stopped;
    write("a");
    await expect(loop.syncNow()).rejects.toMatchObject({ code: "stopped" });
    await time.advance(10 * minute);
    expect([server.requests.length, statuses.length]).toEqual([1, told]);
    loop.start();
    await time.advance(100);
    expect(space("a").sendable).toBe(0);
    expect(server.mostInFlight).toBe(1);
  });
});

const command = fc.oneof(
  fc.record({ do: fc.constant("advance" as const), ms: fc.integer({ min: 1, max: 90_000 }) }),
  fc.record({ do: fc.constantFrom("write" as const, "others" as const), space: fc.constantFrom("a", "b", "c"), count: fc.integer({ min: 1, max: 150 }) }),
  fc.record({ do: fc.constant("weather" as const), kind: fc.constantFrom("ok", "down", "garbled", "busy", "pause", "too_large", "expired") }),
  fc.record({ do: fc.constant("space" as const), space: fc.constantFrom("a", "b", "c"), kind: fc.constantFrom("again", "later", "outdated", "stuck", "defer", "well") }),
  fc.record({ do: fc.constantFrom("online" as const, "offline" as const, "socketLost" as const, "socketsRefused" as const, "lock" as const, "unlock" as const, "signIn" as const, "restart" as const) }),
  fc.record({ do: fc.constant("token" as const), token: fc.constantFrom("token-1", "token-2", "null", "throws") }),
  fc.record({ do: fc.constant("syncNow" as const) }),
);

async function act(world: World, c: typeof command extends fc.Arbitrary<infer C> ? C : never): Promise<void> {
  const { server, loop, time } = world;
  const held: RemoteFailure = { kind: "refused", status: 503, code: "unavailable", message: "Busy.", retryAfterMs: 20_000 };
  const weathers: { readonly [kind: string]: () => RemoteFailure | "ok" | { readonly backoffMs: number } } = {
    ok: () => "ok", down: () => down, garbled: () => ({ kind: "garbled", message: "Not a server." }), busy: () => held, pause: () => ({ backoffMs: 15_000 }),
    too_large: () => ({ kind: "refused", status: 413, code: "too_large", message: "Too large." }), expired: () => ({ kind: "refused", status: 401, code: "unauthorized", message: "Expired." }),
  };
  switch (c.do) {
    case "advance":
      return time.advance(c.ms);
    case "write":
      return world.write(c.space, c.count);
    case "others":
      return world.others(c.space, c.count);
    case "weather":
      server.weather = [weathers[c.kind]!];
      return;
    case "space": {
      const space = world.space(c.space);
      space.stuck = c.kind === "stuck";
      space.deferMs = c.kind === "defer" ? 0 : undefined;
      server.spaceErrors.delete(c.space);
      if (c.kind === "again" || c.kind === "later" || c.kind === "outdated") {
        server.spaceErrors.set(c.space, { code: "seq_gap", message: "Trouble." });
        space.recovery = c.kind === "again" ? { next: "again" } : c.kind === "later" ? { next: "later", afterMs: 0, reason: "Later." } : { next: "stop", state: "outdated", reason: "Old." };
      }
      return;
    }
    case "online":
    case "offline":
      return world.hint(c.do === "online");
    case "socketLost":
      return server.socket?.closed({ unauthorized: false, message: "Lost." });
    case "socketsRefused":
      server.socketsRefused = !server.socketsRefused;
      return;
    case "lock":
      return loop.lock("Locked.");
    case "unlock":
      return loop.unlock();
    case "signIn":
      return loop.signIn();
    case "restart": {
      const stopped = loop.stop();
      loop.start();
      await time.advance(50);
      return stopped;
    }
    case "token":
      world.token = c.token === "null" ? null : c.token === "throws" ? new Error("No token now.") : c.token;
      return;
    case "syncNow":
      loop.syncNow().catch(() => undefined);
  }
}

describe("the loop under random weather", () => {
  test("one exchange at a time, no busy loop, and in the end everything lands", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 50 }), fc.integer(), async (commands, seed) => {
        const world = createWorld({ seed, spaces: ["a", "b", "c"] });
        const { server, time, loop } = world;
        server.tokens.add("token-2");
        for (const c of commands) {
          await act(world, c);
          expect(server.mostInFlight).toBeLessThanOrEqual(1);
        }
        // What nobody asks for comes at a bounded pace, however bad it stands.
        await time.advance(minute);
        const before = server.requests.length;
        await time.advance(5 * minute);
        expect((server.requests.length - before) / 5).toBeLessThanOrEqual(20);

        server.weather = [() => "ok"];
        server.spaceErrors.clear();
        server.socketsRefused = false;
        for (const name of ["a", "b", "c"]) {
          world.space(name).stuck = false;
          world.space(name).deferMs = undefined;
        }
        world.token = "token-1";
        loop.unlock();
        world.hint(true);
        loop.signIn();
        await time.advance(60 * minute);
        for (const name of ["a", "b", "c"]) {
          expect(world.space(name).sendable).toBe(0);
          expect(world.space(name).cursor).toBe(server.heads.get(name) ?? 0);
        }
        expect(loop.status).toMatchObject({ state: "live", phase: "idle", connection: "socket", error: null });
        expect(server.mostInFlight).toBeLessThanOrEqual(1);
        const sync = loop.syncNow();
        await time.advance(1_000);
        await sync;
      }),
      { numRuns: 60 },
    );
  }, 120_000);
});
