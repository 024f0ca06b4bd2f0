import { type ServerMessage, decodeText, limits, serverMessage, socketCloseCodes } from "@landfall/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { LandfallError } from "../landfall-error.js";
import { createServer } from "../create-server.js";
import { devTokens } from "../auth/dev-tokens.js";
import type { ServerEnd } from "../create-server.js";
import type { ServerOptions } from "../server-options.js";
import { sqlite } from "../storage/sqlite.js";

type Server = ReturnType<typeof createServer>;
type Line = NonNullable<Extract<ServerMessage, { type: "answer" }>["lines"]>[number];

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

/** Tokens are `dev:<user>`; those of users in `ended` are refused. */
function start(options: Partial<ServerOptions> = {}): { server: Server; ended: Set<string> } {
  const ended = new Set<string>();
  const inner = devTokens();
  const server = createServer({
    storage: sqlite(":memory:"),
    auth: Object.assign((token: string, context: never) => {
      if (ended.has(token)) throw new LandfallError("unauthorized", "The session has ended.");
      return (inner as unknown as (token: string, context: never) => never)(token, context);
    }, inner),
    development: true,
    ...options,
  });
  servers.push(server);
  return { server, ended };
}

/** A far end in the same process that keeps what it hears. */
class Ear {
  readonly heard: ServerMessage[] = [];
  closed: number | undefined;
  bufferedAmount = 0;
  readonly end: ServerEnd;
  #next = 1;

  constructor(
    server: Server,
    readonly user: string,
  ) {
    this.end = server.connect(this);
    this.say({ type: "hello", token: `dev:${user}`, device: `device-${user}` });
  }

  send(text: string): void {
    const decoded = decodeText(serverMessage, text);
    if (!decoded.ok || !decoded.value) throw new Error(`heard ${text}`);
    this.heard.push(decoded.value);
  }

  ping(): void {}
  terminate(): void {}
  close(code: number): void {
    this.closed = code;
  }

  say(message: object): void {
    this.end.message(JSON.stringify(message));
  }

  async until<T>(read: () => T | undefined): Promise<T> {
    const end = Date.now() + 30_000;
    for (;;) {
      const value = read();
      if (value !== undefined) return value;
      if (Date.now() > end) throw new Error(`It did not come; heard ${JSON.stringify(this.heard)}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Makes an exchange; resolves to the answer's lines, or to undefined where it was not answered here. */
  async exchange(
    spaces: readonly object[],
    token = `dev:${this.user}`,
  ): Promise<readonly Line[] | undefined> {
    const id = this.#next++;
    this.say({
      type: "exchange",
      id,
      token,
      request: { protocol: 1, device: `device-${this.user}`, spaces },
    });
    const answer = await this.until(() =>
      this.heard.find((message) => message.type === "answer" && message.id === id),
    );
    return answer.type === "answer" ? answer.lines : undefined;
  }
}

const call = async (
  server: Server,
  user: string,
  method: string,
  path: string,
  body?: object,
): Promise<Record<string, unknown>> => {
  const response = await server.handler(
    new Request(`http://localhost${path}`, {
      method,
      headers: { authorization: `Bearer dev:${user}`, "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    }),
  );
  return (await response.json()) as Record<string, unknown>;
};
const post = (server: Server, user: string, path: string, body: object): Promise<Record<string, unknown>> =>
  call(server, user, "POST", path, body);

const create = (seq: number, set: object = { name: "Quay" }): object => ({
  id: `019a3b9e-5c11-7000-9a3f-${seq.toString(16).padStart(12, "0")}`,
  seq,
  ops: [{ op: "create", domain: "note", key: `k${seq}`, set }],
});
const part = (...events: object[]): object => ({ space: "s", cursors: {}, events });
const result = (lines: readonly Line[] | undefined): unknown[] =>
  (lines ?? []).map((line) =>
    line.type === "space"
      ? line.outcomes.map((outcome) => outcome.status)
      : line.type === "failure"
        ? line.error.code
        : (line.type ?? line.key),
  );

describe("an exchange over the socket", () => {
  test("rule 2: it is answered with the lines of a stream when it has been committed", async () => {
    const { server } = start();
    await post(server, "ann", "/v1/spaces", { space: "s" });
    const ear = new Ear(server, "ann");
    const lines = await ear.exchange([{ ...part(create(1)), cursors: { note: 0 } }]);
    expect(result(lines)).toEqual(["time", ["applied"], "end", "done"]);
    const rows = await call(server, "ann", "GET", "/v1/spaces/s/rows?domain=note&since=0");
    expect(rows).toMatchObject({ head: 1, rows: [{ key: "k1", version: 1 }] });
    const { generation } = rows;
    expect(result(await ear.exchange([{ space: "s", generation, cursors: { note: 0 } }]))).toEqual([
      "time",
      [],
      "k1",
      "end",
      "done",
    ]);
  });

  test("rule 3: sent again over HTTP, and again over the socket, it has one effect and the same outcome", async () => {
    const { server } = start();
    await post(server, "ann", "/v1/spaces", { space: "s" });
    const ear = new Ear(server, "ann");
    await ear.exchange([part(create(1))]);
    const again = await post(server, "ann", "/v1/exchange", {
      protocol: 1,
      device: "device-ann",
      spaces: [part(create(1))],
    });
    expect(again).toMatchObject({
      spaces: [{ head: 1, outcomes: [{ status: "duplicate", of: "applied", index: 1 }] }],
    });
    expect(result(await ear.exchange([part(create(1))]))).toEqual(["time", ["duplicate"], "end", "done"]);
  });

  test("rule 5: exchanges that come together are handled in their order", async () => {
    const { server } = start();
    await post(server, "ann", "/v1/spaces", { space: "s" });
    const ear = new Ear(server, "ann");
    const both = await Promise.all([ear.exchange([part(create(1))]), ear.exchange([part(create(2))])]);
    expect(both.map(result)).toEqual([
      ["time", ["applied"], "end", "done"],
      ["time", ["applied"], "end", "done"],
    ]);
  });

  test("§13: a space of others and one that does not exist are the same to a stranger", async () => {
    const { server } = start();
    await post(server, "ann", "/v1/spaces", { space: "s" });
    const ear = new Ear(server, "bob");
    const [other, none] = [
      await ear.exchange([part(create(1))]),
      await ear.exchange([{ ...part(create(1)), space: "none" }]),
    ];
    expect(result(other)).toEqual(["time", "not_found", "done"]);
    expect(JSON.stringify(other?.slice(1)).replaceAll('"s"', '"none"')).toBe(JSON.stringify(none?.slice(1)));
  });

  test("a member that was removed writes nothing more", async () => {
    const { server } = start();
    await post(server, "ann", "/v1/spaces", { space: "s" });
    await call(server, "ann", "PUT", "/v1/spaces/s/members/bob", { role: "writer" });
    const ear = new Ear(server, "bob");
    expect(result(await ear.exchange([part(create(1))]))).toContainEqual(["applied"]);
    await call(server, "ann", "DELETE", "/v1/spaces/s/members/bob");
    expect(result(await ear.exchange([part(create(2))]))).toEqual(["time", "revoked", "done"]);
  });

  test("a token that is refused by now, or is another user's, is not answered, and nothing is written", async () => {
    const { server, ended } = start();
    await post(server, "ann", "/v1/spaces", { space: "s" });
    const ear = new Ear(server, "ann");
    expect(await ear.exchange([part(create(1))], "dev:bob")).toBeUndefined();
    ended.add("dev:ann");
    expect(await ear.exchange([part(create(1))])).toBeUndefined();
    ended.clear();
    expect(result(await ear.exchange([part(create(1))]))).toContainEqual(["applied"]);
    expect(ear.closed).toBeUndefined();
  });

  test("what is too long for the socket, and all while clients are asked to stay away, is left to HTTP", async () => {
    let backoff = 0;
    const { server } = start({ backoffSeconds: () => backoff });
    await post(server, "ann", "/v1/spaces", { space: "s" });
    const ear = new Ear(server, "ann");
    const long = { text: "ä".repeat(limits.maxSocketAnswerBytes / 2) };
    await post(server, "ann", "/v1/exchange", { protocol: 1, device: "d", spaces: [part(create(1, long))] });
    expect(await ear.exchange([{ space: "s", cursors: { note: 0 } }])).toBeUndefined();
    expect(result(await ear.exchange([{ space: "s", cursors: {} }]))).toContainEqual([]);
    backoff = 3;
    expect(await ear.exchange([{ space: "s", cursors: {} }])).toBeUndefined();
  });

  test("§13: they are not counted as messages, and too many that wait close the socket", async () => {
    const { server } = start({ sockets: { maxMessagesPerSecond: 3 } });
    await post(server, "ann", "/v1/spaces", { space: "s" });
    const ear = new Ear(server, "ann");
    for (let seq = 1; seq <= 30; seq++)
      expect(result(await ear.exchange([part(create(seq))]))).toContainEqual(["applied"]);
    for (let n = 0; n < 30; n++) ear.exchange([part()]).catch(() => undefined);
    expect(ear.closed).toBe(socketCloseCodes.tooMany);
  });

  test.each([
    ["without a token", { id: 1, request: { protocol: 1, device: "d", spaces: [] } }],
    [
      "with a member that is not declared",
      { id: 1, token: "t", request: { protocol: 1, device: "d", spaces: [] }, as: "admin" },
    ],
    ["of another protocol", { id: 1, token: "dev:ann", request: { protocol: 2, device: "d", spaces: [] } }],
    [
      "with a fractional id",
      { id: 1.5, token: "dev:ann", request: { protocol: 1, device: "d", spaces: [] } },
    ],
  ])("§13: an exchange %s closes the socket", async (_what, members) => {
    const { server } = start();
    const ear = new Ear(server, "ann");
    ear.say({ type: "exchange", ...members });
    expect(await ear.until(() => ear.closed)).toBe(socketCloseCodes.badMessage);
  });

  test("a fault of the server is not answered here, and the socket stays", async () => {
    const { server } = start();
    await post(server, "ann", "/v1/spaces", { space: "s" });
    const ear = new Ear(server, "ann");
    const twice = [part(create(1)), part(create(1))];
    expect(await ear.exchange(twice)).toBeUndefined();
    expect(result(await ear.exchange([part(create(1))]))).toContainEqual(["applied"]);
  });
});
