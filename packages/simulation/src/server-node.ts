import { authenticate, bearerToken } from "@landfall/server/auth/authenticator";
import { devTokens } from "@landfall/server/auth/dev-tokens";
import type { ServerEnd } from "@landfall/server/create-server";
import { createEngine } from "@landfall/server/engine";
import type { Engine } from "@landfall/server/engine-types";
import { createApi } from "@landfall/server/http/api";
import { BodyBudget } from "@landfall/server/http/body";
import type { Call, Reply } from "@landfall/server/http/call";
import { Hub } from "@landfall/server/hub/hub";
import type { Wire } from "@landfall/server/hub/wire";
import type { Logger } from "@landfall/server/logger";
import { ServerMetrics } from "@landfall/server/metrics/server-metrics";
import type { EngineLimits } from "@landfall/server/options";
import type { RetentionOptions } from "@landfall/server/operations/retention";
import type { Storage } from "@landfall/server/storage/port";
import type { ClockPort, Sha256 } from "@landfall/protocol";
import type { Schema } from "@landfall/schema";
import type { Host } from "./network/port.js";
import type { Program } from "./program.js";
import type { RandomStream } from "./random-stream.js";

export interface ServerNodeOptions {
  readonly program: Program;
  readonly storage: Storage;
  readonly schema: Schema;
  readonly clock: ClockPort;
  readonly random: RandomStream;
  readonly hash: Sha256;
  readonly limits: Partial<EngineLimits>;
  /** How long deletes and outcomes are kept; for ever unless given. */
  readonly retention: RetentionOptions | undefined;
  /** Hears of what the server logs as a fault of its own. */
  readonly onFault: (message: string, error: unknown) => void;
}

const development = { development: true };
const maxHeldBodyBytes = 134_217_728;

/**
 * A server's process: the real engine, hub and HTTP endpoints, joined at their ports. What `createServer` adds to
 * them, the platform's sockets and its `Request` and `Response`, the world stands in for.
 */
export class ServerNode implements Host {
  readonly program: Program;
  readonly engine: Engine;
  readonly #hub: Hub;
  readonly #api: (call: Call) => Promise<Reply>;
  #sockets = 0;

  constructor(options: ServerNodeOptions) {
    const { program, storage, schema, clock, random, limits, hash } = options;
    this.program = program;
    const logger = loggerOf(options);
    this.engine = createEngine({
      storage,
      schema,
      clock,
      logger,
      limits,
      random: random.port(),
      timers: program.timers,
      hash,
      ...(options.retention && { retention: options.retention }),
    });
    if (options.retention) this.engine.startSweeping();
    const metrics = new ServerMetrics();
    const auth = devTokens();
    const identify = (token: string): ReturnType<typeof authenticate> =>
      authenticate(auth, token, { nowMs: clock.now(), ...development });
    this.#hub = new Hub({
      engine: this.engine,
      authenticate: identify,
      autoDomains: new Set(),
      schema: schema.version,
      clock,
      timers: program.timers,
      metrics,
      logger,
    });
    this.#api = createApi({
      service: {
        engine: this.engine,
        metrics,
        body: { maxBytes: limits.maxBodyBytes ?? 2_000_000, budget: new BodyBudget(maxHeldBodyBytes) },
        authenticate: async (call) => identify(bearerToken(call.header("authorization"))),
        openSockets: () => this.#sockets,
        accepting: () => true,
      },
      crossOrigin: false,
      logger,
      backoffSeconds: () => undefined,
      elapsedMs: () => program.queue.nowMs,
    });
  }

  answer(call: Call): Promise<Reply> {
    return this.#api(call);
  }

  connect(wire: Wire): ServerEnd {
    this.#sockets += 1;
    const connection = this.#hub.open(wire);
    return {
      message: (text) => this.#hub.message(connection, text),
      pong: () => this.#hub.pong(connection),
      gone: () => {
        this.#sockets -= 1;
        this.#hub.gone(connection);
      },
    };
  }

  /** Ends as an operator ends it: sockets are told, and what runs is waited for. */
  async close(): Promise<void> {
    this.#hub.close();
    await this.engine.close();
  }
}

function loggerOf({ program, onFault }: ServerNodeOptions): Logger {
  const say =
    (level: string) =>
    (message: string, facts?: Readonly<Record<string, unknown>>): void => {
      if (!program.alive) return;
      program.trace.note(program.name, level, message);
      if (level === "error") onFault(message, facts?.["error"]);
    };
  return { debug: () => undefined, info: () => undefined, warn: say("warn"), error: say("error") };
}
