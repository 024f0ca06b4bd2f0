import type { Fields, Op, Stamp } from "@landfall/protocol";
import { describe, expect, it } from "vitest";
import { e, goodTale } from "../good-tale.fixture.js";
import { Tale, applied, generation, rejected, space, stampOf, verdict, who } from "../history.fixture.js";

const texts = (tale: Tale, name: string): string =>
  verdict(tale.history(), name)
    .map(({ at, message }) => `${at}: ${message}`)
    .join("\n");

/** The space has another history from here on. */
const begin = (tale: Tale, reason: "restored" | "wiped", forkedAt: number, name = "g2"): Tale =>
  tale.add({ type: "generation", space, generation: name, parent: generation, reason, forkedAt });

/** A space in which a device has made so many folders, which `d1` knows. */
function folders(count: number, device = "d2"): Tale {
  const tale = new Tale();
  tale.start("d1").start("d2");
  for (let index = 1; index <= count; index++) {
    const event = stampOf(1_900_000 + index, 2);
    tale.write(device, event, [{ op: "create", domain: "folder", key: `f${index}`, set: { name: "F" } }]);
    tale.commit(applied(index, event, device, index));
  }
  return tale.view("d1", tale.stateAt(count));
}

const told = (tale: Tale, device: string, code: string): Tale =>
  tale.add({ type: "report", ...who(device), code, message: `The space ${space} is another.` });

describe("rule 12: what is seen of a space that has another history", () => {
  it("is nothing after a wipe, however much was to be seen before, and whatever was pending", () => {
    const tale = folders(45, "d1");
    const paid = { "purse/p1": { coins: 70 }, "purse/p2": { coins: 130 } };
    tale.act("d1", stampOf(1_900_100, 1), "pay", { from: "p1", to: "p2", coins: 30 });
    tale.view("d1", tale.stateAt(45), "listener", paid);
    begin(tale, "restored", 44);
    begin(tale, "wiped", 44, "g3");
    told(tale, "d1", "wiped").view("d1", new Map());
    expect(texts(tale, "rebase")).toBe("");
    expect(texts(tale, "consistent-cut")).toBe("");
  });

  it("is nothing after a wipe, also where a record of the same key is refused later", () => {
    const tale = folders(1, "d1");
    const ops: Op[] = [{ op: "create", domain: "folder", key: "f1", set: { name: "again" } }];
    told(begin(tale, "wiped", 1), "d1", "wiped").view("d1", new Map());
    const [theirs, refused] = [stampOf(1_900_300, 2), stampOf(1_900_301, 1)];
    tale.write("d2", theirs, ops).write("d1", refused, ops);
    const decided = [applied(2, theirs, "d2", 1), rejected(refused, "d1", 1, "exists")];
    tale.add({ type: "commit", space, generation: "g2", decided });
    expect(texts(tale, "rebase")).toBe("");
  });

  it("is nothing of what was written before each of two wipes was heard of", () => {
    const tale = folders(1, "d1");
    for (const [round, name] of ["g2", "g3"].entries()) {
      begin(tale, "wiped", 1, name);
      const ops: Op[] = [{ op: "create", domain: "folder", key: `f${round}`, set: { name: "late" } }];
      tale.write("d1", stampOf(1_900_300 + round, 1), ops);
      told(tale, "d1", "wiped").view("d1", new Map());
    }
    expect(texts(tale, "rebase")).toBe("");
    expect(texts(tale, "consistent-cut")).toBe("");
  });

  it("is never a part of what the restored server has", () => {
    const tale = folders(5);
    const before = tale.stateAt(2);
    begin(tale, "restored", 3);
    tale.view("d1", tale.stateAt(3));
    expect(texts(tale, "consistent-cut")).toBe("");
    expect(texts(tale.view("d1", before), "consistent-cut")).toContain("shows no state of site");
    const early = folders(5);
    begin(early, "restored", 3).view("d1", before);
    expect(texts(early, "consistent-cut")).toContain("shows no state of site");
  });

  /** Two tabs know all folders; the server has lost all but the first, and the other tab offers the rest back. */
  function offeringBack(count: number): {
    readonly tale: Tale;
    readonly shown: (offers: number) => Record<string, Fields>;
  } {
    const tale = folders(count);
    const other = { device: "d1", tab: "d1.b", run: 1 };
    tale.add({ type: "started", ...other, outbox: { [space]: [] } });
    begin(tale, "restored", 1);
    told(tale, "d1", "restored");
    const at = tale.now;
    for (let index = 2; index <= count; index++) {
      const event: Stamp = stampOf(1_900_200 + index, 1);
      const stamps = { "*": stampOf(1_900_000 + index, 2) };
      const ops: Op[] = [{ op: "offer", domain: "folder", key: `f${index}`, set: { name: "F" }, stamps }];
      tale.entries.push({ type: "offered", at, ...other, space, event, ops });
    }
    const shown = (offers: number): Record<string, Fields> =>
      Object.fromEntries(
        Array.from({ length: offers }, (_, place) => [`folder/f${place + 2}`, { name: "F" }]),
      );
    return { tale, shown };
  }

  it("is all that another tab offers back, however much that is, or nothing of it", () => {
    const { tale, shown } = offeringBack(40);
    tale.view("d1", tale.stateAt(1)).view("d1", tale.stateAt(1), "listener", shown(39));
    expect(texts(tale, "rebase")).toBe("");
  });

  it("is not a part of what one recovery has made", () => {
    const { tale, shown } = offeringBack(9);
    tale.view("d1", tale.stateAt(1), "listener", shown(4));
    expect(texts(tale, "rebase")).toContain("d1.a#1 shows something else than index 1 of site");
  });

  it("is all that other tabs have written, however much was read at once", () => {
    const tale = folders(1);
    const other = { device: "d1", tab: "d1.b", run: 1 };
    tale.add({ type: "started", ...other, outbox: { [space]: [] } });
    const shown: Record<string, Fields> = {};
    for (let place = 0; place < 40; place++) {
      const event = stampOf(1_900_200 + place, 1);
      const ops: Op[] = [{ op: "create", domain: "note", key: `n${place}`, set: { title: "T" } }];
      tale.add({ type: "issue", ...other, space, event, ops });
      shown[`note/n${place}`] = { title: "T" };
    }
    tale.view("d1", tale.stateAt(1), "listener", shown);
    expect(texts(tale, "rebase")).toBe("");
  });
});

describe("rule 12: what a device is told of what a restored server has lost", () => {
  const lost = `d2 was told that ${e.pay} is index 9 of site, which is gone, and nobody has told it so`;
  const fault = (tale: Tale, more: object): Tale =>
    tale.add({
      type: "storageFault",
      device: "d2",
      how: "signedOut",
      lostEvents: [],
      lostItems: [],
      silent: true,
      ...more,
    });
  const asks = (tale: Tale): Tale => tale.answer("d2", tale.send("d2", []), {});
  /** The space loses what it had after index 8, and `d1` hears of it. */
  const restore = (tale: Tale): Tale => told(begin(tale, "restored", 8), "d1", "restored");

  it("is nothing where it had forgotten the space before it could hear of it", () => {
    const before = fault(goodTale(), { forgets: [space] });
    expect(texts(asks(restore(before)), "no-lost-write")).toBe("");
    const after = fault(restore(goodTale()), { forgets: [space] });
    expect(texts(asks(after), "no-lost-write")).toBe("");
    // What still comes for who signs out comes too late.
    const late = goodTale();
    const exchange = late.send("d2", []);
    const left = fault(late, { forgets: [space] }).answer("d2", exchange, {});
    left.add({ type: "ended", ...who("d2"), how: "closed" }).start("d2", [], 2);
    expect(texts(asks(restore(left)), "no-lost-write")).toBe("");
  });

  it("is asked for where it still knew the space, had heard before it forgot it, or had met it again", () => {
    expect(texts(asks(restore(fault(goodTale(), { forgets: [] }))), "no-lost-write")).toContain(lost);
    expect(texts(fault(asks(restore(goodTale())), { forgets: [space] }), "no-lost-write")).toContain(lost);
    const again = asks(fault(goodTale(), { forgets: [space] }).start("d2", [], 2));
    expect(texts(asks(restore(again)), "no-lost-write")).toContain(lost);
    const other = fault(goodTale(), { device: "d1", forgets: [space] });
    expect(texts(asks(restore(other)), "no-lost-write")).toContain(lost);
  });
});

describe("rule 12: what was refused before a backup was made", () => {
  it("leaves an outbox of which there was another before what was applied after it", () => {
    const tale = new Tale();
    tale.start("d1").start("d2");
    const task = (key: string): Op => ({ op: "create", domain: "task", key, set: { number: 7 } });
    const [twin, vote] = [stampOf(1_900_100, 1), stampOf(1_900_101, 1)];
    const theirs: Op[] = [
      task("t1"),
      { op: "create", domain: "note", key: "n1", set: { title: "T" } },
      { op: "create", domain: "folder", key: "f1", set: { name: "F" } },
    ];
    const write = (index: number, place: number): Tale => {
      const event = stampOf(1_900_000 + place, 2);
      return tale.write("d2", event, [theirs[place] as Op]).commit(applied(index, event, "d2", place + 1));
    };
    write(1, 0);
    write(2, 1);
    tale.write("d1", twin, [task("t2")]);
    tale.write("d1", vote, [{ op: "increment", domain: "note", key: "n1", by: { votes: 1 } }]);
    tale.commit(rejected(twin, "d1", 1, "not_unique"), applied(3, vote, "d1", 2));
    write(4, 2);
    tale.add({ type: "ended", ...who("d1"), how: "closed" });
    tale.add({ type: "storageFault", device: "d1", how: "older", lostEvents: [], lostItems: [] });
    begin(tale, "restored", 4).start("d1", [twin, vote], 2);
    const now = tale.stateAt(4);
    const voted = { "note/n1": { title: "T", votes: 2 } };
    const both = { ...voted, "task/t2": { number: 7 } };
    tale.view("d1", now, "opened", both, 2).view("d1", now, "listener", voted, 2);
    tale.view("d1", now, "listener", {}, 2);
    expect(texts(tale, "rebase")).toBe("");
    tale.view("d1", now, "listener", { "task/t2": { number: 7 } }, 2);
    expect(texts(tale, "rebase")).toContain("d1.a#2 shows something else than index 4 of site");
  });
});

describe("rule 7: what a server has forgotten of deletes", () => {
  const make = (domain: string): Op => ({ op: "create", domain, key: "k", set: { name: "F" } });
  const drop = (domain: string): Op => ({ op: "delete", domain, key: "k" });

  /** A folder and a purse come and go, which the server forgets, and a note stays. */
  function forgotten(): Tale {
    const tale = new Tale();
    tale.start("d1").start("d2");
    const ops = [make("folder"), drop("folder"), make("purse"), drop("purse"), make("note")];
    for (const [at, op] of ops.entries()) {
      const event = stampOf(1_900_001 + at, 2);
      tale.write("d2", event, [op]).commit(applied(at + 1, event, "d2", at + 1));
    }
    for (const domain of ["folder", "purse"]) tale.add({ type: "pruned", space, domain, upTo: 4 });
    return tale;
  }

  it("a device has still, except of a domain that it has read anew", () => {
    const [one, other] = [{ "folder/k": { name: "again" } }, { "purse/k": { name: "again" } }];
    for (const shown of [{}, one, other, { ...one, ...other }]) {
      const tale = forgotten();
      for (const [at, domain] of ["folder", "purse"].entries())
        tale.write("d1", stampOf(1_900_010 + at, 1), [
          { op: "put", domain, key: "k", set: { name: "again" } },
        ]);
      tale.view("d1", tale.stateAt(5), "listener", shown);
      expect(texts(tale, "rebase")).toBe("");
      tale.view("d1", tale.stateAt(5), "listener", { ...shown, "purse/k": { name: "never" } });
      expect(texts(tale, "rebase")).toContain("purse/k is");
    }
  });

  it("is a delete still to who restores the record, whatever version of before then that expects", () => {
    const restores = (expected: number): Tale => {
      const tale = forgotten();
      const event = stampOf(1_900_020, 1);
      const ops: Op[] = [{ op: "restore", domain: "folder", key: "k", set: { name: "F" } }];
      tale.add({ type: "issue", ...who("d1"), space, event, ops, expect: [["folder", "k", expected]] });
      return tale.commit(applied(6, event, "d1", 1));
    };
    for (const expected of [2, 4]) expect(texts(restores(expected), "convergence")).toBe("");
    expect(texts(restores(5), "convergence")).toContain("where the model refuses it as expectation_failed");
  });

  it("is there again where a backup is older than that", () => {
    const restored = (upTo: number): Tale => {
      const tale = forgotten();
      const start = { reason: "restored", forkedAt: 5, forgotten: { folder: upTo } };
      tale.add({ type: "generation", space, generation: "g2", parent: generation, ...start });
      const event = stampOf(1_900_020, 1);
      return tale.write("d1", event, [make("folder")]).add({
        type: "commit",
        space,
        generation: "g2",
        decided: [applied(6, event, "d1", 1)],
      });
    };
    expect(texts(restored(2), "convergence")).toBe("");
    expect(texts(restored(0), "convergence")).toContain("where the model refuses it as deleted");
  });
});
