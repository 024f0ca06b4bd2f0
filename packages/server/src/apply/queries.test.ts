import { counter, defineSchema, records, select } from "@landfall/schema";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type World, world } from "../exchange/device.test.fixture.js";
import type { MaybePromise } from "../maybe-promise.js";
import type { SpaceTransaction } from "../storage/port.js";
import { type SqliteStorage, sqlite } from "../storage/sqlite.js";

const schema = defineSchema({
  version: 1,
  domains: {
    site: records({ fields: z.object({ name: z.string().optional() }) }),
    task: records({
      fields: z.object({
        state: z.enum(["open", "done"]).nullable().optional(),
        due: z.number().optional(),
        number: z.number().optional(),
        siteId: z.string().optional(),
        seen: z.number().default(0),
        urgent: z.boolean().optional(),
      }),
      parent: { domain: "site", field: "siteId", onDelete: "keep" },
      unique: [["state", "number"]],
      indexes: [["state", "due"], ["urgent"], ["seen"]],
      merge: { seen: counter() },
    }),
  },
});

/** A storage that counts how often all records of a domain are read. */
function counting(): { readonly storage: SqliteStorage; readonly scans: { count: number } } {
  const storage = sqlite(":memory:");
  const scans = { count: 0 };
  const { write } = storage;
  storage.write = ((space: string, work: (transaction: SpaceTransaction) => MaybePromise<unknown>) =>
    write.call(storage, space, (transaction) => {
      const { scan } = transaction;
      transaction.scan = (range) => {
        scans.count += 1;
        return scan.call(transaction, range);
      };
      return work(transaction);
    })) as typeof write;
  return { storage, scans };
}

const state = fc.constantFrom("open" as const, "done" as const, null);
const siteId = fc.constantFrom("s1", "s2");
const fields = fc.record(
  { state, due: fc.integer({ min: 0, max: 3 }), siteId, urgent: fc.boolean() },
  { requiredKeys: [] },
);
const where = fc.record(
  {
    state: fc.oneof(
      state,
      state.map((eq) => ({ eq })),
      fc.constant({ ne: "open" as const }),
    ),
    due: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constant({ gte: 2 })),
    siteId: fc.oneof(siteId, fc.constant({ in: ["s1", "s2"] })),
    urgent: fc.boolean(),
    seen: fc.constantFrom(0, 1),
  },
  { requiredKeys: [] },
);
const key = fc.integer({ min: 0, max: 9 }).map((n) => `k${n}`);
const write = fc.record({ key, fields: fc.option(fields, { freq: 4 }) });

/** Two transactions, each of writes and then questions: what is stored and what is not yet are both looked at. */
const round = fc.tuple(
  fc.array(write, { maxLength: 8 }),
  fc.array(fc.tuple(where, fc.option(key), fc.option(fc.nat(3))), { maxLength: 4 }),
);

async function asked(
  { engine, space }: World,
  rounds: readonly (typeof round extends fc.Arbitrary<infer R> ? R : never)[],
) {
  const gone = new Set<string>();
  for (const [writes, questions] of rounds) {
    await engine.space(space).write(async (tx) => {
      const task = tx["task"] as NonNullable<(typeof tx)[string]>;
      for (const { key: at, fields: set } of writes) {
        if (!set && (await task.get(at))) {
          task.delete(at);
          gone.add(at);
        } else if (set && gone.delete(at)) task.restore(at, set);
        else if (set) task.put(at, set);
        if (set && at === "k1") task.increment(at, { seen: 1 });
      }
      for (const [of, after, limit] of questions) {
        const query = { where: of, orderBy: "due", after: after ?? undefined, limit: limit ?? undefined };
        const definite = JSON.parse(JSON.stringify(query)) as never;
        expect(await task.query(definite)).toEqual(select(await task.all(), definite));
      }
    });
  }
}

describe("queries on the server", () => {
  test("§8: an answer by an index is that of a look at every record, of stored and of unstored ones", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 4 }), async (rounds) => {
        await asked(await world({ schema }), rounds);
      }),
      { numRuns: 100 },
    );
  });

  test("values of a lookup's fields spare the look at every record, and ranges and absent values do not", async () => {
    const { storage, scans } = counting();
    const { engine, space } = await world({ schema, storage });
    const reads = async (of: object): Promise<number> => {
      scans.count = 0;
      await engine.space(space).write((tx) => tx["task"]?.query({ where: of }));
      return scans.count;
    };
    expect(await reads({ state: "open" })).toBe(0);
    expect(await reads({ state: { eq: "open" }, due: { gt: 1 } })).toBe(0);
    expect(await reads({ siteId: "s1" })).toBe(0);
    expect(await reads({ urgent: true })).toBe(0);
    expect(await reads({ state: "open", number: 1 })).toBe(0);
    expect(await reads({ state: null })).toBe(1);
    expect(await reads({ state: { ne: "open" } })).toBe(1);
    expect(await reads({ due: 1 })).toBe(1);
    expect(await reads({ seen: 0 })).toBe(1);
    expect(await reads({})).toBe(1);
  });
});
