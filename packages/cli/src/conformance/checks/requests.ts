import { createHmac } from "node:crypto";
import { infoAnswer } from "@landfall/protocol";
import { domain } from "../bench.js";
import type { Bench } from "../bench.js";
import { problem } from "../caller.js";
import { type Check, has, must, same } from "../check.js";
import { type Device, appliedIndex, rejectedAs } from "../device.js";
import { create } from "../written-ops.js";

const rule = "Errors of a request";

/** After whatever was refused, the record is there, and the next seq is still the next. */
async function nothingLost(device: Device): Promise<void> {
  const index = await device.apply(create(`after-${device.seq}`));
  must(index >= 2, "the index went back");
  has("what was there before", (await device.rows(domain))[0], { key: "kept", version: 1 });
}

async function kept(bench: Bench): Promise<Device> {
  const device = await bench.device();
  await device.apply(create("kept"));
  return device;
}

/** A check that sends bodies which must be refused with one code, and looks that nothing was lost. */
function refusedBodies(
  name: string,
  asks: string,
  code: string,
  bodies: (device: Device) => readonly (string | Uint8Array)[],
): Check {
  return {
    id: `bad/${name}`,
    rule,
    asks: `${asks}: refused as \`${code}\`, and nothing is lost.`,
    async run(bench) {
      const device = await kept(bench);
      for (const body of bodies(device)) await device.caller.refused(code, "/v1/exchange", { body });
      await nothingLost(device);
    },
  };
}

/** A check that sends events which must be rejected alone. @param text puts into the request what JSON.stringify cannot write. */
function rejectedEvents(
  name: string,
  asks: string,
  codes: readonly string[],
  events: readonly { readonly [member: string]: unknown }[],
  text: (body: string) => string = (body) => body,
): Check {
  return {
    id: `bad/${name}`,
    rule: "rule 9",
    asks: `${asks}: rejected alone, as ${codes.map((code) => `\`${code}\``).join(" or ")}.`,
    async run(bench) {
      const device = await kept(bench);
      for (const event of events) {
        const body = text(
          JSON.stringify(
            device.request({ events: [device.event([], event), device.event([create(`b${device.seq}`)])] }),
          ),
        );
        const answer = await device.caller.ask("/v1/exchange", { body });
        must(
          answer.status === 200,
          `the request as a whole is refused with ${answer.status}: ${answer.text.slice(0, 200)}`,
        );
        const { spaces } = JSON.parse(answer.text) as {
          spaces: { outcomes?: { status: string; code?: string }[] }[];
        };
        const [bad, good] = spaces[0]?.outcomes ?? [];
        must(
          bad?.status === "rejected" && codes.includes(bad.code ?? ""),
          `${JSON.stringify(event).slice(0, 200)} has the outcome ${JSON.stringify(bad)?.slice(0, 200)}`,
        );
        same("the status of the event beside it", good?.status, "applied");
      }
      await nothingLost(device);
    },
  };
}

const onKey = { op: "create", domain, key: "x" };
const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);

/** Bad input: each with its code, and nothing lost. */
export const requestChecks: readonly Check[] = [
  refusedBodies("no-json", "A body that is not JSON", "bad_json", () => [
    "{",
    "NaN",
    '{"protocol":NaN}',
    "{'a':1}",
    Buffer.from([0x22, 0xff, 0x22]),
  ]),
  refusedBodies(
    "shape",
    "A body of another shape, or with a member that is not declared",
    "invalid_request",
    () => [
      "[]",
      "null",
      "7",
      '{"protocol":1,"device":7,"spaces":[]}',
      '{"protocol":1,"device":"d"}',
      '{"protocol":1,"device":"d","spaces":{}}',
      '{"protocol":1,"device":"d","spaces":[],"surprise":1}',
      '{"protocol":1,"device":"d","spaces":[],"limit":0}',
      '{"protocol":1,"device":"a/b","spaces":[]}',
    ],
  ),
  refusedBodies("nesting", "A body that nests too deeply", "invalid_request", () => [
    "[".repeat(200_000) + "]".repeat(200_000),
    '{"a":'.repeat(50_000) + "1" + "}".repeat(50_000),
  ]),
  refusedBodies("prototype", "A body with members that reach a prototype", "invalid_request", (device) => [
    '{"protocol":1,"device":"d","spaces":[],"__proto__":{"x":1}}',
    JSON.stringify(device.request()).replace('"cursors":{}', '"cursors":{"__proto__":0}'),
    JSON.stringify(device.request()).replace('"cursors":{}', '"cursors":{"constructor":0}'),
  ]),
  refusedBodies(
    "cursors",
    "A cursor that is negative, fractional, too large or no number",
    "invalid_request",
    (device) =>
      ["-1", "1.5", '"1"', "9007199254740993", "1e400", "null"].map((cursor) =>
        JSON.stringify(device.request()).replace('"cursors":{}', `"cursors":{"${domain}":${cursor}}`),
      ),
  ),
  refusedBodies("protocol", "A request of another protocol version", "protocol_unsupported", (device) =>
    [0, 2, 99].map((protocol) => JSON.stringify(device.request({}, { protocol }))),
  ),
  refusedBodies("spaces-twice", "A request that names a space twice", "invalid_request", (device) => {
    const request = device.request() as { spaces: unknown[] };
    return [JSON.stringify({ ...request, spaces: [...request.spaces, ...request.spaces] })];
  }),
  {
    id: "bad/identity",
    rule: "The exchange",
    asks: "An event without a sound id and seq could get no outcome of its own: it is the space's error `invalid_space`, and nothing of the space's request is handled.",
    async run(bench) {
      const device = await kept(bench);
      const good = device.event([create("good")]);
      for (const bad of [
        null,
        {},
        { seq: 3 },
        { id: good.id },
        { id: "x", seq: 3 },
        { id: good.id.toUpperCase(), seq: 3 },
        { id: good.id, seq: 0 },
        { id: good.id, seq: "3" },
      ])
        await device.failing("invalid_space", { events: [good, bad] });
      device.seq -= 1;
      await nothingLost(device);
    },
  },
  {
    id: "bad/too-many-events",
    rule: "Limits",
    asks: "More events than `/v1/info` allows are refused as `too_large`, and as many as it allows are taken.",
    async run(bench) {
      const device = await kept(bench);
      const { limits } = await bench.first.get(infoAnswer, 200, "/v1/info");
      const events = Array.from({ length: limits.maxEventsPerRequest }, (_, i) =>
        device.event([create(`k${i}`)]),
      );
      const extra = device.event([create("extra")]);
      await device.caller.refused("too_large", "/v1/exchange", {
        json: device.request({ events: [...events, extra] }),
      });
      for (const outcome of await device.send(...events)) appliedIndex(outcome);
      device.seq -= 1;
      await nothingLost(device);
    },
  },
  {
    id: "bad/too-many-bytes",
    rule: "Limits",
    asks: "A body larger than `/v1/info` allows is refused as `too_large`.",
    async run(bench) {
      const device = await kept(bench);
      const { limits } = await bench.first.get(infoAnswer, 200, "/v1/info");
      const body = JSON.stringify(device.request()) + " ".repeat(limits.maxBodyBytes);
      await device.caller.refused("too_large", "/v1/exchange", { body });
      await nothingLost(device);
    },
  },
  rejectedEvents(
    "op",
    "An unknown op, or one without what it needs",
    ["invalid"],
    [
      { ops: [{ op: "explode", domain, key: "x" }] },
      { ops: [{ op: "create", domain, key: "x" }] },
      { ops: [{ ...onKey, set: [] }] },
      { ops: [{ ...onKey, set: {}, surprise: 1 }] },
      { ops: [{ op: "update", domain, key: "kept", set: 7 }] },
      { ops: [{ op: "increment", domain, key: "kept", by: { n: "1" } }] },
      { ops: [{ op: "add", domain, key: "kept", values: { s: [[]] } }] },
      { ops: [{ op: "deleteMany", domain, upTo: -1 }] },
      { ops: {} },
      { ops: undefined },
    ],
  ),
  rejectedEvents(
    "names",
    "Names that are no identifiers, or that reach a prototype",
    ["invalid"],
    [
      ...["", ".", "a/b", "é", "x".repeat(129), "__proto__", "constructor", 7].map((key) => ({
        ops: [{ op: "create", domain, key, set: {} }],
      })),
      { ops: [{ op: "create", domain: "a b", key: "x", set: {} }] },
      { ops: [{ ...onKey, set: { "a b": 1 } }] },
      { ops: [{ ...onKey, set: { "*": 1 } }] },
      { ops: [{ ...onKey, set: { constructor: 1 } }] },
      { ops: [{ ...onKey, set: { a: { prototype: 1 } } }] },
    ],
  ),
  rejectedEvents(
    "values",
    "Values that are no JSON of ours: lone surrogates, 1e400, `__proto__` inside",
    ["invalid"],
    [
      { ops: [{ ...onKey, set: { a: "\ud800" } }] },
      { ops: [{ ...onKey, set: { a: "HUGE" } }] },
      { ops: [{ ...onKey, set: { a: "PROTO" } }] },
    ],
    (body) => body.replace('"HUGE"', "1e400").replace('"PROTO"', '{"__proto__":{"x":1}}'),
  ),
  rejectedEvents(
    "depth",
    "A value that nests too deeply",
    ["invalid"],
    [{ ops: [{ ...onKey, set: { a: deep(40) } }] }, { ops: undefined, action: "any", args: deep(40) }],
  ),
  rejectedEvents(
    "record-size",
    "A record that is too large",
    ["invalid", "too_large"],
    [
      { ops: [{ ...onKey, set: { a: "x".repeat(300_000) } }] },
      { ops: [{ ...onKey, set: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`f${i}`, 1])) }] },
    ],
  ),
  rejectedEvents(
    "expect",
    "Expectations that are none",
    ["invalid"],
    [
      { ops: [{ ...onKey, set: {} }], expect: [[domain, "x"]] },
      { ops: [{ ...onKey, set: {} }], expect: [[domain, "x", -1]] },
      { ops: [{ ...onKey, set: {} }], expect: [[domain, "x", { seq: 0 }]] },
    ],
  ),
  {
    id: "bad/fields-in-all",
    rule: "Limits",
    asks: "A record has at most 256 fields, those that were unset included: what would make more is rejected as `too_large`.",
    async run(bench) {
      const device = await kept(bench);
      const fields = (from: number): object =>
        Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`f${from + i}`, 1]));
      await device.apply({ op: "create", domain, key: "wide", set: fields(0) });
      rejectedAs("too_large", await device.write({ op: "update", domain, key: "wide", set: fields(200) }));
      await nothingLost(device);
    },
  },
  {
    id: "bad/media-type",
    rule,
    asks: "A body that is not declared as JSON, or that is encoded, is refused as `unsupported_media_type`.",
    async run(bench) {
      const device = await kept(bench);
      const json = device.request();
      const wrong: readonly { readonly [name: string]: string }[] = [
        { "content-type": "text/plain" },
        { "content-type": "application/x-www-form-urlencoded" },
        { "content-type": "application/json; charset=latin1" },
        { "content-encoding": "gzip" },
      ];
      for (const headers of wrong)
        await device.caller.refused("unsupported_media_type", "/v1/exchange", { json, headers });
      const fine = { "content-type": "application/json; charset=utf-8" };
      same(
        "the status of JSON",
        (await device.caller.ask("/v1/exchange", { json, headers: fine })).status,
        200,
      );
    },
  },
  {
    id: "bad/accept",
    rule,
    asks: "Who accepts neither JSON nor lines is refused as `not_acceptable`.",
    async run(bench) {
      const device = await kept(bench);
      const headers = { accept: "text/html" };
      await device.caller.refused("not_acceptable", "/v1/exchange", { json: device.request(), headers });
    },
  },
  {
    id: "bad/method",
    rule,
    asks: "Another method is `method_not_allowed`, with the methods that there are in `Allow`.",
    async run(bench) {
      const answer = await bench.first.ask("/v1/exchange");
      problem("method_not_allowed", "GET /v1/exchange", answer);
      must(/\bPOST\b/.test(answer.headers.get("allow") ?? ""), `Allow says ${answer.headers.get("allow")}`);
    },
  },
  {
    id: "bad/address",
    rule,
    asks: "An address that there is not is `not_found`.",
    async run(bench) {
      for (const path of [
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/v1/exchange/",
        "/V1/exchange",
        "/v1/spaces//rows",
        "/v1/spaces/%ff/rows",
      ])
        await bench.first.refused("not_found", path);
    },
  },
  {
    id: "token/none",
    rule,
    asks: "Without a token, or with one that is nonsense, every address is `unauthorized`, with a challenge.",
    async run(bench) {
      const { space } = await bench.space();
      for (const token of ["", "nonsense", "a.b.c"]) {
        for (const path of [
          "/v1/info",
          "/v1/spaces",
          `/v1/spaces/${space}/members`,
          `/v1/spaces/${space}/rows?domain=${domain}`,
        ]) {
          const answer = await bench.first.ask(path, { token });
          problem("unauthorized", path, answer);
          must(answer.headers.get("www-authenticate") !== null, "a 401 comes without a challenge");
        }
        await bench.first.refused("unauthorized", "/v1/exchange", { token, json: {} });
        await bench.first.refused("unauthorized", `/v1/spaces/${space}`, { token, method: "DELETE" });
      }
    },
  },
  {
    id: "token/forged",
    rule,
    asks: "A token of nobody's making is `unauthorized`: `alg: none`, or a signature by a key of the caller's own.",
    async run(bench) {
      const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
      const claims = part({ sub: bench.first.user, exp: Math.floor(bench.nowMs() / 1_000) + 3_600 });
      const signed = `${part({ alg: "HS256", typ: "JWT" })}.${claims}`;
      const signature = createHmac("sha256", "a key that the server does not have")
        .update(signed)
        .digest("base64url");
      for (const token of [
        `${part({ alg: "none" })}.${claims}.`,
        `${part({ alg: "None" })}.${claims}.`,
        `${signed}.${signature}`,
        `${signed}.`,
      ])
        await bench.first.refused("unauthorized", "/v1/info", { token });
    },
  },
];
