import { omittedRows } from "@landfall/client/replica/own-echo";
import { noRules, type ReplicaRules } from "@landfall/client/replica/rules";
import { type AppliedOutcome, type Op, type Row, anyFieldKind, mergeRecord } from "@landfall/protocol";
import { describe, expect, it } from "vitest";
import { idOf } from "./requests.js";

const rules: ReplicaRules = {
  domain: () => noRules,
  runAction: () => Promise.reject(new Error("There are no actions here.")),
};
const outcome: AppliedOutcome = {
  id: idOf(1, 50),
  seq: 1,
  status: "applied",
  index: 7,
  modifiedAt: 70,
  omitted: [["a", "k"]],
};
const row = (version: number): Row => ({
  domain: "a",
  key: "k",
  version,
  modifiedAt: version * 10,
  fields: { n: 1 },
  stamps: { "*": idOf(2, 1) },
});
const workOut = (op: Op, before: Row | undefined, of: AppliedOutcome = outcome): Row[] =>
  omittedRows(of, { id: of.id, madeAt: 0, ops: [op] }, () => before, rules);

describe("own echo (DESIGN §6)", () => {
  const increment: Op = { op: "increment", domain: "a", key: "k", by: { n: 1 } };
  const update: Op = { op: "update", domain: "a", key: "k", set: { n: 5 } };

  it("rule 5: the row is what the server's merge makes of what is held", () => {
    const merged = mergeRecord(row(3), update, outcome.id, anyFieldKind);
    expect(workOut(update, row(3))).toEqual([
      { domain: "a", key: "k", version: 7, modifiedAt: 70, ...(merged as { state: object }).state },
    ]);
    expect(workOut({ op: "delete", domain: "a", key: "k" }, row(3))).toEqual([
      { domain: "a", key: "k", version: 7, modifiedAt: 70, deleted: true },
    ]);
  });

  it("rule 5: a row that is as new as the outcome is left as it is", () => {
    expect(workOut(increment, row(7))).toEqual([]);
    expect(workOut(increment, row(8))).toEqual([]);
    expect(workOut(increment, row(6))).toMatchObject([{ version: 7, fields: { n: 2 } }]);
  });

  it("rule 6: the stamp is the effective one", () => {
    const eff = idOf(1, 20);
    expect(workOut(update, row(3), { ...outcome, eff })).toMatchObject([
      { stamps: { "*": idOf(2, 1), n: eff } },
    ]);
    expect(workOut(update, row(3))).toMatchObject([{ stamps: { n: outcome.id } }]);
  });

  it("rule 7: a tombstone that the server has forgotten does not hold an own create back", () => {
    const gone: Row = { domain: "a", key: "k", version: 3, modifiedAt: 30, deleted: true };
    for (const op of ["create", "put"] as const) {
      expect(workOut({ op, domain: "a", key: "k", set: { n: 9 } }, gone)).toMatchObject([
        { version: 7, fields: { n: 9 }, stamps: { "*": outcome.id } },
      ]);
    }
  });
});
