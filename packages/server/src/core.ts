import {
  type ClockPort,
  type RandomPort,
  type Sha256,
  type TimerPort,
  limits as protocolLimits,
  makeTail,
} from "@landfall/protocol";
import { type Schema, readableFrom } from "@landfall/schema";
import { DomainRules } from "./apply/domain-rules.js";
import { type Logger, stderrLogger } from "./logger.js";
import type { Authorize, EngineLimits, EngineOptions, ServerAction } from "./options.js";
import { nativeSha256, systemClock, systemRandom, systemTimers } from "./platform.js";
import type { Storage } from "./storage/port.js";

/** What all parts of an engine stand on: its ports and its settings, filled in. */
export interface Core {
  readonly storage: Storage;
  readonly schema: Schema | undefined;
  /** The oldest version of the app that can read the rows of this schema. */
  readonly readableFrom: number;
  readonly rules: DomainRules;
  /** What `unique`, `parent` and `indexes` say, as a text. */
  readonly lookupDeclaration: string;
  readonly authorize: Authorize | undefined;
  readonly actions: ReadonlyMap<string, ServerAction>;
  readonly limits: EngineLimits;
  readonly tickMs: number;
  /** How long a restored space takes back what it lost. */
  readonly recoveryMs: number;
  readonly name: string;
  readonly logger: Logger;
  readonly clock: ClockPort;
  readonly random: RandomPort;
  readonly timers: TimerPort;
  readonly hash: Sha256;
  /** The tail of the stamps of the server's own writes. */
  readonly tail: string;
}

/** Where the protocol has no word, or leaves the number to the server. */
const defaults = {
  // A long outbox drains in fewer round trips; a batch is still bounded by its bytes.
  maxEventsPerRequest: 500,
  maxBodyBytes: protocolLimits.maxBodyBytes,
  maxBatchBytes: protocolLimits.maxBatchBytes,
  maxPageRows: protocolLimits.maxPageRows,
  // A space is held in memory by its clients; this is far beyond that, and a bound all the same.
  maxRowsPerSpace: 5_000_000,
  maxPageBytes: 8_000_000,
  actionBudgetMs: 1_000,
} satisfies EngineLimits;

/** Longer than most devices are away, and a third of the time for which deletes are remembered. */
const defaultRecoveryMs = 30 * 24 * 3_600_000;

export function makeCore(options: EngineOptions): Core {
  const rules = new DomainRules(options.schema);
  const random = options.random ?? systemRandom;
  return {
    storage: options.storage,
    schema: options.schema,
    readableFrom: options.schema ? readableFrom(options.schema) : 0,
    rules,
    lookupDeclaration: rules.lookupDeclaration,
    authorize: options.authorize,
    actions: new Map(Object.entries(options.actions ?? {})),
    limits: { ...defaults, ...options.limits },
    recoveryMs: Math.max(0, options.recoveryMs ?? defaultRecoveryMs),
    tickMs: Math.max(1, Math.floor(options.modifiedAtTickMs ?? 1)),
    name: options.name ?? "landfall",
    logger: options.logger ?? stderrLogger(),
    clock: options.clock ?? systemClock,
    random,
    timers: options.timers ?? systemTimers,
    hash: options.hash ?? nativeSha256,
    tail: makeTail(random.bytes(8)),
  };
}
