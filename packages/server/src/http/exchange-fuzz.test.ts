import fc from "fast-check";
import { codes, decode, exchangeAnswer, problemDecoder, randomUuid } from "@landfall/protocol";
import { expect, test } from "vitest";
import { systemRandom } from "../platform.js";
import { startTestServer } from "../testing.js";

const uuid = () => randomUuid(systemRandom);
const stamps = Array.from({ length: 8 }, (_, i) => `0190000${i}-0000-7000-8${uuid().slice(20)}`);

/** Values that are right, nearly right, and wrong in every way that JSON has. */
const odd = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom<unknown>("__proto__", "constructor", "*", "\ud800", "", "x".repeat(129), -1, 0, 0.5, 2 ** 53, null, [], {}));
/** Right but for once in a while: where everything may be wrong, nothing gets past the first check. */
const mostly = (right: fc.Arbitrary<unknown>) => fc.oneof({ weight: 25, arbitrary: right }, { weight: 1, arbitrary: odd });
const name = fc.oneof({ weight: 6, arbitrary: fc.constantFrom("project", "k1", "k2", "name", "tags") }, { weight: 1, arbitrary: odd });
const number = fc.oneof({ weight: 4, arbitrary: fc.nat(12) }, { weight: 1, arbitrary: odd });
const fields = fc.oneof({ weight: 4, arbitrary: fc.dictionary(fc.constantFrom("name", "n", "__proto__", "tags"), fc.jsonValue()) }, { weight: 1, arbitrary: odd });
const op = fc.record(
  {
    op: fc.oneof({ weight: 8, arbitrary: fc.constantFrom("create", "put", "update", "increment", "add", "remove", "delete", "restore", "deleteMany") }, { weight: 1, arbitrary: odd }),
    domain: name, key: name, set: fields, unset: fc.oneof(fc.array(name, { maxLength: 3 }), odd), by: fields, values: fields, keys: fc.array(name, { maxLength: 3 }), upTo: number,
  },
  { requiredKeys: ["op", "domain"] },
);
const event = fc.oneof(
  { weight: 6, arbitrary: fc.record(
    {
      id: fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...stamps) }, { weight: 1, arbitrary: odd }), seq: number, schema: number,
      ops: fc.oneof({ weight: 6, arbitrary: fc.array(op, { maxLength: 4 }) }, { weight: 1, arbitrary: odd }), action: name, args: odd, void: fc.constantFrom<unknown>(true, false, 1),
      expect: fc.oneof(fc.array(fc.tuple(name, name, number), { maxLength: 2 }), odd), was: fc.oneof(fc.record({ device: name, seq: number }), odd),
    },
    { requiredKeys: ["id", "seq"] },
  ) },
  { weight: 1, arbitrary: odd },
);
const spacePart = (space: string) =>
  fc.record(
    {
      space: mostly(fc.constant(space)),
      generation: mostly(fc.constant(undefined)),
      acked: mostly(fc.constant(0)),
      cursors: mostly(fc.dictionary(fc.constantFrom("project", "other"), fc.nat(3))),
      scan: mostly(fc.dictionary(fc.constantFrom("project"), fc.nat(3))),
      events: mostly(fc.array(event, { maxLength: 4 })),
      known: mostly(fc.array(fc.tuple(fc.constant("project"), fc.constantFrom("k1", "k2"), fc.nat(3)), { maxLength: 3 })),
    },
    { requiredKeys: ["space", "cursors"] },
  );

test("whatever the body is, the answer is one of ours, nobody else's record changes, and the server lives", { timeout: 120_000 }, async () => {
  const failures: unknown[] = [];
  const quiet = () => undefined;
  const server = await startTestServer({ logger: { debug: quiet, info: quiet, warn: quiet, error: (message, fields) => failures.push([message, fields]) } });
  const send = (body: string, accept: string) =>
    fetch(`${server.url}/v1/exchange`, { method: "POST", body, headers: { authorization: "Bearer dev:ann", "content-type": "application/json", accept } });
  const make = async () => ((await (await fetch(`${server.url}/v1/spaces`, { method: "POST", body: "{}", headers: { authorization: "Bearer dev:ann", "content-type": "application/json" } })).json()) as { space: string }).space;
  const [kept, target] = [await make(), await make()];
  await send(JSON.stringify({ protocol: 1, device: "d", spaces: [{ space: kept, cursors: {}, events: [{ id: stamps[0], seq: 1, ops: [{ op: "create", domain: "project", key: "k1", set: { name: "kept" } }] }] }] }), "*/*");
  let answered = 0;
  const request = fc.record(
    { protocol: mostly(fc.constant(1)), device: mostly(fc.constantFrom("d1", "d2")), limit: mostly(fc.integer({ min: 1, max: 5 })), spaces: fc.array(spacePart(target), { minLength: 1, maxLength: 2 }) },
    { requiredKeys: ["protocol", "device", "spaces"] },
  );
  await fc.assert(
    fc.asyncProperty(request, fc.boolean(), async (body, streamed) => {
      const answer = await send(JSON.stringify(body), streamed ? "application/x-ndjson" : "application/json");
      const text = await answer.text();
      if (answer.status === 200) {
        answered += 1;
        if (streamed) expect(text.endsWith('{"type":"done"}\n')).toBe(true);
        else expect(decode(exchangeAnswer, JSON.parse(text))).toMatchObject({ ok: true });
        return;
      }
      const problem = decode(problemDecoder, JSON.parse(text));
      expect(problem).toMatchObject({ ok: true, value: { status: answer.status } });
      expect(answer.status).toBeLessThan(500);
      if (problem.ok) expect(Object.keys(codes)).toContain(problem.value.code);
    }),
    { numRuns: 600 },
  );
  expect(answered).toBeGreaterThan(150);
  const { applied = 0, rejected = 0 } = server.server.stats().events;
  expect(Math.min(applied, rejected)).toBeGreaterThan(3);
  expect(failures).toEqual([]);
  const rows = await fetch(`${server.url}/v1/spaces/${kept}/rows?domain=project`, { headers: { authorization: "Bearer dev:ann" } });
  expect(await rows.json()).toMatchObject({ head: 1, rows: [{ key: "k1", fields: { name: "kept" } }] });
  await server.close();
});
