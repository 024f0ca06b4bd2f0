import {
  type AskedEvent,
  type ExchangeAnswer,
  type Expectation,
  HybridClock,
  type Json,
  type Op,
  type Outcome,
  type Role,
  type SpaceError,
  type SpaceSuccess,
  type StreamLine,
  allOutcomes,
  decode,
  decodeText,
  exchangeAnswer,
  exchangeRequest,
  makeTail,
  streamLine,
} from "@landfall/protocol";
import { createEngine } from "../engine.js";
import type { Engine } from "../engine-types.js";
import type { EngineOptions } from "../options.js";
import { type SqliteStorage, sqlite } from "../storage/sqlite.js";

/** The time at which test worlds begin. */
export const startMs = 1_795_000_000_000;

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export interface World {
  readonly engine: Engine;
  readonly storage: SqliteStorage;
  readonly clock: { nowMs: number };
  readonly space: string;
  readonly generation: string;
}

/** An engine with a clock of its own, and one space owned by ann. */
export async function world(
  options: Partial<EngineOptions> & { readonly storage?: SqliteStorage } = {},
): Promise<World> {
  const clock = { nowMs: startMs };
  const storage = options.storage ?? sqlite(":memory:");
  const engine = createEngine({
    logger: silent,
    clock: { now: () => clock.nowMs },
    ...options,
    limits: { maxEventsPerRequest: 1_000, ...options.limits },
    storage,
  });
  const { space, generation } = await engine.createSpace({ id: "ann" }, "site-7");
  return { engine, storage, clock, space, generation };
}

export async function addMember({ engine, space }: World, user: string, role: Role): Promise<void> {
  await engine.setMember({ id: "ann" }, space, user, role);
}

export interface TestEvent {
  readonly id: string;
  readonly seq: number;
  readonly ops?: readonly Op[];
  readonly action?: string;
  readonly args?: Json;
  readonly void?: true;
  readonly expect?: readonly Expectation[];
  readonly was?: { readonly device: string; readonly seq: number };
  readonly schema?: number;
}

export interface Asking {
  readonly cursors?: { readonly [domain: string]: number };
  readonly scan?: { readonly [domain: string]: number };
  readonly acked?: number;
  readonly known?: readonly (readonly [string, string, number])[];
  readonly limit?: number;
  readonly generation?: string | undefined;
}

let devices = 0;

/** A device that makes and sends events; it keeps nothing of what it reads. */
export class TestDevice {
  readonly #clock: HybridClock;
  seq = 0;
  /** How far this device's clock is off. */
  skewMs = 0;

  constructor(
    readonly world: World,
    readonly user = "ann",
    readonly device = `device-${++devices}`,
  ) {
    const random = new Uint8Array(8);
    new DataView(random.buffer).setUint32(0, ++devices);
    this.#clock = new HybridClock({ now: () => world.clock.nowMs + this.skewMs, tail: makeTail(random) });
  }

  stamp(): string {
    return this.#clock.next();
  }

  event(content: readonly Op[] | Omit<TestEvent, "id" | "seq">): TestEvent {
    const body = Array.isArray(content)
      ? { ops: content as readonly Op[] }
      : (content as Omit<TestEvent, "id" | "seq">);
    return { id: this.stamp(), seq: ++this.seq, ...body };
  }

  request(events: readonly unknown[], asking: Asking = {}): unknown {
    const { limit, ...space } = asking;
    return JSON.parse(
      JSON.stringify({
        protocol: 1,
        device: this.device,
        limit,
        spaces: [
          { space: this.world.space, generation: this.world.generation, cursors: {}, ...space, events },
        ],
      }),
    );
  }

  /** Sends a request and reads the answer as strictly as a client would. */
  async exchange(
    events: readonly unknown[],
    asking: Asking = {},
  ): Promise<SpaceSuccess | { readonly error: SpaceError }> {
    const request = decode(exchangeRequest, this.request(events, asking));
    if (!request.ok) throw new Error(request.message);
    const answer = readAnswer(await this.world.engine.exchange({ id: this.user }, request.value));
    const space = answer.spaces[0] as SpaceSuccess;
    return "error" in space ? space : { ...space, outcomes: allOutcomes(space, events as AskedEvent[]) };
  }

  /** Sends events. @throws where the space cannot be handled. */
  async send(events: readonly unknown[], asking: Asking = {}): Promise<SpaceSuccess> {
    const answer = await this.exchange(events, asking);
    if ("error" in answer) throw new Error(`${answer.error.code}: ${answer.error.message}`);
    return answer;
  }

  async fails(events: readonly unknown[], asking: Asking = {}): Promise<SpaceError> {
    const answer = await this.exchange(events, asking);
    if ("error" in answer) return answer.error;
    throw new Error(`The space was handled: ${JSON.stringify(answer)}`);
  }

  /** Makes one event, sends it, and gives its outcome. */
  async write(content: readonly Op[] | Omit<TestEvent, "id" | "seq">, asking: Asking = {}): Promise<Outcome> {
    const { outcomes } = await this.send([this.event(content)], asking);
    return outcomes[0] as Outcome;
  }

  /** Reads a whole domain. */
  async rows(domain: string): Promise<SpaceSuccess["rows"]> {
    return (await this.send([], { cursors: { [domain]: 0 } })).rows;
  }

  async stream(events: readonly unknown[], asking: Asking = {}): Promise<StreamLine[]> {
    const request = decode(exchangeRequest, this.request(events, asking));
    if (!request.ok) throw new Error(request.message);
    let text = "";
    for await (const chunk of this.world.engine.exchangeStream({ id: this.user }, request.value))
      text += chunk;
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const decoded = decodeText(streamLine, line);
        if (!decoded.ok) throw new Error(`${decoded.message}: ${line}`);
        return decoded.value;
      });
  }
}

export function readAnswer(text: string): ExchangeAnswer {
  const decoded = decodeText(exchangeAnswer, text);
  if (!decoded.ok) throw new Error(`${decoded.message}: ${text}`);
  return decoded.value;
}

export const create = (
  key: string,
  set: { readonly [field: string]: Json } = {},
  domain = "project",
): Op => ({ op: "create", domain, key, set });
export const update = (key: string, set: { readonly [field: string]: Json }, domain = "project"): Op => ({
  op: "update",
  domain,
  key,
  set,
});
export const remove = (key: string, domain = "project"): Op => ({ op: "delete", domain, key });
