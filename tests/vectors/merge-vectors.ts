import {
  type FieldKind,
  type MergeState,
  type RecordOp,
  mergeRecord,
  stampReading,
} from "@landfall/protocol";

const tail = "8000-000000000001";
/** Stamps of three moments. */
const [t1, t2, t3] = ["0001", "0002", "0003"].map((ms) => `019a3b9e-${ms}-7000-${tail}`) as [
  string,
  string,
  string,
];

interface Input {
  readonly about: string;
  readonly before: MergeState | null;
  readonly op: RecordOp;
  readonly stamp: string;
  /** What a schema says of fields; the rest is what its first use makes it. */
  readonly kinds?: { readonly [field: string]: FieldKind };
}

const at = { domain: "d", key: "k" };
const live = (fields: object, stamps: object = {}): MergeState =>
  ({ fields, stamps: { "*": t2, ...stamps } }) as MergeState;
const gone: MergeState = { deleted: true };

const msOf = (stamp: string): number => stampReading(stamp).ms;

const inputs: readonly Input[] = [
  { about: "create of nothing", before: null, op: { ...at, op: "create", set: { a: 1 } }, stamp: t1 },
  {
    about: "create of what is there",
    before: live({ a: 0 }),
    op: { ...at, op: "create", set: { a: 1 } },
    stamp: t3,
  },
  { about: "create of what is deleted", before: gone, op: { ...at, op: "create", set: {} }, stamp: t3 },
  { about: "put of nothing", before: null, op: { ...at, op: "put", set: { a: 1 } }, stamp: t1 },
  {
    about: "put of what is there is an update",
    before: live({ a: 0, b: 0 }),
    op: { ...at, op: "put", set: { a: 1 } },
    stamp: t3,
  },
  { about: "put of what is deleted", before: gone, op: { ...at, op: "put", set: {} }, stamp: t3 },
  { about: "update of nothing", before: null, op: { ...at, op: "update", set: { a: 1 } }, stamp: t1 },
  { about: "update of what is deleted", before: gone, op: { ...at, op: "update", set: { a: 1 } }, stamp: t3 },
  {
    about: "newer than the field's stamp",
    before: live({ a: 0 }, { a: t2 }),
    op: { ...at, op: "update", set: { a: 1 } },
    stamp: t3,
  },
  {
    about: "older than the field's stamp",
    before: live({ a: 0 }, { a: t3 }),
    op: { ...at, op: "update", set: { a: 1 } },
    stamp: t2,
  },
  {
    about: "older than the create, without a stamp of its own",
    before: live({ a: 0 }),
    op: { ...at, op: "update", set: { a: 1, b: 1 } },
    stamp: t1,
  },
  {
    about: "the same stamp: a later step of one event",
    before: live({ a: 0 }, { a: t3 }),
    op: { ...at, op: "update", set: { a: 1 } },
    stamp: t3,
  },
  {
    about: "the create's own stamp leaves no stamp",
    before: live({ a: 0 }),
    op: { ...at, op: "update", set: { a: 1 } },
    stamp: t2,
  },
  {
    about: "one field wins, one loses",
    before: live({ a: 0, b: 0 }, { b: t3 }),
    op: { ...at, op: "update", set: { a: 1, b: 1 } },
    stamp: t2,
  },
  {
    about: "unset keeps the stamp",
    before: live({ a: 0 }),
    op: { ...at, op: "update", unset: ["a"] },
    stamp: t3,
  },
  {
    about: "an unset field keeps an older write out",
    before: live({}, { a: t3 }),
    op: { ...at, op: "update", set: { a: 1 } },
    stamp: t2,
  },
  {
    about: "the tail decides between equal times",
    before: live({ a: 0 }, { a: t3.replace("8000", "9000") }),
    op: { ...at, op: "update", set: { a: 1 } },
    stamp: t3,
  },
  {
    about: "names that every object inherits are names",
    before: live({}),
    op: { ...at, op: "update", set: { toString: 1 }, unset: ["valueOf"] },
    stamp: t3,
  },
  {
    about: "increment of an absent counter",
    before: live({}),
    op: { ...at, op: "increment", by: { n: 2 } },
    stamp: t1,
  },
  {
    about: "increments take no notice of stamps",
    before: live({ n: 40 }, { n: t3 }),
    op: { ...at, op: "increment", by: { n: -2.5, m: 1 } },
    stamp: t1,
  },
  {
    about: "increment of what is no number",
    before: live({ n: "40" }),
    op: { ...at, op: "increment", by: { n: 1 } },
    stamp: t3,
  },
  {
    about: "increment out of the range of numbers",
    before: live({ n: 1.7e308 }),
    op: { ...at, op: "increment", by: { n: 1.7e308 } },
    stamp: t3,
  },
  {
    about: "a counter is not set",
    before: live({ n: 1 }),
    op: { ...at, op: "update", set: { n: 2 } },
    stamp: t3,
    kinds: { n: "counter" },
  },
  {
    about: "a register is not counted",
    before: live({ n: 1 }),
    op: { ...at, op: "increment", by: { n: 1 } },
    stamp: t3,
    kinds: { n: "lww" },
  },
  {
    about: "add to an absent set: unique, in the order of canonical texts",
    before: live({}),
    op: { ...at, op: "add", values: { s: ["b", "a", "b", 10, 9, true, "10"] } },
    stamp: t1,
  },
  {
    about: "add what is there",
    before: live({ s: ["a"] }),
    op: { ...at, op: "add", values: { s: ["a"] } },
    stamp: t3,
  },
  {
    about: "remove what is there and what is not",
    before: live({ s: ["a", "b"] }),
    op: { ...at, op: "remove", values: { s: ["b", "c"] } },
    stamp: t1,
  },
  {
    about: "add to what is no set",
    before: live({ s: [{}] }),
    op: { ...at, op: "add", values: { s: ["a"] } },
    stamp: t3,
  },
  {
    about: "a set begins in order",
    before: null,
    op: { ...at, op: "create", set: { s: ["b", "a", "b"] } },
    stamp: t1,
    kinds: { s: "set" },
  },
  { about: "delete", before: live({ a: 0 }), op: { ...at, op: "delete" }, stamp: t1 },
  { about: "delete of what is deleted", before: gone, op: { ...at, op: "delete" }, stamp: t3 },
  { about: "delete of nothing", before: null, op: { ...at, op: "delete" }, stamp: t3 },
  {
    about: "restore is a new incarnation",
    before: gone,
    op: { ...at, op: "restore", set: { a: 1 } },
    stamp: t3,
  },
  { about: "restore of what is there", before: live({}), op: { ...at, op: "restore", set: {} }, stamp: t3 },
  { about: "restore of nothing", before: null, op: { ...at, op: "restore", set: {} }, stamp: t3 },
  {
    about: "offer of what was lost makes the record with the stamps that it had",
    before: null,
    op: { ...at, op: "offer", set: { a: 1, b: 2 }, stamps: { "*": t1, a: t2 } },
    stamp: t3,
  },
  {
    about: "offered fields win and lose by their own stamps; one without a value was unset",
    before: live({ a: 0, b: 0, c: 0 }, { b: t3 }),
    op: { ...at, op: "offer", set: { a: 1, b: 1 }, stamps: { "*": t2, a: t3, b: t2, c: t3 } },
    stamp: t3,
  },
  {
    about: "offer of what stands already",
    before: live({ a: 1 }, { a: t3 }),
    op: { ...at, op: "offer", set: { a: 1 }, stamps: { "*": t2, a: t3 } },
    stamp: t3,
  },
  {
    about: "offer leaves counters and sets as they are",
    before: live({ n: 1, s: ["a"] }),
    op: { ...at, op: "offer", set: { n: 5, s: ["b"] }, stamps: { "*": t2, n: t3, s: t3 } },
    stamp: t3,
    kinds: { n: "counter", s: "set" },
  },
  {
    about: "offer to another record of that key",
    before: live({ a: 0 }),
    op: { ...at, op: "offer", set: { a: 1 }, stamps: { "*": t1 } },
    stamp: t3,
  },
  {
    about: "offer of what is deleted",
    before: gone,
    op: { ...at, op: "offer", set: { a: 1 }, stamps: { "*": t1 } },
    stamp: t3,
  },
  {
    about: "offered delete of a record made before it",
    before: live({ a: 0 }),
    op: { ...at, op: "offer", deletedAt: msOf(t2) },
    stamp: t3,
  },
  {
    about: "offered delete of a record made after it",
    before: live({ a: 0 }),
    op: { ...at, op: "offer", deletedAt: msOf(t2) - 1 },
    stamp: t3,
  },
  { about: "offered delete of nothing", before: null, op: { ...at, op: "offer", deletedAt: 1 }, stamp: t3 },
  {
    about: "offered delete of what is deleted",
    before: gone,
    op: { ...at, op: "offer", deletedAt: 1 },
    stamp: t3,
  },
];

/** One op on one record: rules 6, 7 and 12. */
export function mergeVectors(): object {
  return {
    cases: inputs.map((input) => {
      const { before, op, stamp, kinds = {} } = input;
      const result = mergeRecord(before ?? undefined, op, stamp, (field) =>
        Object.hasOwn(kinds, field) ? kinds[field] : undefined,
      );
      if (!result.ok) return { ...input, rejected: result.code };
      return { ...input, changed: result.changed, after: result.state, superseded: result.superseded };
    }),
  };
}
