import { domain, otherDomain } from "../bench.js";
import { type Check, has, must, same } from "../check.js";
import { appliedIndex, rejectedAs } from "../device.js";
import { add, create, drop, increment, put, remove, restore, update } from "../written-ops.js";

const shapes = "Shapes: ops";

/** What each op does, and what becomes of one that cannot stand. */
export const opChecks: readonly Check[] = [
  {
    id: "ops/create",
    rule: shapes,
    asks: "A create is applied at the next index, and its row has that version, the commit's time, the fields, and the create stamp alone.",
    async run(bench) {
      const device = await bench.device();
      const event = device.event([create("p", { name: "Quay", tags: ["a"], deep: { x: [null, 1.5] } })]);
      const [outcome] = await device.send(event);
      has("the outcome", outcome, { id: event.id, seq: 1, status: "applied", index: 1 });
      const row = (await device.rows(domain))[0];
      same("the row", row, {
        domain,
        key: "p",
        version: 1,
        modifiedAt: (outcome as { modifiedAt?: number }).modifiedAt,
        fields: { name: "Quay", tags: ["a"], deep: { x: [null, 1.5] } },
        stamps: { "*": (outcome as { eff?: string }).eff ?? event.id },
      });
    },
  },
  {
    id: "ops/exists",
    rule: shapes,
    asks: "A create of a key that is taken is rejected as `exists`, and changes nothing.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("p", { name: "first" }));
      rejectedAs("exists", await device.write(create("p", { name: "second" })));
      has("the row", await device.rows(domain), [{ version: 1, fields: { name: "first" } }]);
    },
  },
  {
    id: "ops/put",
    rule: shapes,
    asks: "A put makes a record, and updates the one that is there field by field.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(put("no", { name: "Norway", code: 47 }));
      await device.apply(put("no", { name: "Norge" }));
      has("the row", await device.rows(domain), [{ version: 2, fields: { name: "Norge", code: 47 } }]);
    },
  },
  {
    id: "ops/update",
    rule: shapes,
    asks: "An update sets and unsets fields; an unset field keeps its stamp, and what is not named stays.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("p", { name: "a", note: "b", kept: 1 }));
      const event = device.event([update("p", { name: "c" }, ["note"])]);
      const [outcome] = await device.send(event);
      appliedIndex(outcome!);
      const stamp = (outcome as { eff?: string }).eff ?? event.id;
      const row = (await device.rows(domain))[0] as { fields: unknown; stamps: unknown };
      same("the fields", row.fields, { name: "c", kept: 1 });
      has("the stamps", row.stamps, { name: stamp, note: stamp, kept: undefined });
    },
  },
  {
    id: "ops/missing",
    rule: shapes,
    asks: "Changes of a record that is not there are rejected as `missing`.",
    async run(bench) {
      const device = await bench.device();
      const ops = [
        update("p", { a: 1 }),
        increment("p", { n: 1 }),
        add("p", { s: ["x"] }),
        remove("p", { s: [] }),
        drop("p"),
      ];
      for (const op of ops) rejectedAs("missing", await device.write(op));
      const [outcome] = await device.send(device.event([restore("p", {})], { expect: [[domain, "p", 0]] }));
      rejectedAs("missing", outcome);
    },
  },
  {
    id: "ops/increment",
    rule: shapes,
    asks: "Increments of two devices add up, an absent counter is 0, and what is no number cannot be counted.",
    async run(bench) {
      const one = await bench.device();
      const two = bench.beside(one);
      await one.apply(create("v", { name: "x" }));
      await one.apply(increment("v", { count: 2 }));
      await two.apply(increment("v", { count: 3, other: -1.5 }));
      rejectedAs("invalid", await two.write(increment("v", { name: 1 })));
      has("the row", await one.rows(domain), [{ version: 3, fields: { name: "x", count: 5, other: -1.5 } }]);
    },
  },
  {
    id: "ops/sets",
    rule: shapes,
    asks: "Members are added and removed in commit order, kept unique, in the order of their canonical texts.",
    async run(bench) {
      const one = await bench.device();
      const two = bench.beside(one);
      await one.apply(create("v", { name: "x" }));
      await one.apply(add("v", { tags: ["b", "a", 10, 9, true] }));
      await two.apply(add("v", { tags: ["a", "c"] }));
      await two.apply(remove("v", { tags: ["b", "never"] }));
      rejectedAs("invalid", await two.write(add("v", { name: ["y"] })));
      has("the row", await one.rows(domain), [{ fields: { tags: ["a", "c", 10, 9, true] } }]);
    },
  },
  {
    id: "ops/first-use",
    rule: shapes,
    asks: 'Members of a set are told apart by what they are: 1 and "1" are two.',
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("v"));
      await device.apply(add("v", { tags: [1, "1", true, "true"] }));
      await device.apply(remove("v", { tags: ["1", true] }));
      has("the row", await device.rows(domain), [{ fields: { tags: ["true", 1] } }]);
    },
  },
  {
    id: "ops/delete",
    rule: "rule 7",
    asks: "A delete leaves a tombstone; deleting it again changes nothing of it.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("p", { a: 1 }));
      await device.apply(drop("p"));
      const [tombstone] = await device.rows(domain);
      same(
        "the tombstone",
        { ...tombstone, modifiedAt: 0 },
        {
          domain,
          key: "p",
          version: 2,
          modifiedAt: 0,
          deleted: true,
        },
      );
      appliedIndex(await device.write(drop("p")));
      same("the tombstone afterwards", await device.rows(domain), [tombstone]);
    },
  },
  {
    id: "ops/deleted",
    rule: "rule 7",
    asks: "A delete wins: create, put and every change of a deleted key are rejected as `deleted`, also by who had not seen it.",
    async run(bench) {
      const one = await bench.device();
      const two = bench.beside(one);
      await one.apply(create("p", { a: 1 }));
      await one.apply(drop("p"));
      const ops = [
        update("p", { a: 2 }),
        increment("p", { a: 1 }),
        add("p", { s: ["x"] }),
        put("p", { a: 2 }),
        create("p"),
      ];
      for (const op of ops) rejectedAs("deleted", await two.write(op));
      has("the tombstone", await one.rows(domain), [{ version: 2, deleted: true }]);
    },
  },
  {
    id: "ops/restore",
    rule: "rule 7",
    asks: "A restore that expects the tombstone's version brings a key back as a new incarnation: a new create stamp, no other, nothing of what it held.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("p", { a: 1, b: 2 }));
      await device.apply(update("p", { a: 3 }));
      const version = await device.apply(drop("p"));
      rejectedAs("expectation_failed", await device.write(restore("p", { c: 4 })));
      const [wrong] = await device.send(
        device.event([restore("p", { c: 4 })], { expect: [[domain, "p", version - 1]] }),
      );
      rejectedAs("expectation_failed", wrong);
      const event = device.event([restore("p", { c: 4 })], { expect: [[domain, "p", version]] });
      const [outcome] = await device.send(event);
      has("the row", await device.rows(domain), [
        { version: appliedIndex(outcome!), deleted: undefined, fields: { c: 4, a: undefined, b: undefined } },
      ]);
      same("its stamps", ((await device.rows(domain))[0] as { stamps?: unknown }).stamps, {
        "*": (outcome as { eff?: string }).eff ?? event.id,
      });
    },
  },
  {
    id: "ops/restore-older",
    rule: "rule 7",
    asks: "A write that is older than the new incarnation loses to it.",
    async run(bench) {
      const device = await bench.device();
      const old = bench.beside(device, () => bench.nowMs() - 3_600_000);
      await device.apply(create("p", { a: 1 }));
      const version = await device.apply(drop("p"));
      const [restored] = await device.send(
        device.event([restore("p", { a: 2 })], { expect: [[domain, "p", version]] }),
      );
      appliedIndex(restored!);
      has("the outcome", await old.write(update("p", { a: 9, unseen: 9 })), {
        status: "applied",
        superseded: [{ field: "a" }, { field: "unseen" }],
      });
      has("the row", await device.rows(domain), [{ fields: { a: 2, unseen: undefined } }]);
    },
  },
  {
    id: "ops/delete-many",
    rule: shapes,
    asks: "A deleteMany takes keys, those that are not there too, in one version.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("a"), create("b"), create("c"));
      const index = await device.apply({ op: "deleteMany", domain, keys: ["a", "c", "never"] });
      has(
        "the rows",
        (await device.rows(domain)).toSorted((x, y) => (x.key < y.key ? -1 : 1)),
        [
          { key: "a", version: index, deleted: true },
          { key: "b", version: 1, deleted: undefined },
          { key: "c", version: index, deleted: true },
        ],
      );
    },
  },
  {
    id: "ops/delete-many-up-to",
    rule: shapes,
    asks: "A deleteMany up to a version spares what came later, and other domains.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("a"), create("elsewhere", {}, otherDomain));
      const upTo = await device.apply(create("b"));
      await device.apply(create("late"));
      await device.apply({ op: "deleteMany", domain, upTo });
      const rows = await device.rows(domain);
      same(
        "what is deleted",
        rows
          .filter((row) => "deleted" in row)
          .map(({ key }) => key)
          .toSorted(),
        ["a", "b"],
      );
      has("the other domain", await device.rows(otherDomain), [{ key: "elsewhere", deleted: undefined }]);
    },
  },
  {
    id: "ops/one-a-key",
    rule: shapes,
    asks: "An event with two ops on one record is rejected as `invalid`, and so is one that has a deleteMany by version beside another op of the domain.",
    async run(bench) {
      const device = await bench.device();
      rejectedAs("invalid", await device.write(create("a"), update("a", { x: 1 })));
      rejectedAs("invalid", await device.write(create("b"), { op: "deleteMany", domain, keys: ["b"] }));
      rejectedAs("invalid", await device.write(create("c"), { op: "deleteMany", domain, upTo: 9 }));
      await device.apply(create("a"), create("a", {}, otherDomain));
    },
  },
  {
    id: "ops/field-once",
    rule: shapes,
    asks: "An update that sets and unsets the same field is rejected as `invalid`.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("a", { x: 1 }));
      rejectedAs("invalid", await device.write(update("a", { x: 2 }, ["x"])));
      has("the row", await device.rows(domain), [{ version: 1, fields: { x: 1 } }]);
    },
  },
  {
    id: "ops/atomic",
    rule: "rule 4",
    asks: "An event is applied whole or not at all: where one op cannot stand, none does, and the index does not move.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("there"));
      rejectedAs("exists", await device.write(create("first"), create("there"), create("last")));
      const index = await device.apply(create("next"));
      must(index === 2, `the rejected event took an index: the next one is ${index}, not 2`);
      same(
        "the keys",
        (await device.rows(domain)).map(({ key }) => key),
        ["there", "next"],
      );
    },
  },
  {
    id: "ops/together",
    rule: "rule 4",
    asks: "All rows of an event have its index and one time.",
    async run(bench) {
      const device = await bench.device();
      const index = await device.apply(create("a"), create("b"), create("c", {}, otherDomain));
      const rows = [...(await device.rows(domain)), ...(await device.rows(otherDomain))];
      must(
        rows.length === 3 && rows.every(({ version }) => version === index),
        "the rows have other versions",
      );
      must(new Set(rows.map(({ modifiedAt }) => modifiedAt)).size === 1, "the rows have several times");
    },
  },
  {
    id: "ops/neighbours",
    rule: "rule 9",
    asks: "A malformed event is rejected alone, under its own id and seq, and those before and after it go on.",
    async run(bench) {
      const device = await bench.device();
      const events = [
        device.event([create("a")]),
        device.event([{ op: "explode", domain, key: "x" }]),
        device.event([create("b")]),
        device.event([], { ops: "none" }),
        device.event([create("c")], { surprise: 1 }),
        device.event([create("d")]),
      ];
      const outcomes = await device.send(...events);
      for (const at of [1, 3, 4]) rejectedAs("invalid", outcomes[at]);
      for (const at of [0, 2, 5]) appliedIndex(outcomes[at]!);
      same(
        "the ids",
        outcomes.map(({ id }) => id),
        events.map(({ id }) => id),
      );
      same(
        "the keys",
        (await device.rows(domain)).map(({ key }) => key),
        ["a", "b", "d"],
      );
    },
  },
  {
    id: "ops/unknown-action",
    rule: "Tables: codes",
    asks: "An action that the server has not is rejected as `unknown_action`.",
    async run(bench) {
      const device = await bench.device();
      device.seq = 1;
      const event = { id: device.stamp(), seq: 1, action: "conformance-unknown", args: { a: 1 } };
      rejectedAs("unknown_action", (await device.send(event))[0]);
    },
  },
  {
    id: "ops/seq-order",
    rule: "The exchange",
    asks: "Events of a space are handled in the order of their seqs, whatever their order in the request.",
    async run(bench) {
      const device = await bench.device();
      const [first, second, third] = [
        device.event([create("p", { n: 1 })]),
        device.event([update("p", { n: 2 })]),
        device.event([drop("p")]),
      ];
      for (const outcome of await device.send(third, first, second)) appliedIndex(outcome);
      has("the row", await device.rows(domain), [{ key: "p", version: 3, deleted: true }]);
    },
  },
];
