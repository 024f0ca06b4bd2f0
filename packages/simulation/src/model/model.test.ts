import {
  type RecordOp,
  actionContext,
  canonicalJson,
  elementHash,
  mergeRecord,
  portableSha256,
  recordContent,
} from "@landfall/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stampOf } from "../history.fixture.js";
import { canonicalText } from "./canonical.js";
import { digestOf, elementOf } from "./digest.js";
import { RefusedError, mergeOp } from "./merge.js";
import { type LiveRow, type ModelRow, nameOf, stampsOf, withRows } from "./model-row.js";
import { Overlay } from "./overlay.js";
import { type PlainTx, runPlainAction } from "./plain-action.js";

const facts = { counters: ["votes"], sets: ["marks"] };
const head = { domain: "note", key: "n", version: 3, modifiedAt: 9 };
const at = (ms: number): string => stampOf(ms, 1);

describe("the model", () => {
  it("rule 6: lets the later stamp win, field by field, and names what lost", () => {
    const row: LiveRow = { ...head, fields: { a: 1, b: 1 }, born: at(10), written: { b: at(30) } };
    const { row: after, superseded } = mergeOp(
      row,
      { op: "update", domain: "note", key: "n", set: { a: 2, b: 2 } },
      at(20),
      facts,
    );
    expect(after).toEqual({ fields: { a: 2, b: 1 }, born: at(10), written: { a: at(20), b: at(30) } });
    expect(superseded).toEqual([{ domain: "note", key: "n", field: "b", by: at(30) }]);
  });

  it("rule 7: lets a delete win, and a restore begin anew", () => {
    const gone: ModelRow = { ...head, deleted: true };
    const op = { op: "update", domain: "note", key: "n", set: { a: 2 } } as const;
    expect(() => mergeOp(gone, op, at(99), facts)).toThrow(/^deleted/);
    expect(() => mergeOp(undefined, op, at(99), facts)).toThrow(/^missing/);
    expect(mergeOp(gone, { ...op, op: "restore" }, at(50), facts).row).toEqual({
      fields: { a: 2 },
      born: at(50),
      written: {},
    });
    expect(mergeOp(gone, { op: "delete", domain: "note", key: "n" }, at(50), facts).row).toBeUndefined();
  });

  it("agrees with the product's merge on whatever meets", () => {
    const op: fc.Arbitrary<RecordOp> = fc
      .oneof(
        fc.record({
          op: fc.constantFrom("create", "put", "restore"),
          set: fc.record({ a: fc.nat(3), votes: fc.nat(3) }, { requiredKeys: [] }),
        }),
        fc.record({
          op: fc.constant("update"),
          set: fc.record({ a: fc.nat(3), b: fc.nat(3) }, { requiredKeys: [] }),
        }),
        fc.record({ op: fc.constant("update"), unset: fc.constant(["b"]) }),
        fc.record({
          op: fc.constant("increment"),
          by: fc.record({ votes: fc.integer({ min: -2, max: 2 }) }),
        }),
        fc.record({
          op: fc.constantFrom("add", "remove"),
          values: fc.record({ marks: fc.array(fc.constantFrom("x", "y", 1, true)) }),
        }),
        fc.record({ op: fc.constant("delete") }),
        fc.record({ op: fc.constant("offer"), deletedAt: fc.nat(20) }),
        fc.record({
          op: fc.constant("offer"),
          set: fc.record({ a: fc.nat(3), b: fc.nat(3), votes: fc.nat(3) }, { requiredKeys: [] }),
          // A field may have come to lie before its record's birth: both count as the moment of the restore.
          stamps: fc.record(
            { "*": fc.constantFrom(at(4), at(9)), a: fc.nat(20).map(at), b: fc.nat(20).map(at) },
            { requiredKeys: ["*"] },
          ),
        }),
      )
      .map((made) => ({ ...made, domain: "note", key: "n" }));
    fc.assert(
      fc.property(fc.array(fc.tuple(op, fc.nat(20)), { maxLength: 12 }), (steps) => {
        let mine: ModelRow | undefined;
        let theirs: Parameters<typeof mergeRecord>[0];
        const kinds = (field: string) => (field === "votes" ? "counter" : field === "marks" ? "set" : "lww");
        for (const [one, ms] of steps) {
          const result = mergeRecord(theirs, one, at(ms), kinds);
          let code: string | undefined;
          try {
            const { row, superseded } = mergeOp(mine, one, at(ms), facts);
            if (row) mine = row.deleted ? { ...head, deleted: true } : { ...row, ...head };
            if (result.ok)
              expect(superseded.map(({ field, by }) => ({ field, by }))).toEqual(result.superseded);
          } catch (error) {
            if (!(error instanceof RefusedError)) throw error;
            ({ code } = error);
          }
          expect(code).toBe(result.ok ? undefined : result.code);
          if (result.ok) theirs = result.state;
          const shown =
            mine && (mine.deleted ? { deleted: true } : { fields: mine.fields, stamps: stampsOf(mine) });
          expect(shown).toEqual(theirs);
        }
      }),
    );
  });

  it("rule 10: writes and hashes rows as the protocol page says, by other means than the product", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(canonicalText(value as never)).toBe(canonicalJson(value as never));
      }),
    );
    const row: LiveRow = { ...head, fields: { b: "ä", a: [1, null] }, born: at(1), written: { b: at(2) } };
    const content = recordContent(canonicalJson(row.fields), canonicalJson(stampsOf(row)));
    expect(elementOf(row)).toBe(elementHash(portableSha256, "note", "n", 3, content));
    const state = withRows(new Map(), [
      row,
      { ...head, key: "gone", deleted: true },
      { ...row, domain: "folder" },
    ]);
    expect(digestOf(state, "note")).toEqual({ count: 1, sum: elementOf(row).toString(16).padStart(32, "0") });
  });

  it("rule 11: gives an action the chance that its event fixes", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(4095), (ms, counter) => {
        const id = stampOf(ms, 7, counter);
        const overlay = new Overlay(new Map(), { domains: {} }, { stamp: id, version: 1, modifiedAt: 1 });
        const { context, newKey } = actionContext(id, "ann");
        const draw = (tx: PlainTx): void => {
          expect([tx.random(), tx.random(), tx.now, tx.user]).toEqual([
            context.random(),
            context.random(),
            ms,
            "ann",
          ]);
          expect([tx.newKey(), tx.newKey()]).toEqual([newKey(), newKey()]);
        };
        runPlainAction(overlay, { id, user: "ann", action: "draw" }, { draw }, () => undefined);
      }),
      { numRuns: 50 },
    );
    expect(nameOf("a", "b")).toBe("a/b");
  });
});
