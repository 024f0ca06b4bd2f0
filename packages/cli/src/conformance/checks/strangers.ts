import { spacesAnswer, infoAnswer } from "@landfall/protocol";
import { domain } from "../bench.js";
import type { Answer, Asked, Caller } from "../caller.js";
import { type Check, must, same } from "../check.js";
import { Device } from "../device.js";
import { unguessable } from "../stamps.js";
import { create } from "../written-ops.js";

const rule = "The exchange";

/** Headers that differ from answer to answer whatever was asked. */
const ofTheMoment = new Set(["date", "content-length"]);

/** An answer with the name of the space taken out: all that a stranger could learn from it. */
function learned(answer: Answer, space: string): unknown {
  const headers = [...answer.headers]
    .filter(([name]) => !ofTheMoment.has(name))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  const text = answer.text.replaceAll(space, "SPACE").replace(/"time":\d+/g, '"time":0');
  return [answer.status, headers, text];
}

/** What a stranger may ask about a space, right and wrong. */
function questions(space: string, user: string): readonly (readonly [path: string, asked: Asked])[] {
  const at = `/v1/spaces/${space}`;
  const ask = (part: object, headers: { readonly [name: string]: string } = {}): readonly [string, Asked] => [
    "/v1/exchange",
    { json: { protocol: 1, device: "stranger", spaces: [{ space, cursors: {}, ...part }] }, headers },
  ];
  const id = "018f0000-0000-7000-8000-000000000001";
  const event = { id, seq: 1, ops: [create("x")] };
  return [
    ask({}),
    ask({ cursors: { [domain]: 0 } }),
    ask({ events: [event] }),
    ask({ events: [{ ...event, seq: 9 }] }),
    ask({ events: [{ ...event, ops: "wrong" }] }),
    ask({ generation: "g", cursors: { [domain]: 99 } }),
    ask({ cursors: { [domain]: 0 } }, { accept: "application/x-ndjson" }),
    ["/v1/reconcile", { json: { protocol: 1, space, generation: "g", domain, upTo: 0, frame: "AAA" } }],
    ["/v1/reconcile", { json: { protocol: 1, space, generation: "g", domain, upTo: 9, frame: "AA" } }],
    [`${at}/rows?domain=${domain}`, {}],
    [`${at}/rows?domain=${domain}&since=99`, {}],
    [`${at}/rows?wrong=1`, {}],
    [`${at}/rows?domain=${domain}`, { headers: { accept: "text/html" } }],
    [`${at}/members`, {}],
    [`${at}/members/${encodeURIComponent(user)}`, { method: "PUT", json: { role: "owner" } }],
    [`${at}/members/${encodeURIComponent(user)}`, { method: "PUT", json: { role: "wrong" } }],
    [`${at}/members/${encodeURIComponent(user)}`, { method: "DELETE" }],
    [at, { method: "DELETE" }],
    [at, {}],
  ];
}

async function learn(caller: Caller, space: string): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  for (const [path, asked] of questions(space, caller.user))
    found.push(learned(await caller.ask(path, asked), space));
  return found;
}

/** What somebody who is not a member of a space can learn of it: nothing. */
export const strangerChecks: readonly Check[] = [
  {
    id: "stranger/indistinguishable",
    rule,
    asks: "To a stranger every address of a space that exists answers exactly as that of one that does not: status, headers, body.",
    async run(bench) {
      const device = await bench.device();
      await device.apply(create("secret"));
      const none = unguessable("conformance");
      const [there, absent] = [await learn(bench.second, device.space), await learn(bench.second, none)];
      const asked = questions(device.space, bench.second.user);
      for (const [at, [path, { method = "GET" }]] of asked.entries())
        same(`what a stranger learns from ${method} ${path}`, there[at], absent[at]);
      same(
        "the owner's rows",
        (await device.rows(domain)).map(({ key }) => key),
        ["secret"],
      );
    },
  },
  {
    id: "stranger/refused",
    rule,
    asks: "A stranger's exchange gets `not_found` for the space, and its events are not handled.",
    async run(bench) {
      const device = await bench.device();
      const stranger = new Device(bench.second, device.space, undefined, bench.nowMs);
      await stranger.failing("not_found", {
        events: [stranger.event([create("x")])],
        cursors: { [domain]: 0 },
      });
      same("the owner's rows", await device.rows(domain), []);
    },
  },
  {
    id: "stranger/lists",
    rule: "Other endpoints",
    asks: "A space is in nobody's lists but its members'.",
    async run(bench) {
      const { space } = await bench.space();
      const { spaces } = await bench.second.get(spacesAnswer, 200, "/v1/spaces");
      must(
        spaces.every((mine) => mine.space !== space),
        "the space is in a stranger's list",
      );
      const info = await bench.second.get(infoAnswer, 200, "/v1/info");
      must(!Object.hasOwn(info.spaces, space), "the space is in a stranger's info");
    },
  },
  {
    id: "stranger/socket",
    rule: "The socket",
    asks: "A stranger who watches a space hears of it as little as of one that does not exist, when it is written to as well.",
    async run(bench) {
      const device = await bench.device();
      const socket = await bench.welcomed(bench.second, "stranger");
      const mine = new Device(bench.second, unguessable("conformance"), undefined, bench.nowMs);
      socket.send({ type: "watch", spaces: { [device.space]: [domain], [mine.space]: [domain] } });
      for (let i = 0; i < 3; i++) await device.apply(create(`k${i}`));
      const heard = await socket.first(
        (message) => JSON.stringify(message).includes(device.space),
        bench.patience.quietMs,
      );
      must(heard === undefined, `the stranger heard ${JSON.stringify(heard)}`);
    },
  },
];
