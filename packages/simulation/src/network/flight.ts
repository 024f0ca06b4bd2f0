import type { Call, Reply } from "@landfall/server/http/call";
import { splitTarget } from "@landfall/server/http/fetch-edge";
import { BodyCollector } from "@landfall/server/http/body";
import type { Program } from "../program.js";
import type { RandomStream } from "../random-stream.js";
import { Answer } from "./answer.js";
import { portal, refusal } from "./interception.js";
import { type Line, count } from "./network.js";
import type { Host } from "./port.js";

/** An outgoing request, as the client's port gets it. */
export interface Outgoing {
  readonly url: string;
  readonly method: string;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
  readonly signal: AbortSignal | undefined;
}

/** What the network has decided to do to a request. */
interface Fate {
  readonly dropRequest: boolean;
  readonly dropAnswer: boolean;
  readonly refuse: boolean;
  readonly reset: boolean;
  readonly duplicate: boolean;
  readonly truncate: boolean;
  readonly status: boolean;
  readonly portal: boolean;
}

const fates = [
  "dropRequest",
  "dropAnswer",
  "refuse",
  "reset",
  "duplicate",
  "truncate",
  "status",
  "portal",
] as const satisfies readonly (keyof Fate)[];

/** Any address will do: there is one server. */
const pathOf = (url: string): string => url.slice(url.indexOf("/", url.indexOf("//") + 2));

/** What a connection takes of an answer before it stalls. */
const unheardBytes = 65_536;

/** One request and its answer, on their way over a line. */
export class Flight {
  readonly #path: string;
  readonly #random: RandomStream;
  readonly #fate: Fate;
  readonly #number: number;
  /** Ends what listens for the end of those who take part. */
  readonly #listening: (() => void)[] = [];
  #answer: Answer | undefined;
  #over = false;
  /** When the piece before arrives: a stream keeps its order. */
  #lastMs = 0;
  /** Bytes that are still let through before the answer breaks off; undefined where it does not. */
  #leftBytes: number | undefined;
  /** What the server's code uses of an AbortSignal: the platform's own costs more than a whole small exchange. */
  readonly #gone = { aborted: false };
  /** Whether the server works on it, for somebody who listens. */
  #isWorkedOn = false;

  private constructor(
    readonly line: Line,
    readonly client: Program,
    readonly outgoing: Outgoing,
    readonly resolve: (answer: Response) => void,
    readonly reject: (error: Error) => void,
  ) {
    const { network, weather } = line;
    this.#number = ++network.requests;
    this.#path = pathOf(outgoing.url);
    this.#random = line.random.split(this.#number);
    this.#fate = Object.fromEntries(
      fates.map((name) => [name, weather[name] > 0 && this.#random.chance(weather[name])]),
    ) as unknown as Fate;
  }

  static begin(line: Line, client: Program, outgoing: Outgoing): Promise<Response> {
    return new Promise((resolve, reject) => new Flight(line, client, outgoing, resolve, reject).#begin());
  }

  #begin(): void {
    const { client, outgoing, line } = this;
    const { network } = line;
    network.trace.note(
      client.name,
      "request",
      `${this.#number} ${outgoing.method} ${this.#path} ${outgoing.body}`,
    );
    network.onlooker.sent(this.#number, client, this.#path, outgoing.body);
    this.#listening.push(
      client.onEnd(() => this.#leave()),
      line.onBreak(() => this.#lose(0, "the line broke")),
    );
    outgoing.signal?.addEventListener("abort", () => {
      if (!this.#over)
        this.#settle(() => this.#fail(new DOMException("The call was given up.", "AbortError")));
      this.#leave();
    });
    if (!line.up) return this.#lose(1, "there is no network");
    for (const name of fates) if (this.#fate[name]) this.#counted(name);
    const delayMs = line.delay(this.#random);
    if (this.#fate.refuse) return this.#lose(delayMs, "refused");
    // Nothing of this is ever heard of again; the client has to give up by itself.
    if (line.blockedToServer || this.#fate.dropRequest) return;
    network.queue.after(delayMs, () => this.#arrive(true));
    if (this.#fate.duplicate)
      network.queue.after(delayMs + line.delay(this.#random) * 10, () => this.#arrive(false));
  }

  #counted(name: string): void {
    count(this.line.network.counts, `network.${name}`);
    this.line.network.trace.note(this.client.name, "fault", `${name} ${this.#number}`);
  }

  /** The request has come to the server's end. @param heard whether anybody listens to the answer. */
  #arrive(heard: boolean): void {
    const { network } = this.line;
    if (heard && (this.#over || this.#fate.portal || this.#fate.status)) {
      if (!this.#over) this.#intercept();
      return;
    }
    const host = network.host();
    if (!host) {
      if (heard) this.#lose(this.line.delay(this.#random), "no server is there");
      return;
    }
    if (heard) {
      this.#isWorkedOn = true;
      this.#listening.push(
        host.program.onEnd(() => this.#lose(this.line.delay(this.#random), "the server went")),
      );
      if (this.#fate.reset) this.#lose(this.line.delay(this.#random), "reset");
    }
    network.trace.note(host.program.name, "takes", String(this.#number));
    host.answer(this.#call(heard ? this.#gone : { aborted: false })).then(
      (reply) => this.#reply(host, reply, heard),
      () => heard && this.#lose(0, "the server gave up"),
    );
  }

  #intercept(): void {
    const { status, headers, body } = this.#fate.portal
      ? portal
      : refusal(this.#random, this.outgoing.body.length);
    this.#head(status, headers);
    this.#piece(Buffer.from(body));
    this.#end();
  }

  #call(signal: { readonly aborted: boolean }): Call {
    const { outgoing } = this;
    const { path, query } = splitTarget(this.#path);
    return {
      method: outgoing.method,
      path,
      query,
      header: (name) => outgoing.headers[name],
      async readBody(limit) {
        const collector = new BodyCollector(limit, undefined);
        try {
          collector.add(Buffer.from(outgoing.body));
          return collector.whole();
        } finally {
          collector.release();
        }
      },
      signal: () => signal as AbortSignal,
    };
  }

  #reply(host: Host, reply: Reply, heard: boolean): void {
    if (!host.program.alive) return;
    const { body } = reply;
    const { onlooker } = this.line.network;
    if (!heard || this.#over) {
      if (typeof body === "object") void this.#unheard(host, reply.status, body, !heard);
      return;
    }
    if (this.line.blockedFromServer || this.#fate.dropAnswer) {
      if (typeof body === "object") void this.#unheard(host, reply.status, body, false);
      else onlooker.answered(this.#number, host.program, this.#path, reply.status, body ?? "");
      return;
    }
    if (this.#fate.truncate) this.#leftBytes = Math.floor(this.#random.fraction() ** 2 * 2_000);
    this.#head(reply.status, reply.headers);
    if (typeof body === "object") return void this.#stream(host, reply.status, body[Symbol.asyncIterator]());
    this.#isWorkedOn = false;
    this.#tell(host, reply.status, body ?? "");
    this.#piece(Buffer.from(body ?? ""));
    this.#end();
  }

  /** The server has done what was asked before it notices that nobody takes its answer: so much goes to nowhere. */
  async #unheard(
    host: Host,
    status: number,
    body: AsyncIterable<string>,
    isRepeated: boolean,
  ): Promise<void> {
    let leftBytes = unheardBytes;
    try {
      for await (const text of body) {
        if (!host.program.alive) return;
        this.#tell(host, status, text, isRepeated);
        leftBytes -= text.length;
        if (leftBytes < 0) return;
      }
    } catch {
      // It broke off by itself.
    }
  }

  #tell(host: Host, status: number, text: string, isRepeated = false): void {
    const { network } = this.line;
    network.trace.note(host.program.name, "answer", `${this.#number} ${status} ${text}`);
    network.onlooker.answered(this.#number, host.program, this.#path, status, text, isRepeated);
  }

  /** Takes the pieces of an answer one by one, each when the one before has arrived. */
  async #stream(host: Host, status: number, pieces: AsyncIterator<string>): Promise<void> {
    let next: IteratorResult<string>;
    try {
      next = await pieces.next();
    } catch {
      return this.#lose(this.line.delay(this.#random), "the server broke off");
    }
    if (!host.program.alive) return;
    if (this.#over) {
      await pieces.return?.();
      return;
    }
    if (next.done) {
      this.#isWorkedOn = false;
      return this.#end();
    }
    this.#tell(host, status, next.value);
    this.#piece(Buffer.from(next.value));
    this.line.network.queue.at(this.#lastMs, () => {
      if (host.program.alive) void this.#stream(host, status, pieces);
    });
  }

  /** The time at which what is sent now arrives. */
  #arrivalMs(): number {
    const { nowMs } = this.line.network.queue;
    this.#lastMs = Math.max(this.#lastMs, nowMs + this.line.delay(this.#random));
    return this.#lastMs;
  }

  #deliver(kind: string, run: () => void): void {
    const { queue } = this.line.network;
    queue.at(this.#arrivalMs(), () => {
      if (!this.#over) this.client.take(kind, () => void (this.#over || run()));
    });
  }

  #head(status: number, headers: { readonly [name: string]: string }): void {
    const answer = new Answer(status, headers);
    this.#deliver("answer begins", () => {
      this.#answer = answer;
      // The client uses no more of a Response than an Answer has.
      this.resolve(answer as unknown as Response);
    });
  }

  #piece(bytes: Uint8Array): void {
    if (this.#over) return;
    if (this.#leftBytes === undefined || bytes.length <= this.#leftBytes) {
      if (this.#leftBytes !== undefined) this.#leftBytes -= bytes.length;
      this.#deliver("answer goes on", () => this.#answer?.push(bytes));
      return;
    }
    const cut = bytes.subarray(0, this.#leftBytes);
    this.#leftBytes = 0;
    if (cut.length > 0) this.#deliver("answer goes on", () => this.#answer?.push(cut));
    const looksWhole = this.#random.chance(0.5);
    this.#deliver("answer breaks off", () =>
      this.#settle(() => {
        if (looksWhole) this.#answer?.end();
        else this.#fail(new TypeError("The connection was lost."));
      }),
    );
  }

  #end(): void {
    this.#deliver("answer ends", () => {
      this.line.network.onlooker.arrived(this.#number, this.client, this.#path, true);
      this.#settle(() => this.#answer?.end());
    });
  }

  #lose(delayMs: number, why: string): void {
    if (this.#over) return;
    this.line.network.queue.after(delayMs, () => {
      if (this.#over) return;
      this.client.take(`lost: ${why}`, () => {
        if (!this.#over) this.#settle(() => this.#fail(new TypeError("The connection was lost.")));
      });
    });
  }

  #fail(error: Error): void {
    if (this.#answer) {
      this.line.network.onlooker.arrived(this.#number, this.client, this.#path, false);
      this.#answer.fail(error);
    } else this.reject(error);
  }

  #settle(how: () => void): void {
    how();
    this.#leave();
  }

  /** The client's end is gone; the server notices a little later. */
  #leave(): void {
    if (this.#over) return;
    this.#over = true;
    for (const end of this.#listening) end();
    if (this.#isWorkedOn) this.line.network.queue.after(5, () => (this.#gone.aborted = true));
  }
}
