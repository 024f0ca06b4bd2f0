import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { limits as protocolLimits } from "@landfall/protocol";
import type { Schema } from "@landfall/schema";
import { authenticate, bearerToken } from "./auth/authenticator.js";
import type { AnyTx, Engine, EngineStats, SpaceInspection, SpaceWriter } from "./engine-types.js";
import { createEngine } from "./engine.js";
import { AnswersUnderWay } from "./http/answers-under-way.js";
import { createApi } from "./http/api.js";
import { BodyBudget } from "./http/body.js";
import { callOfRequest, responseOfReply, splitTarget } from "./http/fetch-edge.js";
import { problemReply } from "./http/problem.js";
import { type Listener, answerIncoming, createListener, listen } from "./http/node-listener.js";
import { isOurs, socketPath } from "./http/routes.js";
import { Hub } from "./hub/hub.js";
import { SocketServer, refuseUpgrade } from "./hub/socket-server.js";
import type { Wire } from "./hub/wire.js";
import { LandfallError } from "./landfall-error.js";
import { stderrLogger } from "./logger.js";
import { ServerMetrics } from "./metrics/server-metrics.js";
import type { EngineOptions, TxOf } from "./options.js";
import { systemClock, systemElapsed, systemTimers } from "./platform.js";
import { type ServerOptions, checkOptions } from "./server-options.js";

export interface ListeningServer {
  /** `http://127.0.0.1:4400`, without a slash at the end. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Closes the whole server, as `LandfallServer.close` does. */
  close(): Promise<void>;
}

/** The server's end of a socket that it was given by `connect`. */
export interface ServerEnd {
  /** Takes in a text frame. */
  message(text: string): void;
  /** Takes in that the far end answered a ping. */
  pong(): void;
  /** Takes in that the socket is gone, by whichever side. */
  gone(): void;
}

export interface LandfallServer<T = AnyTx> {
  /** Answers a request; for mounting in an app that speaks `Request` and `Response`. Never rejects. */
  handler(this: void, request: Request): Promise<Response>;
  /**
   * Answers a request of Node's, for mounting in an app on `node:http`, Express and the like, before whatever parses
   * bodies: the body has to be unread.
   */
  nodeHandler(this: void, request: IncomingMessage, response: ServerResponse): void;
  /** Takes the upgrade of a request for `/v1/socket`; false, with nothing done, for any other. */
  upgrade(this: void, request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** Takes a socket that is not one of Node's: another runtime's, or a far end in the same process. */
  connect(wire: Wire): ServerEnd;
  /** Lets a Node server that is there already take sockets. @returns a function that undoes it. */
  attachSockets(server: Server): () => void;
  /** Listens by itself. @param port 0 for any that is free. @param host all of the machine's addresses unless set; this machine only in development. */
  listen(port: number, host?: string): Promise<ListeningServer>;
  /** Reads and writes as the server itself. */
  space(id: string): SpaceWriter<T>;
  inspect(): Promise<readonly SpaceInspection[]>;
  stats(): EngineStats;
  /** Clears away now what `retention` says has had its time; the server does it by itself every hour. */
  sweep(): Promise<void>;
  /** Takes no more, closes sockets with 1001, lets requests of Node's finish for `closeGraceMs`, and closes the storage. */
  close(): Promise<void>;
}

/**
 * Makes a server (DESIGN §4, §8). Nothing listens yet.
 * @throws Error where the options would leave the server open to anyone.
 */
export function createServer<S extends Schema | undefined = undefined>(
  options: ServerOptions<S>,
): LandfallServer<TxOf<S>> {
  checkOptions(options);
  const { auth, development = false, clock = systemClock } = options;
  if (auth.developmentOnly === true && !development) {
    throw new Error(
      "devTokens() lets anyone sign in as anyone, so a server takes them for development only: run `landfall dev`, " +
        "or sign people in with jwt({ secret }), jwks({ url, issuer, audience }) or a function of your own.",
    );
  }
  const parts = makeParts(options, (token) => authenticate(auth, token, { nowMs: clock.now(), development }));
  const { fallback, timers = systemTimers } = options;
  const edge = { api: parts.api, fallback, timers, logger: parts.logger };
  const listeners = new Set<Listener>();
  /** On connections of the app's own server. */
  const mounted = new AnswersUnderWay();
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    parts.stop();
    const { closeGraceMs = 10_000 } = options.timeouts ?? {};
    const closed = [...listeners].map((listener) => listener.close(closeGraceMs));
    await Promise.all([...closed, mounted.finish(closeGraceMs, timers)]);
    await parts.engine.close();
  };
  const server: LandfallServer<TxOf<S>> = {
    async handler(request) {
      const call = callOfRequest(request);
      if (fallback !== undefined && !isOurs(call.path)) {
        try {
          return await fallback(request);
        } catch (error) {
          parts.logger.error("The app's own handler failed.", { error });
          const failed = new LandfallError("internal", "The server failed. Send the request again.");
          return responseOfReply(problemReply(failed));
        }
      }
      return parts.api(call).then(responseOfReply, () => new Response(null, { status: 499 }));
    },
    nodeHandler: (request, response) => answerIncoming(edge, mounted, request, response),
    upgrade: parts.upgrade,
    connect: parts.connect,
    attachSockets: (target) => attachSockets(target, parts.upgrade),
    async listen(port, host = development ? "127.0.0.1" : undefined) {
      const listener = createListener({ ...edge, timeouts: options.timeouts ?? {} });
      attachSockets(listener.server, parts.upgrade);
      const { address, port: bound } = await listen(listener.server, port, host);
      listeners.add(listener);
      if (development && !isLoopback(address)) {
        parts.logger.warn(
          "A development server, which signs anyone in, can be reached from other machines.",
          { address },
        );
      }
      return {
        url: `http://${nameOf(address)}:${bound}`,
        host: address,
        port: bound,
        close: () => server.close(),
      };
    },
    space: (id) => parts.engine.space(id) as SpaceWriter<TxOf<S>>,
    inspect: () => parts.engine.inspect(),
    stats: () => parts.engine.stats(),
    sweep: () => parts.engine.sweep(),
    close: () => (closing ??= close()),
  };
  return server;
}

interface Parts {
  readonly engine: Engine;
  readonly logger: NonNullable<EngineOptions["logger"]>;
  readonly api: ReturnType<typeof createApi>;
  readonly upgrade: LandfallServer["upgrade"];
  readonly connect: LandfallServer["connect"];
  /** Refuses what comes from now on, and closes the sockets. */
  stop(): void;
}

/** Domains whose pokes go to every member that is connected (DESIGN §6.1). */
function domainsForAll(schema: Schema | undefined): ReadonlySet<string> {
  const domains = Object.values(schema?.domains ?? {});
  return new Set(
    domains.flatMap(({ name, delivery, local }) => (delivery === "auto" && !local ? [name] : [])),
  );
}

type Identify = (token: string) => ReturnType<typeof authenticate>;

function makeParts<S extends Schema | undefined>(options: ServerOptions<S>, identify: Identify): Parts {
  const {
    schema,
    clock = systemClock,
    timers = systemTimers,
    logger = stderrLogger(),
    sockets: socketLimits = {},
  } = options;
  const { schema: _schema, ...engineOptions } = options;
  const engine = createEngine({
    // Its hooks are typed by the schema, which the engine knows only when it runs.
    ...(engineOptions as Omit<EngineOptions, "schema">),
    ...(schema === undefined ? {} : { schema }),
    clock,
    timers,
    logger,
  });
  engine.startSweeping();
  const metrics = new ServerMetrics();
  const backoffSeconds = options.backoffSeconds ?? (() => undefined);
  const hub = new Hub({
    ...socketLimits,
    backoffSeconds,
    engine,
    authenticate: identify,
    autoDomains: domainsForAll(schema),
    schema: schema?.version,
    clock,
    timers,
    metrics,
    logger,
  });
  const { maxSocketsPerAddress = 256 } = socketLimits;
  const sockets = new SocketServer({
    hub,
    metrics,
    maxSocketsPerAddress,
    clientAddress: options.clientAddress,
  });
  let accepting = true;
  const api = createApi({
    service: {
      engine,
      metrics,
      body: {
        maxBytes: options.limits?.maxBodyBytes ?? protocolLimits.maxBodyBytes,
        budget: new BodyBudget(options.maxHeldBodyBytes ?? 134_217_728),
      },
      authenticate: async (call) => identify(bearerToken(call.header("authorization"))),
      openSockets: () => sockets.open,
      accepting: () => accepting,
    },
    crossOrigin: options.crossOrigin ?? { origins: "*" },
    logger,
    backoffSeconds,
    elapsedMs: systemElapsed,
  });
  const upgrade: LandfallServer["upgrade"] = (request, socket, head) => {
    if (splitTarget(request.url ?? "").path !== socketPath) return false;
    if (accepting) sockets.upgrade(request, socket, head);
    else refuseUpgrade(socket, "unavailable", "The server is closing.");
    return true;
  };
  const stop = (): void => {
    accepting = false;
    hub.close();
  };
  return { engine, logger, api, upgrade, connect: (wire) => connectTo(hub, wire), stop };
}

function connectTo(
  hub: Hub,
  wire: Parameters<LandfallServer["connect"]>[0],
): ReturnType<LandfallServer["connect"]> {
  const connection = hub.open(wire);
  return {
    message: (text) => hub.message(connection, text),
    pong: () => hub.pong(connection),
    gone: () => hub.gone(connection),
  };
}

function attachSockets(server: Server, upgrade: LandfallServer["upgrade"]): () => void {
  const listener = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (upgrade(request, socket, head)) return;
    // Another listener may know the address; when there is none, nobody will ever answer.
    if (server.listenerCount("upgrade") === 1)
      refuseUpgrade(socket, "not_found", "There is no socket at this address.");
  };
  server.on("upgrade", listener);
  return () => void server.off("upgrade", listener);
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.") || address.startsWith("::ffff:127.");
}

/** How an address is written in a URL; all addresses of the machine are reached by this one. */
function nameOf(address: string): string {
  if (address === "::" || address === "0.0.0.0") return "localhost";
  return address.includes(":") ? `[${address}]` : address;
}
