import {
  type MergeState,
  type Op,
  type Row,
  type Stamp,
  anyFieldKind,
  makeStamp,
  mergeRecord,
} from "@landfall/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EffectsBuilder } from "./effects.js";
import type { PendingEvent } from "./pending-event.js";
import { Replica, type ReplicaStep } from "./replica.js";
import type { ReplicaRules } from "./rules.js";

const tail = "8000-000000000000";
const stampAt = (ms: number): Stamp => makeStamp(ms, 0, tail);

/** An action that reads one record and writes another, and one that counts a whole domain. */
const rules: ReplicaRules = {
  domain: (name) => ({
    kinds: anyFieldKind,
    children: name === "m" ? [{ domain: "d", field: "of", onDelete: "cascade" }] : [],
    newParent: (before, { of: key }) =>
      name === "d" && typeof key === "string" && before?.["of"] !== key ? { domain: "m", key } : undefined,
    complete: (fields) => fields,
  }),
  async runAction(call, reader) {
    const builder = new EffectsBuilder(reader, rules, call.id);
    const { from, to } = call.args as { from: string; to: string };
    if (call.action === "copy") {
      const state = builder.get("d", from);
      await Promise.resolve();
      if (state && !state.deleted)
        builder.apply({ op: "put", domain: "d", key: to, set: { n: state.fields["n"] ?? null } });
    } else builder.apply({ op: "put", domain: "d", key: to, set: { count: builder.keys("d").length } });
    return builder.finish();
  },
};

type View = Map<string, MergeState>;

/** The oracle: base, then every pending event in order, from scratch. */
function viewFromScratch(base: ReadonlyMap<string, Row>, pending: readonly PendingEvent[]): View {
  let view: View = new Map(base);
  for (const event of pending) {
    const next: View = new Map(view);
    const live = (prefix: string): string[] =>
      [...next].filter(([id, state]) => id.startsWith(prefix) && !state.deleted).map(([id]) => id);
    const put = (op: Op): boolean => {
      if (op.op === "deleteMany") return false;
      const id = `${op.domain}/${op.key}`;
      if (op.op === "delete" && op.domain === "m") {
        for (const child of live("d/")) {
          const state = next.get(child);
          if (state && !state.deleted && state.fields["of"] === op.key) next.set(child, { deleted: true });
        }
      }
      const before = next.get(id);
      const merged = mergeRecord(before, op, event.id, anyFieldKind);
      if (!merged.ok) return false;
      const of = merged.state.deleted ? undefined : merged.state.fields["of"];
      const wasThere = before && !before.deleted && before.fields["of"] === of;
      if (op.domain === "d" && !wasThere && next.get(`m/${String(of)}`)?.deleted) return false;
      next.set(id, merged.state);
      return true;
    };
    let stands = true;
    if (event.ops) for (const op of event.ops) stands &&= put(op);
    else {
      const { from, to } = event.args as { from: string; to: string };
      const state = next.get(`d/${from}`);
      if (event.action === "count")
        stands = put({ op: "put", domain: "d", key: to, set: { count: live("d/").length } });
      else if (state && !state.deleted)
        stands = put({ op: "put", domain: "d", key: to, set: { n: state.fields["n"] ?? null } });
    }
    if (stands) view = next;
  }
  return view;
}

function fromScratch(
  base: ReadonlyMap<string, Row>,
  pending: readonly PendingEvent[],
): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [id, state] of viewFromScratch(base, pending)) if (!state.deleted) shown[id] = state.fields;
  return shown;
}

function shownBy(replica: Replica): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const domain of ["m", "d"]) {
    for (const key of replica.keys(domain)) {
      const {
        key: _key,
        $: _meta,
        ...fields
      } = replica.get(domain, key) as unknown as Record<string, unknown>;
      shown[`${domain}/${key}`] = fields;
    }
  }
  return shown;
}

const keys = ["k1", "k2", "k3", "k4"];
const key = fc.constantFrom(...keys);
const domain = fc.constantFrom("m", "d");
const op: fc.Arbitrary<Op> = fc.oneof(
  fc.record({
    op: fc.constantFrom("create" as const, "put" as const),
    domain,
    key,
    set: fc.record({ n: fc.nat(9), of: key }),
  }),
  fc.record({ op: fc.constant("update" as const), domain, key, set: fc.record({ n: fc.nat(9) }) }),
  fc.record({ op: fc.constant("increment" as const), domain, key, by: fc.record({ c: fc.nat(3) }) }),
  fc.record({ op: fc.constant("delete" as const), domain, key }),
);
const write = fc.oneof(
  { weight: 4, arbitrary: fc.record({ ops: fc.array(op, { minLength: 1, maxLength: 2 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      action: fc.constantFrom("copy", "count"),
      args: fc.record({ from: key, to: key }),
    }),
  },
);
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("write" as const), write, late: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("cut" as const),
      rows: fc.array(fc.record({ domain, key, n: fc.nat(9), gone: fc.boolean() }), { maxLength: 3 }),
      settled: fc.nat(4),
      applied: fc.boolean(),
      meanwhile: fc.option(op),
    }),
  },
);

describe("rebase", () => {
  it("rule 5: after any writes and cuts the view equals base and pending run from scratch, and a listener hears of every difference", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const replica = new Replica(rules);
        const base = new Map<string, Row>();
        let pending: PendingEvent[] = [];
        let at = 100;
        let version = 0;
        const heard = new Map<string, string>();
        replica.subscribe((changes) => {
          for (const [name, changed] of changes)
            for (const each of changed.keys())
              heard.set(`${name}/${each}`, JSON.stringify(replica.get(name, each) ?? null));
        });
        const add = (event: PendingEvent): void => {
          pending = [...pending, event].sort((a, b) => (a.id < b.id ? -1 : 1));
        };
        for (const each of steps) {
          at += 10;
          if (each.kind === "write") {
            // A write of another tab may carry a stamp from between those that are there.
            const event: PendingEvent = { id: stampAt(each.late ? at - 25 : at), madeAt: at, ...each.write };
            if (pending.some((other) => other.id === event.id)) continue;
            add(event);
            if (event.ops && pending.at(-1) === event)
              replica.append(event, replica.try(event.ops, event.id));
            else await replica.step({ add: [event] });
          } else {
            const patch = new Map<string, Map<string, Row>>();
            version += 1;
            const leaving = pending.slice(0, each.settled);
            const put = (row: Row): void => {
              base.set(`${row.domain}/${row.key}`, row);
              patch.set(row.domain, (patch.get(row.domain) ?? new Map<string, Row>()).set(row.key, row));
            };
            if (each.applied)
              for (const [id, state] of viewFromScratch(base, leaving)) {
                const [name, key1] = id.split("/") as [string, string];
                if (state !== base.get(id))
                  put({ domain: name, key: key1, version, modifiedAt: version, ...state });
              }
            for (const { domain: name, key: each1, n, gone } of each.rows) {
              const place = { domain: name, key: each1, version, modifiedAt: version };
              put(
                gone ? { ...place, deleted: true } : { ...place, fields: { n }, stamps: { "*": stampAt(n) } },
              );
            }
            const remove = new Set(leaving.map((event) => event.id));
            pending = pending.filter((event) => !remove.has(event.id));
            const running = replica.step({ patch, remove });
            if (each.meanwhile) {
              const ops = [each.meanwhile];
              const event: PendingEvent = { id: stampAt(at + 1), madeAt: at, ops };
              add(event);
              replica.append(event, replica.try(ops, event.id));
            }
            await running;
          }
          expect(shownBy(replica)).toEqual(fromScratch(base, pending));
        }
        const now = shownBy(replica);
        for (const id of new Set([...heard.keys(), ...Object.keys(now)])) {
          const [name, each] = id.split("/") as [string, string];
          expect(heard.get(id) ?? "null").toBe(JSON.stringify(replica.get(name, each) ?? null));
        }
      }),
      { numRuns: 400 },
    );
  });

  it("rule 5: an event of another tab that is sent before an older one applies before it, and the others as from scratch", async () => {
    const replica = new Replica(rules);
    const put = (ms: number, n: number): PendingEvent => ({
      id: stampAt(ms),
      madeAt: 0,
      ops: [{ op: "put", domain: "d", key: "a", set: { n, [`by${ms}`]: true } }],
    });
    const [older, newer, newest] = [put(10, 1), put(20, 2), put(30, 3)];
    await replica.step({ add: [newer, older, newest] });
    expect(replica.pending.map(({ id }) => id)).toEqual([older.id, newer.id, newest.id]);
    const sent = { ...newer, seq: 1 };
    await replica.sent([sent]);
    expect(replica.pending).toEqual([sent, older, newest]);
    expect(replica.get("d", "a")).toMatchObject(
      fromScratch(new Map(), replica.pending)["d/a"] as Record<string, unknown>,
    );
    await replica.sent([{ ...older, seq: 2 }]);
    expect(replica.pending.map(({ seq }) => seq)).toEqual([1, 2, undefined]);
  });

  it("rule 5: what one request of another tab took along moves in one step", async () => {
    const replica = new Replica(rules);
    const put = (ms: number): PendingEvent => ({
      id: stampAt(ms),
      madeAt: 0,
      ops: [{ op: "put", domain: "d", key: "a", set: { n: ms } }],
    });
    await replica.step({ add: [10, 20, 30, 40].map(put) });
    const shown: unknown[] = [];
    replica.subscribe(() => shown.push(replica.get("d", "a")?.["n"]));
    await replica.sent([30, 40].map((ms, at) => ({ ...put(ms), seq: at + 1 })));
    expect(replica.pending.map(({ id }) => id)).toEqual([30, 40, 10, 20].map((ms) => stampAt(ms)));
    expect(shown).toEqual([40]);
  });

  it("rule 7: what is pending under a master is run again when that is deleted or comes back, and not when it changes", async () => {
    const replica = new Replica(rules);
    const master = (version: number, rest: object): ReplicaStep => ({
      patch: new Map([
        ["m", new Map([["k1", { domain: "m", key: "k1", version, modifiedAt: 1, ...rest } as Row]])],
      ]),
    });
    const live = { fields: {}, stamps: { "*": stampAt(1) } };
    const ops = [{ op: "create", domain: "d", key: "a", set: { of: "k1" } }] as const;
    let told = 0;
    replica.subscribe((changes) => (told += changes.get("d")?.size ?? 0));
    await replica.step(master(1, live));
    await replica.step({ add: [{ id: stampAt(10), madeAt: 0, ops }] });
    const shown = replica.get("d", "a");
    expect([shown, told]).toMatchObject([{ of: "k1" }, 1]);
    await replica.step(master(2, live));
    expect(replica.get("d", "a")).toBe(shown);
    await replica.step(master(3, { deleted: true }));
    expect(replica.get("d", "a")).toBeUndefined();
    expect(replica.failureOf(stampAt(10))).toMatchObject({
      code: "deleted",
      message: expect.stringContaining("m k1") as string,
    });
    expect(replica.try(ops, stampAt(20)).failure?.code).toBe("deleted");
    expect(replica.pendingOf("m", "k1")).toEqual([]);
    await replica.step(master(4, live));
    expect([replica.get("d", "a"), told]).toMatchObject([{ of: "k1" }, 3]);
  });

  it("rule 5: what leaves with its rows takes nobody along who counted the domain, or stands under them", async () => {
    const place = { key: "k1", version: 2, modifiedAt: 2 };
    const live = { fields: { n: 1 }, stamps: { "*": stampAt(10) } };
    const own = { id: stampAt(10), madeAt: 0 };
    const settled = (rows: readonly Row[]): ReplicaStep => {
      const patch = new Map<string, Map<string, Row>>();
      for (const row of rows) patch.set(row.domain, (patch.get(row.domain) ?? new Map()).set(row.key, row));
      return { patch, remove: new Set([own.id]) };
    };

    const counting = new Replica(rules);
    const args = { from: "k1", to: "total" };
    await counting.step({ add: [{ ...own, ops: [{ op: "put", domain: "d", key: "k1", set: { n: 1 } }] }] });
    await counting.step({ add: [{ id: stampAt(20), madeAt: 0, action: "count", args }] });
    expect(counting.get("d", "total")).toMatchObject({ count: 1 });
    await counting.step(
      settled([
        { domain: "d", ...place, ...live },
        { domain: "d", ...place, key: "k2", ...live },
      ]),
    );
    expect(counting.get("d", "total")).toMatchObject({ count: 2 });

    const under = new Replica(rules);
    await under.step({ add: [{ ...own, ops: [{ op: "put", domain: "m", key: "k1", set: { n: 1 } }] }] });
    await under.step({
      add: [
        { id: stampAt(20), madeAt: 0, ops: [{ op: "create", domain: "d", key: "a", set: { of: "k1" } }] },
      ],
    });
    expect(under.get("d", "a")).toMatchObject({ of: "k1" });
    await under.step(settled([{ domain: "m", ...place, deleted: true }]));
    expect(under.get("d", "a")).toBeUndefined();
  });

  it("costs what was touched: of 1,000 pending events only those of the records that moved run again", async () => {
    const replica = new Replica(rules);
    for (let i = 0; i < 1000; i++)
      await replica.step({
        add: [
          {
            id: stampAt(1000 + i),
            madeAt: 0,
            ops: [{ op: "put", domain: "d", key: `r${i}`, set: { n: i } }],
          },
        ],
      });
    let told = 0;
    replica.subscribe((changes) => {
      for (const changed of changes.values()) told += changed.size;
    });
    const rows = new Map<string, Row>();
    for (let i = 0; i < 10; i++)
      rows.set(`r${i}`, {
        domain: "d",
        key: `r${i}`,
        version: 1,
        modifiedAt: 1,
        fields: { other: 1 },
        stamps: { "*": stampAt(1) },
      });
    await replica.step({ patch: new Map([["d", rows]]) });
    expect(told).toBe(10);
    expect(replica.get("d", "r3")).toMatchObject({ n: 3, other: 1 });
  });
});
