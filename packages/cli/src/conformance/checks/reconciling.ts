import { type ReconcileAnswer, reconcileAnswer } from "@landfall/protocol";
import { domain, otherDomain } from "../bench.js";
import { type Check, has, must, same } from "../check.js";
import type { Device } from "../device.js";
import {
  type Range,
  fingerprint,
  inItemOrder,
  isBefore,
  numberHex,
  readFrame,
  writeFrame,
} from "../reconcile-frame.js";
import type { Live } from "../row-digest.js";
import { create, drop, update } from "../written-ops.js";

const rule = "Reconciliation";
const [skip, print, list, want] = [0, 1, 2, 3];
const everything = (mode: number, body: readonly string[]): readonly Range[] => [
  { bound: undefined, mode, body },
];

async function round(
  device: Device,
  upTo: number,
  ranges: readonly Range[],
  part: object = {},
): Promise<ReconcileAnswer> {
  const { space, generation } = device;
  const asked = { protocol: 1, space, generation, domain, upTo, frame: writeFrame(ranges), ...part };
  return device.caller.get(reconcileAnswer, 200, "/v1/reconcile", { json: asked });
}

async function liveRows(device: Device): Promise<readonly Live[]> {
  return inItemOrder(
    (await device.rows(domain)).filter((row) => !("deleted" in row)) as unknown as readonly Live[],
  );
}

/** Some rows of several versions, a tombstone among them. */
async function filled(device: Device, count: number): Promise<number> {
  for (let i = 0; i < count; i += 3)
    await device.apply(create(`a${i}`), create(`b${i}`, { i }), create(`c${i}`));
  await device.apply(create("elsewhere", {}, otherDomain));
  return device.apply(drop("b0"));
}

/** Every range of the answer holds what the server's rows come to between its bounds. */
function compareRanges(ranges: readonly Range[], rows: readonly Live[]): number {
  let rest = rows;
  let compared = 0;
  for (const { bound, mode, body } of ranges) {
    const here = rest.filter((row) => isBefore(row, bound));
    rest = rest.filter((row) => !isBefore(row, bound));
    if (mode === print) same("a fingerprint", body, [fingerprint(here)]);
    if (mode === list) same("a list", body.toSorted(), here.map(numberHex).toSorted());
    if (mode === print || mode === list) compared += here.length;
  }
  return compared;
}

/** `/v1/reconcile`: finding out which rows differ, round by round. */
export const reconcileChecks: readonly Check[] = [
  {
    id: "reconcile/equal",
    rule,
    asks: "A fingerprint of all that the server has is answered by nothing to say; tombstones and other domains do not count.",
    async run(bench) {
      const device = await bench.device();
      const upTo = await filled(device, 60);
      const rows = await liveRows(device);
      const answer = await round(device, upTo, everything(print, [fingerprint(rows)]));
      has("the answer", answer, { generation: device.generation, head: upTo, rows: [] });
      must(
        readFrame(answer.frame).every(({ mode }) => mode === skip),
        "the server says that something differs",
      );
    },
  },
  {
    id: "reconcile/differs",
    rule,
    asks: "A fingerprint that differs is answered by what the server has: a list where that is little, else fingerprints of parts, each that of the server's rows.",
    async run(bench) {
      const device = await bench.device();
      const few = await filled(device, 9);
      const little = readFrame((await round(device, few, everything(print, ["0".repeat(32)]))).frame);
      same("the modes for a few rows", [...new Set(little.map(({ mode }) => mode))], [list]);
      same("the rows compared", compareRanges(little, await liveRows(device)), 8);
      for (let i = 0; i < 20; i++)
        await device.apply(...Array.from({ length: 10 }, (_, j) => create(`k${i}-${j}`)));
      const rows = await liveRows(device);
      const { head } = await device.exchange();
      const much = readFrame((await round(device, head, everything(print, ["0".repeat(32)]))).frame);
      must(much.length >= 4, `${rows.length} rows are answered in ${much.length} range(s)`);
      same("the rows compared of many", compareRanges(much, rows), rows.length);
    },
  },
  {
    id: "reconcile/wanted",
    rule,
    asks: "Who has three rows less finds them by an empty list and a want, and has what the server has.",
    async run(bench) {
      const device = await bench.device();
      const upTo = await filled(device, 90);
      const rows = await liveRows(device);
      const mine = rows.filter((_row, at) => ![0, 40, 88].includes(at));
      const asked = await round(device, upTo, everything(list, []));
      const known = new Set(mine.map(numberHex));
      const theirs = readFrame(asked.frame).flatMap(({ mode, body }) => (mode === list ? body : []));
      const lacking = theirs.filter((number) => !known.has(number));
      same("how many are lacking", lacking.length, 3);
      const { rows: sent } = await round(device, upTo, everything(want, lacking));
      same("all rows", inItemOrder([...mine, ...(sent as unknown as readonly Live[])]), rows);
    },
  },
  {
    id: "reconcile/keys",
    rule,
    asks: "A row that is asked for by its key comes as it is now: changed, deleted, or not at all.",
    async run(bench) {
      const device = await bench.device();
      const upTo = await filled(device, 9);
      const later = await device.apply(update("a0", { later: true }));
      const { rows } = await round(device, upTo, everything(skip, []), { keys: ["a0", "b0", "never"] });
      has(
        "the rows",
        rows.toSorted((a, b) => (a.key < b.key ? -1 : 1)),
        [
          { key: "a0", version: later, fields: { later: true } },
          { key: "b0", deleted: true },
        ],
      );
    },
  },
  {
    id: "reconcile/up-to",
    rule,
    asks: "Only rows of versions up to the asking side's cursor count, so that writing may go on meanwhile.",
    async run(bench) {
      const device = await bench.device();
      const upTo = await filled(device, 30);
      const rows = await liveRows(device);
      await device.apply(create("late"), update("a0", { later: true }));
      const left = rows.filter(({ key }) => key !== "a0");
      const { frame, head } = await round(device, upTo, everything(print, [fingerprint(left)]));
      same("the head", head, upTo + 1);
      must(
        readFrame(frame).every(({ mode }) => mode === skip),
        "rows of later versions are compared",
      );
    },
  },
  {
    id: "reconcile/elsewhere",
    rule,
    asks: "Under another generation, or with a cursor beyond the head, the answer says so and is empty.",
    async run(bench) {
      const device = await bench.device();
      const upTo = await filled(device, 9);
      const ask = everything(print, ["0".repeat(32)]);
      const part = { keys: ["a0"] };
      has("under another generation", await round(device, upTo, ask, { generation: "another", ...part }), {
        generation: device.generation,
        frame: "",
        rows: [],
      });
      has("beyond the head", await round(device, upTo + 1, ask, part), { head: upTo, frame: "", rows: [] });
    },
  },
  {
    id: "reconcile/bad",
    rule,
    asks: "What is no frame is refused as `invalid_request`.",
    async run(bench) {
      const device = await bench.device();
      const upTo = await filled(device, 9);
      const { space, generation } = device;
      const good = { protocol: 1, space, generation, domain, upTo, frame: writeFrame(everything(skip, [])) };
      const hex = (text: string): string => Buffer.from(text, "hex").toString("base64url");
      const frames = [
        "A",
        "AA=",
        "A+A",
        hex("00"),
        hex("0004"),
        hex("0001ff"),
        hex("000205"),
        hex("ff"),
        hex("0000 00".replace(" ", "")),
        hex(`80000${"0".repeat(3)}`),
        7,
      ];
      for (const frame of frames)
        await device.caller.refused("invalid_request", "/v1/reconcile", { json: { ...good, frame } });
      for (const part of [{ upTo: -1 }, { domain: "a/b" }, { keys: ["a/b"] }, { surprise: 1 }])
        await device.caller.refused("invalid_request", "/v1/reconcile", { json: { ...good, ...part } });
    },
  },
];
