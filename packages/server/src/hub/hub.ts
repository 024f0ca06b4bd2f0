import {
  type ClockPort,
  type ExchangeRequest,
  type SocketExchange,
  type TimerPort,
  decode,
  socketAuth,
  socketCloseCodes,
  socketExchange,
  socketHello,
  socketWatch,
} from "@landfall/protocol";
import type { Authenticated } from "../auth/authenticator.js";
import type { Engine, MembershipChange, SpaceHeads, User } from "../engine-types.js";
import { LandfallError } from "../landfall-error.js";
import type { Logger } from "../logger.js";
import type { ServerMetrics } from "../metrics/server-metrics.js";
import { Connection } from "./connection.js";
import { Delivery } from "./delivery.js";
import { answerOverSocket } from "./socket-exchange.js";
import { Watching, headsText } from "./watching.js";
import type { Wire } from "./wire.js";

export interface HubLimits {
  /** Sockets of one user; 64 unless set: every tab of every device of one person, and some. */
  readonly maxSocketsPerUser?: number;
  /** Time to say hello in; 5 s unless set. */
  readonly helloTimeoutMs?: number;
  /** How often the heads are told and a ping is sent; 30 s unless set (DESIGN §6.1), and at most 60 s. */
  readonly headsEveryMs?: number;
  /** Bytes that wait for a slow reader before it is cut off; 1 MiB unless set: a hundred large deltas. */
  readonly maxBufferedBytes?: number;
  /** Messages that one socket may send in a second, exchanges aside: those wait for each other. 20 unless set. */
  readonly maxMessagesPerSecond?: number;
}

export interface HubOptions extends HubLimits {
  readonly engine: Engine;
  /** @throws LandfallError `unauthorized` */
  readonly authenticate: (token: string) => Promise<Authenticated>;
  /** Domains whose pokes go to every member who is connected. */
  readonly autoDomains: ReadonlySet<string>;
  /** The server's schema version, which the rows of its commits are in. */
  readonly schema?: number | undefined;
  /** Seconds that clients are asked to stay away for; undefined when there is no need. */
  readonly backoffSeconds?: () => number | undefined;
  readonly clock: ClockPort;
  readonly timers: TimerPort;
  readonly metrics: ServerMetrics;
  readonly logger: Logger;
}

/** Messages that may wait while one is being handled: hello, watch and auth come in one go. */
const maxQueued = 8;

/** Sockets, and what they hear (DESIGN §6.1). Knows sockets only as wires, so that it runs on any network. */
export class Hub {
  readonly #slots: Set<Connection>[];
  readonly #perUser = new Map<string, number>();
  readonly #delivery: Delivery;
  readonly #watching: Watching;
  readonly #tickMs: number;
  readonly #unsubscribe: readonly (() => void)[];
  #cancelTick: () => void;
  #slot = 0;
  #opened = 0;
  #closed = false;

  constructor(readonly options: HubOptions) {
    const { engine, clock, logger, headsEveryMs = 30_000 } = options;
    // Each tick looks after one slot of the sockets, so that heads and pings spread over the whole period.
    this.#tickMs = Math.max(5, Math.min(1_000, Math.floor(headsEveryMs / 4)));
    this.#slots = Array.from(
      { length: Math.max(1, Math.round(headsEveryMs / this.#tickMs)) },
      () => new Set(),
    );
    const send = (connection: Connection, text: string): void => this.#send(connection, text);
    this.#delivery = new Delivery({ ...options, send });
    this.#watching = new Watching({ engine, delivery: this.#delivery, send, clock, logger });
    this.#unsubscribe = [
      engine.onCommit((commit) => this.#watching.commit(commit)),
      engine.onMembership((change) => this.#membership(change)),
    ];
    this.#cancelTick = options.timers.after(this.#tickMs, () => this.#tick());
  }

  /** Takes a socket in; it has some seconds to say hello. */
  open(wire: Wire): Connection {
    const slot = this.#opened++ % this.#slots.length;
    const connection = new Connection(
      wire,
      slot,
      this.options.clock.now() + (this.options.helloTimeoutMs ?? 5_000),
    );
    (this.#slots[slot] as Set<Connection>).add(connection);
    if (this.#closed) this.#close(connection, socketCloseCodes.goingAway, "The server is closing.");
    return connection;
  }

  /** Takes a text frame in. Frames of one socket are handled one after another. */
  message(connection: Connection, text: string): void {
    if (connection.closed) return;
    connection.heard = true;
    connection.recentMessages += 1;
    const perTick = Math.ceil(
      ((this.options.maxMessagesPerSecond ?? 20) * Math.max(1_000, this.#tickMs)) / 1_000,
    );
    const { queue } = connection;
    if (connection.recentMessages > perTick || (queue !== undefined && queue.length >= maxQueued)) {
      this.#refuse(connection, "messages", socketCloseCodes.tooMany, "The socket sends too many messages.");
    } else if (queue === undefined) {
      connection.queue = [];
      void this.#handleQueue(connection, text);
    } else queue.push(text);
  }

  /** Takes in that the far end answered a ping. */
  pong(connection: Connection): void {
    connection.heard = true;
  }

  /** Takes in a frame that is no text. */
  garbage(connection: Connection): void {
    this.#close(connection, socketCloseCodes.badMessage, "Messages are JSON text.");
  }

  /** Takes in that the socket is gone, by whichever side. */
  gone(connection: Connection): void {
    (this.#slots[connection.slot] as Set<Connection>).delete(connection);
    this.#forget(connection);
  }

  /** Closes every socket and stops. */
  close(): void {
    this.#closed = true;
    this.#cancelTick();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#delivery.flush();
    for (const connection of this.#connections())
      this.#close(connection, socketCloseCodes.goingAway, "The server is closing.");
  }

  *#connections(): IterableIterator<Connection> {
    for (const slot of this.#slots) yield* slot;
  }

  async #handleQueue(connection: Connection, first: string): Promise<void> {
    let text: string | undefined = first;
    while (text !== undefined && !connection.closed) {
      try {
        await this.#handle(connection, text);
      } catch (error) {
        this.#fail(connection, error);
      }
      text = connection.queue?.shift();
    }
    connection.queue = undefined;
  }

  async #handle(connection: Connection, text: string): Promise<void> {
    const value = parsed(text);
    if (connection.user === undefined) return this.#hello(connection, value);
    const type = (value as { type?: unknown } | null | undefined)?.type;
    if (type === "auth") {
      const auth = decode(socketAuth, value);
      if (auth.ok) return this.#renew(connection, connection.user.id, auth.value.token);
    }
    if (type === "watch") {
      const watch = decode(socketWatch, value);
      if (watch.ok) return this.#watch(connection, watch.value.spaces);
    }
    if (type === "exchange") {
      const exchange = decode(socketExchange, value);
      if (exchange.ok) return this.#exchange(connection, connection.user, exchange.value);
    }
    this.#close(
      connection,
      socketCloseCodes.badMessage,
      "The message is no well-formed auth, watch or exchange.",
    );
  }

  async #exchange(connection: Connection, user: Authenticated, exchange: SocketExchange): Promise<void> {
    const { engine } = this.options;
    const stream = (by: User, request: ExchangeRequest): AsyncIterable<string> =>
      engine.exchangeStream(by, request);
    const text = await answerOverSocket({ ...this.options, stream }, user, exchange);
    // Exchanges pace themselves: the next one of the socket is not begun before this one is answered.
    connection.recentMessages -= 1;
    this.#send(connection, text);
  }

  async #hello(connection: Connection, value: unknown): Promise<void> {
    const hello = decode(socketHello, value);
    if (!hello.ok)
      return this.#close(
        connection,
        socketCloseCodes.badHello,
        "The first message is not a well-formed hello.",
      );
    const user = await this.options.authenticate(hello.value.token);
    if (connection.closed) return undefined;
    const sockets = this.#perUser.get(user.id) ?? 0;
    if (sockets >= (this.options.maxSocketsPerUser ?? 64)) {
      return this.#refuse(
        connection,
        "user",
        socketCloseCodes.tooMany,
        "The user has too many sockets open.",
      );
    }
    this.#perUser.set(user.id, sockets + 1);
    connection.user = user;
    connection.device = hello.value.device;
    connection.deadline = user.expiresAt ?? Number.POSITIVE_INFINITY;
    this.#send(connection, JSON.stringify({ type: "welcome", time: this.options.clock.now() }));
    return this.#watch(connection, {});
  }

  async #renew(connection: Connection, id: string, token: string): Promise<void> {
    const user = await this.options.authenticate(token);
    if (user.id !== id)
      return this.#close(connection, socketCloseCodes.unauthorized, "The new token is another user's.");
    connection.user = user;
    connection.deadline = user.expiresAt ?? Number.POSITIVE_INFINITY;
    return undefined;
  }

  /** Replaces what a socket watches; a watch that stays the same goes on undisturbed. */
  async #watch(
    connection: Connection,
    spaces: { readonly [space: string]: readonly string[] },
  ): Promise<void> {
    const wanted = new Map(
      Object.entries(spaces).map(([space, domains]) => [space, [...new Set(domains)].sort()]),
    );
    if (this.options.autoDomains.size > 0 && connection.user !== undefined) {
      for (const { space } of await this.options.engine.spaces(connection.user))
        if (!wanted.has(space)) wanted.set(space, []);
    }
    for (const [space, watch] of [...(connection.watches ?? [])]) {
      if (wanted.get(space)?.join() === watch.group.domains.join()) wanted.delete(space);
      else this.#watching.end(watch);
    }
    const heads: { [space: string]: SpaceHeads } = {};
    for (const [space, domains] of wanted) {
      const found = await this.#begin(connection, space, domains);
      if (connection.closed) return;
      if (found !== undefined) heads[space] = found;
    }
    if (Object.keys(heads).length > 0) this.#sendHeads(connection, heads);
  }

  async #begin(
    connection: Connection,
    space: string,
    domains: readonly string[],
  ): Promise<SpaceHeads | undefined> {
    // A socket that closed while its messages were handled must leave nothing behind.
    return connection.closed ? undefined : this.#watching.begin(connection, space, domains);
  }

  #membership(change: MembershipChange): void {
    this.#watching.membership(change);
    if (change.role === undefined || this.options.autoDomains.size === 0) return;
    for (const connection of this.#connections()) {
      if (
        connection.user?.id !== change.user ||
        connection.closed ||
        connection.watches?.has(change.space) === true
      )
        continue;
      this.#begin(connection, change.space, []).catch((error: unknown) => this.#fail(connection, error));
    }
  }

  #tick(): void {
    const nowMs = this.options.clock.now();
    this.#cancelTick = this.options.timers.after(this.#tickMs, () => this.#tick());
    this.#watching.tick();
    for (const connection of this.#connections()) {
      connection.recentMessages = 0;
      if (nowMs < connection.deadline || connection.closed) continue;
      if (connection.user === undefined)
        this.#refuse(connection, "hello", socketCloseCodes.badHello, "No hello came in time.");
      else this.#refuse(connection, "expired", socketCloseCodes.unauthorized, "The token has expired.");
    }
    const slot = this.#slots[this.#slot] as Set<Connection>;
    this.#slot = (this.#slot + 1) % this.#slots.length;
    for (const connection of slot) this.#lookAfter(connection);
  }

  /** Once a period: is anybody there, and does it know how far everything is? */
  #lookAfter(connection: Connection): void {
    if (connection.closed) return;
    if (!connection.heard) {
      connection.wire.terminate();
      return;
    }
    connection.heard = false;
    connection.wire.ping();
    if (connection.user === undefined) return;
    this.#watching.heads(connection).then(
      (heads) => this.#sendHeads(connection, heads),
      (error: unknown) => this.#fail(connection, error),
    );
  }

  #sendHeads(connection: Connection, heads: { readonly [space: string]: SpaceHeads }): void {
    this.#send(connection, headsText(heads, this.options.clock.now()));
    this.options.metrics.heads.add();
  }

  #send(connection: Connection, text: string): void {
    if (connection.closed) return;
    if (connection.wire.bufferedAmount > (this.options.maxBufferedBytes ?? 1_048_576)) {
      this.#refuse(
        connection,
        "slow",
        socketCloseCodes.slowReader,
        "The socket is not read. Catch up by exchange.",
      );
    } else connection.wire.send(text);
  }

  #fail(connection: Connection, error: unknown): void {
    if (connection.closed) return;
    if (error instanceof LandfallError && error.code === "unauthorized") {
      this.#refuse(connection, "unauthorized", socketCloseCodes.unauthorized, error.message);
      return;
    }
    const known = error instanceof LandfallError;
    this.options.logger[known ? "warn" : "error"]("A socket was closed by a fault of the server.", { error });
    this.#close(connection, socketCloseCodes.goingAway, "The server failed. Come back.");
  }

  #refuse(connection: Connection, reason: string, code: number, message: string): void {
    this.options.metrics.socketsRefused.add(1, { reason });
    this.#close(connection, code, message);
  }

  #close(connection: Connection, code: number, reason: string): void {
    if (connection.closed) return;
    connection.wire.close(code, reason.slice(0, 120));
    this.#forget(connection);
  }

  #forget(connection: Connection): void {
    connection.closed = true;
    connection.queue = undefined;
    for (const watch of [...(connection.watches?.values() ?? [])]) this.#watching.end(watch);
    const { user } = connection;
    if (user === undefined) return;
    connection.user = undefined;
    const left = (this.#perUser.get(user.id) ?? 1) - 1;
    if (left > 0) this.#perUser.set(user.id, left);
    else this.#perUser.delete(user.id);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
