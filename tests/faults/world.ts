import { type Fields, type Op, type ServerMessage, decodeText, serverMessage } from "@landfall/protocol";
import { createEngine } from "@landfall/server/engine";
import type { Engine } from "@landfall/server/engine-types";
import { Hub } from "@landfall/server/hub/hub";
import type { Logger } from "@landfall/server/logger";
import { ServerMetrics } from "@landfall/server/metrics/server-metrics";
import { type SqliteStorage, sqlite } from "@landfall/server/storage/sqlite";
import { Device, ManualTimers, type ServerEnd } from "./device.js";
import { History } from "./history.js";

const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export const space = "site-7";
const user = { id: "ann" };
export const domains = ["a", "b"] as const;

const yearMs = 365 * 86_400_000;
/** How far each device's clock is from the server's. */
const skewsMs = [0, 3 * yearMs, -2 * yearMs];

/** Each device counts its own writes here, so that its view is right exactly when the count is. */
const tally = (device: number): string => `tally${device}`;

/** How often each thing has happened that a run is to have. */
export const nothingSeen = () => ({
  deltas: 0,
  lost: 0,
  resets: 0,
  pages: 0,
  checkpoints: 0,
  omitted: 0,
  duplicates: 0,
  superseded: 0,
  rejected: 0,
});

/** A server, a hub and some devices in one process; nothing happens unless the test says so. */
export class World {
  readonly devices: Device[] = [];
  readonly history: History;
  /** What the sockets have brought and nobody has heard yet, for each device. */
  readonly heard: ServerMessage[][] = [];
  /** What is wrong, in the order that it was noticed. */
  readonly wrong: string[] = [];
  /** How often each device has counted. */
  readonly counted: number[] = [];
  /** How often what the test is about has happened: a run without any of it shows little. */
  readonly seen = nothingSeen();
  #token = 0;

  private constructor(
    readonly storage: SqliteStorage,
    readonly engine: Engine,
    readonly hub: Hub,
    readonly hubTimers: ManualTimers,
    readonly clock: { nowMs: number },
  ) {
    this.history = new History(engine, space);
  }

  static async make(count: number): Promise<World> {
    const clock = { nowMs: Date.UTC(2026, 10, 20) };
    const storage = sqlite(":memory:");
    const engine = createEngine({ storage, clock: { now: () => clock.nowMs }, logger: silentLogger });
    await engine.createSpace(user, space);
    const timers = new ManualTimers();
    const hub = new Hub({
      engine,
      authenticate: async () => user,
      autoDomains: new Set(),
      clock: { now: () => clock.nowMs },
      timers,
      metrics: new ServerMetrics(),
      logger: silentLogger,
    });
    const world = new World(storage, engine, hub, timers, clock);
    for (let number = 0; number < count; number++) await world.#add(number);
    await world.#prepare();
    return world;
  }

  async #add(number: number): Promise<void> {
    const id = `device${number}`;
    const device = await Device.make({
      space,
      id,
      domains,
      number,
      now: () => this.clock.nowMs + (skewsMs[number] ?? 0),
    });
    this.devices.push(device);
    this.counted.push(0);
    const heard: ServerMessage[] = [];
    this.heard.push(heard);
    this.#watchOver(device, number);
    const connection = this.hub.open({
      bufferedAmount: 0,
      send: (text) => {
        const message = decodeText(serverMessage, text);
        if (!message.ok) this.wrong.push(`the hub sent what cannot be read: ${message.message}`);
        else if (message.value) heard.push(message.value);
      },
      ping: () => undefined,
      close: (code, reason) => void this.wrong.push(`the hub closed the socket of ${id}: ${code} ${reason}`),
      terminate: () => void this.wrong.push(`the hub dropped ${id}`),
    });
    this.hub.message(connection, JSON.stringify({ type: "hello", token: "t", device: id }));
    this.hub.message(connection, JSON.stringify({ type: "watch", spaces: { [space]: domains } }));
    while (!heard.some((message) => message.type === "heads"))
      await new Promise((resolve) => setImmediate(resolve));
    heard.length = 0;
  }

  /** The records that the checks stand on: a tally for each device, and a pair that is always written together. */
  async #prepare(): Promise<void> {
    const ops: Op[] = domains.map((domain) => ({ op: "create", domain, key: "pair", set: { token: 0 } }));
    for (const number of this.devices.keys())
      ops.push({ op: "create", domain: "a", key: tally(number), set: { count: 0 } });
    const [first] = this.devices as [Device];
    await first.write(ops);
    await this.settle();
  }

  /** What a device had seen of a record when it wrote, by the event's id. */
  readonly #seenBefore = new Map<string, ReadonlySet<string>>();

  /** Sets a field of a record that is not known to be deleted; it may be refused or lose. */
  async put(number: number, domain: string, key: string, set: Fields): Promise<void> {
    const device = this.devices[number] as Device;
    const row = device.session.replica.baseRow(domain, key);
    if (row?.deleted) return;
    // What is not there is made, sometimes as a create that somebody else may come before.
    const isNew = device.view(domain, key) === undefined && Number(Object.values(set)[0]) % 2 === 0;
    const id = await device
      .write([{ op: isNew ? "create" : "put", domain, key, set }])
      .catch(() => undefined);
    if (id !== undefined) this.#seenBefore.set(id, new Set(Object.values(row?.stamps ?? {})));
  }

  #watchOver(device: Device, number: number): void {
    device.onSettled = (outcome) => {
      const said = "superseded" in outcome ? (outcome.superseded ?? []) : [];
      const code = "code" in outcome ? outcome.code : undefined;
      if (code !== undefined && !device.session.inbox.has(outcome.id))
        this.wrong.push(`${device.id} does not tell that ${outcome.id} was refused: ${code}`);
      for (const { domain, key, field, by } of said) {
        if (this.#seenBefore.get(outcome.id)?.has(by))
          this.wrong.push(`${device.id} lost ${domain}/${key}.${field} to what it had seen`);
        const item = `${outcome.id}~${domain}~${key}~${field}`;
        if (!device.session.inbox.has(item)) this.wrong.push(`${device.id} does not tell that ${item} lost`);
        this.seen.superseded += 1;
      }
      if (code !== undefined) this.seen.rejected += 1;
      const index =
        outcome.status === "applied" || (outcome.status === "duplicate" && outcome.of === "applied")
          ? outcome.index
          : 0;
      if (Math.min(...device.cursors) < index)
        this.wrong.push(`${device.id} was told of ${index} before its rows`);
    };
    device.session.replica.subscribe(() => this.checkView(number));
  }

  readonly #serverEnd: ServerEnd = {
    whole: (request) => this.engine.exchange(user, request),
    stream: (request) => this.engine.exchangeStream(user, request),
  };

  ask(number: number, options: { events: number; limit: number; stream: boolean }): Promise<void> {
    return (this.devices[number] as Device).ask(this.#serverEnd, options);
  }

  /** Counts what the answers so far have shown. */
  look(): void {
    for (const { answers } of this.devices) {
      for (const text of answers.splice(0)) {
        if (text.includes('"more":true')) this.seen.pages += 1;
        if (text.includes('"checkpoint"')) this.seen.checkpoints += 1;
        if (text.includes('"reset"')) this.seen.resets += 1;
        if (text.includes('"omitted"')) this.seen.omitted += 1;
        if (text.includes('"duplicate"')) this.seen.duplicates += 1;
      }
    }
  }

  async restart(number: number): Promise<void> {
    const device = this.devices[number] as Device;
    const told = [...device.session.inbox.keys()];
    await device.restart();
    this.#watchOver(device, number);
    for (const item of told)
      if (!device.session.inbox.has(item)) this.wrong.push(`${device.id} has forgotten ${item}`);
    this.checkAll(number);
  }

  /** One atomic write that the server never refuses: it counts, and does whatever else it is given. */
  async count(number: number, ops: readonly Op[] = []): Promise<void> {
    const device = this.devices[number] as Device;
    const mine: Op = { op: "increment", domain: "a", key: tally(number), by: { count: 1 } };
    this.counted[number] = (this.counted[number] as number) + 1;
    await device.write([mine, ...ops]);
  }

  writePair(number: number): Promise<void> {
    this.#token += 1;
    return this.count(
      number,
      domains.map((domain) => ({ op: "update", domain, key: "pair", set: { token: this.#token } })),
    );
  }

  /** Rules 4 and 5 in what the app sees, at any moment. */
  checkView(number: number): void {
    const device = this.devices[number] as Device;
    const count = device.view("a", tally(number))?.["count"] ?? 0;
    if (count !== this.counted[number])
      this.wrong.push(`${device.id} shows ${JSON.stringify(count)} of its ${this.counted[number]} writes`);
    const tokens = domains.map((domain) => device.view(domain, "pair")?.["token"]);
    if (tokens[0] !== tokens[1])
      this.wrong.push(`${device.id} shows half of an atomic write: ${JSON.stringify(tokens)}`);
  }

  /** Rules 4, 5 and 10 in base: exactly what the server had at the index that the cursors name. */
  checkAll(number: number): void {
    const device = this.devices[number] as Device;
    this.checkView(number);
    const [cursor, ...others] = device.cursors as [number, ...number[]];
    if (others.some((other) => other !== cursor))
      this.wrong.push(`${device.id} has cursors ${device.cursors.join()}`);
    const held = sortedText(device.base());
    const stood = sortedText(this.history.at(Math.min(cursor, ...others)));
    if (held !== stood)
      this.wrong.push(`${device.id} at ${cursor} holds ${held} and the server had ${stood}`);
    const problem = device.reports.shift();
    if (problem !== undefined) this.wrong.push(`${device.id} reports ${problem}`);
  }

  /** Lets everything arrive. @returns false when it never comes to rest. */
  async settle(): Promise<boolean> {
    for (let round = 0; round < 60; round++) {
      let busy = false;
      for (const [number, device] of this.devices.entries()) {
        await device.deliver("all");
        await this.ask(number, { events: 50, limit: 50, stream: round % 2 === 0 });
        await device.deliver("all");
        busy = device.more || device.session.exchanges.sendable > 0 || busy;
        this.checkAll(number);
      }
      if (
        !busy &&
        this.devices.every(({ cursors }) => cursors.every((cursor) => cursor === this.history.head))
      )
        return true;
    }
    return false;
  }

  async close(): Promise<void> {
    this.hub.close();
    await this.engine.close();
  }
}

function sortedText(rows: ReadonlyMap<string, unknown>): string {
  return JSON.stringify([...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => sorted(row)));
}

/** A JSON value with its members in order. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)]),
  );
}
