import type { Op, Stamp } from "@landfall/protocol";
import { describe, expect, it } from "vitest";
import { Tale, applied, generation, rejected, space, stampOf, verdict, who } from "../history.fixture.js";

const texts = (tale: Tale, name = "rebase"): string =>
  verdict(tale.history(), name)
    .map(({ at, message }) => `${at}: ${message}`)
    .join("\n");

const beside = { device: "d1", tab: "d1.b", run: 1 };
const create = (key: string): Op => ({ op: "create", domain: "folder", key, set: { name: "F" } });
const [first, second, third] = [stampOf(1_900_001, 1), stampOf(1_900_002, 1), stampOf(1_900_003, 1)];

/** A tab of `d1` stands beside another one, which writes what is given. */
function twoTabs(): { readonly tale: Tale; readonly writes: (event: Stamp, ops: readonly Op[]) => void } {
  const tale = new Tale();
  tale
    .start("d1")
    .start("d2")
    .add({ type: "started", ...beside, outbox: { [space]: [] } });
  const writes = (event: Stamp, ops: readonly Op[]): void =>
    void tale.add({ type: "issue", ...beside, space, event, ops });
  return { tale, writes };
}

/** The space has another history from here on. */
const begin = (
  tale: Tale,
  reason: "restored" | "wiped",
  forkedAt: number,
  name = "g2",
  parent = generation,
): Tale => tale.add({ type: "generation", space, generation: name, parent, reason, forkedAt });

const commitTo = (tale: Tale, name: string, ...decided: readonly object[]): Tale =>
  tale.add({ type: "commit", space, generation: name, decided });

/** @param to the history that it names; none before the first contact. */
const request = (
  tale: Tale,
  tab: object,
  deviceId: string,
  event: Stamp,
  seq: number,
  to: { readonly generation?: string } = { generation },
): Tale =>
  tale.add({
    type: "request",
    ...tab,
    exchange: tale.now,
    deviceId,
    spaces: [{ space, ...to, acked: 0, cursors: {}, events: [{ id: event, seq }] }],
  });

describe("rule 5: what another tab has written", () => {
  it("is not taken for the reason of what an index shows by itself", () => {
    const { tale, writes } = twoTabs();
    const none = tale.stateAt(0);
    tale.write("d2", first, [create("f1")]).commit(applied(1, first, "d2", 1));
    tale.view("d1", tale.stateAt(1));
    writes(stampOf(1_900_009, 1), [{ op: "delete", domain: "folder", key: "f1" }]);
    tale.write("d2", second, [{ op: "delete", domain: "folder", key: "f1" }]);
    tale.commit(applied(2, second, "d2", 2));
    tale.view("d1", none);
    tale.write("d2", third, [{ op: "restore", domain: "folder", key: "f1", set: { name: "again" } }]);
    tale.commit(applied(3, third, "d2", 3)).view("d1", tale.stateAt(3));
    expect(texts(tale)).toBe("");
    tale.view("d1", none);
    expect(texts(tale)).toBe("");
    // What has been heard of stays.
    tale.view("d1", tale.stateAt(3));
    expect(texts(tale)).toContain("folder/f1 is shown, and should not be there");
  });

  it("is sent before or after what the tab itself has written, until it hears of that", () => {
    const { tale, writes } = twoTabs();
    tale.write("d1", first, [create("f1")]);
    writes(second, [{ op: "update", domain: "folder", key: "f1", set: { name: "G" } }]);
    request(tale, beside, "d1", second, 1);
    const none = tale.stateAt(0);
    tale.view("d1", none, "listener", { "folder/f1": { name: "G" } });
    tale.view("d1", none, "listener", { "folder/f1": { name: "F" } });
    expect(texts(tale)).toBe("");
  });

  it("stands behind what the tab itself has sent before", () => {
    const { tale, writes } = twoTabs();
    writes(first, [create("f1")]);
    tale.write("d1", second, [{ op: "update", domain: "folder", key: "f1", set: { name: "G" } }]);
    const none = tale.stateAt(0);
    tale.view("d1", none, "listener", { "folder/f1": { name: "G" } });
    expect(texts(tale)).toBe("");
    request(tale, who("d1"), "d1", second, 1);
    tale.view("d1", none, "listener", { "folder/f1": { name: "G" } });
    expect(texts(tale)).toContain('folder/f1 is {"name":"G"}, and should be {"name":"F"}');
  });

  it("is over for a process that has shown it as confirmed, also where a restored server has lost it", () => {
    const { tale, writes } = twoTabs();
    writes(first, [create("f1")]);
    tale.commit(applied(1, first, "d1", 1)).view("d1", tale.stateAt(1));
    tale.add({ type: "settled", ...beside, space, event: first, outcome: { status: "applied", index: 1 } });
    begin(tale, "restored", 0).view("d1", tale.stateAt(0));
    expect(texts(tale)).toBe("");
    tale.view("d1", tale.stateAt(0), "listener", { "folder/f1": { name: "F" } });
    expect(texts(tale)).toContain("folder/f1 is shown, and should not be there");
  });

  it.each([
    ["applied", [applied(2, second, "d1", 1)]],
    ["refused", [rejected(second, "d1", 1, "missing"), applied(2, third, "d2", 2)]],
  ])(
    "is pending again where it was %s, nobody was told, and a restored server has lost that",
    (_how, decided) => {
      const { tale, writes } = twoTabs();
      const onlyG = { "folder/f1": { name: "G" } };
      const none = tale.stateAt(0);
      tale.write("d2", first, [create("f2")]).commit(applied(1, first, "d2", 1));
      writes(second, [{ op: "put", domain: "folder", key: "f1", set: { name: "G" } }]);
      tale.view("d1", tale.stateAt(1), "listener", onlyG);
      tale.write("d2", third, [create("f3")]).commit(...decided);
      tale.view("d1", tale.stateAt(2));
      expect(texts(tale)).toBe("");
      begin(tale, "restored", 0).view("d1", none, "listener", onlyG);
      expect(texts(tale)).toBe("");
      // What the device was told of is over in any history.
      const outcome = { status: "applied", index: 2 };
      tale.entries.splice(-2);
      tale.add({ type: "settled", ...beside, space, event: second, outcome });
      begin(tale, "restored", 0).view("d1", none, "listener", onlyG);
      expect(texts(tale)).toContain("folder/f1 is shown, and should not be there");
    },
  );

  it("is heard of in the order in which it was written, where a second try does the same", () => {
    const { tale, writes } = twoTabs();
    const none = tale.stateAt(0);
    const put: Op = { op: "put", domain: "folder", key: "f1", set: { name: "F" } };
    writes(first, [put]);
    tale.commit(rejected(first, "d1", 1, "exists"));
    writes(second, [put]);
    tale.write("d2", third, [create("f2")]).commit(applied(1, third, "d2", 1));
    tale.view("d1", none, "listener", { "folder/f1": { name: "F" } }).view("d1", none);
    tale.view("d1", tale.stateAt(1), "listener", { "folder/f1": { name: "F" } });
    expect(texts(tale)).toBe("");
    tale.view("d1", tale.stateAt(1));
    expect(texts(tale)).toContain("folder/f1 is not shown");
  });

  it("is not taken to have been heard of where it went with its tab, and another write does the same", () => {
    const { tale, writes } = twoTabs();
    const none = tale.stateAt(0);
    tale.write("d2", first, [create("f1")]).commit(applied(1, first, "d2", 1));
    tale.view("d1", tale.stateAt(1));
    writes(second, [{ op: "delete", domain: "folder", key: "f1" }]);
    tale.add({ type: "ended", ...beside, how: "crashed" });
    const again = { ...beside, run: 2 };
    tale.add({ type: "started", ...again, outbox: { [space]: [] } });
    tale.add({
      type: "issue",
      ...again,
      space,
      event: third,
      ops: [{ op: "delete", domain: "folder", key: "f1" }],
    });
    request(tale.view("d1", none), again, "d1", third, 1);
    tale.commit(applied(2, third, "d1", 1)).view("d1", none);
    const last = stampOf(1_900_004, 1);
    tale.write("d2", last, [{ op: "restore", domain: "folder", key: "f1", set: { name: "again" } }]);
    tale.commit(applied(3, last, "d2", 2)).view("d1", tale.stateAt(3));
    expect(texts(tale)).toBe("");
  });

  it("is not there for a process that began when it was over", () => {
    const { tale, writes } = twoTabs();
    writes(first, [create("f1")]);
    tale.commit(applied(1, first, "d1", 1));
    tale.add({ type: "settled", ...beside, space, event: first, outcome: { status: "applied", index: 1 } });
    tale.add({ type: "ended", ...who("d1"), how: "closed" });
    const none = begin(tale, "restored", 0).stateAt(0);
    tale.start("d1", [], 2).view("d1", none, "opened", { "folder/f1": { name: "F" } }, 2);
    expect(texts(tale)).toContain("folder/f1 is shown, and should not be there");
  });
});

describe("rule 5: what is not on the disk when a process begins", () => {
  it.each([
    ["nobody else", "d1.b", "folder/f1 is shown, and should not be there"],
    ["a tab that is still there", "d1.c", ""],
  ])("is not heard of where %s has sent it", (_, sender, problem) => {
    const { tale, writes } = twoTabs();
    writes(first, [create("f1")]);
    request(tale, { ...beside, tab: sender }, "d1", first, 1);
    for (const tab of [who("d1"), beside]) tale.add({ type: "ended", ...tab, how: "closed" });
    tale.start("d1", [], 2);
    tale.view("d1", tale.stateAt(0), "listener", { "folder/f1": { name: "F" } }, 2);
    expect(texts(tale)).toContain(problem);
    if (problem === "") expect(texts(tale)).toBe("");
  });
});

describe("rule 5: what the server refuses", () => {
  it("is pending until it has been refused", () => {
    const { tale } = twoTabs();
    const none = tale.stateAt(0);
    tale.write("d1", first, [create("f1")]).view("d1", none, "listener", { "folder/f1": { name: "F" } });
    tale.commit(rejected(first, "d1", 1, "exists")).view("d1", none);
    expect(texts(tale)).toBe("");
    tale.write("d1", second, [create("f2")]).view("d1", none);
    tale.commit(rejected(second, "d1", 2, "exists"));
    expect(texts(tale)).toContain("folder/f2 is not shown");
  });
});

describe("rule 7: what stands on a refused create", () => {
  it("is given up by the device that is told, though a copy of it has it refused later", () => {
    const { tale } = twoTabs();
    const rename: Op = { op: "update", domain: "folder", key: "f1", set: { name: "G" } };
    tale.write("d1", second, [create("f1")]).write("d1", third, [rename]);
    tale.add({ type: "cloned", device: "d3", from: "d1" }).start("d3", [second, third]);
    tale.write("d2", first, [create("f1")]).commit(applied(1, first, "d2", 1));
    const now = tale.stateAt(1);
    tale.commit(rejected(second, "d1", 1, "exists")).view("d1", now);
    tale.settled("d1", second, { status: "rejected", code: "exists" });
    tale.settled("d1", third, { status: "rejected", code: "depends_on" });
    tale.view("d1", now);
    const last = stampOf(1_900_004, 2);
    tale.write("d2", last, [create("f2")]).commit(applied(2, last, "d2", 2));
    tale.commit(rejected(third, "d3", 2, "missing"));
    expect(texts(tale)).toBe("");
    tale.entries.splice(-3);
    tale.view("d1", now, "listener", { "folder/f1": { name: "G" } });
    expect(texts(tale)).toContain('folder/f1 is {"name":"G"}, and should be {"name":"F"}');
  });
});

describe("rule 7: what stands on a create that was refused to a copy", () => {
  it.each([true, false])("is given up when the device itself is told, copied: %s", (isCopied) => {
    const { tale } = twoTabs();
    const rename: Op = { op: "update", domain: "folder", key: "f1", set: { name: "G" } };
    tale.write("d1", second, [create("f1")]);
    if (isCopied) tale.add({ type: "cloned", device: "d3", from: "d1" }).start("d3", [second]);
    tale.write("d2", first, [create("f1")]).commit(applied(1, first, "d2", 1));
    const now = tale.stateAt(1);
    tale.commit(rejected(second, "d1", 1, "exists"));
    tale.settled(isCopied ? "d3" : "d1", second, { status: "rejected", code: "exists" });
    tale.write("d1", third, [rename]).view("d1", now);
    if (isCopied) tale.settled("d1", second, { status: "rejected", code: "exists" });
    tale.settled("d1", third, { status: "rejected", code: "depends_on" });
    if (isCopied) expect(texts(tale)).toBe("");
    else expect(texts(tale)).toContain('folder/f1 is {"name":"F"}, and should be {"name":"G"}');
  });
});

describe("rule 7: what a copy has written on a create that was refused", () => {
  it.each([true, false])("is given up with it, copied: %s", (isCopied) => {
    const { tale } = twoTabs();
    tale.write("d1", second, [create("f1")]);
    if (isCopied) tale.add({ type: "cloned", device: "d3", from: "d1" }).start("d3", [second]);
    else tale.start("d3");
    tale.write("d2", first, [create("f1")]).commit(applied(1, first, "d2", 1));
    tale.write("d3", third, [{ op: "delete", domain: "folder", key: "f1" }]);
    tale.commit(rejected(second, "d1", 1, "exists")).view("d3", tale.stateAt(1));
    tale.settled("d3", second, { status: "rejected", code: "exists" });
    tale.settled("d3", third, { status: "rejected", code: "depends_on" });
    if (isCopied) expect(texts(tale)).toBe("");
    else expect(texts(tale)).toContain("folder/f1 is shown, and should not be there");
  });
});

describe("rule 7: what stands on a create that was refused, and a copy has applied later", () => {
  it.each([true, false])("is given up by the device that was told, copied: %s", (isCopied) => {
    const { tale } = twoTabs();
    const rename: Op = { op: "update", domain: "folder", key: "f1", set: { name: "G" } };
    tale.write("d1", second, [create("f1")]).write("d1", third, [rename]);
    if (isCopied) tale.add({ type: "cloned", device: "d3", from: "d1" }).start("d3", [second, third]);
    tale.write("d2", first, [create("f1")]).commit(applied(1, first, "d2", 1));
    tale.commit(rejected(second, "d1", 1, "exists")).view("d1", tale.stateAt(1));
    tale.settled("d1", second, { status: "rejected", code: "exists" });
    tale.settled("d1", third, { status: "rejected", code: "depends_on" });
    tale.commit(applied(2, third, "d3", 2));
    if (isCopied) expect(texts(tale)).toBe("");
    else expect(texts(tale)).toContain('folder/f1 is {"name":"F"}, and should be {"name":"G"}');
  });
});

describe("rule 12: what was over before a wipe", () => {
  it.each([0, 1])("is not shown again after it, nor after %i restores of what came then", (restores) => {
    const { tale, writes } = twoTabs();
    writes(first, [create("f1")]);
    tale.commit(applied(1, first, "d1", 1));
    tale.add({ type: "settled", ...beside, space, event: first, outcome: { status: "applied", index: 1 } });
    begin(tale, "wiped", 1).write("d2", second, [create("f2")]);
    const now = commitTo(tale, "g2", applied(2, second, "d2", 1)).stateAt(2);
    const wiped = { code: "wiped", message: `The space ${space} was wiped.` };
    tale.add({ type: "report", ...beside, ...wiped }).view("d1", now);
    if (restores > 0) begin(tale, "restored", 2, "g3", "g2").view("d1", now);
    expect(texts(tale)).toBe("");
    tale.view("d1", now, "listener", { "folder/f1": { name: "F" } });
    expect(texts(tale)).toContain("folder/f1 is shown, and should not be there");
  });

  it("may be what a tab has pending when it is told, though another one is told later", () => {
    const { tale, writes } = twoTabs();
    tale.write("d1", first, [create("f1")]);
    writes(second, [create("f2")]);
    begin(tale, "wiped", 0);
    const wiped = { code: "wiped", message: `The space ${space} was wiped.` };
    tale.add({ type: "report", ...who("d1"), ...wiped }).view("d1", tale.stateAt(0));
    tale.add({ type: "report", ...beside, ...wiped });
    expect(texts(tale)).toBe("");
  });
});

describe("rule 12: what is offered back", () => {
  it("stands before what was sent to the history that was lost, also where that had no name for the device yet", () => {
    const tale = new Tale().start("d1").write("d1", first, [create("f1")]);
    request(tale, who("d1"), "d1", first, 1, {});
    request(tale, who("d1"), "d1", first, 1);
    begin(tale, "restored", 0);
    const stamps = { "*": third };
    tale.write("d1", second, [{ op: "offer", domain: "folder", key: "f1", set: { name: "lost" }, stamps }]);
    tale.view("d1", tale.stateAt(0), "listener", { "folder/f1": { name: "lost" } });
    expect(texts(tale)).toBe("");
    tale.view("d1", tale.stateAt(0), "listener", { "folder/f1": { name: "F" } });
    expect(texts(tale)).toContain("folder/f1 is");
  });
});

describe("rule 3: an outbox of which there was another", () => {
  const all = { "folder/f1": { name: "F" }, "folder/f2": { name: "F" }, "folder/f3": { name: "F" } };
  const { "folder/f1": _first, ...last } = all;
  const { "folder/f2": _second, ...torn } = all;

  /** The disk of `d1` falls back to where three writes waited that a restored server has. */
  function fallenBack(): Tale {
    const tale = new Tale();
    const events = [first, second, third];
    tale.start("d1");
    for (const [at, event] of events.entries()) tale.write("d1", event, [create(`f${at + 1}`)]);
    begin(tale, "restored", 0);
    commitTo(tale, "g2", ...events.map((event, at) => applied(at + 1, event, "d1", at + 1)));
    tale.add({ type: "ended", ...who("d1"), how: "closed" });
    tale.add({ type: "storageFault", device: "d1", how: "older", lostEvents: [], lostItems: [] });
    return tale.start("d1", events, 2);
  }

  it("is all there where the other history is not known yet, and leaves in turn", () => {
    const tale = fallenBack();
    const none = new Map();
    tale.view("d1", none, "opened", all, 2).view("d1", none, "listener", last, 2);
    expect(texts(tale)).toBe("");
    tale.view("d1", none, "listener", torn, 2);
    expect(texts(tale)).toContain("d1.a#2 shows something else than index 0 of site");
  });

  it("is that of a disk which has lost what says that its writes were sent, and of no other", () => {
    const taleOf = (forgets: readonly string[]): string => {
      const tale = new Tale();
      tale.start("d1").write("d1", first, [{ op: "create", domain: "note", key: "n1", set: { title: "T" } }]);
      tale.write("d1", second, [{ op: "increment", domain: "note", key: "n1", by: { votes: 1 } }]);
      tale.commit(applied(1, first, "d1", 1), applied(2, second, "d1", 2));
      tale.add({ type: "ended", ...who("d1"), how: "closed" });
      tale.add({ type: "storageFault", device: "d1", how: "partly", lostEvents: [], lostItems: [], forgets });
      tale.start("d1", [second], 2);
      return texts(tale.view("d1", tale.stateAt(2), "listener", { "note/n1": { title: "T", votes: 2 } }, 2));
    };
    expect(taleOf([space])).toBe("");
    expect(taleOf([])).toContain('note/n1 is {"marks":[],"title":"T","votes":2}, and should be');
  });

  it("leaves where a lost history has decided it before what was sent since, under a seq that was used before", () => {
    const taleOf = (isDecided: boolean): Tale => {
      const tale = new Tale()
        .start("d1")
        .start("d2")
        .write("d1", first, [create("f1")]);
      tale.add({ type: "cloned", device: "d3", from: "d1" }).start("d3", [first]);
      if (isDecided) tale.commit(applied(1, first, "d1", 1));
      begin(tale, "restored", 0)
        .write("d3", second, [create("f2")])
        .write("d1", third, [create("f3")]);
      for (const [device, event] of [
        ["d3", second],
        ["d1", third],
      ] as const)
        request(tale, who(device), "d1", event, 1, { generation: "g2" });
      return tale.view("d3", new Map(), "listener", { "folder/f2": { name: "F" } });
    };
    expect(texts(taleOf(true))).toBe("");
    expect(texts(taleOf(false))).toContain("d3.a#1 shows something else than index 0 of site");
  });

  it("is what a copy had sent under the id that it had before it was found out, until it is told", () => {
    const taleOf = (deviceId: string): Tale => {
      const tale = new Tale();
      const create: Op = { op: "create", domain: "note", key: "n1", set: { title: "T" } };
      tale
        .start("d1")
        .start("d2")
        .write("d2", first, [create])
        .commit(applied(1, first, "d2", 1));
      tale.view("d1", tale.stateAt(1));
      tale.write("d1", second, [{ op: "increment", domain: "note", key: "n1", by: { votes: 1 } }]);
      request(tale, who("d1"), "d1", second, 1).commit(applied(2, second, "d1", 1));
      return request(tale, who("d1"), deviceId, second, 1);
    };
    const twice = { "note/n1": { title: "T", votes: 2, marks: [] } };
    const copy = taleOf("d1-copy");
    copy.view("d1", copy.stateAt(2), "listener", twice);
    expect(texts(copy)).toBe("");
    copy
      .settled("d1", second, { status: "applied", index: 2 })
      .view("d1", copy.stateAt(2), "listener", twice);
    expect(texts(copy)).toContain('"votes":2}, and should be');
    const same = taleOf("d1");
    expect(texts(same.view("d1", same.stateAt(2), "listener", twice))).toContain('"votes":2}, and should be');
  });

  it("leaves before what was written since and passes for known, under a seq that was used before", () => {
    const taleOf = (isClashing: boolean): Tale => {
      const tale = new Tale();
      tale.start("d1").write("d1", first, [create("f1")]);
      request(tale, who("d1"), "d1", first, 1);
      if (isClashing) request(tale.write("d1", third, [create("f3")]), who("d1"), "d1", third, 2);
      tale.commit(applied(1, first, "d1", 1));
      tale.add({ type: "ended", ...who("d1"), how: "closed" });
      tale.add({ type: "storageFault", device: "d1", how: "older", lostEvents: [third], lostItems: [] });
      tale.start("d1", [first], 2).write("d1", second, [create("f2")], undefined, 2);
      request(tale, who("d1", 2), "d1", second, 2);
      const pending = { "folder/f2": { name: "F" } };
      tale.view("d1", tale.stateAt(1), "opened", pending, 2).view("d1", tale.stateAt(1), "listener", {}, 2);
      // Told that it is a copy, it sends anew under another id, and has no answer yet.
      request(tale, who("d1", 2), "d9", second, 1);
      return tale.view("d1", tale.stateAt(1), "listener", {}, 2);
    };
    expect(texts(taleOf(true))).toBe("");
    expect(texts(taleOf(false))).toContain("folder/f2 is not shown");
  });

  it("passes for known where its device fell back to before the first contact, under a seq of the history that stands", () => {
    const taleOf = (used: string): Tale => {
      const tale = new Tale();
      tale
        .start("d1")
        .write("d1", first, [create("f1")])
        .write("d1", third, [create("f3")]);
      if (used === generation) request(tale, who("d1"), "d1", third, 2);
      begin(tale, "restored", 0);
      request(tale, who("d1"), "d1", first, 1, { generation: "g2" });
      if (used === "g2") request(tale, who("d1"), "d1", third, 2, { generation: "g2" });
      commitTo(tale, "g2", applied(1, first, "d1", 1));
      tale.add({ type: "ended", ...who("d1"), how: "closed" });
      tale.add({ type: "storageFault", device: "d1", how: "older", lostEvents: [third], lostItems: [] });
      tale.start("d1", [first], 2).write("d1", second, [create("f2")], undefined, 2);
      request(tale, who("d1", 2), "d1", second, 2, {});
      return tale.view("d1", tale.stateAt(1), "listener", {}, 2);
    };
    expect(texts(taleOf("g2"))).toBe("");
    expect(texts(taleOf(generation))).toContain("folder/f2 is not shown");
  });

  it("passes for what a restored history has, where its seq had been used for another", () => {
    const taleOf = (isClashing: boolean): Tale => {
      const tale = new Tale();
      tale
        .start("d1")
        .write("d1", first, [create("f1")])
        .write("d1", second, [create("f2")]);
      if (isClashing) request(tale, who("d2"), "d1", third, 1);
      request(tale, who("d1"), "d1", first, 1);
      begin(tale, "restored", 0);
      return tale.view("d1", tale.stateAt(0), "listener", { "folder/f2": { name: "F" } });
    };
    expect(texts(taleOf(true))).toBe("");
    expect(texts(taleOf(false))).toContain("folder/f1 is not shown");
  });
});

describe("rule 5: what no disk had room for", () => {
  it("is shown by a tab that starts anew only where another one that has outlived it can tell", () => {
    const taleOf = (outlives: boolean): Tale => {
      const { tale } = twoTabs();
      tale.write("d2", first, [create("f1")]).commit(applied(1, first, "d2", 1));
      const state = tale.stateAt(1);
      tale.view("d1", state);
      const folders = [{ key: "f1", name: "F", $: { version: 1, modifiedAt: 2_000_010, pending: false } }];
      tale.add({ type: "view", ...beside, space, why: "opened", domains: { folder: folders } });
      tale.add({
        type: "issue",
        ...who("d1"),
        space,
        event: second,
        ops: [{ op: "delete", domain: "folder", key: "f1" }],
      });
      tale.add({ type: "ended", ...who("d1"), how: "closed" });
      if (!outlives) tale.add({ type: "ended", ...beside, how: "closed" });
      tale.start("d1", [], 2).view("d1", state, "opened", {}, 2);
      return tale.view("d1", tale.stateAt(0), "listener", {}, 2);
    };
    expect(texts(taleOf(true), "consistent-cut")).toBe("");
    expect(texts(taleOf(false), "consistent-cut")).toContain("folder/f1 of index 1 is not shown");
  });
});
