import {
  type DeltaMessage,
  type ServerMessage,
  type SpaceError,
  type SpaceRequest,
  limits,
} from "@landfall/protocol";
import {
  type AnswerSink,
  type PokeListener,
  type Remote,
  RemoteError,
  type RemoteFailure,
} from "../remote/port.js";
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
  generation: string | undefined = "g1";
  cursor = 0;
  seq = 0;
  acked = 0;
  deferMs: number | undefined;
  recovery: Recovery = { next: "again" };
  readonly failures: string[] = [];
  stuck = false;
  #head = 0;
  #staged = 0;
  /** The newest seq that was sent: an outcome comes only for what was. */
  #sent = 0;

  /** Why it cannot read what the server answers. */
  outdated: string | undefined;

  constructor(readonly space: string) {}

  get sendable(): number {
    return this.seq - this.acked;
  }

  request(budget: { readonly events: number }): Promise<{ request: SpaceRequest; bytes: number }> {
    const events = Array.from({ length: Math.min(budget.events, this.sendable) }, (_, i) => ({
      seq: this.acked + i + 1,
    }));
    this.#sent = this.acked + events.length;
    return Promise.resolve({
      request: { space: this.space, acked: this.acked, cursors: { note: this.cursor }, events },
      bytes: events.length * 100,
    });
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
    if (this.outdated !== undefined) return Promise.resolve({ moreToFetch: true, outdated: this.outdated });
    if (!this.stuck) {
      this.cursor = Math.max(this.cursor, this.#head);
      this.acked = Math.max(this.acked, Math.min(this.#staged, this.#sent));
    }
    return Promise.resolve({
      moreToFetch: this.stuck,
      ...(this.deferMs === undefined ? {} : { retryAfterMs: this.deferMs }),
    });
  }

  failed(error: SpaceError): Promise<Recovery> {
    this.failures.push(error.code);
    // An event that cannot get through alone is given up.
    if (error.code === "too_large") this.acked += 1;
    return Promise.resolve(error.code === "too_large" ? { next: "again" } : this.recovery);
  }

  delta(message: DeltaMessage): Promise<boolean> {
    const fits =
      message.generation === this.generation && this.cursor >= message.from && this.cursor < message.index;
    if (fits) this.cursor = message.index;
    return Promise.resolve(fits);
  }

  isBehind(heads: { readonly [domain: string]: number }): boolean {
    return (heads["note"] ?? 0) > this.cursor;
  }
}

export interface World {
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
    heads: new Map(),
    received: new Map(),
    requests: [],
    inFlight: 0,
    mostInFlight: 0,
    weather: [() => "ok"],
    spaceErrors: new Map(),
    silent: new Set(),
    socket: undefined,
    sockets: 0,
    socketsRefused: false,
    watched: {},
    infos: 0,
    maxEvents: limits.maxEventsPerRequest,
    tokens: new Set(["token-1"]),
    latencyMs: 20,
    rowsPerCheckpoint: 1_000,
    streamMs: 0,
  };
}

const refuse = (failure: RemoteFailure): never => {
  throw new RemoteError(failure);
};

const pauseOf =
  (time: VirtualTime) =>
  (ms: number): Promise<void> =>
    new Promise((resolve) => void time.timers.after(ms, resolve));

/** Answers for one space: takes what is new of its events, and streams what it has not read. */
async function answerSpace(
  server: FakeServer,
  time: VirtualTime,
  part: SpaceRequest,
  sink: AnswerSink,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { space, cursors, events = [] } = part;
  if (server.silent.has(space)) return;
  const error = server.spaceErrors.get(space);
  if (error) return sink.failure(space, error);
  const known = server.received.get(space) ?? 0;
  const fresh = (events as { readonly seq: number }[]).filter(({ seq }) => seq > known);
  const head = (server.heads.get(space) ?? 0) + fresh.length;
  const lastSeq = known + fresh.length;
  server.heads.set(space, head);
  server.received.set(space, lastSeq);
  sink.space({ space, generation: "g1", head, lastSeq, outcomes: [], reset: [] });
  for (
    let cursor = (cursors["note"] ?? 0) + server.rowsPerCheckpoint;
    cursor < head;
    cursor += server.rowsPerCheckpoint
  ) {
    if (server.streamMs > 0) await pauseOf(time)(server.streamMs);
    if (signal?.aborted) throw new Error("aborted");
    sink.rows([{ domain: "note", key: "k", version: cursor, modifiedAt: 1, deleted: true }]);
    sink.checkpoint({ cursors: { note: cursor }, scan: {} });
  }
  sink.end({ head, lastSeq, cursors: { note: head }, scan: {}, more: false, digests: {}, horizons: {} });
}

function fakeExchange(server: FakeServer, time: VirtualTime): Remote["exchange"] {
  return async ({ spaces }, sink, { token, signal }) => {
    const events = spaces.reduce((sum, part) => sum + (part.events?.length ?? 0), 0);
    server.requests.push({ atMs: time.uptime.now(), spaces: spaces.map(({ space }) => space), events });
    server.inFlight += 1;
    server.mostInFlight = Math.max(server.mostInFlight, server.inFlight);
    try {
      await pauseOf(time)(server.latencyMs);
      const weather = (server.weather.length > 1 ? server.weather.shift()! : server.weather[0]!)();
      if (weather !== "ok" && "code" in weather) refuse(weather);
      if (!server.tokens.has(token))
        refuse({ status: 401, code: "unauthorized", message: "The token has expired." });
      if (events > server.maxEvents)
        refuse({ status: 413, code: "too_large", message: "The batch is too large." });
      sink.time(time.clock.now() - time.clock.wrongMs - server.latencyMs / 2);
      for (const part of spaces) await answerSpace(server, time, part, sink, signal);
      return weather === "ok" || !("backoffMs" in weather) ? {} : { backoffMs: weather.backoffMs };
    } finally {
      server.inFlight -= 1;
    }
  };
}

function fakeRemote(server: FakeServer, time: VirtualTime): Remote {
  const pause = pauseOf(time);
  return {
    exchange: fakeExchange(server, time),
    reconcile: () => Promise.reject(new Error("Nothing differs here.")),
    async info() {
      server.infos += 1;
      await pause(server.latencyMs);
      return {
        time: time.clock.now(),
        protocol: 1,
        server: "fake",
        user: "ann",
        spaces: {},
        limits: {
          maxEventsPerRequest: server.maxEvents,
          maxBodyBytes: 1_100_000,
          maxBatchBytes: 1_000_000,
          maxPageRows: 10_000,
        },
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

export function createWorld({
  seed = 1,
  spaces = ["a"],
  token = "token-1",
}: { seed?: number; spaces?: readonly string[]; token?: World["token"] } = {}): World {
  const time = createVirtualTime({ seed });
  const server = fakeServer();
  const statuses: LoopStatus[] = [];
  const asked: CredentialsReason[] = [];
  const listeners = new Set<() => void>();
  let online = true;
  const world: World = {
    time,
    server,
    statuses,
    asked,
    token,
    device: "device-1",
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

export const down: RemoteFailure = { code: "network", message: "The server cannot be reached." };
export const minute = 60_000;
