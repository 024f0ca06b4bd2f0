import type { Stamp } from "@landfall/protocol";
import { Tale, applied, appliedOutcome, rejected, space, stampOf } from "./history.fixture.js";

/** The events of the tale, by what they do. */
export const e = {
  create: stampOf(1_900_000, 1),
  count: stampOf(1_900_010, 1),
  older: stampOf(1_900_004, 2),
  newer: stampOf(1_900_020, 1),
  ahead: stampOf(9_000_000, 2),
  twin: stampOf(1_900_030, 1),
  folder: stampOf(1_900_031, 1),
  task: stampOf(1_900_032, 1),
  sweep: stampOf(1_900_033, 1),
  pay: stampOf(1_900_040, 2),
  late: stampOf(1_900_050, 1),
} satisfies Record<string, Stamp>;

const title = (text: string) => [{ op: "update" as const, domain: "note", key: "n1", set: { title: text } }];
const count = [{ op: "increment" as const, domain: "note", key: "n1", by: { votes: 1 } }];

/**
 * Two devices that do a little of everything, with nothing wrong: a record and a counter, a write that loses to a newer
 * stamp, a clock far ahead, a refusal, details that go with their master, an action, a crash with a write pending.
 */
export function goodTale(): Tale {
  const tale = new Tale();
  const none = tale.stateAt(0);
  tale.start("d1").view("d1", none, "opened").start("d2").view("d2", none, "opened");

  const made = { title: "A", votes: 2, marks: [] };
  tale.write(
    "d1",
    e.create,
    [{ op: "create", domain: "note", key: "n1", set: { title: "A", votes: 2 } }],
    [["note", "n1", made]],
  );
  tale.view("d1", none, "listener", { "note/n1": made });
  tale.write("d1", e.count, count, [["note", "n1", { ...made, votes: 3 }]]);
  tale.view("d1", none, "listener", { "note/n1": { ...made, votes: 3 } });
  const first = tale.send("d1", [[e.create, 1]]);
  tale.commit(applied(1, e.create, "d1", 1));
  tale.answer("d1", first, { head: 1, lastSeq: 1, outcomes: [appliedOutcome(1, e.create, 1)] });
  tale.view("d1", tale.stateAt(1), "listener", { "note/n1": { ...made, votes: 3 } });
  tale.settled("d1", e.create, { status: "applied", index: 1 });

  const second = tale.send("d1", [[e.count, 2]], 1);
  tale.commit(applied(2, e.count, "d1", 2));
  tale.answer("d1", second, { head: 2, lastSeq: 2, outcomes: [appliedOutcome(2, e.count, 2)] });
  tale.view("d1", tale.stateAt(2)).settled("d1", e.count, { status: "applied", index: 2 });

  // d1 writes later and is first; d2 wrote earlier and comes second, so it loses.
  tale.view("d2", tale.stateAt(2));
  tale.write("d2", e.older, title("C"), [["note", "n1", { ...made, votes: 3, title: "C" }]]);
  tale.view("d2", tale.stateAt(2), "listener", { "note/n1": { ...made, votes: 3, title: "C" } });
  tale.write("d1", e.newer, title("B"));
  const third = tale.send("d1", [[e.newer, 3]], 2);
  tale.commit(applied(3, e.newer, "d1", 3));
  tale.answer("d1", third, { head: 3, lastSeq: 3, outcomes: [appliedOutcome(3, e.newer, 3)] });
  tale.view("d1", tale.stateAt(3)).settled("d1", e.newer, { status: "applied", index: 3 });
  const superseded = [{ domain: "note", key: "n1", field: "title", by: e.newer }];
  const fourth = tale.send("d2", [[e.older, 1]], 2);
  tale.commit(applied(4, e.older, "d2", 1, { superseded }));
  tale.answer("d2", fourth, {
    head: 4,
    lastSeq: 1,
    outcomes: [{ ...appliedOutcome(4, e.older, 1), superseded } as never],
  });
  tale.view("d2", tale.stateAt(4));
  tale.inbox("d2", [
    {
      id: `${e.older}~note~n1~title`,
      kind: "superseded",
      event: e.older,
      domain: "note",
      key: "n1",
      field: "title",
      by: e.newer,
    },
  ]);
  tale.settled("d2", e.older, { status: "applied", index: 4, superseded });

  // A clock years ahead takes effect under the stamp of its receipt.
  const eff = stampOf(2_000_050, 2);
  tale.write("d2", e.ahead, title("D"));
  const fifth = tale.send("d2", [[e.ahead, 2]], 4);
  tale.commit(applied(5, e.ahead, "d2", 2, { eff }));
  tale.answer("d2", fifth, {
    head: 5,
    lastSeq: 2,
    outcomes: [{ ...appliedOutcome(5, e.ahead, 2), eff } as never],
  });
  tale.view("d2", tale.stateAt(5)).settled("d2", e.ahead, { status: "applied", index: 5 });
  return goOn(tale);
}

function goOn(tale: Tale): Tale {
  // A refusal, of which the device hears and which its inbox keeps.
  tale.write("d1", e.twin, [{ op: "create", domain: "note", key: "n1", set: { title: "X" } }]);
  tale.write("d1", e.folder, [{ op: "create", domain: "folder", key: "f1", set: { name: "F" } }]);
  tale.write("d1", e.task, [
    { op: "create", domain: "task", key: "t1", set: { folder: "f1", number: 7, done: false } },
  ]);
  const sixth = tale.send(
    "d1",
    [
      [e.twin, 4],
      [e.folder, 5],
      [e.task, 6],
    ],
    3,
  );
  tale.commit(
    rejected(e.twin, "d1", 4, "exists"),
    applied(6, e.folder, "d1", 5),
    applied(7, e.task, "d1", 6),
  );
  tale.answer("d1", sixth, {
    head: 7,
    lastSeq: 6,
    outcomes: [
      { id: e.twin, seq: 4, status: "rejected", code: "exists", message: "" },
      appliedOutcome(6, e.folder, 5),
      appliedOutcome(7, e.task, 6),
    ],
  });
  tale.view("d1", tale.stateAt(7));
  tale.inbox("d1", [{ id: e.twin, kind: "rejected", event: e.twin, code: "exists" }]);
  tale.settled("d1", e.twin, { status: "rejected", code: "exists" });
  tale
    .settled("d1", e.folder, { status: "applied", index: 6 })
    .settled("d1", e.task, { status: "applied", index: 7 });

  tale.write("d1", e.sweep, [{ op: "delete", domain: "folder", key: "f1" }], [["folder", "f1", null]]);
  tale.view("d1", tale.stateAt(7), "listener", { "folder/f1": null, "task/t1": null });
  const seventh = tale.send("d1", [[e.sweep, 7]], 7);
  tale.commit(applied(8, e.sweep, "d1", 7));
  tale.answer("d1", seventh, { head: 8, lastSeq: 7, outcomes: [appliedOutcome(8, e.sweep, 7)] });
  tale.view("d1", tale.stateAt(8)).settled("d1", e.sweep, { status: "applied", index: 8 });

  tale.view("d2", tale.stateAt(8)).act("d2", e.pay, "pay", { from: "p1", to: "p2", coins: 30 });
  tale.view("d2", tale.stateAt(8), "listener", { "purse/p1": { coins: 70 }, "purse/p2": { coins: 130 } });
  const eighth = tale.send("d2", [[e.pay, 3]], 8);
  tale.commit(applied(9, e.pay, "d2", 3));
  tale.answer("d2", eighth, { head: 9, lastSeq: 3, outcomes: [appliedOutcome(9, e.pay, 3)] });
  tale.view("d2", tale.stateAt(9)).settled("d2", e.pay, { status: "applied", index: 9 });

  // A crash, with a write on the disk and nowhere else.
  tale.write("d1", e.late, [{ op: "add", domain: "note", key: "n1", values: { marks: ["y", "x", "y"] } }]);
  tale.add({ type: "ended", device: "d1", tab: "d1.a", run: 1, how: "crashed" });
  tale.start("d1", [e.late], 2);
  tale.inbox("d1", [{ id: e.twin, kind: "rejected", event: e.twin, code: "exists" }], 2);
  const marked = { title: "D", votes: 3, marks: ["x", "y"] };
  tale.view("d1", tale.stateAt(8), "opened", { "note/n1": marked }, 2);
  tale.add({ type: "faultsOver" });
  const ninth = tale.send("d1", [[e.late, 8]], 8);
  tale.commit(applied(10, e.late, "d1", 8));
  tale.answer("d1", ninth, { head: 10, lastSeq: 8, outcomes: [appliedOutcome(10, e.late, 8)] });
  const end = tale.stateAt(10);
  tale.view("d1", end, "listener", {}, 2).add({ type: "quiet" });
  tale.view("d1", end, "final", {}, 2).view("d2", end, "final").serverRows(10);
  for (const of of ["d1", "d2", "s1"])
    tale.add({ type: "size", of, space, rows: 5, events: of === "s1" ? 8 : 0 });
  return tale;
}
