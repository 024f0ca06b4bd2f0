import type { Op, Stamp } from "@landfall/protocol";
import { describe, expect, it } from "vitest";
import { Tale, applied, generation, space, stampOf, verdict, who } from "../history.fixture.js";

const texts = (tale: Tale): string =>
  verdict(tale.history(), "session-order")
    .map(({ at, message }) => `${at}: ${message}`)
    .join("\n");

const create = (key: string): Op => ({ op: "create", domain: "folder", key, set: { name: "F" } });
const [first, second, third] = [stampOf(1_900_001, 1), stampOf(1_900_002, 1), stampOf(1_900_003, 1)];

/** The server has come back to where there was nothing. */
const restore = (tale: Tale): Tale =>
  tale.add({
    type: "generation",
    space,
    generation: "g2",
    parent: generation,
    reason: "restored",
    forkedAt: 0,
  });

const commitToIt = (tale: Tale, ...decided: readonly object[]): Tale =>
  tale.add({ type: "commit", space, generation: "g2", decided });

const request = (tale: Tale, tab: object, deviceId: string, event: Stamp, seq: number): Tale =>
  tale.add({
    type: "request",
    ...tab,
    exchange: tale.now,
    deviceId,
    spaces: [{ space, generation, acked: 0, cursors: {}, events: [{ id: event, seq }] }],
  });

describe("rule 1: the order in which a tab has written", () => {
  /** `d1` loses two writes that wait; `d1` writes again, and then that is applied. */
  function left(isCopied: boolean, how = "signedOut"): Tale {
    const tale = new Tale();
    tale
      .start("d1")
      .write("d1", first, [create("f1")])
      .write("d1", second, [create("f2")]);
    if (isCopied) tale.add({ type: "cloned", device: "d3", from: "d1" }).start("d3", [first, second]);
    tale.add({ type: "ended", ...who("d1"), how: "closed" });
    const lost = { lostEvents: [first, second], lostItems: [] };
    tale.add({ type: "storageFault", device: "d1", how, ...lost });
    tale.start("d1", [], 2).write("d1", third, [create("f3")], undefined, 2);
    return tale.commit(applied(1, third, "d4", 1));
  }

  it.each(["signedOut", "evicted", "older"])(
    "is not kept by a copy that has what the tab lost: %s",
    (how) => {
      const tale = left(true, how).commit(applied(2, first, "d1", 1), applied(3, second, "d1", 2));
      expect(texts(tale)).toBe("");
    },
  );

  it("is not kept by what an older copy of the disk has, and the tab knew to be over in a history that is lost", () => {
    const taleOf = (isOlder: boolean): Tale => {
      const tale = new Tale().start("d1").write("d1", first, [create("f1")]);
      tale.commit(applied(1, first, "d1", 1)).settled("d1", first, { status: "applied", index: 1 });
      restore(tale).write("d1", second, [create("f2")]);
      commitToIt(tale, applied(1, second, "d1", 1)).settled("d1", second, {
        status: "applied",
        index: 1,
      });
      tale.add({ type: "ended", ...who("d1"), how: "closed" });
      if (isOlder)
        tale.add({ type: "storageFault", device: "d1", how: "older", lostEvents: [], lostItems: [] });
      return commitToIt(tale.start("d1", [first], 2), applied(2, first, "d4", 1));
    };
    expect(texts(taleOf(true))).toBe("");
    expect(texts(taleOf(false))).toContain("which the tab wrote later");
  });

  it("is not kept by a copy that brings what the tab was told of to a server which has lost it", () => {
    const taleOf = (isCopied: boolean): Tale => {
      const tale = new Tale().start("d1").write("d1", first, [create("f1")]);
      if (isCopied) tale.add({ type: "cloned", device: "d3", from: "d1" }).start("d3", [first]);
      tale.commit(applied(1, first, "d1", 1)).settled("d1", first, { status: "applied", index: 1 });
      restore(tale).write("d1", second, [create("f2")]);
      return commitToIt(tale, applied(1, second, "d1", 1), applied(2, first, "d3", 1));
    };
    expect(texts(taleOf(true))).toBe("");
    expect(texts(taleOf(false))).toContain("which the tab wrote later");
  });

  it("is not kept by a copy of a disk that had no room for the first of what it wrote", () => {
    const taleOf = (isUnsaved: boolean): Tale => {
      const tale = new Tale().start("d1").write("d1", first, [create("f1")]);
      if (isUnsaved) {
        tale.entries.pop();
        tale.add({ type: "unsaved", ...who("d1"), event: first, code: "full" });
      }
      tale.write("d1", second, [create("f2")]);
      tale.add({ type: "cloned", device: "d3", from: "d1" }).start("d3", [second]);
      return tale.commit(applied(1, second, "d1", 1), applied(2, first, "d4", 1));
    };
    expect(texts(taleOf(true))).toBe("");
    expect(texts(taleOf(false))).toContain("which the tab wrote later");
  });

  it("is not kept by a request that was on its way when the disk was lost, and is until then", () => {
    const taleOf = (isSent: boolean, isAppliedBefore = false): Tale => {
      const tale = new Tale()
        .start("d1")
        .write("d1", first, [create("f1")])
        .write("d1", second, [create("f2")]);
      if (isSent) request(tale, who("d1"), "d1", first, 1);
      if (isAppliedBefore) tale.commit(applied(1, second, "d1", 1)).commit(applied(2, first, "d1", 2));
      tale.add({ type: "ended", ...who("d1"), how: "closed" });
      const lost = { lostEvents: [first, second], lostItems: [] };
      tale.add({ type: "storageFault", device: "d1", how: "evicted", ...lost });
      if (isAppliedBefore) return tale;
      tale.start("d1", [], 2).write("d1", third, [create("f3")], undefined, 2);
      return tale.commit(applied(1, third, "d4", 1)).commit(applied(2, first, "d1", 1));
    };
    expect(texts(taleOf(true))).toBe("");
    expect(texts(taleOf(false))).toContain(`${first} of d1.a was applied at 2, after ${third}`);
    expect(texts(taleOf(true, true))).toContain(`${first} of d1.a was applied at 2`);
  });

  it("is kept by those that have their disk, whoever goes on without it", () => {
    const taleOf = (isStandIn: boolean): Tale => {
      const tale = new Tale().start("d1").write("d1", first, [create("f1")]);
      tale.add({ type: "ended", ...who("d1"), how: "closed" });
      tale.add({ type: "started", ...who("d1", 2), outbox: {}, ...(isStandIn && { standsIn: true }) });
      tale.write("d1", second, [create("f2")], undefined, 2);
      return tale.commit(applied(1, second, "d4", 1)).commit(applied(2, first, "d1", 1));
    };
    expect(texts(taleOf(true))).toBe("");
    expect(texts(taleOf(false))).toContain(`${first} of d1.a was applied at 2`);
    const torn = taleOf(false);
    torn.add({ type: "storageFault", device: "d1", how: "torn", lostEvents: [], lostItems: [] });
    expect(texts(torn)).toContain(`${first} of d1.a was applied at 2`);
  });

  it("is kept by the copy itself, and where there is none", () => {
    const turned = left(true).commit(applied(2, second, "d1", 1), applied(3, first, "d1", 2));
    expect(texts(turned)).toContain(`${first} of d1.a was applied at 3, after ${second}`);
    const alone = left(false).commit(applied(2, first, "d1", 1));
    expect(texts(alone)).toContain(`${first} of d1.a was applied at 2, after ${third}`);
  });
});
