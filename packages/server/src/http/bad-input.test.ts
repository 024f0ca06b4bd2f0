import type { codes } from "@landfall/protocol";
import { beforeAll, describe, expect, test } from "vitest";
import {
  ask,
  create,
  exchange,
  newSpace,
  post,
  problem,
  stamp,
  useServer,
} from "./http-caller.test.fixture.js";

useServer();

describe("bad input, each with its code and nothing lost (DESIGN §13)", () => {
  let space = "";
  let seq = 0;
  const raw = (body: BodyInit, headers: Record<string, string> = { "content-type": "application/json" }) =>
    ask("/v1/exchange", { method: "POST", body, headers, duplex: "half" } as Parameters<typeof ask>[1]);

  beforeAll(async () => {
    space = await newSpace();
    await post(exchange(space, { events: [create(++seq, "kept")] }));
  });

  /** After whatever was refused, the record is there, and the next seq is still the next. */
  async function nothingLost(): Promise<void> {
    const { body } = await post(exchange(space, { events: [create(++seq, `after-${seq}`)] }));
    expect(body).toMatchObject({ spaces: [{ lastSeq: seq, outcomes: [{ status: "applied" }] }] });
    expect((await ask(`/v1/spaces/${space}/rows?domain=project&keys=kept`)).body).toMatchObject({
      rows: [{ key: "kept", version: 1 }],
    });
  }

  test.each<[string, BodyInit, keyof typeof codes]>([
    ["not JSON", "{", "bad_json"],
    ["nothing", "", "bad_json"],
    ["NaN", '{"protocol":NaN}', "bad_json"],
    ["no UTF-8", new Uint8Array([0x22, 0xff, 0x22]), "bad_json"],
    ["a list", "[]", "invalid_request"],
    ["null", "null", "invalid_request"],
    ["deep nesting", "[".repeat(500_000) + "]".repeat(500_000), "invalid_request"],
    ["deep objects", '{"a":'.repeat(100_000) + "1" + "}".repeat(100_000), "invalid_request"],
    ["another protocol", '{"protocol":2,"device":"d","spaces":[]}', "protocol_unsupported"],
    ["wrong types", '{"protocol":1,"device":7,"spaces":[]}', "invalid_request"],
    ["an unknown member", '{"protocol":1,"device":"d","spaces":[],"extra":1}', "invalid_request"],
    ["__proto__", '{"protocol":1,"device":"d","spaces":[],"__proto__":{"x":1}}', "invalid_request"],
    ["a body too large", `{"protocol":1,"device":"${"d".repeat(1_200_000)}","spaces":[]}`, "too_large"],
  ])("a body that is %s", async (_name, body, code) => {
    problem(await raw(body), code);
    await nothingLost();
  });

  test.each<[string, object]>([
    ["a negative cursor", { cursors: { project: -1 } }],
    ["a fractional cursor", { cursors: { project: 1.5 } }],
    ["a cursor that is text", { cursors: { project: "1" } }],
    ["a cursor of a domain that cannot be", { cursors: { "a b": 1 } }],
    ["a cursor named constructor", { cursors: { constructor: 1 } }],
    ["a space that cannot be", { space: "a/b" }],
    ["a limit of zero", {}],
  ])("a request with %s is named in the refusal", async (name, part) => {
    const answer = await post(exchange(space, part, name === "a limit of zero" ? { limit: 0 } : {}));
    problem(answer, "invalid_request");
    expect(answer.body["detail"]).toMatch(/spaces\[0\]|limit/);
    await nothingLost();
  });

  test("more events than are taken at a time", async () => {
    problem(
      await post(
        exchange(space, { events: Array.from({ length: 501 }, (_, i) => create(seq + 1 + i, `k${i}`)) }),
      ),
      "too_large",
    );
    await nothingLost();
  });

  const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
  test.each<[string, object, string]>([
    ["an unknown op", { ops: [{ op: "explode", domain: "project", key: "x" }] }, "invalid"],
    ["no ops at all", {}, "invalid"],
    [
      "an unknown domain",
      { ops: [{ op: "create", domain: "nowhere", key: "x", set: {} }] },
      "unknown_domain",
    ],
    ["an unknown action", { action: "nothing", args: {} }, "unknown_action"],
    ["a key too long", { ops: [{ op: "delete", domain: "project", key: "x".repeat(129) }] }, "invalid"],
    ["a key named __proto__", { ops: [{ op: "delete", domain: "project", key: "__proto__" }] }, "invalid"],
    [
      "a field of a wrong type",
      { ops: [{ op: "create", domain: "project", key: "x", set: { name: 7 } }] },
      "invalid",
    ],
    [
      "a field too large",
      { ops: [{ op: "create", domain: "project", key: "x", set: { name: "x".repeat(300_000) } }] },
      "invalid|too_large",
    ],
    ["deep nesting", { action: "nothing", args: deep(40) }, "invalid"],
    [
      "a lone surrogate",
      { ops: [{ op: "create", domain: "project", key: "x", set: { name: "\ud800" } }] },
      "invalid",
    ],
  ])("an event with %s is rejected alone", async (_name, event, code) => {
    const bad = { id: stamp(), seq: ++seq, schema: 1, ...event };
    const { body } = await post(exchange(space, { events: [bad, create(++seq, `beside-${seq}`)] }));
    expect(body).toMatchObject({
      spaces: [
        {
          outcomes: [
            { status: "rejected", code: expect.stringMatching(new RegExp(`^(${code})$`)) },
            { status: "applied" },
          ],
        },
      ],
    });
    await nothingLost();
  });

  test.each([
    ["1e400", '{"name":"x","n":1e400}'],
    ["a field named __proto__", '{"name":"x","__proto__":{"polluted":1}}'],
    ["a field named constructor", '{"name":"x","constructor":1}'],
  ])("a record with %s is rejected alone", async (_name, set) => {
    const text = JSON.stringify(exchange(space, { events: [create(++seq, "x", { marker: true })] })).replace(
      '{"marker":true}',
      set,
    );
    expect((await raw(text)).body).toMatchObject({
      spaces: [{ outcomes: [{ status: "rejected", code: "invalid" }] }],
    });
    expect(({} as Record<string, unknown>)["polluted"]).toBe(undefined);
    await nothingLost();
  });

  test("a cursor beyond the head, a foreign generation and a gap in seq are the space's errors", async () => {
    const { body } = await post(exchange(space, {}));
    const { head, generation, lastSeq } = (
      body["spaces"] as { head: number; generation: string; lastSeq: number }[]
    )[0] as { head: number; generation: string; lastSeq: number };
    expect((await post(exchange(space, { generation, cursors: { project: head + 1 } }))).body).toMatchObject({
      spaces: [{ space, error: { code: "cursor_ahead", head } }],
    });
    expect((await post(exchange(space, { generation: "foreign" }))).body).toMatchObject({
      spaces: [{ space, error: { code: "generation_changed", generation } }],
    });
    expect(
      (await post(exchange(space, { generation, events: [create(lastSeq + 2, "gap")] }))).body,
    ).toMatchObject({ spaces: [{ space, error: { code: "seq_gap", expected: lastSeq + 1 } }] });
    await nothingLost();
  });

  test("media types, encodings, methods and addresses", async () => {
    const good = JSON.stringify(exchange(space, {}));
    problem(await raw(good, { "content-type": "text/plain" }), "unsupported_media_type");
    problem(
      await raw(good, { "content-type": "application/x-www-form-urlencoded" }),
      "unsupported_media_type",
    );
    problem(
      await raw(good, { "content-type": "application/json", "content-encoding": "gzip" }),
      "unsupported_media_type",
    );
    problem(
      await raw(good, { "content-type": "application/json; charset=latin1" }),
      "unsupported_media_type",
    );
    expect((await raw(good, { "content-type": "application/json; charset=utf-8" })).status).toBe(200);
    problem(await raw(good, { "content-type": "application/json", accept: "text/html" }), "not_acceptable");
    const wrong = await ask("/v1/exchange");
    problem(wrong, "method_not_allowed");
    expect(wrong.headers.get("allow")).toBe("POST, OPTIONS");
    for (const path of [
      "/",
      "/v1",
      "/v1/",
      "/v1/nothing",
      "/v1/exchange/",
      "/V1/exchange",
      `/v1/spaces/${space}/rows/x`,
      "/v1/spaces//rows",
      "/%",
      "/v1/spaces/%ff/rows",
    ]) {
      problem(await ask(path), "not_found");
    }
    problem(await ask("/v1/socket"), "invalid_request");
    await nothingLost();
  });

  test("no token, a bad one, and one of nobody", async () => {
    for (const authorization of [
      "",
      "Bearer",
      "Basic abc",
      "Bearer nonsense",
      "Bearer dev:",
      `Bearer dev:${"x".repeat(257)}`,
    ]) {
      const answer = await ask("/v1/exchange", {
        method: "POST",
        user: "",
        json: exchange(space, {}),
        headers: authorization === "" ? {} : { authorization },
      });
      problem(answer, "unauthorized");
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    }
  });
});
