import { request as nodeRequest } from "node:http";
import { connect } from "node:net";
import { decode, exchangeAnswer, infoAnswer, rowsAnswer, streamLine } from "@landfall/protocol";
import { describe, expect, test } from "vitest";
import { startTestServer } from "../testing.js";
import {
  server,
  type Answer,
  ask,
  post,
  stamp,
  newSpace,
  exchange,
  create,
  problem,
  useServer,
} from "./http-caller.test.fixture.js";

useServer();

describe("the endpoints", () => {
  test("an exchange writes and reads, whole and as a stream of lines", async () => {
    const space = await newSpace();
    const whole = await post(exchange(space, { events: [create(1, "p1"), create(2, "p2")] }));
    expect(whole.headers.get("content-type")).toBe("application/json");
    expect(whole.headers.get("cache-control")).toBe("no-store");
    expect(whole.headers.get("x-content-type-options")).toBe("nosniff");
    const decoded = decode(exchangeAnswer, whole.body);
    expect(decoded).toMatchObject({
      ok: true,
      value: {
        spaces: [{ space, head: 2, lastSeq: 2, outcomes: [], runs: [{ seq: 1, count: 2, index: 1 }] }],
      },
    });
    const streamed = await post(exchange(space, {}, { device: "d2" }), "ann", {
      accept: "application/x-ndjson",
    });
    expect(streamed.headers.get("content-type")).toBe("application/x-ndjson");
    const lines = streamed.text
      .trimEnd()
      .split("\n")
      .map((line) => {
        const read = decode(streamLine, JSON.parse(line));
        if (!read.ok) throw new Error(read.message);
        return read.value;
      });
    expect(lines.map((line) => line.type ?? (line as { key: string }).key)).toEqual([
      "time",
      "space",
      "p1",
      "p2",
      "end",
      "done",
    ]);
  });

  test("info, spaces and members", async () => {
    const made = await ask("/v1/spaces", { method: "POST", json: { space: `site-${stamp()}` } });
    const space = made.body["space"] as string;
    expect([made.status, made.headers.get("location"), made.body["role"]]).toEqual([
      201,
      `/v1/spaces/${space}`,
      "owner",
    ]);
    problem(await ask("/v1/spaces", { method: "POST", json: { space }, user: "bob" }), "not_available");
    const info = decode(infoAnswer, (await ask("/v1/info")).body);
    expect(info).toMatchObject({
      ok: true,
      value: { user: "ann", spaces: { [space]: { role: "owner", head: 0, members: 1 } } },
    });
    const members = `/v1/spaces/${space}/members`;
    expect(await ask(`${members}/bob`, { method: "PUT", json: { role: "reader" } })).toMatchObject({
      status: 200,
      body: { user: "bob", role: "reader" },
    });
    expect((await ask(members, { user: "bob" })).body).toMatchObject({
      members: [
        { user: "ann", role: "owner" },
        { user: "bob", role: "reader" },
      ],
    });
    expect((await ask("/v1/spaces", { user: "bob" })).body).toMatchObject({
      spaces: expect.arrayContaining([expect.objectContaining({ space, role: "reader" })]),
    });
    problem(
      await ask(`${members}/cyd`, { method: "PUT", json: { role: "reader" }, user: "bob" }),
      "forbidden",
    );
    problem(await ask(`${members}/ann`, { method: "DELETE" }), "last_owner");
    expect((await ask(`${members}/bob`, { method: "DELETE", user: "bob" })).status).toBe(200);
    problem(await ask(members, { user: "bob" }), "not_found");
    const odd = encodeURIComponent("søren / x@example.org?#");
    expect((await ask(`${members}/${odd}`, { method: "PUT", json: { role: "writer" } })).body).toMatchObject({
      user: "søren / x@example.org?#",
    });
    expect((await ask(members)).text).toContain("søren / x@example.org?#");
  });

  test("a wipe gives the space a new generation", async () => {
    const space = await newSpace();
    await post(exchange(space, { events: [create(1, "p1")] }));
    const { body: before } = await ask("/v1/spaces");
    const generation = (before["spaces"] as { space: string; generation: string }[]).find(
      (one) => one.space === space,
    )?.generation;
    const wiped = await ask(`/v1/spaces/${space}`, { method: "DELETE" });
    expect(wiped.status).toBe(200);
    expect(wiped.body["generation"]).not.toBe(generation);
    expect((await ask(`/v1/spaces/${space}/rows?domain=project`)).body).toMatchObject({
      rows: [],
      generation: wiped.body["generation"],
    });
  });

  test("a plain pull, with what it takes and its entity tag", async () => {
    const space = await newSpace();
    await post(exchange(space, { events: [create(1, "p:1"), create(2, "p2"), create(3, "p3")] }));
    const rows = `/v1/spaces/${space}/rows?domain=project`;
    const first = await ask(rows);
    expect(decode(rowsAnswer, first.body)).toMatchObject({
      ok: true,
      value: { head: 3, cursor: 3, more: false },
    });
    const keys = (answer: Answer) => (answer.body["rows"] as { key: string }[]).map((row) => row.key);
    expect(keys(first)).toEqual(["p:1", "p2", "p3"]);
    expect(keys(await ask(`${rows}&since=2`))).toEqual(["p3"]);
    expect(keys(await ask(`${rows}&keys=p:1,p3`))).toEqual(["p:1", "p3"]);
    expect(keys(await ask(`${rows}&known=p:1:1,p2:1`))).toEqual(["p2", "p3"]);
    expect((await ask(`${rows}&limit=2`)).body).toMatchObject({ more: true, cursor: 2 });
    expect((await ask(`${rows}&fields=key`)).body["rows"]).toEqual(
      [1, 2, 3].map((version) => ({
        domain: "project",
        key: expect.any(String),
        version,
        modifiedAt: expect.any(Number),
      })),
    );
    const etag = first.headers.get("etag") as string;
    expect((await ask(rows, { headers: { "if-none-match": etag } })).status).toBe(304);
    const lines = await ask(rows, { headers: { accept: "application/x-ndjson" } });
    expect(lines.text.split("\n").length).toBe(4);
    expect([
      lines.headers.get("landfall-cursor"),
      lines.headers.get("landfall-more"),
      lines.headers.get("landfall-head"),
    ]).toEqual(["3", "false", "3"]);
    expect(lines.headers.get("etag")).not.toBe(etag);
    expect(
      (await ask(rows, { headers: { accept: "application/x-ndjson", "if-none-match": etag } })).status,
    ).toBe(200);
    await post(exchange(space, { events: [create(4, "p4")] }));
    expect((await ask(rows, { headers: { "if-none-match": etag } })).status).toBe(200);
    const head = await ask(rows, { method: "HEAD" });
    expect([head.status, head.text]).toEqual([200, ""]);
  });

  test.each([
    "",
    "domain=",
    "domain=a%20b",
    "domain=p&domain=q",
    "domain=project&since=-1",
    "domain=project&since=1.5",
    "domain=project&since=9007199254740992",
    "domain=project&limit=0",
    "domain=project&limit=x",
    "domain=project&keys=a,,b",
    "domain=project&known=a",
    "domain=project&known=:1",
    "domain=project&fields=name",
    "domain=project&nonsense=1",
    "domain=project&__proto__=1",
  ])("a plain pull refuses ?%s", async (query) => {
    problem(await ask(`/v1/spaces/${await newSpace()}/rows?${query}`), "invalid_request");
  });

  test("health and metrics", async () => {
    expect((await ask("/healthz", { user: "" })).body).toEqual({ status: "ok" });
    expect((await ask("/readyz", { user: "" })).body).toEqual({ status: "ready" });
    const { text } = await ask("/metrics", { user: "" });
    expect(text).toMatch(/^landfall_exchanges_total\{result="ok"\} [1-9]/m);
    expect(text).toMatch(/^landfall_events_total\{status="applied"\} [1-9]/m);
    expect(text).toMatch(
      /^landfall_http_request_seconds_bucket\{route="\/v1\/exchange",method="POST",le="\+Inf"\} [1-9]/m,
    );
    for (const name of ["sweeps", "sweep_failures", "tombstones_cleared", "outcomes_expired"])
      expect(text).toMatch(new RegExp(`^landfall_${name}_total \\d`, "m"));
    // Every line is a comment or a sample.
    for (const line of text.trimEnd().split("\n"))
      expect(line).toMatch(/^# (HELP|TYPE) \w+ .+$|^\w+(\{(\w+="[^"]*",?)+\})? [\d.e+-]+$/);
    expect(text).not.toContain("dev:");
  });

  test("pages of other origins may ask, and browsers may ask first", async () => {
    const preflight = await ask("/v1/exchange", {
      method: "OPTIONS",
      user: "",
      headers: {
        origin: "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
      },
    });
    expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([204, "*"]);
    expect(preflight.headers.get("access-control-allow-methods")).toContain("POST");
    expect(preflight.headers.get("access-control-allow-headers")).toContain("authorization");
    expect(preflight.headers.get("access-control-allow-credentials")).toBe(null);
    expect(
      (await ask("/v1/info", { user: "", headers: { origin: "https://app.example" } })).headers.get(
        "access-control-allow-origin",
      ),
    ).toBe("*");
  });
});

test("a stranger gets byte for byte what he gets of a space that does not exist, from every address (DESIGN §13)", async () => {
  const space = await newSpace("ann");
  await post(exchange(space, { events: [create(1, "p1")] }), "ann");
  const none = `${space.slice(0, -1)}${space.endsWith("x") ? "y" : "x"}`;
  const reconcile = (name: string, more: object) => ({
    ...{ protocol: 1, space: name, generation: "g", domain: "project", upTo: 0, frame: "" },
    ...more,
  });
  const attempts = (name: string): Promise<Answer>[] => [
    ask(`/v1/spaces/${name}`, { method: "DELETE", user: "eve" }),
    ask(`/v1/spaces/${name}/rows?domain=project`, { user: "eve" }),
    ask(`/v1/spaces/${name}/rows?domain=project`, { user: "eve", method: "HEAD" }),
    ask(`/v1/spaces/${name}/rows?nonsense`, { user: "eve" }),
    ask(`/v1/spaces/${name}/rows?domain=project`, { user: "eve", headers: { accept: "text/html" } }),
    ask(`/v1/spaces/${name}/members`, { user: "eve" }),
    ask(`/v1/spaces/${name}/members/eve`, { method: "PUT", json: { role: "owner" }, user: "eve" }),
    ask(`/v1/spaces/${name}/members/eve`, { method: "PUT", json: { role: "king" }, user: "eve" }),
    ask(`/v1/spaces/${name}/members/eve`, { method: "PUT", body: "{", user: "eve" }),
    ask(`/v1/spaces/${name}/members/ann`, { method: "DELETE", user: "eve" }),
    ask(`/v1/spaces/${name}`, { user: "eve" }),
    post(exchange(name, {}), "eve"),
    post(exchange(name, { generation: "g", cursors: { project: 99 } }), "eve"),
    post(exchange(name, { events: [create(5, "x")] }), "eve"),
    post(exchange(name, {}), "eve", { accept: "application/x-ndjson" }),
    ask("/v1/reconcile", { method: "POST", json: reconcile(name, {}), user: "eve" }),
    ask("/v1/reconcile", {
      method: "POST",
      json: reconcile(name, { frame: "A", keys: ["p1"] }),
      user: "eve",
    }),
  ];
  const [real, unreal] = await Promise.all([Promise.all(attempts(space)), Promise.all(attempts(none))]);
  const shape = (answer: Answer) => ({
    status: answer.status,
    headers: [...answer.headers].filter(([name]) => name !== "date"),
    text: answer.text
      .replaceAll(space, "SPACE")
      .replaceAll(none, "SPACE")
      .replace(/"time":\d+/, '"time":0'),
  });
  expect(real.map(shape)).toEqual(unreal.map(shape));
  expect(real[0]?.status).toBe(404);
  // The error of a space inside an exchange names the space, as it was asked for, and says nothing else.
  expect(real[11]?.text).toContain('"not_found"');
});

describe("the edges", () => {
  test("a body that says it is too large is refused before it is sent; one that does not say is cut off", async () => {
    const declared = await new Promise<{ status: number; continued: boolean }>((resolve, reject) => {
      let continued = false;
      const request = nodeRequest(`${server.url}/v1/exchange`, {
        method: "POST",
        headers: {
          authorization: "Bearer dev:ann",
          "content-type": "application/json",
          "content-length": 50_000_000,
          expect: "100-continue",
        },
      });
      request.on("continue", () => (continued = true)).on("error", reject);
      request.on("response", (response) => {
        resolve({ status: response.statusCode ?? 0, continued });
        request.destroy();
      });
      request.flushHeaders();
    });
    expect(declared).toEqual({ status: 413, continued: false });
    const streamed = await new Promise<number>((resolve) => {
      const request = nodeRequest(`${server.url}/v1/exchange`, {
        method: "POST",
        headers: { authorization: "Bearer dev:ann", "content-type": "application/json" },
      });
      const timer = setInterval(() => request.write(Buffer.alloc(262_144, 0x20)), 5);
      request
        .on("error", () => undefined)
        .on("response", (response) => {
          clearInterval(timer);
          request.destroy();
          resolve(response.statusCode ?? 0);
        });
    });
    expect(streamed).toBe(413);
  });

  test("a caller that asks whether to go on is told so, and answered", async () => {
    const body = JSON.stringify(exchange(await newSpace(), {}));
    const status = await new Promise<number>((resolve, reject) => {
      const request = nodeRequest(`${server.url}/v1/exchange`, {
        method: "POST",
        headers: {
          authorization: "Bearer dev:ann",
          "content-type": "application/json",
          "content-length": body.length,
          expect: "100-continue",
        },
      });
      request.on("continue", () => request.end(body)).on("error", reject);
      request.on("response", (response) => resolve(response.resume().statusCode ?? 0));
      request.flushHeaders();
    });
    expect(status).toBe(200);
  });

  test("slow headers, slow bodies and what is no HTTP are cut off, with a word", async () => {
    const hasty = await startTestServer({ timeouts: { headersTimeoutMs: 200, requestTimeoutMs: 400 } });
    const answerTo = ({ port }: { readonly port: number }, ...pieces: string[]) =>
      new Promise<string>((resolve) => {
        let text = "";
        const socket = connect(port, "127.0.0.1", () => socket.write(pieces[0] as string));
        const dribble = setInterval(() => socket.write(pieces[1] ?? ""), 50);
        socket.on("data", (chunk) => (text += chunk.toString())).on("error", () => undefined);
        socket.on("close", () => {
          clearInterval(dribble);
          resolve(text);
        });
      });
    const [, headers, body, noise, long] = await Promise.all([
      answerTo(hasty, ""),
      answerTo(hasty, "GET /healthz HTTP/1.1\r\nhost: x\r\n", "x-a: b\r\n"),
      answerTo(
        hasty,
        "POST /v1/exchange HTTP/1.1\r\nhost: x\r\nauthorization: Bearer dev:ann\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{",
        " ",
      ),
      answerTo(server, "\u0016\u0003\u0001 hello\r\n\r\n"),
      answerTo(server, `GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: ${"x".repeat(20_000)}\r\n\r\n`),
    ]);
    expect(headers).toMatch(/^HTTP\/1.1 408 [\s\S]*"code":"timeout"/);
    expect(body).toMatch(/^HTTP\/1.1 408 [\s\S]*"code":"timeout"/);
    expect(noise).toMatch(/^HTTP\/1.1 400 [\s\S]*"code":"invalid_request"/);
    expect(long).toMatch(/^HTTP\/1.1 431 [\s\S]*"code":"too_large"/);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    await hasty.close();
  });

  test("the handler answers as the listener does, and leaves other addresses to the fallback", async () => {
    const own = await startTestServer({
      fallback: (request) =>
        new Response(`app ${new URL(request.url).pathname}`, { headers: { "set-cookie": "a=1" } }),
    });
    for (const path of ["/healthz", "/v1/info", "/v1/nothing"]) {
      const headers = { authorization: "Bearer dev:ann" };
      const [direct, network] = await Promise.all([
        own.server.handler(new Request(`http://mounted${path}`, { headers })),
        fetch(own.url + path, { headers }),
      ]);
      expect(direct.status).toBe(network.status);
      expect((await direct.text()).replace(/"time":\d+/, "")).toBe(
        (await network.text()).replace(/"time":\d+/, ""),
      );
    }
    const big = new Request("http://mounted/v1/exchange", {
      method: "POST",
      headers: { authorization: "Bearer dev:ann", "content-type": "application/json" },
      body: "x".repeat(1_200_000),
    });
    expect((await own.server.handler(big)).status).toBe(413);
    for (const path of ["/", "/projects", "/v2", "/metricsx"])
      expect(await (await fetch(own.url + path)).text()).toBe(`app ${path}`);
    expect((await fetch(`${own.url}/`)).headers.getSetCookie()).toEqual(["a=1"]);
    expect((await fetch(`${own.url}/v1x`)).status).toBe(200);
    await own.close();
  });

  test("a fallback that fails answers 500 and not the end of the process", async () => {
    const errors: string[] = [];
    const quiet = () => undefined;
    const own = await startTestServer({
      logger: { debug: quiet, info: quiet, warn: quiet, error: (message) => errors.push(message) },
      fallback: () => {
        throw new Error("broken app");
      },
    });
    expect((await fetch(`${own.url}/x`)).status).toBe(500);
    expect(errors).toEqual(["The app's own handler failed."]);
    await own.close();
  });

  test("a stream goes only as fast as it is read, and stops when nobody reads", async () => {
    const space = await newSpace();
    for (let batch = 0; batch < 20; batch++) {
      const events = Array.from({ length: 10 }, (_, i) =>
        create(batch * 10 + i + 1, `k${batch}-${i}`, { name: "x".repeat(90_000) }),
      );
      expect((await post(exchange(space, { events, cursors: {} }, { device: "bulk" }))).status).toBe(200);
    }
    const body = JSON.stringify(exchange(space, {}, { device: "reader" }));
    const sent = (): number => server.server.stats().rowsSent - before;
    const before = server.server.stats().rowsSent;
    const deaf = connect(server.port, "127.0.0.1");
    deaf.pause();
    deaf.write(
      `POST /v1/exchange HTTP/1.1\r\nhost: x\r\nauthorization: Bearer dev:ann\r\ncontent-type: application/json\r\naccept: application/x-ndjson\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    while (sent() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    // While the same stream goes to somebody who reads it to its end, and is whole, this one stays where it is.
    const readWhole = async (): Promise<void> => {
      const { text } = await post(exchange(space, {}, { device: "reader" }), "ann", {
        accept: "application/x-ndjson",
      });
      expect(text.length).toBeGreaterThan(18_000_000);
      expect(text.trimEnd().endsWith('{"type":"done"}')).toBe(true);
    };
    await readWhole();
    expect(sent()).toBeLessThan(200 + 150);
    deaf.destroy();
    await readWhole();
    expect(sent()).toBeLessThan(400 + 150);
  });
});

test("backoff, retry-after and origins are said as they are set", async () => {
  const asking: { seconds?: number } = {};
  const own = await startTestServer({
    backoffSeconds: () => asking.seconds,
    crossOrigin: { origins: ["https://app.example"] },
    maxHeldBodyBytes: 10,
  });
  const info = (origin: string) =>
    fetch(`${own.url}/v1/info`, { headers: { authorization: "Bearer dev:ann", origin } });
  expect((await info("https://app.example")).headers.get("landfall-backoff")).toBe(null);
  asking.seconds = 1.5;
  const asked = await info("https://app.example");
  expect([
    asked.headers.get("landfall-backoff"),
    asked.headers.get("access-control-allow-origin"),
    asked.headers.get("vary"),
  ]).toEqual(["2", "https://app.example", "origin"]);
  expect((await info("https://evil.example")).headers.get("access-control-allow-origin")).toBe(null);
  const full = await fetch(`${own.url}/v1/spaces`, {
    method: "POST",
    headers: { authorization: "Bearer dev:ann", "content-type": "application/json" },
    body: '{"space":"something"}',
  });
  expect([
    full.status,
    full.headers.get("retry-after"),
    ((await full.json()) as { code: string }).code,
  ]).toEqual([503, "1", "unavailable"]);
  await own.close();
});
