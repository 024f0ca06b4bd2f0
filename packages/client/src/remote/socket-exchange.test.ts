import { type IncomingMessage, type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { platformPorts } from "../platform.js";
import { httpRemote } from "./http.js";
import type { AnswerSink, PokeChannel, Remote } from "./port.js";

const open: { readonly server: Server; readonly sockets: WebSocketServer }[] = [];
afterEach(() => {
  for (const { server, sockets } of open.splice(0)) {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    server.close();
  }
});

interface Asked {
  readonly type: string;
  readonly id: number;
  readonly token: string;
  readonly request: unknown;
}

const time = { type: "time", time: 1 };
const done = { type: "done" };
const answered = (by: number): object[] => [{ ...time, time: by }, done];
const lines = (all: readonly object[]): string => all.map((line) => `${JSON.stringify(line)}\n`).join("");

/** A server whose socket answers exchanges as told, and whose HTTP answers with the time 2. */
class Far {
  readonly asked: Asked[] = [];
  readonly posted: string[] = [];
  readonly #timers = new Set<() => void>();
  channel!: PokeChannel;
  remote!: Remote;
  socket!: WebSocket;

  static async start(answer: (socket: WebSocket, asked: Asked) => void): Promise<Far> {
    const far = new Far();
    const server = createServer((request, response) => {
      void far.#read(request).then(() =>
        response.writeHead(200, { "content-type": "application/x-ndjson" }).end(lines(answered(2))),
      );
    });
    const sockets = new WebSocketServer({ server, perMessageDeflate: false });
    open.push({ server, sockets });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    sockets.on("connection", (socket) => {
      far.socket = socket;
      socket.on("message", (data) => {
        const message = JSON.parse(String(data)) as Asked;
        if (message.type === "hello") socket.send(JSON.stringify({ type: "welcome", time: 1 }));
        if (message.type !== "exchange") return;
        far.asked.push(message);
        answer(socket, message);
      });
    });
    const { net, clock } = platformPorts();
    const after = (_ms: number, run: () => void): (() => void) => {
      far.#timers.add(run);
      return () => void far.#timers.delete(run);
    };
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    far.remote = httpRemote({ url, net, clock, timers: { after } });
    return far;
  }

  async #read(request: IncomingMessage): Promise<void> {
    let body = "";
    for await (const piece of request) body += String(piece);
    this.posted.push(body);
  }

  /** Opens the socket, and waits until it is. */
  async open(): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.channel = this.remote.pokes!(
        { token: "t", device: "d1" },
        { open: resolve, message: () => undefined, closed: ({ message }) => reject(new Error(message)) },
      );
    });
    return this;
  }

  /** Fires the timers that are set, but not those that are set by it. */
  fire(): void {
    for (const run of [...this.#timers]) run();
  }

  /** Makes an exchange; resolves to the time that the answer said. */
  async exchange(count = 1, chars = 10, signal?: AbortSignal): Promise<number> {
    let heard = 0;
    const sink = { time: (ms: number) => (heard = ms) } as unknown as AnswerSink;
    const events = Array.from({ length: count }, () => ({ text: "x".repeat(chars) }));
    const request = { protocol: 1 as const, device: "d1", spaces: [{ space: "a", cursors: {}, events }] };
    await this.remote.exchange(request, sink, { token: "fresh", ...(signal && { signal }) });
    return heard;
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const reply = (socket: WebSocket, id: number, all?: readonly object[]): void =>
  socket.send(JSON.stringify({ type: "answer", id, ...(all && { lines: all }) }));

describe("an exchange over the socket", () => {
  test("goes over HTTP until the socket is open, then over the socket with its token, then over HTTP again", async () => {
    const far = await Far.start((socket, { id }) => reply(socket, id, answered(3)));
    expect(await far.exchange()).toBe(2);
    await far.open();
    expect(await far.exchange()).toBe(3);
    expect(await far.exchange()).toBe(3);
    expect(far.asked.map(({ id, token, request }) => [id, token, request])).toEqual([
      [1, "fresh", JSON.parse(far.posted[0] as string)],
      [2, "fresh", JSON.parse(far.posted[0] as string)],
    ]);
    far.channel.close();
    expect(await far.exchange()).toBe(2);
    expect(far.posted.length).toBe(2);
  });

  test("what is long goes over HTTP, by its events and by its characters", async () => {
    const far = await (await Far.start((socket, { id }) => reply(socket, id, answered(3)))).open();
    expect(await far.exchange(20)).toBe(3);
    expect(await far.exchange(21)).toBe(2);
    expect(await far.exchange(1, 20_000)).toBe(2);
    expect(await far.exchange(1, 16_000)).toBe(3);
  });

  test("rule 3: what the socket does not answer is asked again over HTTP, the same to the letter", async () => {
    const far = await (await Far.start((socket, { id }) => reply(socket, id))).open();
    expect(await far.exchange()).toBe(2);
    expect(JSON.parse(far.posted[0] as string)).toEqual(far.asked[0]?.request);
  });

  test("rule 3: so is what was under way when the socket is lost, or silent", async () => {
    const lost = await (await Far.start((socket) => socket.terminate())).open();
    expect(await lost.exchange()).toBe(2);

    const silent = await (await Far.start(() => undefined)).open();
    const answer = silent.exchange();
    await silent.until(() => silent.asked.length === 1);
    silent.fire();
    expect(await answer).toBe(2);
  });

  test("an answer that comes late, or twice, answers nothing else", async () => {
    const far = await (await Far.start(() => undefined)).open();
    const first = far.exchange();
    await far.until(() => far.asked.length === 1);
    far.fire();
    expect(await first).toBe(2);
    await far.open();
    const second = far.exchange();
    await far.until(() => far.asked.length === 2);
    const { id } = far.asked[1] as Asked;
    reply(far.socket, id + 1, answered(8));
    reply(far.socket, id, answered(3));
    reply(far.socket, id, answered(9));
    expect(await second).toBe(3);
    const third = far.exchange();
    await far.until(() => far.asked.length === 3);
    reply(far.socket, id, answered(8));
    reply(far.socket, id + 1, answered(4));
    expect(await third).toBe(4);
  });

  test("two at a time: each has its own answer and its own end", async () => {
    const far = await (await Far.start(() => undefined)).open();
    const first = far.exchange();
    const second = far.exchange();
    await far.until(() => far.asked.length === 2);
    reply(far.socket, 1, answered(3));
    expect(await first).toBe(3);
    reply(far.socket, 2, answered(4));
    expect(await second).toBe(4);
    const others = [far.exchange(), far.exchange()];
    await far.until(() => far.asked.length === 4);
    far.socket.terminate();
    expect(await Promise.all(others)).toEqual([2, 2]);
  });

  test("an abort ends it, and nothing is asked over HTTP", async () => {
    const far = await (await Far.start(() => undefined)).open();
    const abort = new AbortController();
    const answer = far.exchange(1, 10, abort.signal);
    await far.until(() => far.asked.length === 1);
    abort.abort();
    await expect(answer).rejects.toMatchObject({ code: "network" });
    expect(far.posted).toEqual([]);
  });

  test("lines that are cut off or out of order are garbled, as in a stream", async () => {
    const far = await (await Far.start((socket, { id }) => reply(socket, id, [time]))).open();
    await expect(far.exchange()).rejects.toMatchObject({ code: "garbled" });
  });
});
