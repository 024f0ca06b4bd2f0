import { domain } from "../bench.js";
import { type Check, has, must, same } from "../check.js";
import { appliedIndex } from "../device.js";
import { NaiveSpace } from "../naive-space.js";
import { readingOf, tailOf } from "../stamps.js";
import { create, increment, put, update } from "../written-ops.js";
import { compareDigest } from "./digests.js";
import { historyOf } from "../history.js";

const rule = "rule 6";
const hour = 3_600_000;
const year = 365 * 24 * hour;

/** Last writer wins, per field, by effective stamp. */
export const mergeChecks: readonly Check[] = [
  {
    id: "merge/fields",
    rule,
    asks: "Writes to different fields both stand.",
    async run(bench) {
      const one = await bench.device();
      const two = bench.beside(one);
      await one.apply(create("p", { a: 0, b: 0 }));
      await one.apply(update("p", { a: 1 }));
      await two.apply(update("p", { b: 2 }));
      has("the row", await one.rows(domain), [{ fields: { a: 1, b: 2 } }]);
    },
  },
  {
    id: "merge/behind",
    rule,
    asks: "A write of an older clock loses to what stands, and is told which fields lost and to what; a record of which every field lost keeps its version.",
    async run(bench) {
      const device = await bench.device();
      const behind = bench.beside(device, () => bench.nowMs() - hour);
      await behind.apply(create("p", { a: 0, b: 0 }));
      const winner = device.event([update("p", { a: 1 })]);
      const [won] = await device.send(winner);
      const by = (won as { eff?: string }).eff ?? winner.id;
      has("the outcome", await behind.write(update("p", { a: 2 })), {
        status: "applied",
        superseded: [{ domain, key: "p", field: "a", by }],
      });
      has("the row", await device.rows(domain), [{ version: 2, fields: { a: 1, b: 0 } }]);
      has("the second outcome", await behind.write(update("p", { a: 3, b: 3 })), {
        superseded: [{ field: "a", by }],
      });
      has("the row afterwards", await device.rows(domain), [{ fields: { a: 1, b: 3 } }]);
    },
  },
  {
    id: "merge/unset",
    rule,
    asks: "An older write does not bring back a field that was unset.",
    async run(bench) {
      const device = await bench.device();
      const behind = bench.beside(device, () => bench.nowMs() - hour);
      await behind.apply(create("p", { a: 0 }));
      await device.apply(update("p", {}, ["a"]));
      has("the outcome", await behind.write(update("p", { a: 1 })), { superseded: [{ field: "a" }] });
      has("the row", await device.rows(domain), [{ fields: { a: undefined } }]);
    },
  },
  {
    id: "merge/ahead",
    rule,
    asks: "A stamp of a clock that runs years ahead is cut to the time of its receipt, with its own tail, and a later honest write wins over it.",
    async run(bench) {
      const device = await bench.device();
      const ahead = bench.beside(device, () => bench.nowMs() + 5 * year);
      await device.apply(create("p", { a: 0 }));
      const event = ahead.event([update("p", { a: "future" })]);
      const { time, spaces } = await ahead.caller.exchange(ahead.request({ events: [event] }));
      const outcome = (spaces[0] as { outcomes?: readonly { eff?: string }[] }).outcomes?.[0];
      const eff = outcome?.eff;
      must(eff !== undefined, "the stamp of a clock that is years ahead was taken as it is");
      must(readingOf(eff).ms <= time + 60_000, `the effective stamp ${eff} lies after the receipt`);
      same("the tail", tailOf(eff), tailOf(event.id));
      has("the row", await device.rows(domain), [{ fields: { a: "future" }, stamps: { a: eff } }]);
      // An honest client has seen the row, and stamps above it.
      const later = device.event([update("p", { a: "now" })], { id: device.stampAt(readingOf(eff).ms + 1) });
      appliedIndex((await device.send(later))[0]!);
      has("the row afterwards", await device.rows(domain), [{ fields: { a: "now" } }]);
    },
  },
  {
    id: "merge/within-a-request",
    rule,
    asks: "Of two events of a clock ahead the later wins: receipts rise strictly from event to event.",
    async run(bench) {
      const device = await bench.device(() => bench.nowMs() + year);
      const events = Array.from({ length: 20 }, (_, i) => device.event([put("p", { a: i })]));
      const outcomes = await device.send(...events);
      const effs = outcomes.map((outcome) => (outcome as { eff?: string }).eff ?? outcome.id);
      for (const outcome of outcomes)
        has("an outcome", outcome, { status: "applied", superseded: undefined });
      must(
        effs.every((eff, at) => at === 0 || eff > (effs[at - 1] as string)),
        "effective stamps do not rise",
      );
      has("the row", await device.rows(domain), [{ fields: { a: 19 } }]);
    },
  },
  {
    id: "merge/tail",
    rule,
    asks: "Between two stamps of the same time and counter the tail decides, in whichever order they come.",
    async run(bench) {
      const device = await bench.device(() => bench.nowMs() - 2 * hour);
      await device.apply(create("p", { a: 0, b: 0 }));
      const ms = Math.floor(bench.nowMs() - hour);
      const [one, two] = [bench.beside(device), bench.beside(device)];
      const [high, low] = one.stampAt(ms) > two.stampAt(ms) ? [one, two] : [two, one];
      await low.send(low.event([update("p", { a: "low" })], { id: low.stampAt(ms) }));
      await high.send(high.event([update("p", { a: "high", b: "high" })], { id: high.stampAt(ms) }));
      await low.send(low.event([update("p", { b: "low" })], { id: low.stampAt(ms - 1, 7) }));
      has("the row", await device.rows(domain), [{ fields: { a: "high", b: "high" } }]);
    },
  },
  {
    id: "merge/create-stamp",
    rule,
    asks: "A field without a stamp of its own has the create's: an update that is older than the create loses to it.",
    async run(bench) {
      const device = await bench.device();
      const behind = bench.beside(device, () => bench.nowMs() - hour);
      const event = device.event([create("p", { a: 1 })]);
      const [made] = await device.send(event);
      const by = (made as { eff?: string }).eff ?? event.id;
      has("the outcome", await behind.write(update("p", { a: 2, fresh: 2 })), {
        superseded: [
          { field: "a", by },
          { field: "fresh", by },
        ],
      });
    },
  },
  {
    id: "merge/commit-order",
    rule,
    asks: "Counters take no notice of stamps: an increment of an old clock counts.",
    async run(bench) {
      const device = await bench.device();
      const behind = bench.beside(device, () => bench.nowMs() - year);
      await device.apply(create("p", { n: 1 }));
      await device.apply(increment("p", { n: 10 }));
      has("the outcome", await behind.write(increment("p", { n: 100 })), {
        status: "applied",
        superseded: undefined,
      });
      has("the row", await device.rows(domain), [{ fields: { n: 111 } }]);
    },
  },
  {
    id: "merge/history",
    rule,
    asks: "240 writes of four devices, with right and wrong clocks, give the rows, stamps, outcomes and digest that a naive model gives, which was written from docs/protocol.md alone.",
    async run(bench) {
      const device = await bench.device();
      const devices = [0, -hour, 200, year].map((off) => bench.beside(device, () => bench.nowMs() + off));
      const model = new NaiveSpace();
      for (const { who, ops } of historyOf(20_261_121, 240)) {
        const writer = devices[who % devices.length] as (typeof devices)[number];
        const event = writer.event(ops);
        // The device says that it knows of what was rejected, so that nothing depends on it.
        const [outcome] = (await writer.exchange({ acked: writer.seq - 1, events: [event] })).outcomes;
        const applied = outcome?.status === "applied" ? outcome : undefined;
        const wanted = model.apply(ops, applied?.eff ?? event.id);
        has(`event ${writer.seq} of device ${who}, ${JSON.stringify(ops)}`, outcome, wanted);
        same("its superseded fields", [...(applied?.superseded ?? [])], model.superseded);
      }
      const rows = (await bench.beside(device).rows(domain)).map(
        (row) => [row.key, row.version, "deleted" in row ? null : [row.fields, row.stamps]] as const,
      );
      same(
        "the rows",
        rows.toSorted(([a], [b]) => (a < b ? -1 : 1)),
        model.rows(),
      );
      await compareDigest(bench.beside(device));
    },
  },
];
