import { expect, test } from "vitest";
import type { PendingEvent } from "../replica/pending-event.js";
import { Outbox } from "./outbox.js";
import type { SettledOutcome } from "./settlement.js";

const event = (id: string, more: Partial<PendingEvent> = {}): PendingEvent => ({
  id,
  madeAt: 0,
  ops: [],
  ...more,
});
const applied = (id: string, index: number) =>
  ({ status: "applied", id, seq: 1, index, modifiedAt: 1 }) as const;

test("rule 3: after a fork every event says under which device it was or may have been sent, the first one of several", () => {
  const outbox = new Outbox();
  outbox.nextSeq = 5;
  outbox.add(event("a", { seq: 4 }), true);
  outbox.add(event("b"), true);
  outbox.add(event("c", { was: { device: "first", seq: 9 } }), true);
  const events = outbox.renumber("second", 1);
  expect(events.map(({ id, seq, was }) => [id, seq, was])).toEqual([
    ["a", undefined, { device: "second", seq: 4 }],
    ["b", undefined, { device: "second", seq: 5 }],
    ["c", undefined, { device: "first", seq: 9 }],
  ]);
  expect(outbox.nextSeq).toBe(1);
});

test("rule 3: a number that the storage had no room for is stored with the next ones, though its event is answered meanwhile", () => {
  const outbox = new Outbox();
  const choose = (answered: readonly string[], isStored: boolean) => {
    const choice = outbox.choose({ events: 10, bytes: 10_000, first: true }, (id) => answered.includes(id));
    outbox.number(choice, isStored);
    return choice.numbered.map(({ id, seq }) => `${id}${seq}`);
  };
  outbox.add(event("a"), true);
  outbox.add(event("b"), true);
  expect(choose([], false)).toEqual(["a1", "b2"]);
  outbox.add(event("c"), true);
  expect(choose(["a", "b"], true)).toEqual(["a1", "b2", "c3"]);
  expect(choose([], true)).toEqual([]);
  expect(outbox.nextSeq).toBe(4);
});

test("rule 3: a number that another tab gave, and had no room to store, is stored with those after it, and not given again", () => {
  const outbox = new Outbox();
  outbox.nextSeq = 3;
  for (const [id, seq] of [["a", 3] as const, ["b", 4] as const]) outbox.add(event(id, { seq }), false);
  outbox.add(event("c"), true);
  for (const id of ["a", "b"]) outbox.markReady(id, false);
  const { chosen, numbered, nextSeq } = outbox.choose(
    { events: 10, bytes: 10_000, first: true },
    () => false,
  );
  const names = (events: readonly PendingEvent[]) => events.map(({ id, seq }) => `${id}${seq}`);
  expect([names(chosen), nextSeq]).toEqual([["a3", "b4", "c5"], 6]);
  // Without room for them still, the number after them is not stored either.
  expect(names(numbered)).toEqual(["a3", "b4", "c5"]);
});

test("rule 3: a cut stores the counter up to the first number that no storage has, whichever tab gave it", () => {
  const outbox = new Outbox();
  for (const id of ["a", "b"]) outbox.add(event(id), true);
  const choice = outbox.choose({ events: 10, bytes: 10_000, first: true }, () => false);
  outbox.number(choice, false);
  outbox.add(event("c", { seq: 3 }), false);
  outbox.markReady("c", false);
  outbox.nextSeq = 4;
  const after = (...settled: string[]) => outbox.storedSeq(new Map(settled.map((id) => [id, undefined])));
  expect([after(), after("a"), after("a", "b"), after("a", "b", "c")]).toEqual([1, 2, 3, 4]);
});

test("rule 3: what was settled elsewhere is known, until that is so much that it is forgotten and said so", () => {
  const outbox = new Outbox();
  outbox.add(event("a"), false);
  const remember = (...ids: string[]) => outbox.remember(new Map(ids.map((id) => [id, applied(id, 1)])));
  expect([remember("x"), remember("a", "b"), outbox.letGo()]).toEqual([false, true, false]);
  expect([outbox.knows("b"), [...outbox.stored]]).toEqual([true, ["a"]]);
  remember(...Array.from({ length: 10_000 }, (_, i) => `old${i}`));
  expect([outbox.letGo(), outbox.knows("b"), outbox.knows("a"), outbox.letGo()]).toEqual([
    true,
    false,
    true,
    false,
  ]);
});

test("rule 3: a number that the storage had no room for stands when the storage is read again, unless it was taken back", () => {
  const reread = (isAsKnown: boolean) => {
    const outbox = new Outbox();
    outbox.add(event("a", { seq: 3 }), true);
    outbox.add(event("b", { seq: 4 }), false);
    outbox.markReady("b", false);
    outbox.nextSeq = 3;
    outbox.reread(event("a"), isAsKnown);
    const { chosen, numbered } = outbox.choose({ events: 10, bytes: 10_000, first: true }, () => false);
    return [chosen, numbered].map((events) => events.map(({ id, seq }) => `${id}${seq}`));
  };
  expect(reread(true)).toEqual([
    ["a3", "b4"],
    ["a3", "b4"],
  ]);
  expect(reread(false)).toEqual([
    ["b4", "a5"],
    ["b4", "a5"],
  ]);
});

test("rule 7: what expects a write that was settled just before it joined expects the version which that made", () => {
  const outbox = new Outbox();
  const expected = (...ids: string[]) => {
    const expect = ids.map((id) => ["note", id, { event: id }] as const);
    const [sent] = outbox.toWire([event("late", { seq: 9, expect })]);
    return sent?.expect?.map(([, , version]) => version);
  };
  for (const id of ["own", "refused", "pending"]) outbox.add(event(id, { seq: id.length }), true);
  const refused = {
    status: "rejected",
    id: "refused",
    seq: 7,
    code: "exists",
    message: "It is there.",
  } as const;
  outbox.removeAll(
    new Map<string, SettledOutcome>([
      ["own", applied("own", 4)],
      ["refused", refused],
    ]),
  );
  outbox.remember(new Map([["theirs", applied("theirs", 5)]]));
  outbox.removeAll(new Set(["theirs"]));
  expect(expected("own", "theirs", "pending")).toEqual([4, 5, { seq: 7 }]);
  // In another history the version is another write's.
  outbox.forgetVersions(4);
  expect(expected("own", "theirs")).toEqual([4, Number.MAX_SAFE_INTEGER]);
  // Nothing could ever be of that version.
  expect(expected("refused", "unheard")).toEqual([Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]);
});
