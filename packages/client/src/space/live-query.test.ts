import { type Row, makeStamp } from "@landfall/protocol";
import { type Query, select } from "@landfall/schema";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Replica } from "../replica/replica.js";
import { type ReplicaRules, noRules } from "../replica/rules.js";
import type { ViewRecord } from "../replica/view-record.js";
import { liveQuery } from "./live-query.js";

const rules: ReplicaRules = {
  domain: () => noRules,
  runAction: () => Promise.reject(new Error("No action is called here.")),
};
const stamp = makeStamp(1, 0, "8000-000000000000");

type Shown = ViewRecord & { readonly n?: number; readonly on?: boolean };
const queries: readonly Query<Shown>[] = [
  {},
  { where: { on: true } },
  { orderBy: "n" },
  {
    orderBy: [
      ["on", "desc"],
      ["n", "asc"],
    ],
    where: { n: { gte: 2 } },
  },
  { orderBy: "n", limit: 5 },
  { after: "k03", limit: 4 },
];

/** Records set or taken away at once: a few as by a write, or more than are worked out one by one. */
const key = fc.integer({ min: 0, max: 299 }).map((n) => `k${String(n).padStart(2, "0")}`);
const few = fc.integer({ min: 0, max: 12 }).map((n) => `k${String(n).padStart(2, "0")}`);
const change = (of: fc.Arbitrary<string>, maxLength: number, minLength = 1) =>
  fc.array(
    fc.tuple(
      of,
      fc.option(fc.record({ n: fc.integer({ min: 0, max: 5 }), on: fc.boolean() }, { requiredKeys: [] }), {
        freq: 3,
      }),
    ),
    { minLength, maxLength },
  );
const step = fc.oneof(
  { weight: 9, arbitrary: change(few, 4) },
  { weight: 1, arbitrary: change(key, 600, 450) },
);

describe("live queries", () => {
  it("rule 5: inside a listener of one answer every other is as new, whichever is told first", () => {
    const replica = new Replica(rules);
    const lives = [{}, { where: { on: true } }].map((query) => liveQuery(replica, "d", query));
    const seen: string[][] = [];
    const look = (): void => {
      seen.push(lives.map(({ current }) => current.map((record) => record.key).join()));
    };
    for (const live of lives) live.subscribe(look);
    const row: Row = {
      domain: "d",
      key: "k1",
      version: 1,
      modifiedAt: 1,
      fields: { on: true },
      stamps: { "*": stamp },
    };
    void replica.step({ patch: new Map([["d", new Map([["k1", row]])]]) });
    expect(seen).toEqual([
      ["k1", "k1"],
      ["k1", "k1"],
    ]);
  });

  it("after any changes the answer is that of the query asked anew, and another list exactly when it changed", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(step, fc.boolean()), { maxLength: 25 }), async (steps) => {
        const replica = new Replica(rules);
        const all = (): Shown[] => [...replica.keys("d")].map((at) => replica.get("d", at) as Shown);
        const lives = queries.map((query) => {
          const live = liveQuery(replica, "d", query);
          const seen = { told: 0, last: [] as readonly ViewRecord[] };
          const given: { readonly list: readonly ViewRecord[]; readonly records: readonly ViewRecord[] }[] =
            [];
          live.subscribe(() => {
            seen.told += 1;
          });
          seen.last = live.current;
          return { query, live, seen, given };
        });
        let version = 0;
        for (const [changes, isLast] of steps) {
          const rows = new Map<string, Row | null>();
          for (const [at, fields] of changes) {
            version += 1;
            rows.set(
              at,
              fields && { domain: "d", key: at, version, modifiedAt: 1, fields, stamps: { "*": stamp } },
            );
          }
          for (const { seen } of lives) seen.told = 0;
          void replica.step({ patch: new Map([["d", rows]]) });
          for (const { query, live, seen, given } of lives) {
            const asked = select(all(), query);
            expect(live.current).toEqual(asked);
            const changed =
              asked.length !== seen.last.length || asked.some((record, i) => record !== seen.last[i]);
            expect(live.current !== seen.last).toBe(changed);
            expect(seen.told).toBe(changed ? 1 : 0);
            seen.last = live.current;
            given.push({ list: live.current, records: asked });
          }
          // Changes come in one turn, or one by one.
          if (isLast) await Promise.resolve();
        }
        // A list that was given out stays as it was.
        for (const { given } of lives)
          for (const { list, records } of given)
            expect(list.length === records.length && list.every((record, i) => record === records[i])).toBe(
              true,
            );
      }),
      { numRuns: 150 },
    );
  });
});
