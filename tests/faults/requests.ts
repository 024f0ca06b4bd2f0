import {
  type AskedEvent,
  type ExchangeAnswer,
  type ExchangeRequest,
  type Op,
  type Outcome,
  type SpaceAnswer,
  type SpaceError,
  type SpaceSuccess,
  allOutcomes,
  decodeText,
  exchangeAnswer,
  makeStamp,
  makeTail,
} from "@landfall/protocol";
import { createEngine } from "@landfall/server/engine";
import type { Engine } from "@landfall/server/engine-types";
import type { Logger } from "@landfall/server/logger";
import type { EngineOptions } from "@landfall/server/options";
import { type SqliteStorage, sqlite } from "@landfall/server/storage/sqlite";

export const quiet: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
export const user = { id: "ann" };
export const space = "site-7";
export const today = Date.UTC(2026, 10, 20);

/** Goes on from one engine to the next, as time does. */
let serverNow = today;

type SpaceRequest = ExchangeRequest["spaces"][number];

/** An engine with one space, and requests written out by hand. */
export async function bareEngine(
  options: Partial<EngineOptions> & { storage?: SqliteStorage } = {},
): Promise<{ engine: Engine; storage: SqliteStorage; generation: string; ask: Ask }> {
  const storage = options.storage ?? sqlite(":memory:");
  const engine = createEngine({ storage, logger: quiet, clock: { now: () => serverNow++ }, ...options });
  const known = (await engine.spaces(user)).find((each) => each.space === space);
  const { generation } = known ?? (await engine.createSpace(user, space));
  const ask: Ask = async (device, part, limit) => {
    const request: ExchangeRequest = {
      protocol: 1,
      device,
      ...(limit === undefined ? {} : { limit }),
      spaces: [{ space, generation, cursors: {}, ...part }],
    };
    const answer = decodeText<ExchangeAnswer>(exchangeAnswer, await engine.exchange(user, request));
    if (!answer.ok) throw new Error(answer.message);
    const answered = answer.value.spaces[0] as SpaceAnswer;
    if ("error" in answered) return answered;
    return { ...answered, outcomes: allOutcomes(answered, (part.events ?? []) as AskedEvent[]) };
  };
  return { engine, storage, generation, ask };
}
export type Ask = (device: string, part: Partial<SpaceRequest>, limit?: number) => Promise<SpaceAnswer>;

/** The id of a device's n-th event. */
export const idOf = (device: number, n: number): string =>
  makeStamp(today + n, 0, makeTail(Uint8Array.of(0, 0, 0, 0, 0, 0, device, 1)));

export const event = (device: number, seq: number, ops: readonly Op[], more: object = {}) => ({
  id: idOf(device, seq),
  seq,
  ops,
  ...more,
});

export const count = (key: string, by = 1): Op => ({ op: "increment", domain: "a", key, by: { n: by } });
export const create = (key: string): Op => ({ op: "create", domain: "a", key, set: { n: 0 } });

export function success(answer: SpaceAnswer): SpaceSuccess {
  if ("error" in answer) throw new Error(`${answer.error.code}: ${answer.error.message}`);
  return answer;
}

export function failure(answer: SpaceAnswer): SpaceError {
  if (!("error" in answer)) throw new Error(`no failure: ${JSON.stringify(answer)}`);
  return answer.error;
}

/** What became of events, in a few words each. */
export const words = (outcomes: readonly Outcome[]): string[] =>
  outcomes.map(
    (outcome) =>
      `${outcome.seq} ${outcome.status}${"of" in outcome ? ` ${outcome.of}` : ""}${"code" in outcome ? ` ${outcome.code}` : ""}`,
  );

/** The counter of a record, as the server has it. */
export async function counted(ask: Ask, key: string): Promise<unknown> {
  const { rows } = success(await ask("reader", { cursors: { a: 0 } }, 10_000));
  const row = rows.find((each) => each.key === key);
  return row?.deleted === undefined ? row?.fields["n"] : "deleted";
}
