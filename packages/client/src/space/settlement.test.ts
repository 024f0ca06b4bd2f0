import { expect, test } from "vitest";
import type { Cut } from "../replica/cut.js";
import type { PendingEvent } from "../replica/pending-event.js";
import { settle } from "./settlement.js";

const idOf = (n: number): string => `018f6c00-1c3d-7a52-9b6e-00000000000${n}`;
const event = (n: number, seq?: number): PendingEvent => ({
  id: idOf(n),
  madeAt: 0,
  ...(seq === undefined ? {} : { seq }),
  ops: [{ op: "delete", domain: "d", key: `k${n}` }],
});
const cutOf = (...settled: readonly number[]): Cut => ({
  generation: "g",
  lastSeq: 2,
  cursors: { d: 2 },
  reset: [],
  rows: new Map(),
  outcomes: new Map(
    settled.map((n) => [
      idOf(n),
      { id: idOf(n), seq: n, status: "applied" as const, index: n, modifiedAt: 0 },
    ]),
  ),
  digests: {},
});
const none = (): undefined => undefined;

test("an outcome that was settled before does not make a long queue slow", () => {
  const outbox = {
    sent: [event(2, 2)],
    get unsent(): PendingEvent[] {
      throw new Error("What was never sent is not concerned.");
    },
    hasOpenExpectations: false,
    get: (id: string) => (id === idOf(2) ? event(2, 2) : undefined),
  };
  const { settled } = settle(cutOf(1, 2), outbox, none, none);
  expect([...settled.keys()]).toEqual([idOf(2)]);
});

test("rule 3: an event whose seq was taken back while its outcome was on its way is settled by it", () => {
  const waiting = event(1);
  const outbox = { sent: [], unsent: [waiting], hasOpenExpectations: false, get: () => waiting };
  expect([...settle(cutOf(1), outbox, none, none).settled.keys()]).toEqual([idOf(1)]);
});

test("rule 9: a refused write of which the app's newer version has left nothing is in the inbox all the same", () => {
  const emptied: PendingEvent = { ...event(1, 1), ops: [] };
  const outbox = { sent: [emptied], unsent: [], hasOpenExpectations: false, get: () => emptied };
  const refused = {
    id: idOf(1),
    seq: 1,
    status: "rejected",
    code: "deleted",
    message: "It is gone.",
  } as const;
  const cut = { ...cutOf(), outcomes: new Map([[idOf(1), refused]]) };
  const { items } = settle(cut, outbox, none, none);
  expect(items).toMatchObject([{ id: idOf(1), kind: "rejected", tried: {}, choices: ["dismiss"] }]);
});
