import { describe, expect, it } from "vitest";
import { goodTale } from "../good-tale.fixture.js";
import { type Tale, generation, space, verdict, who } from "../history.fixture.js";

const told = (tale: Tale): string[] => verdict(tale.history(), "reports").map(({ message }) => message);

/** What is said once d1 was told that, after what `before` puts into the tale. */
const said = (code: string, before: (tale: Tale) => unknown = () => undefined): string[] => {
  const tale = goodTale();
  before(tale);
  tale.add({ type: "report", ...who("d1", 2), code, message: `something of ${space}` });
  return told(tale);
};

const faulty = (how: string) => (tale: Tale) =>
  tale.add({ type: "storageFault", device: "d1", how, lostEvents: [], lostItems: [] });
const cloned = (device: string, from: string) => (tale: Tale) => tale.add({ type: "cloned", device, from });
const begun =
  (reason: "restored" | "wiped", of = space) =>
  (tale: Tale) =>
    tale.add({ type: "generation", space: of, generation: "g2", parent: generation, reason, forkedAt: 0 });

const untrue = [`d1.a#2 was told what is not so: something of ${space}`];

describe("reports that are not true", () => {
  it("rule 8: sees that unsynced writes are called lost on a disk that is whole", () => {
    expect(said("unsynced_lost")).toEqual(untrue);
    expect(said("unsynced_lost", faulty("full"))).toEqual(untrue);
    for (const how of ["partly", "evicted", "older", "torn"])
      expect(said("unsynced_lost", faulty(how))).toEqual([]);
    expect(said("unsynced_lost", cloned("d1", "d2"))).toEqual([]);
  });

  it("rule 3: sees that an installation is called copied which is none, and has lost nothing in silence", () => {
    expect(said("device_forked")).toEqual(untrue);
    for (const how of ["partly", "evicted", "torn", "signedOut"])
      expect(said("device_forked", faulty(how))).toEqual(untrue);
    for (const how of ["older", "full"]) expect(said("device_forked", faulty(how))).toEqual([]);
    expect(said("device_forked", cloned("d2", "d1"))).toEqual([]);
    expect(said("device_forked", cloned("d2", "d3"))).toEqual(untrue);
  });

  it("rule 12: sees that a server is said to have lost history, or to be wiped, which has all of it", () => {
    for (const code of ["history_lost", "restored", "recovered"]) {
      expect(said(code)).toEqual(untrue);
      expect(said(code, begun("wiped"))).toEqual(untrue);
      expect(said(code, begun("restored"))).toEqual([]);
      expect(said(code, begun("restored", "other"))).toEqual(untrue);
    }
    expect(said("wiped", begun("restored"))).toEqual(untrue);
    expect(said("wiped", begun("wiped"))).toEqual([]);
  });
});
