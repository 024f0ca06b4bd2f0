import type { Row } from "@landfall/protocol";
import { describe, expect, it } from "vitest";
import { planMend } from "./mending.js";

const stampAt = (n: number): string => `01900000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;
const row = (key: string, version: number, name: string, stamp = version): Row => ({
  domain: "a",
  key,
  version,
  modifiedAt: version,
  fields: { name },
  stamps: { "*": stampAt(stamp) },
});
const tombstone = (key: string, version: number): Row => ({
  domain: "a",
  key,
  version,
  modifiedAt: version,
  deleted: true,
});

/** Mends a base of these rows, at cursor 10, of which some have changed since they were compared. */
function mend(base: readonly Row[], theirs: readonly (Row | string)[], since: readonly Row[] = []) {
  const compared = new Map(base.map((each) => [each.key, each]));
  const current = new Map([...compared, ...since.map((each) => [each.key, each] as const)]);
  const answers = new Map(
    theirs.map((each) => (typeof each === "string" ? [each, undefined] : [each.key, each])),
  );
  const { rows, gone, lost, unsettled } = planMend(compared, answers, 10, (key) => current.get(key));
  return { rows: [...rows.values()], gone, lost: lost.map(({ key }) => key), unsettled };
}

const nothing = { rows: [], gone: [], lost: [], unsettled: undefined };

describe("rules 5 and 10: what mending changes", () => {
  it("a row that base lacks comes in, a newer one and a tombstone take their place", () => {
    const theirs = [row("k", 3, "new"), row("l", 5, "newer"), tombstone("m", 6)];
    expect(mend([row("l", 4, "old"), row("m", 2, "deleted since")], theirs)).toEqual({
      ...nothing,
      rows: theirs,
    });
  });

  it("a row of the same version with another content is replaced; where other writes made it, what stood here is kept for people", () => {
    expect(mend([row("k", 3, "damaged")], [row("k", 3, "right")])).toEqual({
      ...nothing,
      rows: [row("k", 3, "right")],
    });
    expect(mend([row("k", 3, "mine", 77)], [row("k", 3, "right")]).lost).toEqual(["k"]);
  });

  it("a row that the server never had goes, and is kept for people", () => {
    expect(mend([row("k", 3, "ghost")], ["k", "nowhere"])).toEqual({ ...nothing, gone: ["k"], lost: ["k"] });
    expect(mend([tombstone("k", 3)], ["k"])).toEqual({ ...nothing, gone: ["k"] });
  });

  it("a row of a higher version is never replaced: the server has lost history", () => {
    expect(mend([row("k", 3, "newer")], [row("k", 2, "older")])).toEqual({ ...nothing, unsettled: "k" });
  });

  it("what lies above the cursor comes with the next pull, and what has changed here meanwhile is left alone", () => {
    expect(mend([row("k", 3, "old")], [row("k", 11, "moved on")])).toEqual(nothing);
    expect(mend([row("k", 3, "old")], [row("k", 4, "late")], [row("k", 9, "came since")])).toEqual(nothing);
    expect(mend([row("k", 3, "old")], ["k"], [row("k", 9, "came since")])).toEqual(nothing);
    expect(mend([], [row("k", 4, "late")], [row("k", 9, "came since")])).toEqual(nothing);
  });
});
