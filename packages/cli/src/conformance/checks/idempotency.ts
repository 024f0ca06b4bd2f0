import type { Outcome } from "@landfall/protocol";
import { domain } from "../bench.js";
import { type Check, Skipped, has, must, same } from "../check.js";
import { type Device, appliedIndex, rejectedAs } from "../device.js";
import { create, increment, update } from "../written-ops.js";

const rule = "rule 3";

/** What an outcome says beside its status: a duplicate must say the same as the first did. */
function body(outcome: Outcome | undefined): object {
  const {
    status: _status,
    of: _of,
    omitted: _omitted,
    ...rest
  } = outcome as Outcome & {
    of?: unknown;
    omitted?: unknown;
  };
  return rest;
}

function duplicateOf(of: string, first: Outcome | undefined, again: Outcome | undefined): void {
  has("the second outcome", again, { status: "duplicate", of });
  same("what the second outcome says", body(again), body(first));
}

async function counted(device: Device): Promise<unknown> {
  const row = (await device.rows(domain)).find(({ key }) => key === "n");
  return (row as { fields?: { n?: unknown } } | undefined)?.fields?.n;
}

/** A write happens once. */
export const idempotencyChecks: readonly Check[] = [
  {
    id: "once/again",
    rule,
    asks: "The same request again has no further effect, and gets the first outcomes as `duplicate`.",
    async run(bench) {
      const device = await bench.device();
      const events = [device.event([create("n", { n: 0 })]), device.event([increment("n", { n: 1 })])];
      const first = await device.send(...events);
      const again = await device.send(...events);
      for (const at of [0, 1]) duplicateOf("applied", first[at], again[at]);
      same("the counter", await counted(device), 1);
    },
  },
  {
    id: "once/rejected-again",
    rule,
    asks: "A rejected event that is sent again is a `duplicate` of `rejected` with the same code, even if it could stand by now.",
    async run(bench) {
      const device = await bench.device();
      const other = bench.beside(device);
      const event = device.event([update("p", { a: 1 })]);
      const [first] = await device.send(event);
      rejectedAs("missing", first);
      await other.apply(create("p", { a: 0 }));
      duplicateOf("rejected", first, (await device.send(event))[0]);
      has("the row", await device.rows(domain), [{ fields: { a: 0 } }]);
    },
  },
  {
    id: "once/in-part",
    rule,
    asks: "A request that repeats some events and brings new ones handles the new ones alone.",
    async run(bench) {
      const device = await bench.device();
      const one = device.event([create("n", { n: 0 })]);
      const two = device.event([increment("n", { n: 1 })]);
      const three = device.event([increment("n", { n: 10 })]);
      await device.send(one, two);
      const [second, third] = await device.send(two, three);
      has("the repeated one", second, { status: "duplicate", of: "applied", index: 2 });
      has("the new one", third, { status: "applied", index: 3 });
      same("the counter", await counted(device), 11);
    },
  },
  {
    id: "once/later",
    rule,
    asks: "An event that is sent again after others have written keeps its outcome and its index.",
    async run(bench) {
      const device = await bench.device();
      const other = bench.beside(device);
      const event = device.event([create("n", { n: 1 })]);
      const [first] = await device.send(event);
      for (let i = 0; i < 20; i++) await other.apply(update("n", { by: i }));
      await device.send(...Array.from({ length: 20 }, (_, i) => device.event([create(`k${i}`)])));
      duplicateOf("applied", first, (await device.send(event))[0]);
    },
  },
  {
    id: "once/at-the-same-time",
    rule,
    asks: "The same request from eight connections at once has one effect: one answer says `applied`, the others `duplicate`, all the same index.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("n", { n: 0 }));
      for (let round = 0; round < 5; round++) {
        const event = device.event([increment("n", { n: 1 })]);
        const answers = await Promise.all(Array.from({ length: 8 }, () => device.send(event)));
        const outcomes = answers.map(([outcome]) => outcome as Outcome);
        const applied = outcomes.filter(({ status }) => status === "applied");
        must(applied.length === 1, `${applied.length} of eight answers say applied`);
        for (const outcome of outcomes) same("the outcomes", body(outcome), body(applied[0]));
      }
      same("the counter", await counted(device), 5);
    },
  },
  {
    id: "once/in-one-request",
    rule,
    asks: "An event that stands twice in one request is handled once.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("n", { n: 0 }));
      const event = device.event([increment("n", { n: 1 })]);
      const outcomes = await device.send(event, event);
      same("the statuses", outcomes.map(({ status }) => status).toSorted(), ["applied", "duplicate"]);
      same("the counter", await counted(device), 1);
    },
  },
  {
    id: "once/acked",
    rule,
    asks: "An event above `acked` keeps the body of its outcome, however many come after it.",
    async run(bench) {
      const device = await bench.device();
      const event = device.event([create("p")]);
      const [first] = await device.send(event);
      for (let i = 0; i < 4; i++) {
        const events = Array.from({ length: 100 }, (_, j) => device.event([create(`k${i}-${j}`)]));
        await device.exchange({ acked: 0, events });
      }
      duplicateOf("applied", first, (await device.send(event))[0]);
    },
  },
  {
    id: "once/below-acked",
    rule,
    asks: "An event below `acked` that comes again is `duplicate`, of its outcome or of `expired`, and never applied again.",
    async run(bench) {
      const device = await bench.device();
      const first = device.event([create("n", { n: 0 })]);
      const counting = device.event([increment("n", { n: 1 })]);
      await device.send(first, counting);
      for (let i = 0; i < 4; i++) {
        const events = Array.from({ length: 100 }, (_, j) => device.event([create(`k${i}-${j}`)]));
        await device.exchange({ acked: device.seq - 100, events });
      }
      const { outcomes } = await device.exchange({ acked: device.seq, events: [counting] });
      const [again] = outcomes as readonly (Outcome & { of?: string })[];
      must(
        again?.status === "duplicate" && (again.of === "applied" || again.of === "expired"),
        `the outcome is ${JSON.stringify(again)}`,
      );
      same("the counter", await counted(device), 1);
    },
  },
  {
    id: "seq/gap",
    rule,
    asks: "A seq above the next one is the space's error `seq_gap`, which names the one that is expected; nothing of the request is handled.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("a"));
      device.seq += 1;
      const error = await device.failing("seq_gap", { events: [device.event([create("c")])] });
      same("`expected`", error.expected, 2);
      device.seq = 1;
      const inner = [device.event([create("b")]), (device.seq++, device.event([create("d")]))];
      same(
        "`expected` of a gap inside a request",
        (await device.failing("seq_gap", { events: inner })).expected,
        2,
      );
      same(
        "the keys",
        (await device.rows(domain)).map(({ key }) => key),
        ["a"],
      );
    },
  },
  {
    id: "seq/fork",
    rule,
    asks: "The same seq with another id is `device_forked`, with the outcomes of the events before it that match; nothing of the request is handled.",
    async run(bench) {
      const device = await bench.device();
      const [first, second] = [device.event([create("a")]), device.event([create("b")])];
      await device.send(first, second);
      const copy = { ...second, id: device.stamp(), ops: [create("copy")] };
      const error = await device.failing("device_forked", {
        events: [first, copy, device.event([create("c")])],
      });
      has("the outcomes of the prefix", error.outcomes, [
        { id: first.id, seq: 1, status: "duplicate", of: "applied" },
      ]);
      same(
        "the keys",
        (await device.rows(domain)).map(({ key }) => key),
        ["a", "b"],
      );
    },
  },
  {
    id: "seq/was",
    rule,
    asks: "A known id under another device is `duplicate` where `was` names the device that sent it before, and so it is under another seq of its own.",
    async run(bench) {
      const device = await bench.device();
      const event = device.event([create("n", { n: 1 })]);
      const [first] = await device.send(event);
      const copy = bench.beside(device);
      copy.seq = 1;
      const [again] = await copy.send({ ...event, seq: 1, was: { device: device.name, seq: 1 } });
      const duplicate = { status: "duplicate", of: "applied", index: appliedIndex(first!) };
      has("the outcome", again, duplicate);
      const elsewhere = { ...event, seq: 2, was: { device: device.name, seq: 7 } };
      copy.seq = 2;
      has("the outcome under another seq", (await copy.send(elsewhere))[0], duplicate);
      device.seq = 2;
      has("its own, under another seq", (await device.send({ ...event, seq: 2 }))[0], duplicate);
      await copy.apply(update("n", { n: 2 }));
    },
  },
  {
    id: "seq/id-conflict",
    rule,
    asks: "A known id of neither the same device nor that of `was` is rejected as `id_conflict`, and says nothing of the other's event.",
    async run(bench) {
      const device = await bench.device();
      const event = device.event([create("p")]);
      await device.send(event);
      const other = bench.beside(device);
      rejectedAs("id_conflict", (await other.send({ ...other.event([create("q")]), id: event.id }))[0]);
      const wrong = { ...other.event([create("q")]), id: event.id, was: { device: "elsewhere", seq: 1 } };
      rejectedAs("id_conflict", (await other.send(wrong))[0]);
      same(
        "the keys",
        (await device.rows(domain)).map(({ key }) => key),
        ["p"],
      );
    },
  },
  {
    id: "void/given-up",
    rule,
    asks: "A void event keeps its seq, has no effect and no index; again it is `duplicate` of `void`.",
    async run(bench) {
      const device = await bench.device();
      device.seq = 1;
      const event = { id: device.stamp(), seq: 1, void: true };
      same("the outcome", (await device.send(event))[0], { id: event.id, seq: 1, status: "void" });
      has("the second outcome", (await device.send(event))[0], { status: "duplicate", of: "void" });
      same("the index of the next event", await device.apply(create("a")), 1);
    },
  },
  {
    id: "void/too-late",
    rule,
    asks: "A void event that was given up before is not brought back by its ops, and one that had been applied answers with that outcome.",
    async run(bench) {
      const device = await bench.device();
      const event = device.event([create("p")]);
      const [first] = await device.send(event);
      const [late] = await device.send({ id: event.id, seq: event.seq, void: true });
      duplicateOf("applied", first, late);
      device.seq += 1;
      const gone = { id: device.stamp(), seq: 2 };
      await device.send({ ...gone, void: true });
      has("the outcome", (await device.send({ ...gone, ops: [create("q")] }))[0], {
        status: "duplicate",
        of: "void",
      });
      same(
        "the keys",
        (await device.rows(domain)).map(({ key }) => key),
        ["p"],
      );
    },
  },
  {
    id: "deferred/nothing-kept",
    rule,
    asks: "A deferred event leaves no record and takes no seq, and nothing after it in the request is handled; it is taken later under the same id.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("taken"));
      // More rejected creates than any server remembers: one that keeps to rule 7 has to make the device wait.
      const creates = (page: number): object[] =>
        Array.from({ length: 999 }, (_, i) => create(`k${page}-${i}`));
      for (let page = 0; page < 14; page++) {
        const events = [
          device.event([...creates(page), create("taken")]),
          ...["b", "c", "d"].map((name) => device.event([create(`${name}${page}`)])),
        ];
        const { outcomes } = await device.exchange({ acked: 0, events });
        const at = outcomes.findIndex(({ status }) => status === "deferred");
        if (at === -1) continue;
        for (const outcome of outcomes.slice(at))
          has("an outcome behind a deferred one", outcome, { status: "deferred" });
        const waiting = events.slice(at);
        const { lastSeq } = await device.exchange();
        same("`lastSeq`", lastSeq, (waiting[0] as { seq: number }).seq - 1);
        const again = await device.exchange({ acked: lastSeq, events: waiting });
        for (const outcome of again.outcomes.slice(1)) appliedIndex(outcome);
        has("the first that waited", again.outcomes[0], { status: at === 0 ? "rejected" : "applied" });
        return;
      }
      throw new Skipped("Nothing that a black box may send makes this server defer.");
    },
  },
];
