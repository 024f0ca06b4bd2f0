import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toBase64Url } from "./base64url.js";
import { elementHash, portableSha256 } from "./digest.js";
import * as limits from "./limits.js";
import { Reconciliation, answerFrame, fingerprint } from "./reconcile.js";
import { decodeFrame } from "./reconcile-frame.js";
import { type ReconcileItem, ReconcileItems } from "./reconcile-items.js";

const hash = portableSha256;

/** A row of a version with a content, as both sides know it. */
const item = (order: number, id: string, content: number): ReconcileItem => ({
  order,
  id,
  digest: elementHash(hash, "d", id, order, String(content)),
});

interface Found {
  readonly have: string[];
  readonly need: string[];
  readonly rounds: number;
  /** Bytes of all frames, as base64url, of requests and answers. */
  readonly wire: number;
}

const text = ({ order, id, digest }: ReconcileItem): string => `${order} ${id} ${digest}`;
const ranges = (frame: Uint8Array) => {
  const decoded = decodeFrame(frame);
  if (!decoded.ok) throw new Error(decoded.message);
  return decoded.ranges;
};

/** Asks until there is nothing left to ask, then for the rows that are lacking. */
function reconcile(
  mine: ReconcileItems,
  theirs: ReconcileItems,
  { upTo = Number.MAX_SAFE_INTEGER - 1, room = 1_000 }: { upTo?: number; room?: number } = {},
): Found {
  const asking = new Reconciliation(hash, mine);
  const end = theirs.find({ order: upTo + 1, id: "" });
  let rounds = 0;
  let wire = 0;
  const ask = (frame: Uint8Array) => {
    const answer = answerFrame(hash, theirs, end, ranges(frame));
    expect(frame.length).toBeLessThanOrEqual(limits.maxReconcileFrameBytes);
    expect(answer.frame.length).toBeLessThanOrEqual(limits.maxReconcileFrameBytes);
    rounds += 1;
    wire += toBase64Url(frame).length + toBase64Url(answer.frame).length;
    return answer;
  };
  for (let frame = asking.next(); frame; frame = asking.next()) {
    expect(asking.take(ask(frame).frame)).toBeUndefined();
    expect(rounds).toBeLessThan(60);
  }
  const need: ReconcileItem[] = [];
  for (
    let frame = asking.want(limits.maxReconcileRows);
    frame;
    frame = asking.want(limits.maxReconcileRows)
  ) {
    // Some rows do not find room in the answer.
    const wanted = ask(frame).wanted.map((position) => theirs.at(position));
    const came = wanted.slice(0, room);
    need.push(...came);
    asking.came(new Set(came.map(({ digest }) => digest)), came.length < wanted.length);
    expect(rounds).toBeLessThan(600);
  }
  return { have: asking.have.map(text).sort(), need: need.map(text).sort(), rounds, wire };
}

/** The oracle: two plain lists compared one by one. */
function compare(mine: readonly ReconcileItem[], theirs: readonly ReconcileItem[]) {
  const lacking = (a: readonly ReconcileItem[], b: readonly ReconcileItem[]): string[] => {
    const texts = new Set(b.map(text));
    return a
      .map(text)
      .filter((each) => !texts.has(each))
      .sort();
  };
  return { have: lacking(mine, theirs), need: lacking(theirs, mine) };
}

describe("rule 10: reconciliation", () => {
  const id = fc.nat(40).map((n) => `k${n}`);
  const step = fc.record({
    side: fc.constantFrom("mine", "theirs", "both"),
    id,
    content: fc.nat(3),
    drop: fc.boolean(),
  });

  it("after any operations finds exactly what two plain lists differ by", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.nat(100), (steps, few) => {
        const sides = { mine: new Map<string, ReconcileItem>(), theirs: new Map<string, ReconcileItem>() };
        let order = 1;
        for (const { side, id: key, content, drop } of steps) {
          // Some events touch many rows, so that a version is shared.
          if (order % (few + 1) !== 0) order += 1;
          for (const [name, items] of Object.entries(sides)) {
            if (side !== "both" && side !== name) continue;
            if (drop) items.delete(key);
            else items.set(key, item(order, key, content));
          }
          order += 1;
        }
        const [mine, theirs] = [[...sides.mine.values()], [...sides.theirs.values()]];
        expect(reconcile(ReconcileItems.of(mine), ReconcileItems.of(theirs))).toMatchObject(
          compare(mine, theirs),
        );
      }),
      { numRuns: 300 },
    );
  });

  it("after any operations on thousands of items, and where frames do not hold all that differs", () => {
    const make = (count: number, content: (n: number) => number | undefined) =>
      Array.from({ length: count }, (_, n) => [n, content(n)] as const).flatMap(([n, said]) =>
        said === undefined ? [] : [item(Math.ceil((n + 1) / 7), `k${n}`, said)],
      );
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8_000 }),
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 1, max: 400 }),
        (count, changed, missing, extra) => {
          const mine = make(count, (n) => (n % missing === 0 ? undefined : Number(n % changed === 0)));
          const theirs = make(count, (n) => (n % extra === 1 ? undefined : 0));
          expect(reconcile(ReconcileItems.of(mine), ReconcileItems.of(theirs), { room: 100 })).toMatchObject(
            compare(mine, theirs),
          );
        },
      ),
      { numRuns: 20 },
    );
  });

  it("what came after the asking side's items is no difference", () => {
    const items = Array.from({ length: 300 }, (_, n) => item(n + 1, `k${n}`, 0));
    const mine = ReconcileItems.of(items.slice(0, 200));
    const found = reconcile(mine, ReconcileItems.of(items), { upTo: 200 });
    expect(found).toMatchObject({ have: [], need: [], rounds: 1 });
  });

  it.each([0, 1, 31, 32, 33, 600, 5_000])("one side has nothing, the other %i", (count) => {
    const all = Array.from({ length: count }, (_, n) => item(n + 1, `k${n}`, 0));
    const [none, some] = [ReconcileItems.of([]), ReconcileItems.of(all)];
    expect(reconcile(none, some).need).toEqual(all.map(text).sort());
    expect(reconcile(some, none).have).toEqual(all.map(text).sort());
  });

  it("a side whose answers are damaged is found out, and brings no difference that is none", () => {
    const asking = new Reconciliation(hash, ReconcileItems.of([item(1, "k", 0)]));
    expect(asking.take(Uint8Array.of(9, 9, 9))).toContain("cannot be read");
    expect(asking.differences).toBe(0);
  });
});

describe("rule 10: what a reconciliation costs", () => {
  const count = 100_000;
  const all = Array.from({ length: count }, (_, n) => item(n + 1, `key-${n}-of-twenty-chars`, 0));
  const full = ReconcileItems.of(all);

  it("100,000 items that are equal: one round trip, 0.5 kB", () => {
    const { rounds, wire, ...found } = reconcile(full, full);
    expect(found).toEqual({ have: [], need: [] });
    expect(rounds).toBe(1);
    expect(wire).toBeLessThanOrEqual(500);
  });

  it.each([
    ["missing here", (n: number) => n < count - 10, () => true],
    ["missing there", () => true, (n: number) => n < count - 10],
    [
      "half of them on each side",
      (n: number) => n < count - 10 || n % 2 === 0,
      (n: number) => n < count - 10 || n % 2 === 1,
    ],
    [
      "among the newest 100",
      (n: number) => n < count - 100 || n % 20 !== 0,
      (n: number) => n < count - 100 || n % 20 !== 7,
    ],
  ])(
    "100,000 items with 10 differences at the recent end, %s: three round trips, 4 kB",
    (_where, isMine, isTheirs) => {
      const mine = all.filter((_, n) => isMine(n));
      const theirs = all.filter((_, n) => isTheirs(n));
      const { rounds, wire, ...found } = reconcile(ReconcileItems.of(mine), ReconcileItems.of(theirs));
      expect(found).toEqual(compare(mine, theirs));
      expect(found.have.length + found.need.length).toBe(10);
      expect(rounds).toBeLessThanOrEqual(3);
      expect(wire).toBeLessThanOrEqual(4_000);
    },
  );

  it("10 differences anywhere come to an end within the rounds that there may be", () => {
    const mine = all.filter((_, n) => n % 10_000 !== 5);
    const { rounds, need } = reconcile(ReconcileItems.of(mine), full);
    expect(need).toHaveLength(10);
    expect(rounds).toBeLessThanOrEqual(limits.maxReconcileRounds / 2);
  });
});

describe("items", () => {
  const bound = { order: 5, id: "" };

  it("what is taken out and put in gives the same as building anew", () => {
    const items = Array.from({ length: 500 }, (_, n) => item(n + 1, `k${n}`, 0));
    const changed = items.filter((_, n) => n % 3 === 0).map(({ id }, n) => item(1_000 + n, id, 1));
    const dropped = new Set(changed.map(({ id }) => id));
    const anew = ReconcileItems.of([...items.filter(({ id }) => !dropped.has(id)), ...changed]);
    const moved = ReconcileItems.of(items).with(dropped, changed);
    expect(moved.size).toBe(anew.size);
    for (const [from, to] of [
      [0, 500],
      [3, 4],
      [63, 65],
      [100, 400],
      [7, 7],
    ] as const)
      expect(moved.sum(from, to)).toBe(anew.sum(from, to));
    expect(moved.find(bound)).toBe(anew.find(bound));
  });

  it("a fingerprint tells the number apart from the sum", () => {
    const zero = { order: 1, id: "a", digest: 0n };
    const one = ReconcileItems.of([zero]);
    expect(fingerprint(hash, one, 0, 1)).not.toBe(fingerprint(hash, one, 0, 0));
  });
});
