import { type StreamLine, streamLine } from "@landfall/protocol";
import { domain } from "../bench.js";
import { parsed, read } from "../caller.js";
import { type Check, has, must, same } from "../check.js";
import type { Device } from "../device.js";
import { digestOf } from "../row-digest.js";
import { unguessable } from "../stamps.js";
import { create, drop } from "../written-ops.js";

const rule = "Streaming";
const asLines = { accept: "application/x-ndjson" };

type LineOf<T> = Extract<StreamLine, { readonly type: T }>;
type RowLine = Extract<StreamLine, { readonly type?: undefined }>;

/** An exchange answered as lines, each of the declared shape. */
async function stream(device: Device, request: unknown): Promise<readonly StreamLine[]> {
  const answer = await device.caller.ask("/v1/exchange", { json: request, headers: asLines });
  must(answer.status === 200, `a stream answers ${answer.status}: ${answer.text.slice(0, 200)}`);
  const type = answer.headers.get("content-type") ?? "";
  must(type.startsWith("application/x-ndjson"), `the stream is ${type}, not application/x-ndjson`);
  must(answer.text.endsWith("\n"), "the last line has no end");
  return answer.text
    .slice(0, -1)
    .split("\n")
    .map((line) => read(streamLine, "a line of the stream", parsed("a line of the stream", line)));
}

const rowsOf = (lines: readonly StreamLine[]): readonly RowLine[] =>
  lines.filter((line): line is RowLine => line.type === undefined);
const ofType = <T extends StreamLine["type"]>(lines: readonly StreamLine[], type: T): readonly LineOf<T>[] =>
  lines.filter((line): line is LineOf<T> => line.type === type);

/** The streamed form of an exchange. */
export const streamChecks: readonly Check[] = [
  {
    id: "stream/whole",
    rule,
    asks: "One streamed request brings everything after the cursors: time, space, rows in the order of versions, end, done; the same rows and digest as in JSON.",
    async run(bench) {
      const device = await bench.device();
      for (let i = 0; i < 5; i++) await device.apply(create(`k${i}`, { i }), create(`j${i}`));
      await device.apply(drop("k1"));
      const reader = bench.beside(device);
      const lines = await stream(reader, reader.request({ cursors: { [domain]: 0 } }, { limit: 3 }));
      same(
        "the first lines",
        lines.slice(0, 2).map(({ type }) => type),
        ["time", "space"],
      );
      same(
        "the last lines",
        lines.slice(-2).map(({ type }) => type),
        ["end", "done"],
      );
      const rows = rowsOf(lines);
      same("the rows", rows, await reader.rows(domain));
      must(
        rows.every((row, at) => at === 0 || row.version >= rows[at - 1]!.version),
        "the rows are not in order",
      );
      const [end] = ofType(lines, "end");
      has("the end", end, { head: 6, lastSeq: 0, cursors: { [domain]: 6 } });
      same("the digest", end?.digests?.[domain], { index: 6, ...digestOf(rows) });
    },
  },
  {
    id: "stream/checkpoints",
    rule,
    asks: "What comes before a checkpoint is whole: a stream that broke off there is resumed from its cursors and scan, with no row lost.",
    async run(bench) {
      const device = await bench.device();
      await device.send(...Array.from({ length: 9 }, (_, i) => device.event([create(`k${i}`)])));
      const reader = bench.beside(device);
      const lines = await stream(reader, reader.request({ cursors: { [domain]: 0 } }, { limit: 2 }));
      const at = lines.findIndex(({ type }) => type === "checkpoint");
      must(at >= 0, "nine rows at a limit of two come without a checkpoint");
      const { cursors, scan } = lines[at] as LineOf<"checkpoint">;
      const rest = await stream(reader, reader.request({ cursors, scan }, { limit: 2 }));
      const versions = [...rowsOf(lines.slice(0, at)), ...rowsOf(rest)].map(({ version }) => version);
      same("the versions", versions, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    },
  },
  {
    id: "stream/writes",
    rule,
    asks: "Events of a streamed exchange are handled as in JSON, once, and their outcomes stand in the space's line.",
    async run(bench) {
      const device = await bench.device();
      const request = device.request({ cursors: { [domain]: 0 }, events: [device.event([create("a")])] });
      const [first] = ofType(await stream(device, request), "space");
      has("the line", first, { lastSeq: 1, outcomes: [{ status: "applied", index: 1 }] });
      const [again] = ofType(await stream(device, request), "space");
      has("the line of the second", again, { outcomes: [{ status: "duplicate", of: "applied", index: 1 }] });
    },
  },
  {
    id: "stream/failure",
    rule,
    asks: "A space that cannot be handled is a failure line, and the other spaces of the request go on.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("a"));
      const none = unguessable("none");
      const request = device.request({ cursors: { [domain]: 0 } }) as { spaces: object[] };
      request.spaces.unshift({ space: none, cursors: {} });
      const lines = await stream(device, request);
      has("the failure", ofType(lines, "failure"), [{ space: none, error: { code: "not_found" } }]);
      has("the other space's rows", rowsOf(lines), [{ key: "a" }]);
      same("the last line", lines.at(-1)?.type, "done");
    },
  },
];
