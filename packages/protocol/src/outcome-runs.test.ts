import { expect, test } from "vitest";
import type { Outcome } from "./exchange-answer.js";
import { type AskedEvent, allOutcomes } from "./outcome-runs.js";
import { makeStamp } from "./stamp.js";

const idOf = (seq: number): string => makeStamp(1_795_000_000_000 + seq, 0, "8000-000000000001");
const eventOf = (seq: number, ...keys: string[]): AskedEvent => ({
  id: idOf(seq),
  seq,
  ops: keys.map((key) => ({ op: "delete", domain: "project", key })),
});

test("rule 3: each event of a run has an outcome of its own, under its id and seq, among the others", () => {
  const rejected: Outcome = { id: idOf(6), seq: 6, status: "rejected", code: "missing", message: "" };
  const head = {
    outcomes: [rejected],
    runs: [
      { seq: 4, count: 2, index: 20, modifiedAt: 77 },
      { seq: 7, count: 2, index: 22, modifiedAt: 77 },
    ],
  };
  const events = [eventOf(3, "a"), eventOf(4, "b", "c"), eventOf(5), eventOf(6, "d"), eventOf(7, "e")];
  expect(allOutcomes(head, events)).toEqual([
    {
      id: idOf(4),
      seq: 4,
      status: "applied",
      index: 20,
      modifiedAt: 77,
      omitted: [
        ["project", "b"],
        ["project", "c"],
      ],
    },
    { id: idOf(5), seq: 5, status: "applied", index: 21, modifiedAt: 77, omitted: [] },
    rejected,
    { id: idOf(7), seq: 7, status: "applied", index: 22, modifiedAt: 77, omitted: [["project", "e"]] },
  ]);
});

test("§6: a run names the keys of a deleteMany, and says nothing of events that were not asked for", () => {
  const event: AskedEvent = {
    id: idOf(1),
    seq: 1,
    ops: [{ op: "deleteMany", domain: "project", keys: ["a", "b"] }],
  };
  const unsent: AskedEvent = { id: idOf(2) };
  expect(
    allOutcomes({ outcomes: [], runs: [{ seq: 1, count: 9, index: 5, modifiedAt: 1 }] }, [event, unsent]),
  ).toMatchObject([
    {
      seq: 1,
      index: 5,
      omitted: [
        ["project", "a"],
        ["project", "b"],
      ],
    },
  ]);
});
