import { type Info, infoAnswer, rowDecoder, rowsAnswer } from "@landfall/protocol";
import { domain } from "../bench.js";
import { type Answer, parsed, read } from "../caller.js";
import { type Check, has, must, same } from "../check.js";
import type { Device } from "../device.js";
import { create, drop, update } from "../written-ops.js";

const rule = "Other endpoints";

const address = (device: Device, query = ""): string =>
  `/v1/spaces/${device.space}/rows?domain=${domain}${query}`;

/** A row for each of a to e, of which c is deleted and d changed. */
async function filled(device: Device): Promise<void> {
  for (const key of ["a", "b", "c", "d", "e"]) await device.apply(create(key, { of: key }));
  await device.apply(drop("c"));
  await device.apply(update("d", { of: "D" }));
}

const keysOf = (rows: readonly { readonly key: string }[]): readonly string[] => rows.map(({ key }) => key);

/** The plain pull, and what the server says of itself. */
export const pullChecks: readonly Check[] = [
  {
    id: "pull/since",
    rule,
    asks: "A plain pull brings the rows of a domain after a version, as an exchange has them, with the cursor to go on from.",
    async run(bench) {
      const device = await bench.device();
      await filled(device);
      const all = await device.caller.get(rowsAnswer, 200, address(device));
      same("the rows", all.rows, await device.rows(domain));
      has("the answer", all, { space: device.space, domain, head: 7, cursor: 7, more: false });
      same("the generation", all.generation, device.generation);
      const later = await device.caller.get(rowsAnswer, 200, address(device, "&since=5"));
      has("what came after 5", later.rows, [
        { key: "c", deleted: true },
        { key: "d", fields: { of: "D" } },
      ]);
    },
  },
  {
    id: "pull/pages",
    rule,
    asks: "With a limit it goes on from the cursor of the answer, each row once.",
    async run(bench) {
      const device = await bench.device();
      await filled(device);
      const keys: string[] = [];
      let since = 0;
      for (let pages = 0; ; pages++) {
        must(pages < 20, "the pages do not end");
        const page = await device.caller.get(rowsAnswer, 200, address(device, `&limit=2&since=${since}`));
        keys.push(...keysOf(page.rows));
        since = page.cursor;
        if (!page.more) break;
        must(page.rows.length < 5, "a limit of 2 has no effect");
      }
      same("the keys", keys, ["a", "b", "e", "c", "d"]);
    },
  },
  {
    id: "pull/keys",
    rule,
    asks: "`keys` brings the rows named, and passes over those that are not there.",
    async run(bench) {
      const device = await bench.device();
      await filled(device);
      const { rows } = await device.caller.get(rowsAnswer, 200, address(device, "&keys=e,a,never"));
      same("the keys", keysOf(rows).toSorted(), ["a", "e"]);
    },
  },
  {
    id: "pull/known",
    rule,
    asks: "`known` leaves out rows that have not moved on.",
    async run(bench) {
      const device = await bench.device();
      await filled(device);
      const { rows } = await device.caller.get(rowsAnswer, 200, address(device, "&known=a:1,b:2,d:4"));
      same("the keys", keysOf(rows).toSorted(), ["c", "d", "e"]);
    },
  },
  {
    id: "pull/modified-since",
    rule,
    asks: "`modified_since` brings what was changed after a time; `lastUpdateTime` is one to go on from.",
    async run(bench) {
      const device = await bench.device();
      await filled(device);
      const { lastUpdateTime } = await device.caller.get(rowsAnswer, 200, address(device));
      const none = await device.caller.get(
        rowsAnswer,
        200,
        address(device, `&modified_since=${lastUpdateTime}`),
      );
      same("what was changed since", keysOf(none.rows), []);
      await device.apply(update("b", { of: "B" }));
      const one = await device.caller.get(
        rowsAnswer,
        200,
        address(device, `&modified_since=${lastUpdateTime}`),
      );
      same("what was changed since then", keysOf(one.rows), ["b"]);
    },
  },
  {
    id: "pull/fields-key",
    rule,
    asks: "`fields=key` leaves fields and stamps out.",
    async run(bench) {
      const device = await bench.device();
      await filled(device);
      const answer = await device.caller.ask(address(device, "&fields=key"));
      const { rows } = parsed("the answer", answer.text) as { rows: readonly object[] };
      has("the rows", rows, [
        { key: "a", version: 1, fields: undefined, stamps: undefined },
        { key: "b", version: 2, fields: undefined, stamps: undefined },
        { key: "e", version: 5, fields: undefined, stamps: undefined },
        { key: "c", version: 6, deleted: true },
        { key: "d", version: 7, fields: undefined, stamps: undefined },
      ]);
    },
  },
  {
    id: "pull/etag",
    rule,
    asks: "The answer has an ETag: with it, what has not changed answers 304 without a body, and what has changed answers anew.",
    async run(bench) {
      const device = await bench.device();
      await filled(device);
      const etag = (await device.caller.ask(address(device))).headers.get("etag");
      must(etag !== null && /^(W\/)?".+"$/.test(etag), `the ETag is ${etag}`);
      const headers = { "if-none-match": etag };
      const same304 = await device.caller.ask(address(device), { headers });
      same("the status of what has not changed", same304.status, 304);
      same("its body", same304.text, "");
      await device.apply(create("f"));
      same(
        "the status of what has changed",
        (await device.caller.ask(address(device), { headers })).status,
        200,
      );
    },
  },
  {
    id: "pull/lines",
    rule,
    asks: "Asked for lines, it brings one row a line, the same rows.",
    async run(bench) {
      const device = await bench.device();
      await filled(device);
      const headers = { accept: "application/x-ndjson" };
      const answer: Answer = await device.caller.ask(address(device), { headers });
      const type = answer.headers.get("content-type") ?? "";
      must(type.startsWith("application/x-ndjson"), `the answer is ${type}`);
      const rows = answer.text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => read(rowDecoder, "a line", parsed("a line", line)));
      same("the rows", rows, await device.rows(domain));
    },
  },
  {
    id: "pull/query",
    rule,
    asks: "A query that is wrong is refused as `invalid_request`.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("a"));
      const base = `/v1/spaces/${device.space}/rows`;
      const wrong = [
        "",
        "?domain=a/b",
        `?domain=${domain}&domain=x`,
        ...[
          "since=-1",
          "since=1.5",
          "since=x",
          "since=9",
          "limit=0",
          "fields=name",
          "surprise=1",
          "known=a",
          "keys=a/b",
        ].map((part) => `?domain=${domain}&${part}`),
      ];
      for (const query of wrong) await device.caller.refused("invalid_request", base + query);
    },
  },
  {
    id: "info/says",
    rule,
    asks: "`/v1/info` says the time, the protocol, the limits, who I am, and my spaces with role, generation, head and members.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("a"));
      const info: Info = await bench.first.get(infoAnswer, 200, "/v1/info");
      same("the protocol", info.protocol, 1);
      same(
        "my space",
        { ...info.spaces[device.space] },
        {
          role: "owner",
          generation: device.generation,
          head: 1,
          members: 1,
        },
      );
      const { limits } = info;
      must(
        limits.maxBatchBytes <= limits.maxBodyBytes,
        "a batch may be larger than the body that it comes in",
      );
      const { time } = await bench.first.exchange(device.request());
      must(Math.abs(time - info.time) < 60_000, `/v1/info says ${info.time}, an exchange at once ${time}`);
    },
  },
];
