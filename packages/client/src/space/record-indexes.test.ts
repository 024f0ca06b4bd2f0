import { type Fields, type Row, makeStamp } from "@landfall/protocol";
import { type Query, type Where, select } from "@landfall/schema";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Replica } from "../replica/replica.js";
import { type ReplicaRules, noRules } from "../replica/rules.js";
import type { ViewRecord } from "../replica/view-record.js";
import { liveQuery } from "./live-query.js";
import { RecordIndexes } from "./record-indexes.js";

const rules: ReplicaRules = {
  domain: () => noRules,
  runAction: () => Promise.reject(new Error("No action is called here.")),
};
const stamp = makeStamp(1, 0, "8000-000000000000");
const parent = { domain: "site", field: "site", onDelete: "keep" } as const;
const task = { name: "task", indexes: [["state", "due"], ["due"]], unique: [["number"]], parent };

type Shown = ViewRecord & { readonly state?: string; readonly due?: number; readonly site?: string };

/** Values of all kinds that JSON has, few enough to be equal often. */
const value = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 3 }) },
  { weight: 4, arbitrary: fc.constantFrom("a", "b", "c", "") },
  fc.constantFrom(null, true, false),
  fc.constantFrom([], ["a"], { a: 1 }),
);
const field = fc.constantFrom("state", "due", "number", "site", "free");
const fields = fc.dictionary(field, value, { maxKeys: 5 });
const comparisons = fc
  .dictionary(fc.constantFrom("eq", "lt", "lte", "gt", "gte", "ne"), value, { minKeys: 1, maxKeys: 2 })
  .map((condition) => ({ ...condition }));
const where = fc.dictionary(
  field,
  fc.oneof(
    value.filter((one) => typeof one !== "object" || one === null || Array.isArray(one)),
    comparisons,
    fc.array(value, { maxLength: 3 }).map((list) => ({ in: list })),
    fc.constant(undefined),
  ),
  { maxKeys: 3 },
);
const key = (max: number) => fc.integer({ min: 0, max }).map((n) => `k${String(n).padStart(3, "0")}`);
const changes = (max: number, minLength: number, maxLength: number) =>
  fc.array(fc.tuple(key(max), fc.option(fields, { freq: 4 })), { minLength, maxLength });
const step = fc.oneof(
  { weight: 9, arbitrary: changes(20, 1, 5) },
  { weight: 1, arbitrary: changes(300, 210, 300) },
);

function patchOf(rows: readonly (readonly [string, Fields | null])[], version: number) {
  const patch = new Map<string, Row | null>();
  for (const [at, set] of rows)
    patch.set(
      at,
      set && { domain: "task", key: at, version, modifiedAt: 1, fields: set, stamps: { "*": stamp } },
    );
  return new Map([["task", patch]]);
}

describe("indexes", () => {
  it("DESIGN §8: an answer by an index is that of a look at every record, asked once or followed", () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 12 }),
        fc.array(where, { minLength: 1, maxLength: 6 }),
        (steps, asked) => {
          const replica = new Replica(rules);
          const indexes = new RecordIndexes(replica);
          const all = (): Shown[] => [...replica.keys("task")].map((at) => replica.get("task", at) as Shown);
          const live = (query: Query<ViewRecord>) =>
            liveQuery(replica, "task", query, () => indexes.candidates(task, query.where));
          const queries = asked.map((one) => ({ where: one as Where<ViewRecord> }));
          const followed = queries.map((query) => {
            const one = live(query);
            one.subscribe(() => undefined);
            return one;
          });
          steps.forEach((rows, at) => {
            void replica.step({ patch: patchOf(rows, at + 1) });
            queries.forEach((query, place) => {
              const expected = select(all(), query);
              expect(live(query).current).toEqual(expected);
              expect(followed[place]?.current).toEqual(expected);
            });
          });
        },
      ),
      { numRuns: 300 },
    );
  });

  it("leaves out what cannot answer, by the index that leaves out the most", () => {
    const replica = new Replica(rules);
    const indexes = new RecordIndexes(replica);
    const rows = Array.from({ length: 100 }, (_, n): [string, Fields] => [
      `k${n}`,
      { state: n % 2 === 0 ? "open" : "done", due: n, site: `s${n % 10}`, number: n },
    ]);
    void replica.step({ patch: patchOf(rows, 1) });
    const left = (asked: { readonly [field: string]: unknown }): number | undefined =>
      indexes.candidates(task, asked as Where<ViewRecord>)?.length;
    expect(left({ state: "open" })).toBe(50);
    expect(left({ state: "open", due: { gte: 90 } })).toBe(5);
    expect(left({ state: "open", due: { gt: 80, lt: 90 } })).toBe(6);
    expect(left({ due: { lte: 9 } })).toBe(10);
    expect(left({ site: "s3" })).toBe(10);
    expect(left({ number: 7 })).toBe(1);
    expect(left({ state: null })).toBe(0);
    expect(left({ free: 1 })).toBeUndefined();
    expect(left({})).toBeUndefined();
  });
});
