import type { AddressInfo } from "node:net";
import { socketCloseCodes, socketProtocol } from "@landfall/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { platformPorts } from "../platform.js";
import { httpRemote } from "./http.js";
import type { PokeChannel, PokeListener, Remote } from "./port.js";

const servers: WebSocketServer[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    for (const socket of server.clients) socket.terminate();
    server.close();
  }
});

interface Serving {
  readonly remote: Remote;
  readonly said: unknown[];
  readonly urls: (string | undefined)[];
  /** The server's end, once there is one. */
  socket(): Promise<WebSocket>;
  /** Fires the timers that are set, but not those that are set by it. */
  fire(): void;
}

async function serve(
  onMessage: (socket: WebSocket, message: { readonly type: string }) => void,
): Promise<Serving> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
  servers.push(server);
  await new Promise((resolve) => server.once("listening", resolve));
  const said: unknown[] = [];
  const urls: (string | undefined)[] = [];
  let connected: (socket: WebSocket) => void = () => undefined;
  const first = new Promise<WebSocket>((resolve) => (connected = resolve));
  server.on("connection", (socket, request) => {
    urls.push(request.url);
    expect(socket.protocol).toBe(socketProtocol);
    connected(socket);
    socket.on("message", (data) => {
      const message = JSON.parse(String(data)) as { type: string };
      said.push(message);
      onMessage(socket, message);
    });
  });
  const timers = new Set<() => void>();
  const { net, clock } = platformPorts();
  const after = (_ms: number, run: () => void): (() => void) => {
    timers.add(run);
    return () => void timers.delete(run);
  };
  const remote = httpRemote({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/base/`,
    net,
    clock,
    timers: { after },
  });
  const fire = (): void => {
    const due = [...timers];
    timers.clear();
    for (const run of due) run();
  };
  return { remote, said, urls, socket: () => first, fire };
}

const welcome = (socket: WebSocket, { type }: { readonly type: string }): void => {
  if (type === "hello") socket.send(JSON.stringify({ type: "welcome", time: 1 }));
};

/** A listener that writes down what it hears, and can be waited for. */
function listen(): PokeListener & { readonly log: unknown[]; until(count: number): Promise<unknown[]> } {
  const log: unknown[] = [];
  let heard: () => void = () => undefined;
  const note = (entry: unknown): void => {
    log.push(entry);
    heard();
  };
  return {
    log,
    open: () => note("open"),
    message: ({ type }) => note(type),
    closed: (reason) => note(reason),
    async until(count) {
      while (log.length < count) await new Promise<void>((resolve) => (heard = resolve));
      return log;
    },
  };
}

const open = (remote: Remote, listener: PokeListener): PokeChannel =>
  remote.pokes!({ token: "secret", device: "d1" }, listener);
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe("the socket", () => {
  test("says hello first, what is watched, and the token never in the address", async () => {
    const { remote, said, urls } = await serve(welcome);
    const listener = listen();
    const channel = open(remote, listener);
    channel.watch({ a: ["note"] });
    await listener.until(2);
    channel.watch({ a: ["note", "task"], b: [] });
    channel.auth("fresh");
    await until(() => said.length === 4);
    expect(said).toEqual([
      { type: "hello", token: "secret", device: "d1" },
      { type: "watch", spaces: { a: ["note"] } },
      { type: "watch", spaces: { a: ["note", "task"], b: [] } },
      { type: "auth", token: "fresh" },
    ]);
    expect(urls).toEqual(["/base/v1/socket"]);
    expect(listener.log).toEqual(["open", "welcome"]);
  });

  test("pokes, heads and deltas are heard; what a newer server says besides is passed over", async () => {
    const { remote } = await serve((socket, message) => {
      welcome(socket, message);
      if (message.type !== "watch") return;
      for (const said of [
        { type: "poke", space: "a", domains: ["note"], index: 4, by: "d2" },
        { type: "fireworks" },
        { type: "heads", time: 2, spaces: { a: { note: 4 } } },
        {
          type: "delta",
          space: "a",
          generation: "g1",
          domains: ["note"],
          from: 3,
          index: 4,
          lastSeq: 0,
          rows: [{ domain: "note", key: "k", version: 4, modifiedAt: 1, deleted: true }],
        },
      ])
        socket.send(JSON.stringify(said));
    });
    const listener = listen();
    open(remote, listener).watch({ a: ["note"] });
    expect(await listener.until(5)).toEqual(["open", "welcome", "poke", "heads", "delta"]);
  });

  test("a refused token is told apart from a lost line", async () => {
    const { remote } = await serve((socket) =>
      socket.close(socketCloseCodes.unauthorized, "The token has expired."),
    );
    const listener = listen();
    open(remote, listener);
    expect(await listener.until(1)).toEqual([{ unauthorized: true, message: "The token has expired." }]);

    const other = await serve((socket) => socket.terminate());
    const second = listen();
    open(other.remote, second);
    expect(await second.until(1)).toMatchObject([{ unauthorized: false }]);
  });

  test.each([
    ["text that is not JSON", "poke!"],
    ["a poke without an index", '{"type":"poke","space":"a","domains":[]}'],
    ["bytes", Buffer.from([1, 2, 3])],
    ["a message without end", JSON.stringify({ type: "error", code: "x", message: "y".repeat(5_000_000) })],
  ])("%s ends it", async (_what, message) => {
    const { remote } = await serve((socket, { type }) => type === "hello" && socket.send(message));
    const listener = listen();
    open(remote, listener);
    expect(await listener.until(1)).toMatchObject([{ unauthorized: false }]);
  });

  test("nobody there ends it", async () => {
    const { remote } = await serve(welcome);
    servers.pop()?.close();
    const listener = listen();
    open(remote, listener);
    expect(await listener.until(1)).toMatchObject([{ unauthorized: false }]);
  });

  test("a server that never welcomes, or falls silent while something is watched, is left", async () => {
    const mute = await serve(() => undefined);
    const listener = listen();
    open(mute.remote, listener);
    await until(() => mute.said.length > 0);
    mute.fire();
    expect(await listener.until(1)).toEqual([
      { unauthorized: false, silent: true, message: "The socket fell silent." },
    ]);

    const quiet = await serve(welcome);
    const second = listen();
    const channel = open(quiet.remote, second);
    await second.until(2);
    for (let look = 0; look < 5; look++) quiet.fire();
    expect(second.log.length).toBe(2);
    channel.watch({ a: [] });
    for (let look = 0; look < 2; look++) quiet.fire();
    (await quiet.socket()).send(JSON.stringify({ type: "heads", time: 2, spaces: {} }));
    expect(await second.until(3)).toContain("heads");
    for (let look = 0; look < 2; look++) quiet.fire();
    expect(second.log.length).toBe(3);
    quiet.fire();
    expect(await second.until(4)).toContainEqual({
      unauthorized: false,
      silent: true,
      message: "The socket fell silent.",
    });
  });

  test("closed by ourselves it says nothing more, and nothing can be said", async () => {
    const { remote, said, socket } = await serve(welcome);
    const listener = listen();
    const channel = open(remote, listener);
    await listener.until(2);
    const end = await socket();
    const closed = new Promise((resolve) => end.once("close", resolve));
    channel.close();
    channel.watch({ a: [] });
    channel.auth("fresh");
    await closed;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([listener.log.length, said.length]).toEqual([2, 2]);
  });
});
