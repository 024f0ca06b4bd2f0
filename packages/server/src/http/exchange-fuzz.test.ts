import fc from "fast-check";
import { codes, decode, exchangeAnswer, problemDecoder, randomUuid } from "@landfall/protocol";
import { expect, test } from "vitest";
import { systemRandom } from "../platform.js";
import { startTestServer } from "../testing.js";

let stamps = 0;
const stamp = () =>
  `01900000-${(stamps++ % 65_536).toString(16).padStart(4, "0")}-7000-8${randomUuid(systemRandom).slice(20)}`;

/** Values that are right, nearly right, and wrong in every way that JSON has. */
const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<unknown>(
    "__proto__",
    "constructor",
    "*",
    "\ud800",
    "",
    "x".repeat(129),
    -1,
    0,
    0.5,
    2 ** 53,
    null,
    [],
    {},
  ),
);
/** Right but for once in a while: where everything may be wrong, nothing gets past the first check. */
const mostly = (right: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 25, arbitrary: right }, { weight: 1, arbitrary: odd });
const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("project", "k1", "k2", "name", "tags") },
  { weight: 1, arbitrary: odd },
);
const number = fc.oneof({ weight: 4, arbitrary: fc.nat(12) }, { weight: 1, arbitrary: odd });
const fields = fc.oneof(
  { weight: 4, arbitrary: fc.dictionary(fc.constantFrom("name", "n", "__proto__", "tags"), fc.jsonValue()) },
  { weight: 1, arbitrary: odd },
);
const noise = fc.record(
  {
    op: fc.oneof(
      {
        weight: 8,
        arbitrary: fc.constantFrom(
          "create",
          "put",
          "update",
          "increment",
          "add",
          "remove",
          "delete",
          "restore",
          "deleteMany",
        ),
      },
      { weight: 1, arbitrary: odd },
    ),
    domain: name,
    key: name,
    set: fields,
    unset: fc.oneof(fc.array(name, { maxLength: 3 }), odd),
    by: fields,
    values: fields,
    keys: fc.array(name, { maxLength: 3 }),
    upTo: number,
  },
  { requiredKeys: ["op", "domain"] },
);
const sound = {
  domain: fc.constant("project"),
  key: fc.constantFrom("k1", "k2", "k3"),
  set: fc.dictionary(fc.constantFrom("name", "n"), fc.jsonValue()),
};
const op = fc.oneof(
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom("create", "put", "update"), ...sound }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("delete"), domain: sound.domain, key: sound.key }) },
  { weight: 1, arbitrary: noise },
);
const event = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record(
      {
        id: mostly(fc.constant("fresh")),
        seq: mostly(fc.constant("next")),
        schema: mostly(fc.constant(undefined)),
        ops: fc.oneof(
          { weight: 6, arbitrary: fc.array(op, { maxLength: 4 }) },
          { weight: 1, arbitrary: odd },
        ),
        action: mostly(fc.constant(undefined)),
        args: mostly(fc.constant(undefined)),
        void: mostly(fc.constant(undefined)),
        expect: mostly(fc.array(fc.tuple(name, name, number), { maxLength: 1 })),
        was: mostly(fc.constant(undefined)),
      },
      { requiredKeys: ["id", "seq", "ops"] },
    ),
  },
  { weight: 1, arbitrary: odd },
);
const spacePart = (space: string) =>
  fc.record(
    {
      space: mostly(fc.constant(space)),
      generation: mostly(fc.constant(undefined)),
      acked: mostly(fc.constant(0)),
      cursors: mostly(fc.dictionary(fc.constantFrom("project", "other"), fc.constant(0))),
      scan: mostly(fc.dictionary(fc.constantFrom("project"), fc.nat(3))),
      events: mostly(fc.array(event, { maxLength: 4 })),
      known: mostly(
        fc.array(fc.tuple(fc.constant("project"), fc.constantFrom("k1", "k2"), fc.nat(3)), { maxLength: 3 }),
      ),
    },
    { requiredKeys: ["space", "cursors"] },
  );

test("whatever the body is, the answer is one of ours, nobody else's record changes, and the server lives", async () => {
  const failures: unknown[] = [];
  const quiet = () => undefined;
  const server = await startTestServer({
    logger: {
      debug: quiet,
      info: quiet,
      warn: quiet,
      error: (message, fields) => failures.push([message, fields]),
    },
  });
  const send = (body: string, accept: string) =>
    fetch(`${server.url}/v1/exchange`, {
      method: "POST",
      body,
      headers: { authorization: "Bearer dev:ann", "content-type": "application/json", accept },
    });
  const make = async () =>
    (
      (await (
        await fetch(`${server.url}/v1/spaces`, {
          method: "POST",
          body: "{}",
          headers: { authorization: "Bearer dev:ann", "content-type": "application/json" },
        })
      ).json()) as { space: string }
    ).space;
  const [kept, target] = [await make(), await make()];
  await send(
    JSON.stringify({
      protocol: 1,
      device: "d",
      spaces: [
        {
          space: kept,
          cursors: {},
          events: [
            {
              id: stamp(),
              seq: 1,
              ops: [{ op: "create", domain: "project", key: "k1", set: { name: "kept" } }],
            },
          ],
        },
      ],
    }),
    "*/*",
  );
  let accepted = 0;
  let lastSeq = 0;
  /** The body as text, with the seq that the server waits for, and ids of its own for its events. */
  const text = (body: unknown) => {
    let seq = lastSeq;
    return JSON.stringify(body, (_name, value: unknown) =>
      value === "next" ? (seq += 1) : value === "fresh" ? stamp() : value,
    );
  };
  const request = fc.record(
    {
      protocol: mostly(fc.constant(1)),
      device: mostly(fc.constant("d1")),
      limit: mostly(fc.integer({ min: 1, max: 5 })),
      spaces: fc.array(spacePart(target), { minLength: 1, maxLength: 2 }),
    },
    { requiredKeys: ["protocol", "device", "spaces"] },
  );
  await fc.assert(
    fc.asyncProperty(request, fc.boolean(), async (body, streamed) => {
      const answer = await send(text(body), streamed ? "application/x-ndjson" : "application/json");
      const answered = await answer.text();
      if (answer.status === 200) {
        accepted += 1;
        if (streamed) expect(answered.endsWith('{"type":"done"}\n')).toBe(true);
        else expect(decode(exchangeAnswer, JSON.parse(answered))).toMatchObject({ ok: true });
        for (const [, seq] of answered.matchAll(/"lastSeq":(\d+)/g)) lastSeq = Number(seq);
        return;
      }
      const problem = decode(problemDecoder, JSON.parse(answered));
      expect(problem).toMatchObject({ ok: true, value: { status: answer.status } });
      expect(answer.status).toBeLessThan(500);
      if (problem.ok) expect(Object.keys(codes)).toContain(problem.value.code);
    }),
    { numRuns: 600 },
  );
  expect(accepted).toBeGreaterThan(150);
  const { applied = 0, rejected = 0 } = server.server.stats().events;
  expect(Math.min(applied, rejected)).toBeGreaterThan(5);
  expect(failures).toEqual([]);
  const rows = await fetch(`${server.url}/v1/spaces/${kept}/rows?domain=project`, {
    headers: { authorization: "Bearer dev:ann" },
  });
  expect(await rows.json()).toMatchObject({ head: 1, rows: [{ key: "k1", fields: { name: "kept" } }] });
  await server.close();
});
