import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineSchema, records } from "@landfall/schema";
import { afterEach, describe, expect, expectTypeOf, test } from "vitest";
import { WebSocket } from "ws";
import { z } from "zod";
import { type Authorize, type TxOf, createServer, devTokens, jwt, sqlite, staticFiles } from "./index.js";
import { startTestServer } from "./testing.js";

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

test("development tokens are refused by a server that was not started for development", async () => {
  const storage = sqlite(":memory:");
  cleanUps.push(() => storage.close());
  expect(() => createServer({ storage, auth: devTokens() })).toThrow(/landfall dev/);
  // Wrapped into a function of the app's own, they cannot be seen at the start, and refuse by themselves.
  const tokens = devTokens();
  const server = createServer({ storage, auth: (token, context) => tokens(token, context) });
  const answer = await server.handler(
    new Request("http://x/v1/info", { headers: { authorization: "Bearer dev:ann" } }),
  );
  expect(answer.status).toBe(401);
  await server.close();
});

test("a development server listens on this machine only, and says so when it is told otherwise", async () => {
  const warnings: string[] = [];
  const quiet = () => undefined;
  const logger = {
    debug: quiet,
    info: quiet,
    error: quiet,
    warn: (message: string) => warnings.push(message),
  };
  const server = createServer({ storage: sqlite(":memory:"), auth: devTokens(), development: true, logger });
  expect((await server.listen(0)).host).toBe("127.0.0.1");
  expect(warnings).toEqual([]);
  await server.listen(0, "0.0.0.0");
  expect(warnings.length).toBe(1);
  await server.close();
});

test("the whole of DESIGN §8's server sample: schema, storage, auth, listen; and the server's own typed writes", async () => {
  const schema = defineSchema({
    version: 1,
    domains: {
      project: records({ fields: z.object({ name: z.string(), done: z.boolean().default(false) }) }),
    },
  });
  const folder = await mkdtemp(join(tmpdir(), "landfall-server-"));
  cleanUps.push(() => rm(folder, { recursive: true }));
  const open = () =>
    createServer({
      schema,
      storage: sqlite(join(folder, "landfall.db")),
      auth: jwt({ secret: "x".repeat(32) }),
    });
  const server = open();
  const listening = await server.listen(0, "127.0.0.1");
  expect((await fetch(`${listening.url}/readyz`)).status).toBe(200);
  expect(
    (await fetch(`${listening.url}/v1/info`, { headers: { authorization: "Bearer dev:ann" } })).status,
  ).toBe(401);
  const forAnyone = createServer({ schema, storage: sqlite(":memory:"), auth: () => ({ id: "ann" }) });
  await forAnyone.handler(
    new Request("http://x/v1/spaces", {
      method: "POST",
      headers: { authorization: "Bearer x", "content-type": "application/json" },
      body: '{"space":"s"}',
    }),
  );
  const written = await forAnyone.space("s").write(async (tx) => {
    const key = tx.project.create({ name: "Bridge 7" });
    expectTypeOf((await tx.project.get(key))?.done).toEqualTypeOf<boolean | undefined>();
    return (await tx.project.get(key))?.name;
  });
  expect(written).toMatchObject({ index: 1, result: "Bridge 7" });
  expect(await forAnyone.inspect()).toMatchObject([{ space: "s", head: 1 }]);
  await forAnyone.close();
  await listening.close();
  await listening.close();
  // Closing has let go of the file.
  const again = open();
  expect((await again.handler(new Request("http://x/readyz"))).status).toBe(200);
  await again.close();
});

test("mounts in an HTTP server that is there already, sockets too, and leaves its other addresses alone", async () => {
  const server = createServer({ storage: sqlite(":memory:"), auth: devTokens(), development: true });
  const host = createHttpServer((_request, response) => response.end("the app"));
  host.on("upgrade", (request, socket) => {
    if (request.url === "/other") socket.end("HTTP/1.1 418 Its own\r\n\r\n");
  });
  const detach = server.attachSockets(host);
  await new Promise<void>((resolve) => host.listen(0, "127.0.0.1", resolve));
  const { port } = host.address() as AddressInfo;
  cleanUps.push(() => new Promise((resolve) => host.close(resolve)));
  const answer = (path: string) =>
    new Promise<string>((resolve) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, "landfall.v1");
      socket.on("open", () => socket.send('{"type":"hello","token":"dev:ann","device":"d"}'));
      socket.on("message", (data) => {
        resolve((JSON.parse(String(data)) as { type: string }).type);
        socket.close();
      });
      socket.on("unexpected-response", (_request, response) => {
        resolve(String(response.statusCode));
        response.resume();
      });
      socket.on("error", () => undefined);
    });
  expect(await answer("/v1/socket")).toBe("welcome");
  expect(await answer("/other")).toBe("418");
  detach();
  await server.close();
});

test("answers requests of a Node server that is there already, streamed ones too; a body that was read before is said so", async () => {
  const errors: unknown[] = [];
  const quiet = (): void => undefined;
  const logger = {
    debug: quiet,
    info: quiet,
    warn: quiet,
    error: (_: string, said?: object) => errors.push(said),
  };
  const server = createServer({ storage: sqlite(":memory:"), auth: devTokens(), development: true, logger });
  const host = createHttpServer((request, response) => {
    if (request.headers["x-parsed"] === undefined) server.nodeHandler(request, response);
    else request.resume().once("end", () => server.nodeHandler(request, response));
  });
  await new Promise<void>((resolve) => host.listen(0, "127.0.0.1", resolve));
  cleanUps.push(() => new Promise((resolve) => host.close(resolve)));
  const url = `http://127.0.0.1:${(host.address() as AddressInfo).port}`;
  const headers = { authorization: "Bearer dev:ann", "content-type": "application/json" };
  const make = (space: string, more = {}): Promise<Response> =>
    fetch(`${url}/v1/spaces`, {
      method: "POST",
      headers: { ...headers, ...more },
      body: JSON.stringify({ space }),
    });
  expect((await make("s")).status).toBe(201);
  await server.space("s").write((tx) => tx["project"]?.put("p", { name: "Bridge" }));
  const rows = await fetch(`${url}/v1/spaces/s/rows?domain=project`, {
    headers: { ...headers, accept: "application/x-ndjson" },
  });
  expect(JSON.parse((await rows.text()).trim())).toMatchObject({ key: "p" });
  expect((await fetch(`${url}/elsewhere`)).status).toBe(404);
  expect((await make("t", { "x-parsed": "1" })).status).toBe(500);
  expect(errors).toMatchObject([
    { error: { message: expect.stringContaining("before what parses bodies") as string } },
  ]);
  await server.close();
});

describe("close waits for what nodeHandler is answering", () => {
  /** A server in an app's own, and a request that waits for `letIn`. */
  const underWay = async (closeGraceMs: number) => {
    let letIn = (): void => undefined;
    const entered = new Promise<void>((resolve) => (letIn = resolve));
    let asked = (): void => undefined;
    const isAsked = new Promise<void>((resolve) => (asked = resolve));
    const server = createServer({
      storage: sqlite(":memory:"),
      auth: async () => {
        asked();
        await entered;
        return { id: "ann" };
      },
      timeouts: { closeGraceMs },
    });
    const host = createHttpServer(server.nodeHandler);
    await new Promise<void>((resolve) => host.listen(0, "127.0.0.1", resolve));
    cleanUps.push(() => new Promise((resolve) => host.close(resolve).closeAllConnections()));
    const { port } = host.address() as AddressInfo;
    const answer = fetch(`http://127.0.0.1:${port}/v1/spaces`, {
      method: "POST",
      headers: { authorization: "Bearer x", "content-type": "application/json" },
      body: JSON.stringify({ space: "s" }),
    }).then(
      ({ status }) => status,
      () => "cut",
    );
    await isAsked;
    return { server, letIn, answer };
  };

  test("rule 2: what was asked before is done, and answered, before the storage closes", async () => {
    const { server, letIn, answer } = await underWay(10_000);
    let closed = false;
    const closing = server.close().then(() => (closed = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(closed).toBe(false);
    letIn();
    expect(await answer).toBe(201);
    await closing;
  });

  test("what takes longer than closeGraceMs is cut", async () => {
    const { server, letIn, answer } = await underWay(50);
    await server.close();
    expect(await answer).toBe("cut");
    letIn();
  });

  test("nothing that has ended is waited for", async () => {
    const { server, letIn, answer } = await underWay(60_000);
    letIn();
    expect(await answer).toBe(201);
    await server.close();
  });
});

test("an option that is not there, or is missing, is refused with words: nobody is let in by a misspelt authorize", () => {
  const storage = sqlite(":memory:");
  cleanUps.push(() => storage.close());
  const auth = jwt({ secret: "x".repeat(32) });
  // What the compiler refuses, JavaScript and options that are put together elsewhere do not.
  const made = (options: object) => () => createServer(options as Parameters<typeof createServer>[0]);
  expect(made({ storage, auth, authorise: () => false })).toThrow(
    'createServer has no option "authorise". Known are: storage, schema, auth, authorize',
  );
  expect(made({ storage })).toThrow("createServer needs auth");
  expect(made({ auth })).toThrow("createServer needs a storage");
  expect(made({ auth, storage: "landfall.db" })).toThrow("and was given string");
  const schema = defineSchema({ version: 1, domains: {} });
  expect(made({ storage, auth, schema, actions: { finsh: () => undefined } })).toThrow(
    'The schema has no action "finsh"',
  );
  expect(made({ storage, auth, schema: { schema } })).toThrow("what defineSchema gives");
});

test("a member of an option that is not there, or cannot be meant, is refused with words", () => {
  const storage = sqlite(":memory:");
  cleanUps.push(() => storage.close());
  const auth = jwt({ secret: "x".repeat(32) });
  const made = (options: object) => () => createServer({ storage, auth, ...options });
  for (const [options, words] of [
    [{ limits: { actionBudget: 1 } }, 'limits has no option "actionBudget". Known are: maxEventsPerRequest'],
    [{ retention: { tombstones: 1 } }, 'retention has no option "tombstones". Known are: tombstonesMs'],
    [{ sockets: { maxSockets: 1 } }, 'sockets has no option "maxSockets"'],
    [{ timeouts: { closeGrace: 1 } }, 'timeouts has no option "closeGrace"'],
    [{ crossOrigin: "https://a.example" }, "crossOrigin needs origins"],
    [{ crossOrigin: { origin: "https://a.example" } }, "crossOrigin needs origins"],
    [{ crossOrigin: { origins: "*", credentials: true } }, 'crossOrigin has no option "credentials"'],
    [{ crossOrigin: { origins: ["https://a.example/"] } }, 'Give "https://a.example".'],
    [{ crossOrigin: { origins: ["https://A.example:443/app"] } }, 'Give "https://a.example".'],
    ...[
      "a.example",
      "https://",
      "app://a.example/",
      "capacitor://",
      "chrome-extension://*",
      "Tauri://localhost",
    ].map(
      (origin) =>
        [{ crossOrigin: { origins: [origin] } }, "Give one such as https://app.example.org."] as const,
    ),
    ...[0, -1, 60_001, Number.NaN].map(
      (headsEveryMs) =>
        [{ sockets: { headsEveryMs } }, "sockets.headsEveryMs must be from 1 to 60000"] as const,
    ),
  ] as const)
    expect(made(options)).toThrow(words);
  for (const crossOrigin of [
    false,
    { origins: "*" },
    { origins: ["https://a.example", "http://localhost:5173"] },
    { origins: ["capacitor://localhost", "tauri://localhost", "app://obsidian.md"] },
    { origins: ["chrome-extension://abcdefghijklmnop", "moz-extension://0b0b0b0b-1111-2222"] },
  ])
    expect(made({ crossOrigin, limits: {}, sockets: { headsEveryMs: 60_000 } })).not.toThrow();
});

test("what is no file for the data is refused with words", () => {
  for (const file of ["sqlite:landfall.db", "", undefined])
    expect(() => sqlite(file as string)).toThrow('sqlite() needs a file such as "landfall.db"');
  expect(() => sqlite(":memory:", { maxByte: 1 } as object)).toThrow('sqlite() has no option "maxByte"');
});

test("the hooks are typed by the schema", async () => {
  const schema = defineSchema({
    version: 1,
    domains: { project: records({ fields: z.object({ name: z.string() }) }) },
    actions: (action) => ({
      rename: action(z.object({ key: z.string(), to: z.string() }), async (tx, { key, to }) =>
        tx.project.update(key, { name: to }),
      ),
    }),
  });
  const authorize: Authorize<TxOf<typeof schema>> = async ({ tx }) =>
    (await tx.project.get("p"))?.name !== "Bridge";
  const untyped: Authorize = async ({ tx }) => (await tx["project"]?.get("p"))?.["name"] !== "Bridge";
  const options = { schema, auth: devTokens(), development: true };
  for (const hook of [authorize, untyped]) {
    const server = createServer({
      ...options,
      storage: sqlite(":memory:"),
      authorize: hook,
      actions: {
        rename: async (tx, { key, to }) => {
          expectTypeOf(to).toEqualTypeOf<string>();
          // @ts-expect-error: the field is called `name`
          tx.project.update(key, { nmae: to });
        },
      },
    });
    await server.close();
  }
  expect(() =>
    // @ts-expect-error: the action is called `rename`
    createServer({ ...options, storage: sqlite(":memory:"), actions: { remane: async () => 1 } }),
  ).toThrow('no action "remane"');
});

test("an app's files are served beside the server, on one port", async () => {
  const folder = await mkdtemp(join(tmpdir(), "landfall-app-"));
  cleanUps.push(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "index.html"), "<title>app</title>");
  const server = await startTestServer({ fallback: staticFiles(folder) });
  cleanUps.push(() => server.close());
  expect(await (await fetch(`${server.url}/projects/1`)).text()).toBe("<title>app</title>");
  expect((await fetch(`${server.url}/v1/nothing`)).status).toBe(404);
  expect(await (await fetch(`${server.url}/healthz`)).json()).toEqual({ status: "ok" });
});

test("a far end in the same process speaks with the hub without a network", async () => {
  const server = createServer({ storage: sqlite(":memory:"), auth: devTokens(), development: true });
  const heard: string[] = [];
  const nothing = () => undefined;
  const end = server.connect({
    bufferedAmount: 0,
    send: (text) => heard.push((JSON.parse(text) as { type: string }).type),
    ping: nothing,
    close: (code) => heard.push(String(code)),
    terminate: nothing,
  });
  end.message('{"type":"hello","token":"dev:ann","device":"d"}');
  await new Promise(setImmediate);
  await server.close();
  end.gone();
  expect(heard).toEqual(["welcome", "1001"]);
});

test("closing lets what runs finish, and takes no more", async () => {
  let release = (): void => undefined;
  const entered = new Promise<void>((enter) => {
    release = enter;
  });
  let proceed = (): void => undefined;
  const waiting = new Promise<void>((resolve) => {
    proceed = resolve;
  });
  const server = await startTestServer({
    auth: async () => {
      release();
      await waiting;
      return { id: "ann" };
    },
  });
  const answer = fetch(`${server.url}/v1/info`, { headers: { authorization: "Bearer x" } });
  await entered;
  const closed = server.close();
  await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
  expect((await server.server.handler(new Request("http://x/readyz"))).status).toBe(503);
  proceed();
  expect(((await (await answer).json()) as { user: string }).user).toBe("ann");
  await closed;
});

test("listening on a port that is taken says so", async () => {
  const server = await startTestServer();
  cleanUps.push(() => server.close());
  await expect(server.server.listen(server.port, "127.0.0.1")).rejects.toThrow(/EADDRINUSE/);
});
