import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type Row, makeStamp } from "@landfall/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { platformPorts } from "../platform.js";
import { httpRemote } from "./http.js";
import { type AnswerSink, type Remote, RemoteError } from "./port.js";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const servers: Server[] = [];
const sockets = new Set<Socket>();

async function serve(answer: Answer): Promise<string> {
  const server = createServer(answer);
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

/** Timers that a test fires itself, with everything else real. */
function manualTimers(): { readonly remoteOf: (url: string) => Remote; fire(): void; pending(): number } {
  const timers = new Set<() => void>();
  const { net, clock } = platformPorts();
  const after = (_delayMs: number, run: () => void): (() => void) => {
    timers.add(run);
    return () => void timers.delete(run);
  };
  return {
    remoteOf: (url) => httpRemote({ url, net, clock, timers: { after } }),
    fire: () => timers.forEach((run) => run()),
    pending: () => timers.size,
  };
}

const remoteOf = (url: string): Remote => httpRemote({ url, ...platformPorts() });

interface Heard extends AnswerSink {
  readonly log: unknown[];
}

function listen(): Heard {
  const log: unknown[] = [];
  return {
    log,
    time: (ms) => log.push(["time", ms]),
    space: ({ space, head, lastSeq, outcomes, reset }) =>
      log.push(["space", space, head, lastSeq, outcomes.length, reset]),
    rows: (rows) => log.push(["rows", rows.map(({ key }) => key).join(" ")]),
    checkpoint: ({ cursors, scan }) => log.push(["checkpoint", cursors, scan]),
    end: ({ cursors, scan, more, digests, head, lastSeq }) =>
      log.push(["end", head, lastSeq, cursors, scan, more, digests]),
    failure: (space, error) => log.push(["failure", space, error]),
  };
}

const stamp = makeStamp(1_795_000_000_000, 0, "8000-000000000001");
const row = (key: string, version: number): Row => ({
  domain: "note",
  key,
  version,
  modifiedAt: 1,
  fields: { text: "Kai für Boot ⛵" },
  stamps: { "*": stamp },
});
const time = { type: "time", time: 1_795_000_000_000 };
const space = { type: "space", space: "a", generation: "g1", head: 3, lastSeq: 2, outcomes: [] };
const end = { type: "end", head: 3, lastSeq: 2, cursors: { note: 3 } };
const done = { type: "done" };
const lines = (...all: readonly object[]): string => all.map((line) => `${JSON.stringify(line)}\n`).join("");

const ndjson = { "content-type": "application/x-ndjson" };
const exchange = (
  remote: Remote,
  sink: AnswerSink = listen(),
  signal?: AbortSignal,
): ReturnType<Remote["exchange"]> =>
  remote.exchange({ protocol: 1, device: "d1", spaces: [] }, sink, {
    token: "secret",
    ...(signal && { signal }),
  });

async function failureOf(call: Promise<unknown>): Promise<RemoteError> {
  const error = await call.then(
    () => expect.fail("The call should have failed."),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(RemoteError);
  return error as RemoteError;
}

describe("an exchange over HTTP", () => {
  test("asks as DESIGN §6 says, and hands over what streams in, whatever the pieces", async () => {
    const asked: { headers?: IncomingMessage["headers"]; url?: string | undefined; body?: string } = {};
    const text = lines(
      time,
      space,
      row("k1", 1),
      row("k2", 2),
      { type: "checkpoint", cursors: { note: 2 }, scan: { note: 3 } },
      row("k3", 3),
      end,
      { type: "failure", space: "b", error: { code: "revoked", message: "No longer a member." } },
      done,
    );
    const url = await serve((request, response) => {
      asked.headers = request.headers;
      asked.url = request.url;
      let body = "";
      request.on("data", (data) => (body += data));
      request.on("end", () => {
        asked.body = body;
        response.writeHead(200, { ...ndjson, "landfall-backoff": "2.5" });
        const bytes = Buffer.from(text);
        // Pieces of 7 bytes split lines and characters.
        const next = (at: number): void => {
          if (at >= bytes.length) return void response.end();
          response.write(bytes.subarray(at, at + 7));
          setImmediate(() => next(at + 7));
        };
        next(0);
      });
    });
    const sink = listen();
    expect(await exchange(remoteOf(`${url}/`), sink)).toEqual({ backoffMs: 2_500 });
    expect(asked.url).toBe("/v1/exchange");
    expect(asked.headers).toMatchObject({
      authorization: "Bearer secret",
      accept: "application/x-ndjson",
      "content-type": "application/json",
    });
    expect(JSON.parse(asked.body as string)).toEqual({ protocol: 1, device: "d1", spaces: [] });
    const rows = sink.log
      .filter((entry) => (entry as unknown[])[0] === "rows")
      .map((entry) => (entry as unknown[])[1]);
    expect(rows.join(" ")).toBe("k1 k2 k3");
    expect(sink.log.filter((entry) => (entry as unknown[])[0] !== "rows")).toEqual([
      ["time", 1_795_000_000_000],
      ["space", "a", 3, 2, 0, []],
      ["checkpoint", { note: 2 }, { note: 3 }],
      ["end", 3, 2, { note: 3 }, {}, false, {}],
      ["failure", "b", { code: "revoked", message: "No longer a member." }],
    ]);
  });

  const broken: {
    readonly [what: string]: {
      readonly text: string;
      readonly status?: number;
      readonly type?: string;
      readonly heard?: number;
    };
  } = {
    "a stream that ends before `done`": { text: lines(time, space, row("k1", 1)), heard: 3 },
    "a stream that ends within a line": { text: lines(time, space) + '{"domain":"no' },
    "an empty answer": { text: "" },
    "a captive portal's page": { text: "<!doctype html><title>Free Wi-Fi</title>", type: "text/html" },
    "a portal's page under 511": { text: "<html>Sign in</html>", status: 511, type: "text/html" },
    "a page that was not found": { text: "<html>nginx</html>", status: 404, type: "text/html" },
    "another server's JSON": { text: '{"hello":"world"}' },
    "rows before their space": { text: lines(time, row("k1", 1)) },
    "a space within a space": { text: lines(time, space, space) },
    "an end without a space": { text: lines(time, end) },
    "no time": { text: lines(space, end, done) },
    "`done` within a space": { text: lines(time, space, done) },
    "lines after `done`": { text: lines(time, done, time) },
    "a row without a version": {
      text: lines(time, space, { domain: "note", key: "k", modifiedAt: 1, fields: {}, stamps: {} }),
    },
    "a row that would reach a prototype": {
      text: `${lines(time, space)}{"domain":"note","key":"k","version":1,"modifiedAt":1,"fields":{"__proto__":1},"stamps":{}}\n`,
    },
    "deep nesting": { text: `${lines(time, space)}${"[".repeat(100_000)}\n` },
  };
  test.each(Object.entries(broken))(
    "%s is garbled, and throws nothing else",
    async (_what, { text, status = 200, type = "application/x-ndjson", heard }) => {
      const url = await serve((_request, response) =>
        response.writeHead(status, { "content-type": type }).end(text),
      );
      const sink = listen();
      expect(await failureOf(exchange(remoteOf(url), sink))).toMatchObject({ code: "garbled" });
      if (heard !== undefined) expect(sink.log.length).toBe(heard);
      expect(sink.log.some((entry) => (entry as unknown[])[0] === "end")).toBe(false);
    },
  );

  test("a redirect is not followed: neither token nor writes go to a portal", async () => {
    let followed = 0;
    const portal = await serve((_request, response) => {
      followed += 1;
      response.end();
    });
    const url = await serve((_request, response) =>
      response.writeHead(307, { location: `${portal}/login` }).end(),
    );
    expect(await failureOf(exchange(remoteOf(url)))).toMatchObject({ code: "garbled" });
    expect(followed).toBe(0);
  });

  test("a line without end is given up before it fills the memory", async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, ndjson);
      const more = (): void => {
        while (!response.destroyed && response.write("x".repeat(1_000_000)));
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    });
    expect(await failureOf(exchange(remoteOf(url)))).toMatchObject({ code: "garbled" });
  });

  test("an answer says the same wherever it is cut into pieces, also inside a character and before what looks like a byte order mark", async () => {
    const text = "a\u{feff}é\u{feff}€\u{1f9ed}z";
    const bytes = Buffer.from(
      lines(time, space, { ...row("k1", 1), fields: { text } }, row("k2", 2), end, done),
    );
    const { clock, timers } = platformPorts();
    for (let cut = 1; cut < bytes.length; cut++) {
      const pieces = [
        bytes.subarray(0, cut),
        new Uint8Array(),
        bytes.subarray(cut, cut + 1),
        bytes.subarray(cut + 1),
      ];
      const read = async () => {
        const value = pieces.shift();
        return { done: value === undefined, value };
      };
      const body = { getReader: () => ({ read }) };
      const fetch = async () => ({
        ok: true,
        status: 200,
        headers: { get: () => null },
        body,
        text: async () => "",
      });
      const rows: Row[] = [];
      const sink = { ...listen(), rows: (some: readonly Row[]) => void rows.push(...some) };
      await exchange(httpRemote({ url: "https://a.example", net: { fetch }, clock, timers }), sink);
      expect(rows).toMatchObject([{ fields: { text } }, { key: "k2" }]);
    }
  });

  test("bytes that are not UTF-8 are not taken for text", async () => {
    const url = await serve((_request, response) =>
      response
        .writeHead(200, ndjson)
        .end(Buffer.concat([Buffer.from(lines(time)), Buffer.from([0xff, 0xfe, 0x0a])])),
    );
    expect(await failureOf(exchange(remoteOf(url)))).toMatchObject({ code: "garbled" });
  });

  test("a connection reset midway is the network's, with what came before", async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, ndjson);
      response.write(lines(time, space, row("k1", 1), { type: "checkpoint", cursors: { note: 1 } }));
      setTimeout(() => response.destroy(), 20);
    });
    const sink = listen();
    expect(await failureOf(exchange(remoteOf(url), sink))).toMatchObject({
      code: "network",
      timedOut: false,
    });
    expect(sink.log.at(-1)).toEqual(["checkpoint", { note: 1 }, {}]);
  });

  test("nobody there is the network's", async () => {
    const url = await serve(() => undefined);
    await new Promise((resolve) => servers.pop()?.close(resolve));
    expect(await failureOf(exchange(remoteOf(url)))).toMatchObject({ code: "network" });
  });

  test("a server that says nothing, or stops in the middle, times out; one that goes on does not", async () => {
    const { remoteOf, fire, pending } = manualTimers();
    const silent = await serve(() => undefined);
    const call = failureOf(exchange(remoteOf(silent)));
    while (pending() === 0) await new Promise((resolve) => setImmediate(resolve));
    fire();
    expect(await call).toMatchObject({ code: "network", timedOut: true });

    const stalls = await serve((_request, response) => {
      response.writeHead(200, ndjson);
      response.write(lines(time));
    });
    const sink = listen();
    const second = failureOf(exchange(remoteOf(stalls), sink));
    while (sink.log.length === 0) await new Promise((resolve) => setImmediate(resolve));
    fire();
    expect(await second).toMatchObject({ code: "network", timedOut: true });
    expect(pending()).toBe(0);
  });

  test("an abort ends it when all has been read but the end, where Node's reader never settles", async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, ndjson);
      response.write(lines(time));
      setTimeout(() => response.end(lines(space, end)), 20);
    });
    const abort = new AbortController();
    // What an app does that has all that it waited for: it closes its client.
    const sink: AnswerSink = { ...listen(), end: () => void Promise.resolve().then(() => abort.abort()) };
    expect(await failureOf(exchange(remoteOf(url), sink, abort.signal))).toMatchObject({ code: "network" });
  });

  test("an abort ends it", async () => {
    const url = await serve(() => undefined);
    const abort = new AbortController();
    const call = failureOf(exchange(remoteOf(url), listen(), abort.signal));
    setTimeout(() => abort.abort(), 20);
    expect(await call).toMatchObject({ code: "network" });
    expect(await failureOf(exchange(remoteOf(url), listen(), abort.signal))).toMatchObject({
      code: "network",
    });
  });

  test("what the sink throws ends the exchange, lets go of the connection, and is thrown", async () => {
    let closed: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => (closed = resolve));
    const url = await serve((_request, response) => {
      response.writeHead(200, ndjson);
      response.write(lines(time));
      response.on("close", closed);
    });
    const mine = new Error("Enough.");
    await expect(
      exchange(remoteOf(url), {
        ...listen(),
        time: () => {
          throw mine;
        },
      }),
    ).rejects.toBe(mine);
    await gone;
  });

  const problem = (status: number, code: string, more: object = {}): string =>
    JSON.stringify({ type: "about:blank", title: "A title.", status, code, ...more });
  const refusals: {
    readonly [what: string]: {
      readonly status: number;
      readonly body: string;
      readonly headers?: { [name: string]: string };
      readonly failure: object;
    };
  } = {
    "a problem of ours": {
      status: 429,
      body: problem(429, "rate_limited", { detail: "Too many requests.", retryAfterMs: 7_000 }),
      failure: { status: 429, code: "rate_limited", message: "Too many requests.", retryAfterMs: 7_000 },
    },
    "Retry-After in seconds": {
      status: 503,
      body: problem(503, "unavailable"),
      headers: { "retry-after": "12" },
      failure: { code: "unavailable", retryAfterMs: 12_000 },
    },
    "Retry-After as a date, by the server's clock": {
      status: 503,
      body: "",
      headers: { "retry-after": "Fri, 07 Jan 2000 00:01:00 GMT", date: "Fri, 07 Jan 2000 00:00:00 GMT" },
      failure: { code: "unavailable", retryAfterMs: 60_000 },
    },
    "Landfall-Backoff beside it": {
      status: 503,
      body: "",
      headers: { "retry-after": "1", "landfall-backoff": "30" },
      failure: { retryAfterMs: 30_000 },
    },
    "a wait that makes no sense": {
      status: 503,
      body: "",
      headers: { "retry-after": "soon" },
      failure: { code: "unavailable", retryAfterMs: 0 },
    },
    "a proxy's own limit": {
      status: 413,
      body: "<html>Request Entity Too Large</html>",
      failure: { code: "too_large" },
    },
    "a gateway without a server": {
      status: 502,
      body: "<html>Bad Gateway</html>",
      failure: { code: "unavailable" },
    },
    "a gateway's 401": { status: 401, body: "", failure: { status: 401, code: "unauthorized" } },
    "a code that is not known yet": {
      status: 409,
      body: problem(409, "something_new"),
      failure: { status: 409, code: "something_new" },
    },
  };
  test.each(Object.entries(refusals))("%s", async (_what, { status, body, headers, failure }) => {
    const url = await serve((_request, response) =>
      response.writeHead(status, { "content-type": "application/problem+json", ...headers }).end(body),
    );
    expect(await failureOf(exchange(remoteOf(url)))).toMatchObject({ ...failure });
  });
});

describe("other calls", () => {
  test("info is decoded, and what is not an info is garbled", async () => {
    const info = {
      time: 1,
      protocol: 1,
      server: "Landfall",
      user: "ann",
      limits: { maxEventsPerRequest: 500, maxBodyBytes: 1, maxBatchBytes: 1, maxPageRows: 1 },
      spaces: {},
    };
    const url = await serve((request, response) =>
      response.end(JSON.stringify(request.url === "/v1/info" ? info : {})),
    );
    expect(await remoteOf(url).info("secret")).toEqual(info);
    expect(await failureOf(remoteOf(`${url}/else`).info("secret"))).toMatchObject({ code: "garbled" });
  });

  test("call sends a body where there is one, and gives back JSON or nothing", async () => {
    const seen: string[] = [];
    const url = await serve((request, response) => {
      let body = "";
      request.on("data", (data) => (body += data));
      request.on("end", () => {
        seen.push(`${request.method} ${request.url} ${body}`);
        if (request.method === "DELETE") response.writeHead(204).end();
        else response.writeHead(201).end(request.method === "GET" ? "<html>" : '{"space":"a"}');
      });
    });
    const remote = remoteOf(url);
    expect(await remote.call("POST", "/v1/spaces", "secret", { space: "a" })).toEqual({ space: "a" });
    expect(await remote.call("DELETE", "/v1/spaces/a/members/bob", "secret")).toBeUndefined();
    expect(await failureOf(remote.call("GET", "/v1/spaces", "secret"))).toMatchObject({ code: "garbled" });
    expect(seen).toEqual([
      'POST /v1/spaces {"space":"a"}',
      "DELETE /v1/spaces/a/members/bob ",
      "GET /v1/spaces ",
    ]);
  });
});
