import { describe, expect, it } from "vitest";
import { e, goodTale } from "../good-tale.fixture.js";
import { type Loose, altered, applied, rejected, space, stampOf, verdict, who } from "../history.fixture.js";
import type { Entry, History, View } from "../history.js";

const good = goodTale().history();
const texts = (history: History, name: string): string =>
  verdict(history, name)
    .map(({ at, message }) => `${at}: ${message}`)
    .join("\n");

/** The tale with the nth view of a device changed. */
function viewChanged(device: string, nth: number, change: (view: Loose<View>) => void): History {
  let seen = 0;
  return altered(good, (entry) => {
    if (entry.type === "view" && entry.device === device && seen++ === nth) change(entry);
    return entry;
  });
}

/** The last view of a device that was made in a listener. */
const last = (device: string): number =>
  good.entries.filter((entry) => entry.type === "view" && entry.device === device && entry.why !== "final")
    .length - 1;

describe("rule 5: consistent cut", () => {
  it("sees half of an event", () => {
    // The folder goes and its task stays: the delete took both at one index.
    const half = viewChanged("d2", last("d2") - 2, ({ domains }) => {
      Reflect.set(domains, "task", [
        {
          key: "t1",
          folder: "f1",
          number: 7,
          done: false,
          $: { version: 7, modifiedAt: 2_000_070, pending: false },
        },
      ]);
    });
    expect(texts(half, "consistent-cut")).toMatch(/d2\.a#1 shows no state of site that ever was .*index/);
  });

  it("sees a state that goes back, and one from before any commit of it", () => {
    const tale = goodTale();
    tale.view("d1", tale.stateAt(2), "listener", {}, 2);
    expect(texts(tale.history(), "consistent-cut")).toMatch(
      /d1\.a#2 shows no state of site that ever was .*having stood at index 10/,
    );
    const future = viewChanged("d1", 0, ({ domains }) => {
      Reflect.set(domains, "folder", [
        { key: "f1", name: "F", $: { version: 6, modifiedAt: 2_000_060, pending: false } },
      ]);
    });
    expect(texts(future, "consistent-cut")).toContain("d1.a#1 shows of site what lies after every commit");
  });

  it("sees confirmed fields that are not those of the index, and a record that is hidden", () => {
    const wrong = viewChanged("d1", last("d1"), ({ domains }) => {
      for (const seen of domains["note"] ?? []) Reflect.set(seen, "title", "Q");
    });
    expect(texts(wrong, "consistent-cut")).toMatch(/note\/n1 is shown as .*"Q".*, and was .*"D"/);
    const hidden = viewChanged(
      "d1",
      last("d1"),
      ({ domains }) => void Reflect.deleteProperty(domains, "note"),
    );
    expect(texts(hidden, "consistent-cut")).toContain("note/n1 of index 5 is not shown");
  });
});

describe("rule 5: cursors stand together", () => {
  it("sees a device whose domains stand at different indexes, unless one is being fetched again", () => {
    const apart = altered(good, (entry) =>
      entry.type === "request" && entry.exchange === 3
        ? { ...entry, spaces: entry.spaces.map((part) => ({ ...part, cursors: { note: 2, task: 1 } })) }
        : entry,
    );
    expect(texts(apart, "consistent-cut")).toContain(
      'd1.a#1 asks for site from several indexes at once: {"note":2,"task":1}',
    );
    const mended = goodTale();
    mended.add({ type: "report", ...who("d1"), code: "digest_differs", message: "" });
    const [last] = altered(apart, (entry) =>
      entry.type === "request" && entry.exchange === 3 ? entry : undefined,
    ).entries;
    expect(texts({ ...good, entries: [...mended.entries, last as Entry] }, "consistent-cut")).toBe("");
  });

  it("sees a device that asks from an index before what it shows", () => {
    const tale = goodTale();
    tale.send("d2", [], 3);
    expect(texts(tale.history(), "consistent-cut")).toContain(
      'd2.a#1 asks for site from before index 10, which it shows: {"note":3}',
    );
  });

  it("sees what is asked anew, and not what is asked once more because no answer came", () => {
    const [event, other, theirs] = [
      stampOf(1_900_070, 2),
      stampOf(1_900_071, 2),
      stampOf(1_900_072, 1),
    ] as const;
    const again = (events: readonly (readonly [string, number])[], isAnswered = false): string => {
      const tale = goodTale();
      tale.write("d2", event, []).write("d2", other, []);
      const exchange = tale.send("d2", [[event, 4]], 10);
      tale.write("d1", theirs, [{ op: "create", domain: "folder", key: "f2", set: { name: "F" } }]);
      tale.commit(applied(11, theirs, "d1", 9));
      if (isAnswered) tale.answer("d2", exchange, {});
      tale.view("d2", tale.stateAt(11)).send("d2", events, 10);
      return texts(tale.history(), "consistent-cut");
    };
    const early = "d2.a#1 asks for site from before index 11, which it shows";
    expect(again([[event, 4]])).toBe("");
    expect(again([[event, 4]], true)).toContain(early);
    expect(again([[other, 5]])).toContain(early);
    expect(again([])).toContain(early);
  });
});

describe("rule 5: outcomes come with their rows", () => {
  it("sees an outcome that is told before the view has it", () => {
    const early = altered(good, (entry) =>
      entry.type === "view" && entry.device === "d1" && entry.at === shownAt ? undefined : entry,
    );
    expect(texts(early, "consistent-cut")).toContain(
      `d1.a#1 was told that ${e.count} is index 2 while it shows index 1`,
    );
  });
  /** When d1 shows index 2, just before it is told of it. */
  const told = good.entries.findIndex((entry) => entry.type === "settled" && entry.event === e.count);
  const shownAt = good.entries[told - 1]?.at;
});

describe("rule 5: rebase", () => {
  it("sees a pending write that is not in the view, counts twice, or stands on an old row", () => {
    for (const votes of [2, 4]) {
      const off = viewChanged("d1", 3, ({ domains }) => {
        for (const seen of domains["note"] ?? []) Reflect.set(seen, "votes", votes);
      });
      expect(texts(off, "rebase")).toMatch(
        new RegExp(
          `d1\\.a#1 shows something else than index 1 of site with 1 pending \\(${e.count} last\\).*"votes":${votes}`,
        ),
      );
    }
    const stale = viewChanged("d2", last("d2") - 1, ({ domains }) => {
      for (const seen of domains["purse"] ?? []) if (seen.key === "p2") Reflect.set(seen, "coins", 30);
    });
    expect(texts(stale, "rebase")).toMatch(/purse\/p2 is .*30.*and should be .*130/);
  });

  it("sees a record that a pending delete should have taken along", () => {
    const kept = altered(good, (entry) => {
      if (
        entry.type === "view" &&
        entry.domains["note"] &&
        !entry.domains["folder"] &&
        entry.device === "d1" &&
        entry.run === 1
      )
        Reflect.set(entry.domains, "task", [
          {
            key: "t1",
            folder: "f1",
            number: 7,
            done: false,
            $: { version: 7, modifiedAt: 2_000_070, pending: false },
          },
        ]);
      return entry;
    });
    expect(texts(kept, "rebase")).toContain("task/t1 is shown, and should not be there");
  });
});

describe("rule 1: session order", () => {
  it("sees a write that does not show at once", () => {
    const hidden = (shows: unknown): History =>
      altered(good, (entry) =>
        entry.type === "issue" && entry.event === e.older ? ({ ...entry, shows } as Entry) : entry,
      );
    expect(texts(hidden([["note", "n1", null]]), "session-order")).toContain(
      `d2.a#1 wrote update of note/n1 (${e.older}), and its view does not show it`,
    );
    expect(texts(hidden([["note", "n1", { title: "A" }]]), "session-order")).toContain(
      'shows title as "A" instead of "C"',
    );
    const kept = altered(good, (entry) =>
      entry.type === "issue" && entry.event === e.sweep ? { ...entry, shows: [["folder", "f1", {}]] } : entry,
    );
    expect(texts(kept, "session-order")).toContain("still shows it");
  });

  it("rule 8: sees a crash that took what was saved", () => {
    // Nothing was ever decided of it either.
    const lost = altered(good, (entry) => {
      if (entry.type === "started" && entry.run === 2) return { ...entry, outbox: { [space]: [] } };
      if (entry.type === "commit")
        return { ...entry, decided: entry.decided.filter(({ event }) => event !== e.late) };
      return entry;
    });
    expect(texts(lost, "session-order")).toContain(
      `d1.a#2 starts without ${e.late}, which had been saved on d1`,
    );
  });

  it("sees a record that falls back, and writes that were applied in another order", () => {
    const tale = goodTale();
    tale.view("d1", tale.stateAt(4), "listener", {}, 2);
    expect(texts(tale.history(), "session-order")).toContain(
      "d1.a#2 shows note/n1 as of index 3, after it had shown it as of 10",
    );
    const swapped = altered(good, (entry) => {
      if (entry.type === "commit")
        for (const decided of entry.decided) {
          if (decided.event === e.folder) (decided as { event: string }).event = e.task;
          else if (decided.event === e.task) (decided as { event: string }).event = e.folder;
        }
      return entry;
    });
    expect(texts(swapped, "session-order")).toContain(
      `${e.folder} of d1.a was applied at 7, after ${e.task}, which the tab wrote later`,
    );
  });
});

describe("rule 9: outcomes", () => {
  const told = (event: string, outcome: object): string =>
    texts(
      altered(good, (entry) =>
        entry.type === "settled" && entry.event === event ? ({ ...entry, outcome } as Entry) : entry,
      ),
      "outcomes",
    );

  it("sees an app that is told what the server did not decide, or is told twice", () => {
    expect(told(e.count, { status: "applied", index: 3 })).toContain(
      `${e.count} was applied at 3, where ${e.newer} stands`,
    );
    expect(told(e.twin, { status: "rejected", code: "missing" })).toContain(
      "was rejected as missing, and the server decided exists",
    );
    expect(told(e.count, { status: "rejected", code: "exists" })).toContain(
      "the server decided no such thing",
    );
    expect(told(e.count, { status: "void" })).toContain("is void, and the server never said so");
    const tale = goodTale();
    tale.settled("d1", e.count, { status: "applied", index: 2 });
    expect(texts(tale.history(), "outcomes")).toContain(`d1.a#1 was told of ${e.count} twice`);
  });

  it("sees a refusal and a lost field that never reach the inbox", () => {
    const none = altered(good, (entry) => (entry.type === "inbox" ? { ...entry, items: [] } : entry));
    const said = texts(none, "outcomes");
    expect(said).toContain(
      `d1.a#1 was told that ${e.twin} is rejected as exists, and its inbox never had it`,
    );
    expect(said).toContain(
      `d2.a#1 lost note/n1.title of ${e.older} to ${e.newer}, and its inbox never had it`,
    );
  });

  it("sees what a client asked or wrote that it should have found invalid by itself", () => {
    const wrong = goodTale();
    wrong.commit(rejected(stampOf(1_900_090, 1), "d1", 9, "invalid"));
    expect(texts(wrong.history(), "outcomes")).toContain("which is invalid");
    const misplaced = goodTale();
    const error = { code: "invalid_space", message: "generation: expected" } as const;
    misplaced.answer("d1", misplaced.send("d1", [], 10), { error });
    expect(texts(misplaced.history(), "outcomes")).toContain("a device asked for site wrongly");
  });

  it("rule 8: sees an item that is forgotten, and not one that somebody dealt with", () => {
    const forgets = goodTale();
    forgets.inbox("d1", [], 2);
    expect(texts(forgets.history(), "outcomes")).toContain(
      `d1.a#2 has forgotten the inbox item ${e.twin} of site`,
    );
    const dealt = goodTale();
    dealt.add({ type: "choice", ...who("d1", 2), space, item: e.twin, choice: "dismiss" });
    dealt.inbox("d1", [], 2);
    expect(texts(dealt.history(), "outcomes")).toBe("");
    // Who goes on in memory knows nothing of the disk, which still has it for the next one.
    const beside = goodTale();
    beside.add({ type: "started", ...who("d1", 3), outbox: {}, standsIn: true }).inbox("d1", [], 3);
    expect(texts(beside.history(), "outcomes")).toBe("");
    beside.start("d1", [], 4).inbox("d1", [], 4);
    expect(texts(beside.history(), "outcomes")).toContain(`d1.a#4 has forgotten the inbox item ${e.twin}`);
  });
});

describe("quiescence", () => {
  it("sees a system that does not come to rest, or only late, or asks without end", () => {
    const restless = altered(good, (entry) => (entry.type === "quiet" ? undefined : entry));
    expect(texts(restless, "quiescence")).toMatch(/nothing was at rest \d+ ms after the faults had stopped/);
    const late = { ...good, bounds: { ...good.bounds, quietWithinMs: 1 } };
    expect(texts(late, "quiescence")).toContain("which is more than 1");
    const tale = goodTale();
    for (let i = 0; i < 6; i++) tale.send("d2", [], 10);
    expect(texts(tale.history(), "quiescence")).toContain(
      "d2 made 6 requests after the faults had stopped, which is more than 5",
    );
  });
});

describe("bounded", () => {
  it("sees what grows, what is left in an outbox, and a run that outgrew its record", () => {
    const tale = goodTale();
    tale.add({ type: "size", of: "d1", space, rows: 101, events: 51 });
    tale.add({ type: "size", of: "s1", space, rows: 5, events: 51 });
    const said = texts(tale.history(), "bounded");
    expect(said).toContain("d1 holds 101 rows, more than 100, of site");
    expect(said).toContain("s1 keeps 51 events, more than 50, of site");
    expect(said).toContain("d1 has 51 events left in the outbox when all is quiet of site");
    expect(texts({ ...good, overflow: true }, "bounded")).toContain("too long to be recorded");
  });
});

describe("what a view may be made of", () => {
  it("is not known for what another tab has just written, nor for an action that has not run", () => {
    const tale = goodTale();
    const beside = stampOf(1_900_080, 1);
    const other = { device: "d1", tab: "d1.b", run: 1 };
    tale.add({ type: "started", ...other, outbox: { [space]: [] } });
    tale.add({
      type: "issue",
      ...other,
      space,
      event: beside,
      ops: [{ op: "create", domain: "folder", key: "f5", set: {} }],
    });
    const state = tale.stateAt(10);
    tale.view("d1", state, "listener", {}, 2).view("d1", state, "listener", { "folder/f5": {} }, 2);
    expect(texts(tale.history(), "rebase")).toBe("");
    // Once it was heard of it does not go away again.
    tale.view("d1", state, "listener", {}, 2);
    expect(texts(tale.history(), "rebase")).toContain("folder/f5 is not shown");
  });

  it("is a record of a server's own write too", () => {
    const tale = goodTale();
    tale.commit({
      ...applied(11, "", "server", 0),
      event: undefined,
      rows: [
        {
          domain: "folder",
          key: "f7",
          version: 11,
          modifiedAt: 2_000_110,
          fields: { name: "S" },
          stamps: { "*": stampOf(2_000_110, 9) },
        },
      ],
    });
    tale.view("d2", tale.stateAt(11));
    expect(texts(tale.history(), "rebase")).toBe("");
    expect(texts(tale.history(), "consistent-cut")).toBe("");
  });
});
