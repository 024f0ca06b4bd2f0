import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Fields, Json } from "./json.js";
import { type FieldKinds, type MergeState, mergeRecord } from "./merge.js";
import type { OfferOp, RecordOp } from "./op.js";
import type { Stamps } from "./row.js";
import { makeStamp } from "./stamp.js";

const stampAt = (ms: number): string => makeStamp(ms, 0, "8000-000000000000");
const on = { domain: "d", key: "k" };
const kinds: FieldKinds = (field) => (field === "n" ? "counter" : field === "s" ? "set" : "lww");
const merge = (state: MergeState | undefined, op: RecordOp): MergeState | undefined | string => {
  const result = mergeRecord(state, op, stampAt(999), kinds);
  return result.ok ? result.state : result.code;
};
const offer = (set: Fields, stamps: Stamps): OfferOp => ({ op: "offer", ...on, set, stamps });
const offerDelete = (deletedAt: number): OfferOp => ({ op: "offer", ...on, deletedAt });

const born = stampAt(100);
const live: MergeState = { fields: { a: 1, n: 5, s: ["x"] }, stamps: { "*": born, a: stampAt(110) } };

describe("rule 12: a row that is offered back", () => {
  it("makes the record with the stamps that it had, or merges with it by them", () => {
    const whole = offer({ a: 2, b: 3 }, { "*": born, a: stampAt(120) });
    expect(merge(undefined, whole)).toEqual({
      fields: { a: 2, b: 3 },
      stamps: { "*": born, a: stampAt(120) },
    });
    expect(merge(live, whole)).toEqual({
      fields: { a: 2, n: 5, s: ["x"] },
      stamps: { "*": born, a: stampAt(120) },
    });
  });

  it("leaves what is newer, and says so; leaves counters and sets", () => {
    const old = offer(
      { a: 0, n: 99, s: ["y"] },
      { "*": born, a: stampAt(105), n: stampAt(500), s: stampAt(500) },
    );
    const result = mergeRecord(live, old, stampAt(999), kinds);
    expect(result).toEqual({
      ok: true,
      changed: false,
      state: live,
      superseded: [{ field: "a", by: stampAt(110) }],
    });
  });

  it("unsets a field that has a stamp and no value", () => {
    expect(merge(live, offer({}, { "*": born, a: stampAt(120) }))).toEqual({
      fields: { n: 5, s: ["x"] },
      stamps: { "*": born, a: stampAt(120) },
    });
  });

  it("does not bring back what is deleted, nor mix with another record of that key", () => {
    expect(merge({ deleted: true }, offer({ a: 1 }, { "*": born }))).toBe("deleted");
    expect(merge(live, offer({ a: 1 }, { "*": stampAt(101) }))).toBe("exists");
  });

  it("as a delete wins, also over what is not there, but not over what was made later", () => {
    expect(merge(live, offerDelete(100))).toEqual({ deleted: true });
    expect(merge(undefined, offerDelete(100))).toEqual({ deleted: true });
    expect(merge(live, offerDelete(99))).toBe(live);
    expect(mergeRecord({ deleted: true }, offerDelete(500), stampAt(999), kinds)).toMatchObject({
      changed: false,
    });
  });

  it("keeps a record within its bounds, and a stamp that is not newer than the create's unlisted", () => {
    const many = Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`f${i}`, i as Json]));
    expect(merge(undefined, offer(many, { "*": born }))).toBe("too_large");
    expect(merge(undefined, offer({ n: "no number" }, { "*": born }))).toBe("invalid");
    expect(merge(undefined, offer({ a: 1 }, { "*": born, a: stampAt(50) }))).toEqual({
      fields: { a: 1 },
      stamps: { "*": born },
    });
  });

  it("rows of one record give the same in any order, however often each is offered", () => {
    const field = fc.constantFrom("a", "b", "c", "toString");
    const row = fc.dictionary(field, fc.tuple(fc.integer({ min: 101, max: 130 }), fc.option(fc.nat(9))), {
      maxKeys: 4,
    });
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(5), { maxLength: 20 }),
        (rows, again) => {
          const offers = rows.map((fields) =>
            offer(
              // One stamp is one write, so it has one value.
              Object.fromEntries(
                Object.entries(fields).flatMap(([name, [ms, value]]) =>
                  value === null || ms % 3 === 0 ? [] : [[name, ms]],
                ),
              ),
              {
                "*": born,
                ...Object.fromEntries(
                  Object.entries(fields).flatMap(([name, [ms, value]]) =>
                    value === null && ms % 3 !== 0 ? [] : [[name, stampAt(ms)]],
                  ),
                ),
              },
            ),
          );
          const all = (list: readonly OfferOp[]) =>
            list.reduce<MergeState>((state, op) => merge(state, op) as MergeState, {
              fields: {},
              stamps: { "*": born },
            });
          const order = [...again.map((i) => offers[i % offers.length] as OfferOp), ...offers.toReversed()];
          expect(all(order)).toEqual(all(offers));
        },
      ),
    );
  });
});
