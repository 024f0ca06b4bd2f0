import { connect } from "node:net";
import {
  type ServerMessage,
  decodeText,
  randomUuid,
  serverMessage,
  socketCloseCodes,
  socketProtocol,
} from "@landfall/protocol";
import { type Schema, defineSchema, records } from "@landfall/schema";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { z } from "zod";
import { systemRandom } from "../platform.js";
import { type StandingTime, openStandingTime } from "../standing-time.fixture.js";
import { type TestServer, type TestServerOptions, startTestServer } from "../testing.js";

const name = z.object({ name: z.string() });
const schema = defineSchema({
  version: 1,
  domains: {
    project: records({ fields: name }),
    note: records({ fields: name }),
    alert: records({ fields: name, delivery: "auto" }),
  },
});

let time: StandingTime;
const servers: { close(): Promise<void> }[] = [];
beforeEach(() => {
  time = openStandingTime();
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function start(options: TestServerOptions<Schema> = {}): Promise<TestServer<unknown>> {
  const { clock, timers } = time;
  const server = await startTestServer({ clock, timers, ...options });
  servers.push(server);
  return server;
}

/** How long something may take before the test says what it is that does not come. */
const patienceMs = 120_000;

async function until<T>(read: () => T | undefined | false, what: string): Promise<T> {
  const end = Date.now() + patienceMs;
  for (;;) {
    const value = read();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`no ${what} within ${patienceMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A far end that keeps what it hears. */
class Ear {
  readonly heard: ServerMessage[] = [];
  closed: { code: number; reason: string } | undefined;
  status: number | undefined;
  readonly socket: WebSocket;

  constructor(url: string, protocols: string | string[] = socketProtocol) {
    this.socket = new WebSocket(`${url.replace(/^http/, "ws")}/v1/socket`, protocols);
    this.socket.on("message", (data) => {
      const decoded = decodeText(serverMessage, String(data));
      if (!decoded.ok || decoded.value === undefined) throw new Error(`heard ${String(data)}`);
      this.heard.push(decoded.value);
    });
    this.socket.on("close", (code, reason) => (this.closed = { code, reason: reason.toString() }));
    this.socket.on(
      "unexpected-response",
      (_request, response) => (this.status = response.resume().statusCode),
    );
    this.socket.on("error", () => undefined);
  }

  async open(): Promise<this> {
    await until(
      () =>
        this.socket.readyState === WebSocket.OPEN || this.closed !== undefined || this.status !== undefined,
      "answer",
    );
    return this;
  }

  say(message: object | string): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  of<T extends ServerMessage["type"]>(type: T): Extract<ServerMessage, { type: T }>[] {
    return this.heard.filter((message) => message.type === type) as Extract<ServerMessage, { type: T }>[];
  }

  next<T extends ServerMessage["type"]>(type: T, count = 1): Promise<Extract<ServerMessage, { type: T }>> {
    return until(() => this.of(type)[count - 1], `${type} ${count}`);
  }

  end(): Promise<{ code: number; reason: string }> {
    return until(() => this.closed, "close");
  }

  /** Everything that the server had to say by now has been heard, by itself and by the server what it answered. */
  async caughtUp(): Promise<void> {
    await time.settled();
    let answered = false;
    this.socket.once("pong", () => (answered = true)).ping();
    await until(() => answered || this.closed, "answer to a ping");
  }
}

async function hello(
  server: TestServer<unknown>,
  user: string,
  watch?: { [space: string]: readonly string[] },
  device = `device-${user}`,
): Promise<Ear> {
  const ear = await new Ear(server.url).open();
  ear.say({ type: "hello", token: `dev:${user}`, device });
  if (watch !== undefined) ear.say({ type: "watch", spaces: watch });
  await ear.next("welcome");
  if (watch !== undefined) await ear.next("heads");
  return ear;
}

async function ask(
  server: TestServer<unknown>,
  user: string,
  method: string,
  path: string,
  json?: unknown,
): Promise<Record<string, unknown>> {
  const response = await fetch(server.url + path, {
    method,
    headers: {
      authorization: `Bearer dev:${user}`,
      ...(json === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
  return (await response.json()) as Record<string, unknown>;
}

let stamps = 0;
const stamp = () => {
  const ms = (time.clock.now() + stamps++).toString(16).padStart(12, "0");
  return `${ms.slice(0, 8)}-${ms.slice(8)}-7000-8${randomUuid(systemRandom).slice(20)}`;
};
const create = (seq: number, domain: string, key: string) => ({
  id: stamp(),
  seq,
  ops: [{ op: "create", domain, key, set: { name: key } }],
});

/** A period of a second between heads: the server looks after a quarter of its sockets at each tick. */
function passPeriod(): void {
  for (let tick = 0; tick < 4; tick++) time.pass(250);
}

/** Writes records under a device of the user's, one event each, in one exchange. */
async function write(
  server: TestServer<unknown>,
  user: string,
  space: string,
  seq: number,
  domain: string,
  keys: readonly string[],
): Promise<void> {
  const events = keys.map((key, i) => create(seq + i, domain, key));
  const answer = await ask(server, user, "POST", "/v1/exchange", {
    protocol: 1,
    device: `device-${user}`,
    spaces: [{ space, cursors: {}, events }],
  });
  expect(answer).toMatchObject({ spaces: [{ outcomes: keys.map(() => ({ status: "applied" })) }] });
}

/** A space of ann's with bob as a writer. */
async function shared(server: TestServer<unknown>): Promise<string> {
  const { space } = await ask(server, "ann", "POST", "/v1/spaces", {});
  await ask(server, "ann", "PUT", `/v1/spaces/${String(space)}/members/bob`, { role: "writer" });
  return space as string;
}

describe("hello, auth and the end (DESIGN §6.1)", () => {
  test("a hello is welcomed; frames that come with it are handled in order", async () => {
    const server = await start();
    const space = await shared(server);
    const ear = await hello(server, "ann", { [space]: ["project"] });
    expect(ear.heard.map((message) => message.type)).toEqual(["welcome", "heads"]);
    expect(ear.of("heads")[0]?.spaces).toEqual({ [space]: { project: 0 } });
    expect(Object.keys(ear.of("heads")[0]?.generations ?? {})).toEqual([space]);
  });

  test.each<[string, string | Buffer, number]>([
    ["not JSON", "{", socketCloseCodes.badHello],
    ["no hello", '{"type":"watch","spaces":{}}', socketCloseCodes.badHello],
    ["a hello without a device", '{"type":"hello","token":"dev:ann"}', socketCloseCodes.badHello],
    [
      "a hello with more than it has",
      '{"type":"hello","token":"dev:ann","device":"d","admin":true}',
      socketCloseCodes.badHello,
    ],
    [
      "a hello with a bad device",
      '{"type":"hello","token":"dev:ann","device":"__proto__"}',
      socketCloseCodes.badHello,
    ],
    ["a bad token", '{"type":"hello","token":"nonsense","device":"d"}', socketCloseCodes.unauthorized],
    ["bytes", Buffer.from([1, 2, 3]), socketCloseCodes.badMessage],
    ["text that is no UTF-8", Buffer.from([0xff]), 1007],
    ["a frame too large", "x".repeat(70_000), 1009],
  ])("a first message that is %s ends the socket", async (what, message, code) => {
    const server = await start();
    const ear = await new Ear(server.url).open();
    ear.socket.send(message, { binary: what === "bytes" });
    expect((await ear.end()).code).toBe(code);
  });

  test.each<[string, string, number]>([
    ["not JSON", "nonsense", socketCloseCodes.badMessage],
    ["a second hello", '{"type":"hello","token":"dev:ann","device":"d"}', socketCloseCodes.badMessage],
    ["an unknown type", '{"type":"explode"}', socketCloseCodes.badMessage],
    ["a list", "[]", socketCloseCodes.badMessage],
    ["a watch of a bad domain", '{"type":"watch","spaces":{"s":["a b"]}}', socketCloseCodes.badMessage],
    ["a watch of __proto__", '{"type":"watch","spaces":{"__proto__":["a"]}}', socketCloseCodes.badMessage],
    ["another user's token", '{"type":"auth","token":"dev:bob"}', socketCloseCodes.unauthorized],
    ["a bad token", '{"type":"auth","token":"nonsense"}', socketCloseCodes.unauthorized],
  ])("after hello, %s ends the socket", async (_what, message, code) => {
    const server = await start();
    const ear = await hello(server, "ann");
    ear.say(message);
    expect((await ear.end()).code).toBe(code);
  });

  test("who says no hello is cut off after a while, who says too much at once", async () => {
    const server = await start();
    const [silent, loud] = [await new Ear(server.url).open(), await hello(server, "ann")];
    for (let i = 0; i < 50; i++) loud.say({ type: "watch", spaces: {} });
    expect((await loud.end()).code).toBe(socketCloseCodes.tooMany);
    time.pass(5_000);
    expect((await silent.end()).code).toBe(socketCloseCodes.badHello);
  });

  test("the socket ends with its token, unless that is renewed", async () => {
    const asked: string[] = [];
    const auth = (token: string) => {
      asked.push(token);
      return { id: "ann", expiresAt: time.clock.now() + (token === "long" ? 60_000 : 3_000) };
    };
    const server = await start({ auth });
    const [ends, renewed] = [await new Ear(server.url).open(), await new Ear(server.url).open()];
    for (const ear of [ends, renewed]) {
      ear.say({ type: "hello", token: "short", device: "d" });
      await ear.next("welcome");
    }
    renewed.say({ type: "auth", token: "long" });
    await until(() => asked.includes("long"), "question about the token");
    time.pass(3_000);
    expect(await ends.end()).toEqual({
      code: socketCloseCodes.unauthorized,
      reason: "The token has expired.",
    });
    await renewed.caughtUp();
    expect(renewed.closed).toBe(undefined);
  });

  test("without the subprotocol there is no socket, nor at any other address", async () => {
    const server = await start();
    expect((await new Ear(server.url, []).open()).status).toBe(400);
    expect((await new Ear(server.url, "other.v1").open()).status).toBe(400);
    expect((await new Ear(`${server.url}/elsewhere`).open()).status).toBe(404);
  });

  test("closing says 1001 to every socket, and refuses new ones", async () => {
    const server = await start();
    const ears = [await hello(server, "ann"), await new Ear(server.url).open()];
    await server.close();
    for (const ear of ears) expect((await ear.end()).code).toBe(socketCloseCodes.goingAway);
  });
});

describe("who hears what", () => {
  test("a small write reaches the other watcher as a delta, and its author's device not at all", async () => {
    const server = await start();
    const space = await shared(server);
    const [ann, bob] = [
      await hello(server, "ann", { [space]: ["project", "note"] }),
      await hello(server, "bob", { [space]: ["project", "note"] }),
    ];
    await write(server, "ann", space, 1, "project", ["p1"]);
    await write(server, "ann", space, 2, "note", ["n1"]);
    await write(server, "bob", space, 1, "project", ["p2"]);
    await write(server, "ann", space, 3, "project", ["p3"]);
    const delta = await bob.next("delta", 3);
    expect(bob.of("delta").map(({ from, index, lastSeq, by }) => [from, index, lastSeq, by])).toEqual([
      [0, 1, 0, "device-ann"],
      [1, 2, 0, "device-ann"],
      [3, 4, 1, "device-ann"],
    ]);
    expect(delta).toMatchObject({
      space,
      domains: ["note", "project"],
      rows: [{ domain: "project", key: "p3", version: 4, fields: { name: "p3" } }],
    });
    expect((await ann.next("delta")).rows.map((row) => row.key)).toEqual(["p2"]);
    expect(ann.of("delta")[0]).toMatchObject({ from: 2, index: 3, lastSeq: 2 });
    expect([...ann.of("poke"), ...bob.of("poke")]).toEqual([]);
  });

  test("rule 5: a delta's from and rows are those of the domains watched", async () => {
    const server = await start();
    const space = await shared(server);
    const bob = await hello(server, "bob", { [space]: ["note"] });
    await write(server, "ann", space, 1, "note", ["n1"]);
    await write(server, "ann", space, 2, "project", ["p1"]);
    await write(server, "ann", space, 3, "note", ["n2"]);
    await bob.next("delta", 2);
    expect(bob.of("delta").map(({ from, index, domains }) => [from, index, domains])).toEqual([
      [0, 1, ["note"]],
      [1, 3, ["note"]],
    ]);
  });

  test("what is too much for deltas is one poke", async () => {
    const server = await start();
    const space = await shared(server);
    const bob = await hello(server, "bob", { [space]: ["project"] });
    await write(
      server,
      "ann",
      space,
      1,
      "project",
      Array.from({ length: 30 }, (_, i) => `k${i}`),
    );
    expect(await bob.next("poke")).toEqual({
      type: "poke",
      space,
      domains: ["project"],
      index: 30,
      by: "device-ann",
    });
    await bob.caughtUp();
    expect(bob.heard.map((message) => message.type)).toEqual(["welcome", "heads", "poke"]);
  });

  test("a stranger hears nothing, whatever he watches; who is invited hears from then on", async () => {
    const server = await start();
    const space = await shared(server);
    const eve = await hello(server, "eve");
    eve.say({ type: "watch", spaces: { [space]: ["project"] } });
    await write(server, "ann", space, 1, "project", ["p1"]);
    await eve.caughtUp();
    expect(eve.heard.map((message) => message.type)).toEqual(["welcome"]);
    await ask(server, "ann", "PUT", `/v1/spaces/${space}/members/eve`, { role: "reader" });
    expect((await eve.next("heads")).spaces).toEqual({ [space]: { project: 1 } });
    await write(server, "ann", space, 2, "project", ["p2"]);
    expect(await eve.next("delta")).toMatchObject({ from: 1, index: 2 });
  });

  test("who is removed is told before anything else comes, and hears no more", async () => {
    const server = await start();
    const space = await shared(server);
    const bob = await hello(server, "bob", { [space]: ["project"] });
    const before = bob.heard.length;
    await ask(server, "ann", "DELETE", `/v1/spaces/${space}/members/bob`);
    await bob.next("revoked");
    // It does not wait for the next round of `heads`.
    expect(bob.heard.slice(before)).toEqual([{ type: "revoked", space }]);
    await write(server, "ann", space, 1, "project", ["p1"]);
    await bob.caughtUp();
    expect(bob.heard.at(-1)?.type).toBe("revoked");
  });

  test("auto delivery pokes members who watch nothing", async () => {
    const server = await start({ schema, sockets: { headsEveryMs: 1_000 } });
    const space = await shared(server);
    const bob = await hello(server, "bob");
    await bob.next("heads");
    await write(server, "ann", space, 1, "project", ["p1"]);
    await write(server, "ann", space, 2, "alert", ["a1"]);
    expect(await bob.next("poke")).toMatchObject({ space, domains: ["alert"], index: 2 });
    const { space: later } = await ask(server, "ann", "POST", "/v1/spaces", {});
    await ask(server, "ann", "PUT", `/v1/spaces/${String(later)}/members/bob`, { role: "reader" });
    passPeriod();
    expect((await bob.next("heads", 2)).spaces).toHaveProperty(String(later));
    await write(server, "ann", String(later), 1, "alert", ["a1"]);
    expect(await bob.next("poke", 2)).toMatchObject({ space: later, domains: ["alert"] });
  });

  test("the server's own writes reach everyone, the heads heal, and a wipe pokes", async () => {
    const server = await start({ sockets: { headsEveryMs: 1_000 } });
    const space = await shared(server);
    const bob = await hello(server, "bob", { [space]: ["project"] });
    await server.server.space(space).write((tx) => {
      (tx as Record<string, { put(key: string, fields: object): void }>)["project"]?.put("p1", {
        name: "by the server",
      });
    });
    expect(await bob.next("delta")).toMatchObject({ by: "server", index: 1, rows: [{ key: "p1" }] });
    passPeriod();
    const before = await bob.next("heads", 2);
    expect(before.spaces).toEqual({ [space]: { project: 1 } });
    const { generation } = await ask(server, "ann", "DELETE", `/v1/spaces/${space}`);
    expect(await bob.next("poke")).toMatchObject({ space, domains: ["project"], index: 2 });
    passPeriod();
    const after = await bob.next("heads", 3);
    expect(after.generations).toEqual({ [space]: generation });
    expect(before.generations).not.toEqual(after.generations);
  });
});

describe("abuse (DESIGN §13)", () => {
  test("1,000 sockets from one address: 256 are taken, the rest is told 429", async () => {
    const server = await start({ sockets: { maxSocketsPerUser: 10_000 } });
    const ears: Ear[] = [];
    for (let i = 0; i < 1_000; i += 100)
      ears.push(...(await Promise.all(Array.from({ length: 100 }, () => new Ear(server.url).open()))));
    expect(ears.filter((ear) => ear.socket.readyState === WebSocket.OPEN).length).toBe(256);
    expect(ears.filter((ear) => ear.status === 429).length).toBe(744);
    for (const ear of ears) ear.socket.terminate();
    // A place that was given up can be had again, once the server has heard of that.
    let again: Ear;
    do again = await new Ear(server.url).open();
    while (again.status === 429);
    expect(again.socket.readyState).toBe(WebSocket.OPEN);
  });

  test("a user has so many sockets and no more", async () => {
    const server = await start({ sockets: { maxSocketsPerUser: 2 } });
    await hello(server, "ann");
    const second = await hello(server, "ann");
    const third = await new Ear(server.url).open();
    third.say({ type: "hello", token: "dev:ann", device: "d" });
    expect((await third.end()).code).toBe(socketCloseCodes.tooMany);
    await hello(server, "bob");
    second.socket.close();
    await second.end();
    await hello(server, "ann");
  });

  test("a socket that never reads is cut off, and the others go on", async () => {
    const server = await start({ sockets: { maxBufferedBytes: 100_000 } });
    const space = await shared(server);
    const [deaf, bob] = [
      await hello(server, "bob", { [space]: ["project"] }, "deaf"),
      await hello(server, "bob", { [space]: ["project"] }),
    ];
    deaf.socket.pause();
    const fat = "x".repeat(15_000);
    let seq = 0;
    const refused = async () =>
      /landfall_sockets_refused_total\{reason="slow"\} 1/.test(
        await (await fetch(`${server.url}/metrics`)).text(),
      );
    // The machine's own buffers take some megabytes before the server's come to hold anything.
    while (!(await refused()) && seq < 3_000) {
      const events = [
        { id: stamp(), seq: ++seq, ops: [{ op: "put", domain: "project", key: "p", set: { name: fat } }] },
      ];
      await ask(server, "ann", "POST", "/v1/exchange", {
        protocol: 1,
        device: "device-ann",
        spaces: [{ space, cursors: {}, events }],
      });
    }
    expect(await refused()).toBe(true);
    expect((await bob.next("delta", seq)).index).toBe(seq);
    deaf.socket.resume();
    expect([socketCloseCodes.slowReader, 1006]).toContain((await deaf.end()).code);
  });

  test("a far end that died without a word is found out", async () => {
    const server = await start({ sockets: { headsEveryMs: 1_000 } });
    const key = Buffer.alloc(16, 1).toString("base64");
    const dead = connect(server.port, "127.0.0.1");
    let [opened, closed] = [false, false];
    dead
      .on("data", () => (opened = true))
      .on("close", () => (closed = true))
      .on("error", () => undefined);
    dead.write(
      `GET /v1/socket HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${key}\r\nsec-websocket-protocol: ${socketProtocol}\r\n\r\n`,
    );
    await until(() => opened, "upgrade");
    const alive = await hello(server, "ann");
    // Each is asked in the first period; who has not answered by the second is gone.
    for (let period = 0; period < 2; period++) {
      passPeriod();
      await alive.caughtUp();
    }
    await until(() => closed, "end");
    expect(alive.closed).toBe(undefined);
  });

  test("whatever the frames are, the socket ends with a code of ours or goes on, and the server lives", async () => {
    const server = await start({ sockets: { maxSocketsPerUser: 1_000, maxSocketsPerAddress: 10_000 } });
    const space = await shared(server);
    const odd = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom("__proto__", "constructor", "\ud800", -1, 2 ** 53, "dev:ann", "dev:", space),
    );
    const frame = fc.oneof(
      fc.record(
        {
          type: fc.constantFrom("hello", "auth", "watch", "welcome", "delta"),
          token: odd,
          device: odd,
          spaces: odd,
        },
        { requiredKeys: ["type"] },
      ),
      fc.record({
        type: fc.constant("watch"),
        spaces: fc.dictionary(
          fc.oneof(fc.string(), fc.constant(space)),
          fc.oneof(fc.array(fc.string()), fc.constant(["project"]), odd),
        ),
      }),
      fc.record({ type: fc.constant("hello"), token: fc.constant("dev:ann"), device: fc.constant("d") }),
      fc.jsonValue(),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(frame, { minLength: 1, maxLength: 6 }),
        async (greeted, frames) => {
          const ear = greeted ? await hello(server, "ann") : await new Ear(server.url).open();
          for (const one of frames) ear.say(JSON.stringify(one) ?? "undefined");
          ear.socket.close(1000);
          expect([1000, 1005, 4400, 4401, 4402, 4429]).toContain((await ear.end()).code);
        },
      ),
      { numRuns: 200 },
    );
    const bob = await hello(server, "bob", { [space]: ["project"] });
    await write(server, "ann", space, 1, "project", ["p1"]);
    expect(await bob.next("delta")).toMatchObject({ index: 1 });
  });
});
