import type { SocketLike } from "@landfall/client/ports";
import type { StreamLine } from "@landfall/protocol";
import type { ServerEnd } from "@landfall/server/create-server";
import type { Program } from "../program.js";
import type { RandomStream } from "../random-stream.js";
import { type Line, count } from "./network.js";
import type { Host } from "./port.js";
import type { Weather } from "./weather.js";

/** The code that a socket is closed with when nobody has closed it. */
const abnormal = 1006;

const exchangePath = "/v1/exchange";
const hint = /^\{"type":"(?:poke|delta|heads|revoked)"/;

/** The request that a message carries; undefined where it carries none. */
function askedIn(text: string): string | undefined {
  if (!text.startsWith('{"type":"exchange"')) return undefined;
  const name = '"request":';
  return text.slice(text.indexOf(name) + name.length, -1);
}

/**
 * A socket between a client and the hub of a server. Messages from the server may be lost, doubled, early or out of
 * order, which no real socket does: the protocol promises to live with all of it, for buses between servers do.
 */
export class Socket implements SocketLike {
  onopen: SocketLike["onopen"] = null;
  onmessage: SocketLike["onmessage"] = null;
  onclose: SocketLike["onclose"] = null;
  onerror: SocketLike["onerror"] = null;
  readonly #random: RandomStream;
  readonly #endBreak: () => void;
  #host: Host | undefined;
  #end: ServerEnd | undefined;
  #closed = false;
  #serverGone = false;
  #toServerMs = 0;
  #toClientMs = 0;
  readonly #name: string;
  /** How the trace names what comes over it: the same texts again and again. */
  readonly #kinds = new Map<string, string>();
  /** The number of the exchange that is under way on it. */
  #exchange = 0;

  constructor(
    readonly line: Line,
    readonly client: Program,
  ) {
    const number = ++line.network.requests;
    this.#name = `socket ${number}`;
    this.#random = line.random.split(this.#name);
    this.#endBreak = line.onBreak(() => this.#break("the line broke"));
    client.onEnd(() => this.#clientEnds());
    line.network.queue.after(line.delay(this.#random), () => this.#connect());
  }

  #connect(): void {
    const { line } = this;
    if (this.#closed) return;
    const host = line.up && !line.blockedToServer ? line.network.host() : undefined;
    if (!host) return this.#break("no server is there");
    this.#host = host;
    host.program.onEnd(() => {
      this.#serverGone = true;
      // A machine that dies says nothing; the client notices by the silence.
      if (this.#random.chance(0.8)) this.#break("the server went");
    });
    this.#end = host.connect({
      bufferedAmount: 0,
      send: (text) => this.#fromServer(text),
      ping: () => this.#ping(),
      close: (code, reason) => this.#serverCloses(code, reason),
      terminate: () => this.#serverCloses(abnormal, ""),
    });
    this.#toClient("socket opens", () => this.onopen?.(), false);
  }

  // --- to the server ------------------------------------------------------------------------------------

  send(text: string): void {
    if (this.#closed) return;
    const { line } = this;
    const { network } = line;
    network.trace.note(this.client.name, "says", `${this.#name} ${text}`);
    const asked = askedIn(text);
    if (asked) {
      this.#exchange = ++network.requests;
      count(network.counts, "socket.exchange");
      network.onlooker.sent(this.#exchange, this.client, exchangePath, asked);
      if (this.#hit("dropRequest")) return this.#break("the socket broke");
    }
    this.#toServer("hears", (end) => end.message(text));
  }

  #hit(name: keyof Weather): boolean {
    const { weather, network } = this.line;
    const hit = weather[name] > 0 && this.#random.chance(weather[name]);
    if (hit) count(network.counts, `socket.${name}`);
    return hit;
  }

  #toServer(kind: string, run: (end: ServerEnd) => void): void {
    const { queue } = this.line.network;
    this.#toServerMs = Math.max(this.#toServerMs, queue.nowMs + this.line.delay(this.#random));
    queue.at(this.#toServerMs, () => {
      if (this.#serverGone || this.line.blockedToServer) return;
      this.#host?.program.take(this.#named(kind), () => {
        if (this.#end) run(this.#end);
      });
    });
  }

  #named(kind: string): string {
    let named = this.#kinds.get(kind);
    if (named === undefined) this.#kinds.set(kind, (named = `${this.#name} ${kind}`));
    return named;
  }

  #ping(): void {
    // The network answers pings, even those to a page that is frozen; not those to one that is gone.
    if (this.#closed || this.line.blockedFromServer) return;
    this.#toServer("pong", (end) => end.pong());
  }

  close(_code?: number): void {
    if (this.#closed) return;
    this.#clientEnds();
  }

  #clientEnds(): void {
    if (!this.#closed) this.#endBreak();
    this.#closed = true;
    this.#toServer("gone", (end) => {
      this.#serverGone = true;
      end.gone();
    });
  }

  // --- to the client ------------------------------------------------------------------------------------

  #fromServer(text: string): void {
    const { line } = this;
    const { network } = line;
    if (this.#closed || this.#serverGone || line.blockedFromServer) return;
    network.trace.note(this.#host?.program.name ?? "", "pokes", `${this.#name} ${text}`);
    if (this.#hit("dropSocket")) return this.#break("the socket broke");
    const deliver = (): void => this.onmessage?.({ data: text });
    if (text.startsWith('{"type":"answer"')) return this.#answer(text);
    // Only what hints may be lost alone: without its welcome a socket is not one.
    const isHint = hint.test(text);
    if (isHint && this.#hit("losePoke")) return;
    this.#toClient("hears", deliver, isHint && this.#hit("reorderPoke"));
    if (isHint && this.#hit("doublePoke")) this.#toClient("hears again", deliver, true);
    if (isHint && this.#hit("earlyPoke")) {
      const early = earlyOf(text);
      if (early !== undefined) this.#toClient("hears early", () => this.onmessage?.({ data: early }), true);
    }
  }

  /** The answer of an exchange that went over the socket. */
  #answer(text: string): void {
    const { onlooker } = this.line.network;
    const { program } = this.#host as Host;
    const number = this.#exchange;
    const { lines } = JSON.parse(text) as { readonly lines?: readonly StreamLine[] };
    if (lines) onlooker.answered(number, program, exchangePath, 200, lines);
    if (this.#hit("dropAnswer")) return this.#break("the socket broke");
    this.#toClient(
      "answered",
      () => {
        if (lines) onlooker.arrived(number, this.client, exchangePath, true);
        this.onmessage?.({ data: text });
      },
      false,
    );
  }

  #toClient(kind: string, run: () => void, outOfOrder: boolean): void {
    const { queue } = this.line.network;
    let atMs = queue.nowMs + this.line.delay(this.#random);
    if (outOfOrder) atMs += this.line.delay(this.#random) * 5;
    else this.#toClientMs = atMs = Math.max(this.#toClientMs, atMs);
    queue.at(atMs, () => {
      this.client.take(this.#named(kind), () => {
        if (!this.#closed) run();
      });
    });
  }

  #serverCloses(code: number, reason: string): void {
    if (this.#serverGone) return;
    this.#serverGone = true;
    const end = this.#end;
    this.#host?.program.after(0, `${this.#name} closed`, () => end?.gone());
    if (this.line.blockedFromServer) return;
    this.#toClient("closes", () => this.#clientHearsClose(code, reason), false);
  }

  #clientHearsClose(code: number, reason: string): void {
    this.#closed = true;
    this.#endBreak();
    this.onclose?.({ code, reason });
  }

  /** The connection is lost for both. */
  #break(why: string): void {
    if (this.#closed) return;
    this.#toClient(`breaks: ${why}`, () => this.#clientHearsClose(abnormal, ""), false);
    if (!this.#serverGone && this.#host) {
      this.#serverGone = true;
      const end = this.#end;
      this.#host.program.after(this.line.delay(this.#random), `${this.#name} gone`, () => end?.gone());
    }
  }
}

/** A poke that comes before what it tells of, as one over a bus between servers may; undefined for other messages. */
function earlyOf(text: string): string | undefined {
  const message = JSON.parse(text) as {
    readonly type: string;
    readonly index?: number;
    readonly domains?: readonly string[];
    readonly space?: string;
  };
  if ((message.type !== "poke" && message.type !== "delta") || message.index === undefined) return undefined;
  const rows = (message as { readonly rows?: readonly { readonly domain: string }[] }).rows ?? [];
  const domains = message.domains ?? [...new Set(rows.map(({ domain }) => domain))];
  if (domains.length === 0) return undefined;
  return JSON.stringify({
    type: "poke",
    space: message.space,
    domains,
    index: message.index + 1,
    by: "another",
  });
}
