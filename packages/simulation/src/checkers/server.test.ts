import { describe, expect, it } from "vitest";
import { e, goodTale } from "../good-tale.fixture.js";
import {
  type Tale,
  altered,
  applied,
  generation,
  rejected,
  space,
  stampOf,
  verdict,
  who,
} from "../history.fixture.js";
import type { AppliedEvent, Entry, History } from "../history.js";

const good = goodTale().history();
const texts = (history: History, name: string): string =>
  verdict(history, name)
    .map(({ at, message }) => `${at}: ${message}`)
    .join("\n");

/** The tale with one decided event told otherwise. */
const committedAs = (event: string, change: (applied: Record<string, unknown>) => void): History =>
  altered(good, (entry) => {
    if (entry.type === "commit")
      for (const decided of entry.decided)
        if (decided.event === event) change(decided as unknown as Record<string, unknown>);
    return entry;
  });
const without = (isOut: (entry: Entry) => boolean): History =>
  altered(good, (entry) => (isOut(entry) ? undefined : entry));
const isCommitOf =
  (event: string) =>
  (entry: Entry): boolean =>
    entry.type === "commit" && entry.decided.some((decided) => decided.event === event);

describe("rule 4: serializability", () => {
  it("sees an index that nobody got, and one that two events got", () => {
    expect(texts(without(isCommitOf(e.count)), "serializability")).toContain(
      `${e.count} is index 2 of site, and no commit ever gave it`,
    );
    const twice = committedAs(e.newer, (decided) => (decided["index"] = 2));
    expect(texts(twice, "convergence")).toContain(`index 2 was given to ${e.newer} when 3 came next`);
  });

  it("rule 2: sees an answer that left before the commit", () => {
    const place = good.entries.findIndex(isCommitOf(e.create));
    const answer = good.entries.findIndex((entry) => entry.type === "answerLeft");
    const entries = [...good.entries];
    [entries[place], entries[answer]] = [entries[answer] as Entry, entries[place] as Entry];
    expect(texts({ ...good, entries }, "serializability")).toContain(
      `s1 told that ${e.create} is index 1 of site before that was committed`,
    );
  });

  it("sees an answer that names another event's index, and one that a commit never gave", () => {
    const said = (index: number): History =>
      altered(good, (entry) => {
        if (entry.type === "answerLeft")
          for (const { outcomes } of entry.spaces)
            for (const outcome of outcomes) if (outcome.id === e.newer) Reflect.set(outcome, "index", index);
        return entry;
      });
    expect(texts(said(2), "serializability")).toContain(`index 2 of site, which is ${e.count}`);
    expect(texts(said(99), "serializability")).toContain("no commit ever gave it");
  });

  it("sees what was sent after an answer and comes before what that told", () => {
    // Told of index 3 first, the device sends an event that then gets index 2.
    const tale = goodTale();
    const late = stampOf(1_900_060, 1);
    tale.write("d1", late, [{ op: "delete", domain: "note", key: "n1" }]);
    const exchange = tale.send("d1", [[late, 9]], 10);
    tale.answer("d1", exchange, {
      head: 10,
      outcomes: [{ id: late, seq: 9, status: "applied", index: 2, modifiedAt: 1 }],
    });
    expect(texts(tale.history(), "serializability")).toMatch(
      new RegExp(`${late} is index 2 of site, although index 10 had been told of before it was sent`),
    );
  });

  it("sees a read that misses what had been told before it began", () => {
    const tale = goodTale();
    tale.answer("d2", tale.send("d2", [], 9), { head: 4 });
    expect(texts(tale.history(), "serializability")).toContain(
      "s1 answered d2.a from head 4 of site, after index 10 had been told of before the question",
    );
  });

  it("rule 6: sees a time that goes back", () => {
    const back = committedAs(e.newer, (decided) => (decided["modifiedAt"] = 5));
    expect(texts(back, "serializability")).toContain(`index 3 (${e.newer}) has modifiedAt 5`);
  });
});

describe("rule 3: exactly once", () => {
  it("sees an event that stands at two indexes", () => {
    const tale = goodTale();
    tale.commit(applied(11, e.count, "d1", 9));
    expect(texts(tale.history(), "exactly-once")).toContain(
      `${e.count} by d1 was applied at 2 and again at 11`,
    );
  });

  it("sees a counter that holds more than was counted, and one that holds less", () => {
    for (const votes of [4, 2]) {
      const off = altered(good, (entry) => {
        if (entry.type === "serverRows")
          for (const row of entry.rows)
            if (row.domain === "note" && !row.deleted) Reflect.set(row.fields as object, "votes", votes);
        return entry;
      });
      expect(texts(off, "exactly-once")).toContain(
        `note/n1.votes holds ${votes} at the end, and the applied events have counted to 3`,
      );
    }
  });
});

describe("rule 2: no lost write", () => {
  const rollBack = (reason: string, more: (tale: ReturnType<typeof goodTale>) => void): History => {
    const tale = goodTale();
    tale.add({
      type: "generation",
      space,
      generation: reason === "rolledBack" ? generation : "g2",
      parent: generation,
      reason,
      forkedAt: 8,
    });
    more(tale);
    return tale.history();
  };

  it("rule 12: sees what a restored server has lost, unless its writer was told or wrote it again", () => {
    expect(
      texts(
        rollBack("restored", () => undefined),
        "no-lost-write",
      ),
    ).toContain(`d2 was told that ${e.pay} is index 9 of site, which is gone, and nobody has told it so`);
    const told = rollBack("restored", (tale) => {
      for (const device of ["d1", "d2"])
        tale.add({ type: "report", ...who(device), code: "restored", message: "" });
    });
    expect(texts(told, "no-lost-write")).toBe("");
    const again = rollBack("restored", (tale) => {
      const decided = [e.pay, e.late].map((event, at) => rejected(event, `d${2 - at}`, 1, "exists"));
      tale.add({ type: "commit", space, generation: "g2", decided });
    });
    expect(texts(again, "no-lost-write")).toBe("");
    const silent = rollBack("rolledBack", () => undefined);
    expect(texts(silent, "no-lost-write")).toContain(`d1 was told that ${e.late} is index 10`);
    expect(
      texts(
        rollBack("wiped", () => undefined),
        "no-lost-write",
      ),
    ).toBe("");
  });

  it("rule 8: sees a saved write that nobody ever decided", () => {
    const tale = goodTale();
    const lost = stampOf(1_900_070, 2);
    tale.write("d2", lost, [{ op: "delete", domain: "note", key: "n1" }]);
    expect(texts(tale.history(), "no-lost-write")).toContain(
      `d2.a said that ${lost} is saved, and it was never decided`,
    );
    tale.add({ type: "storageFault", device: "d2", how: "evicted", lostEvents: [lost], lostItems: [] });
    expect(texts(tale.history(), "no-lost-write")).toContain("d2 lost 1 unsynced writes");
    tale.add({ type: "report", ...who("d2"), code: "unsynced_lost", message: "" });
    expect(texts(tale.history(), "no-lost-write")).toBe("");
  });

  it("rule 8: a disk that is as it was before, when somebody comes to be told, is no fault of the client's", () => {
    const taleOf = (comesBefore: boolean): Tale => {
      const tale = goodTale();
      const lost = stampOf(1_900_070, 2);
      tale.write("d2", lost, [{ op: "delete", domain: "note", key: "n1" }]);
      const fault = { type: "storageFault", device: "d2", lostItems: [] } as const;
      tale.add({ ...fault, how: "evicted", lostEvents: [lost] });
      if (comesBefore) tale.start("d2", [], 2);
      return tale.add({ ...fault, how: "older", lostEvents: [], silent: true }).start("d2", [], 3);
    };
    expect(texts(taleOf(false).history(), "no-lost-write")).toBe("");
    expect(texts(taleOf(true).history(), "no-lost-write")).toContain("d2 lost 1 unsynced writes");
  });

  it("rule 8: a disk that takes all that could tell of it is no fault of the client's", () => {
    const partly = goodTale();
    const lost = stampOf(1_900_070, 2);
    partly.write("d2", lost, [{ op: "delete", domain: "note", key: "n1" }]);
    const fault = { type: "storageFault", device: "d2", lostItems: [] } as const;
    partly.add({ ...fault, how: "partly", lostEvents: [lost] });
    partly.add({ ...fault, how: "evicted", lostEvents: [], silent: true }).start("d2", [], 2);
    expect(texts(partly.history(), "no-lost-write")).toBe("");
    partly.add({ ...fault, how: "partly", lostEvents: [lost] }).start("d2", [], 3);
    partly.add({ ...fault, how: "evicted", lostEvents: [], silent: true });
    expect(texts(partly.history(), "no-lost-write")).toContain("d2 lost 1 unsynced writes");
    const tale = goodTale();
    tale.write("d2", lost, [{ op: "delete", domain: "note", key: "n1" }]);
    tale.add({
      type: "storageFault",
      device: "d2",
      how: "older",
      lostEvents: [lost],
      lostItems: [],
      silent: true,
    });
    expect(texts(tale.history(), "no-lost-write")).toBe("");
  });
});

describe("rules 6 and 7: convergence", () => {
  it("sees a server whose rows, or what it said of them, are not the model's", () => {
    const other = altered(good, (entry) => {
      if (entry.type === "serverRows")
        for (const row of entry.rows)
          if (!row.deleted && row.key === "n1") Reflect.set(row.fields as object, "title", "C");
      return entry;
    });
    expect(texts(other, "convergence")).toMatch(
      /site at the end: the server has note\/n1 as .*"C".* and the model .*"D"/,
    );
    const wrote = committedAs(e.create, (decided) => {
      decided["rows"] = [
        { domain: "note", key: "n1", version: 1, modifiedAt: 2_000_010, fields: {}, stamps: {} },
      ];
    });
    expect(texts(wrote, "convergence")).toContain(`index 1 (${e.create}) left note/n1 as`);
    const head = altered(good, (entry) => (entry.type === "serverRows" ? { ...entry, head: 9 } : entry));
    expect(texts(head, "convergence")).toContain(
      "the server is at 9 of g1, and its commits came to 10 of g1",
    );
  });

  it("rule 9: sees a field that lost and is not named, and one that is named and did not", () => {
    const silent = committedAs(e.older, (decided) => delete decided["superseded"]);
    expect(texts(silent, "convergence")).toContain(
      `index 4 is said to have lost [], and lost [note/n1.title to ${e.newer}]`,
    );
  });

  it("sees what was applied and cannot stand, and what was refused and could have stood", () => {
    const stood = committedAs(e.twin, (decided) => (decided["code"] = "missing"));
    expect(texts(stood, "convergence")).toContain(
      `${e.twin} by d1 was refused as missing after index 5, where the model says exists`,
    );
    const wrong = altered(good, (entry) => {
      if (entry.type === "commit" && isCommitOf(e.folder)(entry))
        return { ...entry, decided: [applied(6, e.twin, "d1", 4)] } as unknown as Entry;
      return entry;
    });
    expect(texts(wrong, "convergence")).toContain(
      `${e.twin} by d1 was applied at index 6, where the model refuses it as exists`,
    );
    const stranger = committedAs(e.create, (decided) => (decided["event"] = stampOf(1, 3)));
    expect(texts(stranger, "convergence")).toContain("which nobody wrote");
  });

  it("rule 7: holds events to what they expect", () => {
    const failing = altered(good, (entry) =>
      entry.type === "issue" && entry.event === e.count ? { ...entry, expect: [["note", "n1", 77]] } : entry,
    );
    expect(texts(failing, "convergence")).toContain("where the model refuses it as expectation_failed");
  });

  it("sees devices that end with other bytes, and a view that is not the server's", () => {
    const odd = altered(good, (entry) => {
      if (entry.type === "view" && entry.why === "final" && entry.device === "d2")
        for (const seen of entry.domains["note"] ?? []) Reflect.set(seen, "title", "Z");
      return entry;
    });
    const said = texts(odd, "convergence");
    expect(said).toContain("d2.a#1 ends with another site than the server: note/n1 is");
    expect(said).toContain("d2.a#1 and d1.a#2 end with different bytes of site");
  });
});

describe("rule 10: digests", () => {
  it("sees a digest that is not that of the rows, wherever it was sent", () => {
    const tale = goodTale();
    const sum = "0".repeat(32);
    tale.answer("d1", tale.send("d1", [], 10), { head: 10, digests: { note: { index: 7, count: 1, sum } } });
    expect(texts(tale.history(), "digests")).toMatch(
      /s1 named the digest of site note at index 7 as 0{32} of 1 rows, and it is [0-9a-f]{32} of 1/,
    );
    const forged = altered(good, (entry) => {
      if (entry.type === "serverRows") Reflect.set(entry.digests["note"] as object, "count", 2);
      return entry;
    });
    expect(texts(forged, "convergence")).toContain("the digest of note is");
  });

  it("sees a device that does not have what the server has, though it mends that by itself", () => {
    const tale = goodTale();
    tale.add({ type: "report", ...who("d1"), code: "digest_differs", message: "site: note differs" });
    expect(texts(tale.history(), "digests")).toContain(
      "d1.a#1 does not hold what the server has: site: note differs",
    );
  });
});

describe("rule 3: outcomes that expire", () => {
  const again = (acked: number): string => {
    const tale = goodTale();
    const exchange = tale.send("d1", [[e.pay, 9]], 10, acked);
    const outcome = { id: e.pay, seq: 9, status: "duplicate", of: "expired" } as const;
    tale.answer("d1", exchange, { head: 10, outcomes: [outcome] });
    return texts(tale.history(), "outcomes");
  };

  it("sees one that is forgotten before its device has said that it knows of it", () => {
    expect(again(8)).toContain(`s1 no longer knows what became of ${e.pay}`);
    expect(again(9)).toBe("");
  });

  it("takes what a device asks before its first contact for that of the history which stands then", () => {
    const fallenBack = (acked: number, since?: string): string => {
      const tale = goodTale();
      tale.send("d1", [], 10, acked);
      if (since !== undefined)
        tale.add({
          type: "generation",
          space,
          generation: since,
          parent: generation,
          reason: "restored",
          forkedAt: 9,
        });
      const asked = { space, acked: 0, cursors: {}, events: [{ id: e.pay, seq: 9 }] };
      tale.add({ type: "request", ...who("d1", 2), exchange: 90, deviceId: "d1", spaces: [asked] });
      const outcomes = [{ id: e.pay, seq: 9, status: "duplicate", of: "expired" }];
      const answered = { space, generation: since ?? generation, head: 10, outcomes };
      tale.add({ type: "answerLeft", exchange: 90, server: "s1", http: 200, spaces: [answered] });
      return texts(tale.history(), "outcomes");
    };
    expect(fallenBack(9)).toBe("");
    expect(fallenBack(8)).toContain(`s1 no longer knows what became of ${e.pay}`);
    expect(fallenBack(9, "g2")).toContain(`s1 no longer knows what became of ${e.pay}`);
  });
});

describe("rule 6: stamps", () => {
  const eff = (event: string, stamp: string | undefined): string =>
    texts(
      committedAs(event, (decided: Partial<Record<keyof AppliedEvent, unknown>>) => {
        if (stamp === undefined) delete decided.eff;
        else decided.eff = stamp;
      }),
      "stamps",
    );

  it("sees a clock that gains more than its event has waited, or less than its due", () => {
    expect(eff(e.ahead, undefined)).toContain(
      "took effect under its own stamp of 9000000, after it was received at 2000050",
    );
    expect(eff(e.ahead, stampOf(9_500_000, 2))).toContain("which gains time on its own stamp");
    expect(eff(e.ahead, stampOf(1_000, 2))).toContain("which lies before its receipt at 2000050");
    expect(eff(e.ahead, stampOf(2_000_050, 3))).toContain("which is not its own");
  });

  it("sees one stamp for two events, and a receipt that does not come after the one before", () => {
    expect(eff(e.pay, stampOf(2_000_050, 2))).toContain(`index 9 (${e.pay}) has the stamp of index 5`);
    const tale = goodTale();
    const second = stampOf(9_000_001, 3);
    tale.write("d3", second, [{ op: "put", domain: "folder", key: "f9", set: {} }]);
    tale.commit({ ...applied(11, second, "d3", 1), modifiedAt: 2_000_010, eff: stampOf(2_000_040, 3) });
    expect(texts(tale.history(), "stamps")).toContain("and an event before it at");
  });
});

describe("rule 9: refusals of one id", () => {
  it("sees an event that has two outcomes, and an id that is said to be another's", () => {
    const tale = goodTale();
    tale.commit(rejected(e.count, "d1", 9, "missing"), rejected(e.pay, "d2", 4, "id_conflict"));
    const said = texts(tale.history(), "outcomes");
    expect(said).toContain(`${e.count} is applied at 2, and also rejected as missing`);
    expect(said).toContain(`${e.pay} was refused as the id of another event`);
  });
});
