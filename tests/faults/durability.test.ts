import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type ExchangeRequest,
  type Outcome,
  DigestSum,
  decodeText,
  exchangeAnswer,
  portableSha256,
  rowElement,
} from "@landfall/protocol";
import { createEngine } from "@landfall/server/engine";
import type { Engine } from "@landfall/server/engine-types";
import { sqlite } from "@landfall/server/storage/sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { event, quiet, success, user } from "./requests.js";

const spaces = ["s1", "s2", "s3", "s4", "s5", "s6"];

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "landfall-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The indexes that the engine told of, by space. */
type Told = Map<string, number[]>;

function open(told: Told, maxBytes?: number): Engine {
  const storage = sqlite(join(folder, "data.db"), maxBytes === undefined ? {} : { maxBytes });
  const engine = createEngine({ storage, logger: quiet });
  engine.onCommit((commit) => {
    for (const { index } of commit.events) told.set(commit.space, [...(told.get(commit.space) ?? []), index]);
  });
  return engine;
}

async function ask(engine: Engine, space: string, part: Partial<ExchangeRequest["spaces"][number]>) {
  const known = (await engine.spaces(user)).find((each) => each.space === space);
  const request: ExchangeRequest = {
    protocol: 1,
    device: "d1",
    limit: 10_000,
    spaces: [{ space, generation: known?.generation ?? "", cursors: { a: 0 }, ...part }],
  };
  const answer = decodeText(exchangeAnswer, await engine.exchange(user, request));
  if (!answer.ok) throw new Error(answer.message);
  return success(answer.value.spaces[0] as never);
}

const filler = "x".repeat(3_000);
const write = (space: number, seq: number) =>
  event(space, seq, [{ op: "create", domain: "a", key: `k${seq}`, set: { filler } }]);
const isApplied = (outcome: Outcome): boolean =>
  outcome.status === "applied" || (outcome.status === "duplicate" && outcome.of === "applied");

/** What the server has, against what it said that it has. */
async function check(engine: Engine, acknowledged: ReadonlyMap<string, number>): Promise<void> {
  for (const space of spaces) {
    const { rows, digests, head } = await ask(engine, space, {});
    const sum = new DigestSum();
    for (const row of rows) if (!row.deleted) sum.add(rowElement(portableSha256, row));
    const count = acknowledged.get(space) ?? 0;
    expect(rows.map(({ version }) => version)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    expect(head).toBe(count);
    expect(digests?.["a"]).toEqual({ index: count, count, sum: sum.sum });
  }
}

describe("a disk that fills up", () => {
  it("rule 2: what was acknowledged is there, what was not is deferred and nowhere, and it goes on when there is room", async () => {
    const told: Told = new Map();
    const acknowledged = new Map<string, number>();
    let engine = open(told, 900_000);
    for (const space of spaces) await engine.createSpace(user, space);
    let deferred = 0;
    for (let round = 0; round < 200 && deferred < 30; round++) {
      // All at once, so that they share a group.
      const statuses = await Promise.all(
        spaces.map(async (space, number) => {
          const seq = (acknowledged.get(space) ?? 0) + 1;
          const { outcomes } = await ask(engine, space, { cursors: {}, events: [write(number, seq)] });
          const [outcome] = outcomes as [Outcome];
          if (isApplied(outcome)) acknowledged.set(space, seq);
          else if (outcome.status !== "deferred") throw new Error(JSON.stringify(outcome));
          return outcome.status;
        }),
      );
      deferred += statuses.filter((status) => status === "deferred").length;
    }
    expect(deferred).toBeGreaterThanOrEqual(30);
    expect(engine.stats().lostGroups).toBeGreaterThan(0);
    await check(engine, acknowledged);
    await engine.close();
    engine = open(told);
    await check(engine, acknowledged);
    for (const [number, space] of spaces.entries()) {
      const seq = (acknowledged.get(space) ?? 0) + 1;
      const { outcomes } = await ask(engine, space, {
        cursors: {},
        events: [write(number, seq), write(number, seq + 1)],
      });
      expect(outcomes.map(({ status }) => status)).toEqual(["applied", "applied"]);
      acknowledged.set(space, seq + 1);
    }
    await check(engine, acknowledged);
    // Every index was told of, once and in order.
    for (const space of spaces)
      expect(told.get(space)).toEqual(Array.from({ length: acknowledged.get(space) ?? 0 }, (_, i) => i + 1));
    await engine.close();
  });

  it("rule 2: an answer comes after its commit, and so does the news of it", async () => {
    const told: Told = new Map();
    const engine = open(told);
    for (const space of spaces) await engine.createSpace(user, space);
    await Promise.all(
      spaces.map(async (space, number) => {
        for (let seq = 1; seq <= 20; seq++) {
          const { outcomes } = await ask(engine, space, { cursors: {}, events: [write(number, seq)] });
          expect(isApplied(outcomes[0] as Outcome)).toBe(true);
          expect(told.get(space)?.at(-1)).toBe(seq);
        }
      }),
    );
    await engine.close();
  });
});
