import { type ReconcileAnswer, type ReconcileRequest, type Row, portableSha256 } from "@landfall/protocol";
import { expect, it } from "vitest";
import { createVirtualTime } from "../testing-time.js";
import { UnreconciledError, findDifference } from "./repair.js";

const stamp = "01900000-0000-7000-8000-000000000001";
const row = (key: string): Row => ({
  domain: "note",
  key,
  version: 1,
  modifiedAt: 1,
  fields: {},
  stamps: { "*": stamp },
});

/** Compares a base of one row with a server that lacks it, and that answers what is asked of it by key like this. */
async function compare(byKey: Pick<ReconcileAnswer, "rows" | "more">): Promise<number> {
  const { timers } = createVirtualTime({ seed: 1 });
  let asked = 0;
  const reconcile = async ({ keys }: ReconcileRequest): Promise<ReconcileAnswer> => {
    if (++asked > 50) throw new Error("It is asked for ever.");
    const common = { generation: "g", head: 1 };
    // Everything, in a list that is empty.
    return keys ? { ...common, frame: "", ...byKey } : { ...common, frame: "AAIA", rows: [] };
  };
  const base = { generation: "g", cursor: 1, rows: new Map([["a", row("a")]]) };
  const theirs = await findDifference({ hash: portableSha256, timers, reconcile }, "site", "note", base);
  expect([...theirs]).toEqual([["a", undefined]]);
  return asked;
}

it("rule 10: a row that the server does not name, and says that it has named all, is gone", async () => {
  expect(await compare({ rows: [] })).toBe(2);
});

it("rules 8 and 10: a server that has more, and never says what, proves nothing gone and is not asked for ever", async () => {
  await expect(compare({ rows: [], more: true })).rejects.toThrow(UnreconciledError);
  await expect(compare({ rows: [row("b")], more: true })).rejects.toThrow(UnreconciledError);
});
