import { domain } from "../bench.js";
import { type Check, has } from "../check.js";
import { appliedIndex, rejectedAs } from "../device.js";
import { create, drop, put, update } from "../written-ops.js";

const rule = "Shapes: events";

/** Events that hold only if rows stand as they say. */
export const expectationChecks: readonly Check[] = [
  {
    id: "expect/version",
    rule,
    asks: "An expectation that holds lets the event through; one that does not rejects it as `expectation_failed`, whole.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("p", { n: 1 }));
      const expect = [[domain, "p", 1]];
      const [right] = await device.send(device.event([update("p", { n: 2 })], { expect }));
      appliedIndex(right!);
      const [wrong] = await device.send(device.event([update("p", { n: 3 }), create("q")], { expect }));
      rejectedAs("expectation_failed", wrong);
      has("the rows", await device.rows(domain), [{ key: "p", version: 2, fields: { n: 2 } }]);
    },
  },
  {
    id: "expect/none",
    rule,
    asks: "Version 0 stands for no row.",
    async run(bench) {
      const device = await bench.device();
      const expect = [[domain, "guard", 0]];
      const [right] = await device.send(device.event([create("guard")], { expect }));
      appliedIndex(right!);
      const [wrong] = await device.send(device.event([put("p", {})], { expect }));
      rejectedAs("expectation_failed", wrong);
    },
  },
  {
    id: "expect/seq",
    rule,
    asks: '`{"seq": n}` is the version that this device\'s event n produced, in the same request and later.',
    async run(bench) {
      const device = await bench.device();
      const expect = [[domain, "p", { seq: 1 }]];
      const [, chained] = await device.send(
        device.event([create("p", { n: 1 })]),
        device.event([update("p", { n: 2 })], { expect }),
      );
      appliedIndex(chained!);
      const [later] = await device.send(
        device.event([update("p", { n: 3 })], { expect: [[domain, "p", { seq: 2 }]] }),
      );
      appliedIndex(later!);
      has("the row", await device.rows(domain), [{ version: 3, fields: { n: 3 } }]);
    },
  },
  {
    id: "expect/seq-changed",
    rule,
    asks: '`{"seq": n}` fails where the row has changed since, or where event n was rejected.',
    async run(bench) {
      const device = await bench.device();
      const other = bench.beside(device);
      await device.apply(create("p", { n: 1 }));
      await other.apply(update("p", { other: true }));
      const [changed] = await device.send(
        device.event([update("p", { n: 2 })], { expect: [[domain, "p", { seq: 1 }]] }),
      );
      rejectedAs("expectation_failed", changed);
      rejectedAs("exists", await device.write(create("p")));
      const [refused] = await device.send(
        device.event([update("p", { n: 2 })], { expect: [[domain, "p", { seq: 3 }]] }),
      );
      rejectedAs("expectation_failed", refused);
    },
  },
  {
    id: "expect/depends-on",
    rule: "rule 7",
    asks: "What a device changes of a key whose create was rejected is rejected as `depends_on`; another device's change is not.",
    async run(bench) {
      const device = await bench.device();
      const other = bench.beside(device);
      await other.apply(create("p", { n: 1 }));
      const outcomes = await device.send(
        device.event([create("p", { n: 2 })]),
        device.event([update("p", { n: 3 })]),
        device.event([drop("p")]),
      );
      rejectedAs("exists", outcomes[0]);
      rejectedAs("depends_on", outcomes[1]);
      rejectedAs("depends_on", outcomes[2]);
      await other.apply(update("p", { n: 4 }));
      has("the row", await other.rows(domain), [{ fields: { n: 4 } }]);
    },
  },
  {
    id: "expect/depends-on-acked",
    rule: "rule 7",
    asks: "Once the device says, by `acked`, that it knows of the rejection, its changes of the key stand again.",
    async run(bench) {
      const device = await bench.device();
      const other = bench.beside(device);
      await other.apply(create("p", { n: 1 }));
      rejectedAs("exists", await device.write(create("p", { n: 2 })));
      const { outcomes } = await device.exchange({
        acked: 1,
        events: [device.event([update("p", { n: 3 })])],
      });
      appliedIndex(outcomes[0]!);
    },
  },
];
