import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Fields, Json } from "./json.js";
import * as limits from "./limits.js";
import { type FieldKind, type FieldKinds, type MergeState, anyFieldKind, mergeRecord } from "./merge.js";
import type { OfferOp, RecordOp, SetMember } from "./op.js";

/** A stamp by its rank; the text order is the order of ranks. */
const stampOf = (rank: number): string =>
  `01900000-0000-7${rank.toString(16).padStart(3, "0")}-8000-000000000000`;

const kinds: FieldKinds = (field) =>
  field.startsWith("n") ? "counter" : field.startsWith("s") ? "set" : "lww";

/** Freezes all of it, so that a merge that writes into what it was given throws. */
function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

// ---- The oracle: it keeps every write of an incarnation and works the record out anew from all of them.

type Write = { readonly field: string; readonly value: Json | undefined; readonly stamp: string };
type Model =
  | undefined
  | "tombstone"
  | {
      readonly created: string;
      readonly start: Fields;
      readonly writes: readonly Write[];
      readonly counts: readonly (readonly [string, number])[];
      readonly members: readonly (readonly ["add" | "remove", string, readonly SetMember[]])[];
    };
type Live = Exclude<Model, undefined | "tombstone">;
type Step =
  | { readonly refused: string }
  | { readonly model: Model; readonly superseded: readonly { field: string; by: string }[] };

const memberText = (member: SetMember): string => JSON.stringify(member);
function sorted(members: readonly SetMember[]): SetMember[] {
  const texts = members.map(memberText).filter((text, i, all) => all.indexOf(text) === i);
  for (let i = 0; i < texts.length; i++) {
    for (let j = i + 1; j < texts.length; j++) {
      const [a, b] = [texts[i] as string, texts[j] as string];
      if (b < a) [texts[i], texts[j]] = [b, a];
    }
  }
  return texts.map((text) => JSON.parse(text) as SetMember);
}

/** The newest write of a field; of two with one stamp, the later. */
function winner(model: Live, field: string): Write | undefined {
  let best: Write | undefined;
  for (const write of model.writes) {
    if (
      write.field === field &&
      write.stamp >= model.created &&
      (best === undefined || write.stamp >= best.stamp)
    )
      best = write;
  }
  return best;
}

function modelState(model: Model): MergeState | undefined {
  if (model === undefined) return undefined;
  if (model === "tombstone") return { deleted: true };
  const fields: Record<string, Json> = {};
  const stamps: Record<string, string> = { "*": model.created };
  const names = new Set([
    ...Object.keys(model.start),
    ...model.writes.map((w) => w.field),
    ...model.counts.map(([f]) => f),
    ...model.members.map(([, f]) => f),
  ]);
  for (const field of names) {
    let value: Json | undefined = Object.hasOwn(model.start, field) ? model.start[field] : undefined;
    if (kinds(field) === "counter") {
      for (const [name, by] of model.counts)
        if (name === field) value = ((value as number | undefined) ?? 0) + by;
    } else if (kinds(field) === "set") {
      let members: SetMember[] | undefined = value === undefined ? undefined : sorted(value as SetMember[]);
      for (const [op, name, named] of model.members) {
        if (name !== field) continue;
        members =
          op === "add"
            ? sorted([...(members ?? []), ...named])
            : (members ?? []).filter((m) => !named.some((n) => memberText(n) === memberText(m)));
      }
      value = members;
    } else {
      const best = winner(model, field);
      if (best) value = best.value;
      if (best && best.stamp > model.created) stamps[field] = best.stamp;
    }
    if (value !== undefined) fields[field] = value;
  }
  return { fields, stamps };
}

function modelStep(model: Model, op: WrittenOp, stamp: string): Step {
  const live = model !== undefined && model !== "tombstone";
  const born = (start: Fields): Step => ({
    model: { created: stamp, start, writes: [], counts: [], members: [] },
    superseded: [],
  });
  if (op.op === "restore")
    return model === undefined ? { refused: "missing" } : live ? { refused: "exists" } : born(op.set);
  if (op.op === "delete")
    return model === undefined ? { refused: "missing" } : { model: "tombstone", superseded: [] };
  if (model === "tombstone") return { refused: "deleted" };
  if (op.op === "create") return live ? { refused: "exists" } : born(op.set);
  if (op.op === "put" && !live) return born(op.set);
  if (!live) return { refused: "missing" };
  if (op.op === "increment")
    return { model: { ...model, counts: [...model.counts, ...Object.entries(op.by)] }, superseded: [] };
  if ("values" in op) {
    const more = Object.entries(op.values).map(([field, members]) => [op.op, field, members] as const);
    return { model: { ...model, members: [...model.members, ...more] }, superseded: [] };
  }
  const writes: Write[] = Object.entries(op.set ?? {}).map(([field, value]) => ({ field, value, stamp }));
  if (op.op === "update") for (const field of op.unset ?? []) writes.push({ field, value: undefined, stamp });
  if (writes.some((write) => kinds(write.field) !== "lww")) return { refused: "invalid" };
  const superseded = writes
    .map(({ field }) => ({ field, by: winner(model, field)?.stamp ?? model.created }))
    .filter(({ by }) => by > stamp);
  return { model: { ...model, writes: [...model.writes, ...writes] }, superseded };
}

// ---- Ops at random.

const value = fc.oneof(
  fc.constantFrom<Json>(null, true, 0, "", "x", [1, 2], { a: 1 }),
  fc.integer({ min: -9, max: 9 }),
);
const lwwField = fc.constantFrom("a", "b", "toString", "valueOf");
const lwwFields = fc.dictionary(lwwField, value, { maxKeys: 3 });
const member = fc.constantFrom<SetMember>("a", "b", "é", "10", 10, 9, 1.5, true, false, "true");
const members = fc.array(member, { maxLength: 4 });
const start = fc
  .tuple(
    lwwFields,
    fc.dictionary(fc.constantFrom("n1", "n2"), fc.integer({ min: -5, max: 5 })),
    fc.dictionary(fc.constantFrom("s1", "s2"), members),
  )
  .map(([a, b, c]): Fields => ({ ...a, ...b, ...c }));
const on = { domain: "d", key: "k" };
const update = fc
  .tuple(lwwFields, fc.uniqueArray(lwwField, { maxLength: 3 }))
  .map(([set, unset]): WrittenOp => ({
    op: "update",
    ...on,
    set,
    unset: unset.filter((f) => !Object.hasOwn(set, f)),
  }));
const increment = fc
  .dictionary(fc.constantFrom("n1", "n2", "nx"), fc.integer({ min: -5, max: 5 }), { minKeys: 1 })
  .map((by): WrittenOp => ({ op: "increment", ...on, by }));
const setOp = fc
  .tuple(
    fc.constantFrom("add" as const, "remove" as const),
    fc.dictionary(fc.constantFrom("s1", "s2", "sx"), members, { minKeys: 1 }),
  )
  .map(([op, values]): WrittenOp => ({ op, ...on, values }));
/** All but offers, which bring their own stamps: see merge-offer.test.ts. */
type WrittenOp = Exclude<RecordOp, OfferOp>;
const anyOp: fc.Arbitrary<WrittenOp> = fc.oneof(
  { weight: 2, arbitrary: start.map((set): WrittenOp => ({ op: "create", ...on, set })) },
  { weight: 1, arbitrary: lwwFields.map((set): WrittenOp => ({ op: "put", ...on, set })) },
  { weight: 1, arbitrary: start.map((set): WrittenOp => ({ op: "put", ...on, set })) },
  { weight: 8, arbitrary: update },
  { weight: 3, arbitrary: increment },
  { weight: 3, arbitrary: setOp },
  { weight: 1, arbitrary: fc.constant<WrittenOp>({ op: "delete", ...on }) },
  { weight: 1, arbitrary: start.map((set): WrittenOp => ({ op: "restore", ...on, set })) },
);

function run(ops: readonly (readonly [RecordOp, number])[], from?: MergeState): MergeState | undefined {
  let state = from;
  for (const [op, rank] of ops) {
    const result = mergeRecord(state, op, stampOf(rank), kinds);
    if (result.ok) state = result.state;
  }
  return state;
}

const created: MergeState = { fields: { a: 1 }, stamps: { "*": stampOf(100) } };

describe("mergeRecord", () => {
  it("rules 6 and 7: agrees with a model that keeps every write", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyOp, fc.integer({ min: 1, max: 12 })), { maxLength: 25 }), (ops) => {
        let state: MergeState | undefined;
        let model: Model;
        for (const [op, rank] of ops) {
          const result = mergeRecord(frozen(state), frozen(op), stampOf(rank), kinds);
          const step = modelStep(model, op, stampOf(rank));
          if ("refused" in step) {
            expect(result).toMatchObject({ ok: false, code: step.refused });
            continue;
          }
          if (!result.ok) throw new Error(`refused with ${result.code}: ${JSON.stringify(op)}`);
          expect(result.superseded).toEqual(step.superseded);
          expect(result.state).toEqual(modelState(step.model));
          const named =
            op.op === "update"
              ? [...Object.keys(op.set ?? {}), ...(op.unset ?? [])]
              : op.op === "put" && state
                ? Object.keys(op.set)
                : undefined;
          if (named) expect(result.changed).toBe(result.superseded.length < named.length);
          if (!result.changed) expect(result.state).toEqual(state);
          state = result.state;
          model = step.model;
        }
      }),
      { numRuns: 1_500 },
    );
  });

  it("rule 6: writes of distinct stamps give one record in any order", () => {
    fc.assert(
      fc.property(fc.array(update, { minLength: 2, maxLength: 8 }), fc.func(fc.nat()), (ops, weight) => {
        const stamped = ops.map((op, i): readonly [RecordOp, number] => [op, 50 + i * 20]);
        const shuffled = [...stamped].sort((x, y) => weight(x[1]) - weight(y[1]));
        expect(run(shuffled, created)).toEqual(run(stamped, created));
      }),
    );
  });

  it("rule 6: counters and sets count once for each event and need no stamps", () => {
    const ops: (readonly [RecordOp, number])[] = [
      [{ op: "increment", ...on, by: { n1: 2 } }, 1],
      [{ op: "increment", ...on, by: { n1: 3 } }, 0],
      [{ op: "add", ...on, values: { s1: ["x"] } }, 0],
      [{ op: "remove", ...on, values: { s1: ["x", "y"] } }, 0],
      [{ op: "add", ...on, values: { s1: ["z", "y"] } }, 0],
    ];
    expect(run(ops, created)).toEqual({
      fields: { a: 1, n1: 5, s1: ["y", "z"] },
      stamps: { "*": stampOf(100) },
    });
  });

  it("rule 6: increments commute with each other and with writes of other fields; so do adds", () => {
    const other = fc.oneof(
      increment,
      update,
      fc
        .dictionary(fc.constantFrom("s1", "s2"), members)
        .map((values): RecordOp => ({ op: "add", ...on, values })),
    );
    fc.assert(
      fc.property(fc.array(other, { minLength: 2, maxLength: 8 }), fc.func(fc.nat()), (ops, weight) => {
        const stamped = ops.map((op, i): readonly [RecordOp, number] => [op, 90 + i * 7]);
        const shuffled = [...stamped].sort((x, y) => weight(x[1]) - weight(y[1]));
        expect(run(shuffled, created)).toEqual(run(stamped, created));
      }),
    );
  });

  it("rule 10: the order of a set's members is a function of the members alone", () => {
    fc.assert(
      fc.property(fc.array(member, { maxLength: 8 }), fc.array(member, { maxLength: 8 }), (left, right) => {
        const one = run(
          [
            [{ op: "add", ...on, values: { s1: left } }, 1],
            [{ op: "add", ...on, values: { s1: right } }, 1],
          ],
          created,
        );
        const two = run([[{ op: "add", ...on, values: { s1: [...right, ...left].reverse() } }, 1]], created);
        expect(JSON.stringify(one)).toBe(JSON.stringify(two));
      }),
    );
    expect(
      run([[{ op: "add", ...on, values: { s1: [10, 9, "9", true, "Z", "a", "é"] } }, 1]], created),
    ).toMatchObject({ fields: { s1: ["9", "Z", "a", "é", 10, 9, true] } });
  });

  it("rule 6: 0 and -0 are one member and one number", () => {
    const after = run(
      [
        [{ op: "add", ...on, values: { s1: [0, -0] } }, 1],
        [{ op: "remove", ...on, values: { s1: [-0] } }, 1],
      ],
      created,
    );
    expect(after).toMatchObject({ fields: { s1: [] } });
    expect(JSON.stringify(run([[{ op: "update", ...on, set: { a: -0 } }, 200]], created))).toContain('"a":0');
  });

  it("rule 6: an unset keeps its field's stamp, so that an older write stays beaten", () => {
    const unset = run([[{ op: "update", ...on, unset: ["a"] }, 300]], created);
    expect(unset).toEqual({ fields: {}, stamps: { "*": stampOf(100), a: stampOf(300) } });
    const late = mergeRecord(unset, { op: "update", ...on, set: { a: "late" } }, stampOf(200), kinds);
    expect(late).toEqual({
      ok: true,
      changed: false,
      state: unset,
      superseded: [{ field: "a", by: stampOf(300) }],
    });
  });

  it("rule 9: superseded names each field that lost and the stamp that won", () => {
    const state = run([[{ op: "update", ...on, set: { a: 2 } }, 300]], created);
    const result = mergeRecord(
      state,
      { op: "update", ...on, set: { a: 3, b: 3 }, unset: ["c"] },
      stampOf(50),
      kinds,
    );
    expect(result).toMatchObject({
      ok: true,
      changed: false,
      superseded: [
        { field: "a", by: stampOf(300) },
        { field: "b", by: stampOf(100) },
        { field: "c", by: stampOf(100) },
      ],
    });
    expect(
      mergeRecord(state, { op: "update", ...on, set: { a: 3, b: 3 } }, stampOf(200), kinds),
    ).toMatchObject({
      ok: true,
      changed: true,
      state: { fields: { a: 2, b: 3 }, stamps: { "*": stampOf(100), a: stampOf(300), b: stampOf(200) } },
      superseded: [{ field: "a", by: stampOf(300) }],
    });
  });

  it("rule 6: a later step of one event wins over an earlier one, and leaves no stamp of its own beside `*`", () => {
    const again = mergeRecord(created, { op: "update", ...on, set: { a: "second" } }, stampOf(100), kinds);
    expect(again).toEqual({
      ok: true,
      changed: true,
      state: { fields: { a: "second" }, stamps: { "*": stampOf(100) } },
      superseded: [],
    });
  });

  it("rule 7: a delete wins over what did not see it, whatever the stamps, and only a restore brings the key back", () => {
    const gone = run([[{ op: "delete", ...on }, 1]], created);
    expect(gone).toEqual({ deleted: true });
    const writes: RecordOp[] = [
      { op: "create", ...on, set: {} },
      { op: "put", ...on, set: {} },
      { op: "update", ...on, set: { a: 1 } },
      { op: "increment", ...on, by: { n1: 1 } },
      { op: "add", ...on, values: { s1: [1] } },
      { op: "remove", ...on, values: { s1: [1] } },
    ];
    for (const op of writes) {
      expect(mergeRecord(gone, op, stampOf(4_000), kinds)).toMatchObject({ ok: false, code: "deleted" });
    }
    expect(mergeRecord(gone, { op: "delete", ...on }, stampOf(2), kinds)).toMatchObject({
      ok: true,
      changed: false,
      state: { deleted: true },
    });
  });

  it("rule 7: a restored key is a new incarnation to which all older writes lose", () => {
    const restored = run(
      [
        [{ op: "update", ...on, set: { a: 9 } }, 500],
        [{ op: "delete", ...on }, 501],
        [{ op: "restore", ...on, set: { b: 1 } }, 600],
      ],
      created,
    );
    expect(restored).toEqual({ fields: { b: 1 }, stamps: { "*": stampOf(600) } });
    expect(
      mergeRecord(restored, { op: "update", ...on, set: { a: "old" } }, stampOf(550), kinds),
    ).toMatchObject({ changed: false, superseded: [{ field: "a", by: stampOf(600) }] });
    expect(mergeRecord(created, { op: "restore", ...on, set: {} }, stampOf(600), kinds)).toMatchObject({
      ok: false,
      code: "exists",
    });
    expect(mergeRecord(undefined, { op: "restore", ...on, set: {} }, stampOf(600), kinds)).toMatchObject({
      ok: false,
      code: "missing",
    });
  });

  it("a field may have the name of what every object inherits", () => {
    const names = ["toString", "valueOf", "hasOwnProperty", "isPrototypeOf"];
    const set = Object.fromEntries(names.map((name) => [name, 1]));
    const plain: MergeState = { fields: {}, stamps: { "*": stampOf(100) } };
    expect(mergeRecord(plain, { op: "update", ...on, set }, stampOf(200), anyFieldKind)).toMatchObject({
      ok: true,
      changed: true,
      superseded: [],
      state: { fields: set },
    });
    expect(mergeRecord(plain, { op: "increment", ...on, by: set }, stampOf(200), anyFieldKind)).toMatchObject(
      { ok: true, state: { fields: set } },
    );
    expect(
      mergeRecord(plain, { op: "add", ...on, values: { toString: ["x"] } }, stampOf(200), anyFieldKind),
    ).toMatchObject({ ok: true, state: { fields: { toString: ["x"] } } });
    expect(
      mergeRecord(plain, { op: "update", ...on, unset: ["valueOf"] }, stampOf(50), anyFieldKind),
    ).toMatchObject({ superseded: [{ field: "valueOf", by: stampOf(100) }] });
  });

  it("without a schema a field becomes a counter or set by its first use", () => {
    const use = (state: MergeState, op: RecordOp) => mergeRecord(state, op, stampOf(200), anyFieldKind);
    expect(use(created, { op: "increment", ...on, by: { a: 2, fresh: 1 } })).toMatchObject({
      state: { fields: { a: 3, fresh: 1 } },
    });
    expect(use(created, { op: "add", ...on, values: { fresh: ["x"] } })).toMatchObject({
      state: { fields: { fresh: ["x"] } },
    });
    expect(use(created, { op: "add", ...on, values: { a: ["x"] } })).toMatchObject({
      ok: false,
      code: "invalid",
    });
    const text: MergeState = { fields: { a: "one", list: [{ deep: 1 }] }, stamps: { "*": stampOf(100) } };
    expect(use(text, { op: "increment", ...on, by: { a: 1 } })).toMatchObject({ ok: false, code: "invalid" });
    expect(use(text, { op: "add", ...on, values: { list: ["x"] } })).toMatchObject({
      ok: false,
      code: "invalid",
    });
  });

  it("a schema's kinds are held to", () => {
    const use = (op: RecordOp) => mergeRecord(created, op, stampOf(200), kinds);
    const wrong: RecordOp[] = [
      { op: "update", ...on, set: { n1: 1 } },
      { op: "update", ...on, unset: ["s1"] },
      { op: "put", ...on, set: { s1: [] } },
      { op: "increment", ...on, by: { a: 1 } },
      { op: "increment", ...on, by: { s1: 1 } },
      { op: "add", ...on, values: { n1: [1] } },
      { op: "add", ...on, values: { a: [1] } },
    ];
    for (const op of wrong) {
      expect(use(op)).toMatchObject({ ok: false, code: "invalid" });
    }
    for (const set of [{ n1: "1" }, { s1: "x" }, { s1: [null] }, { s1: [[1]] }] as readonly Fields[]) {
      expect(mergeRecord(undefined, { op: "create", ...on, set }, stampOf(1), kinds)).toMatchObject({
        ok: false,
        code: "invalid",
      });
    }
  });

  it("a counter does not leave the range of numbers", () => {
    const large: MergeState = { fields: { n1: Number.MAX_VALUE }, stamps: { "*": stampOf(1) } };
    expect(
      mergeRecord(large, { op: "increment", ...on, by: { n1: Number.MAX_VALUE } }, stampOf(2), kinds),
    ).toMatchObject({ ok: false, code: "invalid" });
  });

  it("a record cannot outgrow what a row may carry: fields, unset fields, members", () => {
    const all = Object.fromEntries(Array.from({ length: limits.maxFields }, (_, i) => [`f${i}`, i]));
    const full: MergeState = { fields: all, stamps: { "*": stampOf(1) } };
    expect(mergeRecord(full, { op: "update", ...on, set: { f0: "again" } }, stampOf(2), kinds)).toMatchObject(
      { ok: true },
    );
    expect(mergeRecord(full, { op: "update", ...on, set: { one: "more" } }, stampOf(2), kinds)).toMatchObject(
      { ok: false, code: "too_large" },
    );
    expect(mergeRecord(full, { op: "increment", ...on, by: { n1: 1 } }, stampOf(2), kinds)).toMatchObject({
      ok: false,
      code: "too_large",
    });
    let state: MergeState = { fields: {}, stamps: { "*": stampOf(1) } };
    let refused: string | undefined;
    for (let i = 0; refused === undefined && i <= limits.maxFields; i++) {
      const result = mergeRecord(state, { op: "update", ...on, unset: [`g${i}`] }, stampOf(2), kinds);
      if (result.ok) state = result.state;
      else refused = result.code;
    }
    expect(refused).toBe("too_large");
    expect(state.deleted || Object.keys(state.stamps).length).toBe(limits.maxFields + 1);
    const many = Array.from({ length: limits.maxSetMembers }, (_, i) => i);
    const crowd: MergeState = { fields: { s1: many }, stamps: { "*": stampOf(1) } };
    expect(mergeRecord(crowd, { op: "add", ...on, values: { s1: [5] } }, stampOf(2), kinds)).toMatchObject({
      ok: true,
    });
    expect(
      mergeRecord(crowd, { op: "add", ...on, values: { s1: ["new"] } }, stampOf(2), kinds),
    ).toMatchObject({ ok: false, code: "too_large" });
    expect(
      mergeRecord(crowd, { op: "remove", ...on, values: { s1: many.toReversed() } }, stampOf(2), kinds),
    ).toMatchObject({ ok: true, state: { fields: { s1: [] } } });
  });

  it("a kind that the schema does not know is decided by the value", () => {
    const some: (field: string) => FieldKind | undefined = (field) =>
      field === "n1" ? "counter" : undefined;
    expect(
      mergeRecord(created, { op: "increment", ...on, by: { n1: 1, a: 1 } }, stampOf(2), some),
    ).toMatchObject({ state: { fields: { n1: 1, a: 2 } } });
  });
});
