import { memoryStorage } from "@landfall/client/storage/memory";
import type { ClientStorage } from "@landfall/client/storage/port";
import type { AnswerSink } from "@landfall/client/remote/port";
import { readStream } from "@landfall/client/remote/answer";
import { asIs } from "@landfall/client/replica/present";
import { noRules } from "@landfall/client/replica/rules";
import { forkSessions } from "@landfall/client/space/recovery";
import type { SessionContext } from "@landfall/client/space/session-context";
import { SpaceSession } from "@landfall/client/space/space-session";
import type { SettledOutcome } from "@landfall/client/space/settlement";
import {
  type ExchangeRequest,
  HybridClock,
  type Op,
  type ReconcileAnswer,
  type ReconcileRequest,
  type Row,
  type ServerMessage,
  type TimerPort,
  decodeText,
  exchangeAnswer,
  makeTail,
  portableSha256,
} from "@landfall/protocol";

/** Timers that run when they are told to. */
export class ManualTimers implements TimerPort {
  #waiting: (() => void)[] = [];

  after(_delayMs: number, run: () => void): () => void {
    this.#waiting.push(run);
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== run);
    };
  }

  /** Runs what waits now, and not what that brings. */
  run(): void {
    for (const next of this.#waiting.splice(0)) next();
  }
}

/** The server's end of an exchange: the whole answer at once, or line by line. */
export interface ServerEnd {
  whole(request: ExchangeRequest): Promise<string>;
  stream(request: ExchangeRequest): AsyncIterable<string>;
}

/** An exchange on its way. */
interface Flight {
  /** Delivers the next piece. @returns false when there was none left. */
  next(): Promise<boolean>;
  /** Cuts the rest off. */
  cut(): Promise<void>;
}

/** One installation of a client: a real session over a real storage, with a network that a test holds in its hand. */
export class Device {
  readonly reports: string[] = [];
  /** What became of each event, in the order that the app was told. */
  readonly settled = new Map<string, SettledOutcome>();
  /** Called with every new outcome, before the test goes on. */
  onSettled: ((outcome: SettledOutcome) => void) | undefined;
  readonly timers = new ManualTimers();
  session!: SpaceSession;
  flight: Flight | undefined;
  /** Whether the answer delivered last left rows to fetch. */
  more = false;
  /** What the server has answered, piece by piece. */
  readonly answers: string[] = [];
  /** The server's end of a reconciliation; none unless a test gives one. */
  reconcile: (request: ReconcileRequest) => Promise<ReconcileAnswer> = () =>
    Promise.reject(new Error("There is no server to reconcile with."));
  /** The term that this process leads under. */
  term = 1;
  #clock: HybridClock;
  #sessions = 0;

  private constructor(
    readonly space: string,
    public id: string,
    readonly storage: ClientStorage,
    readonly domains: readonly string[],
    now: () => number,
    readonly number: number,
  ) {
    this.#now = now;
    this.#clock = this.#newClock(0);
  }
  readonly #now: () => number;

  static async make(options: {
    space: string;
    id: string;
    domains: readonly string[];
    now: () => number;
    number: number;
    storage?: ClientStorage;
  }): Promise<Device> {
    const { space, id, domains, now, number, storage = await memoryStorage().open(id) } = options;
    const device = new Device(space, id, storage, domains, now, number);
    await device.open();
    return device;
  }

  #newClock(floorMs: number): HybridClock {
    this.#sessions += 1;
    const random = Uint8Array.from({ length: 8 }, (_, i) =>
      i === 6 ? this.number : i === 7 ? this.#sessions : 0,
    );
    return new HybridClock({ now: this.#now, tail: makeTail(random), floorMs });
  }

  async open(): Promise<void> {
    this.session = await SpaceSession.open(this.space, this.#context());
  }

  /** Ends the process without a word and starts another on the same storage. */
  async restart(): Promise<void> {
    await this.lose();
    this.session.stopped = true;
    this.#clock = this.#newClock(this.#clock.lastMs);
    await this.open();
  }

  #context(): SessionContext {
    const device = this;
    return {
      storage: this.storage,
      refusal: () => undefined,
      leaving: () => false,
      rules: {
        domain: () => noRules,
        runAction: () => Promise.reject(new Error("There are no actions here.")),
      },
      stamps: this.#clock,
      wall: { now: this.#now },
      timers: this.timers,
      hash: portableSha256,
      schemaVersion: undefined,
      migrate: (event) => event,
      fieldNow: (_event, _domain, field) => field,
      migrateItem: (item) => item,
      migrateLocal: (shown) => ({ shown, newer: [], failed: [] }),
      presenter: () => asIs,
      domains: this.domains,
      localDomains: [],
      device: () => device.id,
      clockChange: () => undefined,
      forkDevice: (session) =>
        forkSessions([session], session, `${device.id}-copy`, [], () => (device.id += "-copy")),
      createSpace: () => Promise.resolve("Spaces are not created here."),
      reconcile: (request) => device.reconcile(request),
      term: () => device.term,
      fenced: () => undefined,
      stored: () => undefined,
      unstored: () => false,
      publish: () => undefined,
      wake: () => undefined,
      changed: () => undefined,
      report: (code) => void device.reports.push(code),
    };
  }

  /** Writes one event and waits until it is stored. */
  async write(ops: readonly Op[]): Promise<string> {
    const receipt = this.session.writeOps(ops);
    void receipt.settled.then((outcome) => {
      this.settled.set(receipt.id, outcome);
      this.onSettled?.(outcome);
    });
    await receipt.saved;
    return receipt.id;
  }

  /** Asks the server; the answer stays on its way until it is delivered or lost. */
  async ask(server: ServerEnd, options: { events: number; limit: number; stream: boolean }): Promise<void> {
    if (this.flight) return;
    const part = await this.session.exchanges.request({
      events: options.events,
      bytes: 1_000_000,
      first: true,
    });
    if (!part) return;
    const request: ExchangeRequest = {
      protocol: 1,
      device: this.id,
      limit: options.limit,
      spaces: [part.request],
    };
    this.more = false;
    this.flight = options.stream
      ? await this.#streamed(server.stream(request))
      : this.#whole(await server.whole(request));
  }

  /** Loses what has not been delivered. */
  async lose(): Promise<void> {
    const { flight } = this;
    if (!flight) return;
    this.flight = undefined;
    await flight.cut();
  }

  /** Delivers the next piece of the answer, or all that is left of it. */
  async deliver(howMuch: "piece" | "all"): Promise<void> {
    const { flight } = this;
    if (!flight) return;
    while (await flight.next()) if (howMuch === "piece") return;
    this.flight = undefined;
    this.timers.run();
  }

  #whole(text: string): Flight {
    return {
      next: async () => {
        const answer = decodeText(exchangeAnswer, text);
        if (!answer.ok) throw new Error(`The answer cannot be read: ${answer.message}`);
        this.answers.push(text);
        const { sink, work } = this.#sink();
        for (const space of answer.value.spaces) {
          if ("error" in space) {
            sink.failure(space.space, space.error);
            continue;
          }
          const { reset = [], scan = {}, digests = {}, horizons = {} } = space;
          sink.space({ ...space, reset });
          sink.rows(space.rows);
          sink.end({ ...space, scan, digests, horizons });
        }
        await Promise.all(work);
        return false;
      },
      cut: async () => undefined,
    };
  }

  async #streamed(texts: AsyncIterable<string>): Promise<Flight> {
    const { sink, work } = this.#sink();
    const pieces = texts[Symbol.asyncIterator]();
    // The server handles the events when its second piece is asked for: the first is the time.
    const waiting = [await pieces.next(), await pieces.next()];
    const arrived: string[] = [];
    let [over, lost] = [false, false];
    let wake = (): void => undefined;
    const line = (async function* () {
      for (;;) {
        while (arrived.length > 0) yield arrived.shift() as string;
        if (lost) throw new Error("The connection was lost.");
        if (over) return;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    })();
    const read = readStream(line, sink).then(
      () => Promise.all(work),
      (error: unknown) =>
        lost ? Promise.all(work) : Promise.reject(error instanceof Error ? error : new Error(String(error))),
    );
    // Whatever fails is thrown by the step that waits for it.
    read.catch(() => undefined);
    return {
      next: async () => {
        const piece = waiting.shift() ?? (await pieces.next());
        if (piece.done) over = true;
        else {
          arrived.push(piece.value);
          this.answers.push(piece.value);
        }
        wake();
        if (over) await read;
        else await new Promise((resolve) => setImmediate(resolve));
        return !over;
      },
      cut: async () => {
        lost = true;
        wake();
        await pieces.return?.();
        await read;
      },
    };
  }

  #sink(): { readonly sink: AnswerSink; readonly work: Promise<unknown>[] } {
    const { exchanges } = this.session;
    const work: Promise<unknown>[] = [];
    const sink: AnswerSink = {
      time: () => undefined,
      space: (head) => exchanges.begin(head),
      rows: (rows) => exchanges.rows(rows),
      checkpoint: (checkpoint) => exchanges.checkpoint(checkpoint),
      end: (end) => void work.push(exchanges.end(end).then((landing) => (this.more = landing.moreToFetch))),
      failure: (_space, error) => void work.push(exchanges.failed(error).then(() => (this.more = true))),
    };
    return { sink, work };
  }

  /** Takes in what the socket brought. @returns whether a delta was applied. */
  async hear(message: ServerMessage): Promise<boolean> {
    return message.type === "delta" ? this.session.exchanges.delta(message) : false;
  }

  /** The rows of base, live ones, as they are known. */
  base(): Map<string, Row> {
    const rows = new Map<string, Row>();
    for (const domain of this.domains) {
      for (const [key, row] of this.session.replica.baseRows(domain))
        if (!row.deleted) rows.set(`${domain}/${key}`, row);
    }
    return rows;
  }

  /** The fields that the app sees. */
  view(domain: string, key: string): Readonly<Record<string, unknown>> | undefined {
    return this.session.replica.get(domain, key);
  }

  /** The version up to which the device has everything. */
  get cursors(): readonly number[] {
    return this.domains.map((domain) => this.session.meta.cursors[domain] ?? 0);
  }
}
