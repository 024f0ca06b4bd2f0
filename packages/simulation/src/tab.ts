import type { Client, ClientPorts, SpaceHandle } from "@landfall/client";
import { createClient } from "@landfall/client";
import { type Json, type Op, canonicalJson } from "@landfall/protocol";
import type { StorageChange } from "@landfall/client/storage/port";
import type { Device } from "./device.js";
import type { InboxEntry, Seen, Who } from "./history.js";
import { type PlannedCrash, diskSteps } from "./disk-steps.js";
import { Flight } from "./network/flight.js";
import { Socket } from "./network/socket.js";
import { count } from "./network/network.js";
import { Program } from "./program.js";
import { whoIs } from "./recorder.js";
import { type DomainName, type SchemaVersion, type WorldSchema, domainNames, schemas } from "./schema.js";
import type { CrashTail } from "./storage/account-queue.js";
import type { Verdict } from "./storage/call-gate.js";
import type { ClientDisk } from "./storage/client-disk.js";
import type { ClientProcess } from "./storage/client-process.js";

export type WorldSpace = SpaceHandle<WorldSchema>;

const sameRecords = (a: readonly Seen[], b: readonly Seen[]): boolean =>
  a === b || (a.length === b.length && a.every((record, at) => record === b[at]));

const texts = new WeakMap<readonly object[], string>();

/** Records as text; a list that stays the same list is put down once. */
function textOf(records: readonly object[]): string {
  let text = texts.get(records);
  if (text === undefined) texts.set(records, (text = canonicalJson(records as unknown as Json)));
  return text;
}

/** One run of a page or process on a device: the real client, with the world as its platform. */
export class Tab {
  readonly program: Program;
  readonly who: Who;
  /** The version of the app that it runs. */
  readonly version: SchemaVersion;
  readonly client: Client<WorldSchema>;
  /** Its process on the disk. */
  readonly process: ClientProcess;
  crash: PlannedCrash | undefined;
  /** Somebody signs out in it: what it shows is written down no more. */
  leaving = false;
  /** The spaces that are open. */
  readonly spaces = new Map<string, WorldSpace>();
  /** What was written down last of each space, domain by domain. */
  readonly #shown = new Map<string, readonly (readonly Seen[])[]>();
  /** Events that were written down as offers. */
  readonly #offered = new Set<string>();

  constructor(
    readonly device: Device,
    readonly letter: string,
    run: number,
    disk: ClientDisk,
  ) {
    const { world, name, plan } = device;
    this.who = whoIs(name, letter, run);
    this.version = device.version;
    this.program = new Program(`${this.who.tab}#${run}`, world.queue, world.trace);
    world.tabs.set(this.program, this);
    const { program } = this;
    this.process = disk.start({
      hook: () => this.#verdict(),
      crashed: () => this.#crashed(),
      carrier: diskSteps(program, device.random.split(`disk ${letter}${run}`)),
      commits: (changes) => this.#onCommit(changes),
    });
    this.client = createClient({
      schema: schemas[this.version],
      url: "http://server.test",
      credentials: () => `dev:${plan.user}`,
      storage: this.process.factory,
      ports: this.#ports(),
      hash: world.hash,
      onReport: (code, message) => this.#report(code, message),
    });
    // Not every app shows its status, and to put it together for each change is much of a small client's work.
    if (plan.number === 1) this.client.subscribe(() => this.#onStatus());
    for (const space of world.plan.spaces) void this.#open(space);
  }

  /** The domains that its views show: drafts where there are any. */
  get #listed(): readonly (DomainName | "draft")[] {
    return this.device.world.isMixed ? [...domainNames, "draft"] : domainNames;
  }

  #verdict(): Verdict {
    const { crash } = this;
    this.device.world.called(this.device.diskName);
    if (crash && crash.leftCalls-- <= 0) return crash.after ? "crash-after" : "crash-before";
    return "go";
  }

  #crashed(): void {
    const { crash } = this;
    this.crash = undefined;
    count(this.device.world.counts, `crash.${crash?.after ? "after" : "before"}`);
    this.kill("crashed");
    crash?.crash();
  }

  #ports(): ClientPorts {
    const { program, device } = this;
    const { line, origin, world } = device;
    return {
      clock: device.clock,
      uptime: { now: () => world.queue.nowMs - program.startedMs },
      random: device.random.split(`random ${this.who.tab} ${this.who.run}`).port(),
      timers: program.timers,
      net: {
        fetch: (url, init) =>
          Flight.begin(line, program, {
            url,
            method: init.method ?? "GET",
            headers: init.headers as { readonly [name: string]: string },
            body: typeof init.body === "string" ? init.body : "",
            signal: init.signal ?? undefined,
          }),
        webSocket: device.plan.socket ? () => new Socket(line, program) : undefined,
      },
      locks: origin.locks(program),
      channel: origin.channel(program),
      online: { isOnline: () => line.up, subscribe: (listen) => line.onTurn(program, listen) },
      notes: origin.notes(program),
    };
  }

  async #open(name: string): Promise<void> {
    const { recorder } = this.device.world;
    let space: WorldSpace;
    try {
      space = await this.client.space(name).open();
    } catch (error) {
      if (this.program.alive) this.device.world.fault(`${this.who.tab} could not open ${name}`, error);
      return;
    }
    if (!this.program.alive) return;
    this.spaces.set(name, space);
    if (this.spaces.size === 1)
      recorder.add({
        type: "started",
        ...this.who,
        ...(this.standsIn ? { outbox: {}, standsIn: true } : { outbox: this.device.outbox() }),
      });
    this.#view(name, "opened");
    this.#inbox(name);
    space.inbox.subscribe(() => this.#inbox(name));
    for (const domain of this.#listed) space[domain].live().subscribe(() => this.#view(name, "listener"));
  }

  #report(code: string, message: string): void {
    if (!this.program.alive) return;
    const { world } = this.device;
    count(world.counts, `report.${code}`);
    world.trace.note(this.program.name, "report", `${code} ${message}`);
    world.recorder.add({ type: "report", ...this.who, code, message });
  }

  #onStatus(): void {
    const { state } = this.client.status;
    count(this.device.world.counts, `status.${state}`);
  }

  /** Writes down what it offers back to a server that has lost it, when that joins the outbox. */
  #onCommit(changes: readonly StorageChange[]): void {
    for (const change of changes) {
      if (change.type !== "put" || change.table !== "outbox" || this.#offered.has(change.a)) continue;
      const { ops, schema } = change.value as { readonly ops?: readonly Op[]; readonly schema?: number };
      if (ops?.[0]?.op !== "offer") continue;
      this.#offered.add(change.a);
      const { space, a: event } = change;
      const version = schema === undefined ? {} : { schema };
      this.device.world.recorder.add({ type: "offered", ...this.who, space, event, ops, ...version });
    }
  }

  #view(name: string, why: "opened" | "listener" | "final"): void {
    if (!this.program.alive || this.leaving) return;
    const space = this.spaces.get(name) as WorldSpace;
    const shown = this.#listed.map((domain) => space[domain].all() as unknown as readonly Seen[]);
    const before = this.#shown.get(name);
    // Each domain has a listener of its own; what all of them find in one step says nothing more.
    if (why === "listener" && before?.every((records, at) => sameRecords(records, shown[at] ?? []))) return;
    this.#shown.set(name, shown);
    const domains = Object.fromEntries(this.#listed.map((domain, at) => [domain, shown[at] ?? []]));
    const { version: schema } = this;
    this.device.world.recorder.add({ type: "view", ...this.who, space: name, why, domains, schema });
  }

  #inbox(name: string): void {
    if (!this.program.alive || this.leaving) return;
    const space = this.spaces.get(name) as WorldSpace;
    const items = space.inbox.current.map(
      ({ id, kind, event, domain, key, field, code, by, tried }): InboxEntry => ({
        id,
        kind,
        ...(event && { event: event.id }),
        ...(domain !== undefined && { domain }),
        ...(key !== undefined && { key }),
        ...(field !== undefined && { field }),
        ...(code !== undefined && { code }),
        ...(by !== undefined && { by }),
        ...(tried !== undefined && { tried }),
      }),
    );
    const { version: schema } = this;
    this.device.world.recorder.add({ type: "inbox", ...this.who, space: name, items, schema });
  }

  /** Everything that it shows at the end. */
  final(): void {
    for (const name of this.spaces.keys()) {
      this.#view(name, "final");
      this.#inbox(name);
    }
    const { phase, pending } = this.client.status;
    this.device.world.recorder.add({ type: "status", ...this.who, phase, pending: pending.count });
  }

  /** What it shows of a space, as text: equal where everything in it is. */
  shown(name: string): string {
    const space = this.spaces.get(name);
    return space === undefined
      ? "not open"
      : domainNames.map((domain: DomainName) => textOf(space[domain].all())).join("\n");
  }

  /** Whether it goes on in memory, since its disk could not be opened, or had no room to be made whole. */
  get standsIn(): boolean {
    const { kind, problem } = this.client.status.storage;
    return kind === "memory" && problem !== null;
  }

  /** Whether it has nothing to send and knows of nothing to fetch. */
  get quiet(): boolean {
    const { status } = this.client;
    return (
      status.state === "live" &&
      status.pending.count === 0 &&
      this.spaces.size === this.device.world.plan.spaces.length
    );
  }

  /** @param tail what is left of what its disk had not confirmed yet. */
  kill(how: "closed" | "crashed", tail: CrashTail = {}): void {
    if (!this.program.alive) return;
    this.program.kill();
    this.process.kill(tail);
    this.device.origin.end(this.program);
    this.device.world.trace.note(this.program.name, how);
    this.device.world.recorder.add({ type: "ended", ...this.who, how });
  }
}
