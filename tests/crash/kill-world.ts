import { randomInt } from "node:crypto";
import { join } from "node:path";
import { type Client, createClient } from "@landfall/client";
import { memoryStorage } from "@landfall/client/storage/memory";
import { sqliteStorage } from "@landfall/client/storage/sqlite";
import { type Json, canonicalJson } from "@landfall/protocol";
import { verifyFile } from "@landfall/server/operations";
import { Child } from "./child.js";
import type { ClientArguments, ClientLine } from "./client-process.js";
import type { ServerArguments } from "./server-process.js";
import { Probe } from "./probe.js";
import { type NoteSpace, makeTally, schema, space, written } from "./write-numbered.js";

/** A world of real processes, in which the server is killed again and again. */
export interface KillOptions {
  /** An empty folder for the data of all. */
  readonly folder: string;
  /** The bundled programs. */
  readonly programs: { readonly server: string; readonly client: string };
  readonly clients: number;
  /** What the server is told beside its place. */
  readonly server?: Partial<ServerArguments>;
  /** A program that starts the server, with its arguments: a shell that limits what it may do. */
  readonly under?: readonly string[];
}

/** What came of it. */
export interface KillReport {
  /** Of the server, and of clients. */
  readonly kills: number;
  readonly clientKills: number;
  readonly saved: number;
  readonly acknowledged: number;
  /** What was found wrong; nothing should be. */
  readonly problems: readonly string[];
}

/** Outcomes that are waited for before a kill, at most. */
const mostOutcomes = 150;

/** A client process, its disk, and all that its lives have said. */
class Writer {
  readonly file: string;
  readonly earlier: ClientLine[] = [];
  life = 0;
  #child: Child<ClientLine>;

  constructor(
    private readonly options: KillOptions,
    private readonly url: string,
    readonly name: string,
  ) {
    this.file = join(options.folder, `${name}.db`);
    this.#child = this.#start();
  }

  get lines(): readonly ClientLine[] {
    return [...this.earlier, ...this.#child.lines];
  }

  /** Resolves when so many more outcomes have come. */
  async outcomes(more: number): Promise<void> {
    const enough = settledOf(this.#child.lines).length + more;
    await this.#child.until((lines) => settledOf(lines).length >= enough);
  }

  async kill(): Promise<void> {
    await this.#child.kill();
    this.earlier.push(...this.#child.lines.splice(0));
  }

  restart(): void {
    this.life += 1;
    this.#child = this.#start();
  }

  #start(): Child<ClientLine> {
    const told: ClientArguments = { url: this.url, file: this.file, writer: this.name, life: `${this.life}` };
    return new Child(this.options.programs.client, [JSON.stringify(told)]);
  }
}

const settledOf = (lines: readonly ClientLine[]): readonly ClientLine[] =>
  lines.filter(({ settled }) => settled !== undefined);

/** Where each note stands that was acknowledged, by writer and name. */
function acknowledgedBy({ lines }: Writer): Map<string, number> {
  return new Map(
    settledOf(lines).flatMap(({ settled = "", index }) =>
      index === undefined ? [] : [[settled, index] as const],
    ),
  );
}

/**
 * Runs a world to its end: kills the server so many times, looks each time, and lets all agree.
 *
 * @param told hears of each kill.
 */
export async function runKillWorld(
  options: KillOptions & { readonly kills: number },
  told: (kill: number) => void = () => undefined,
): Promise<KillReport> {
  const world = await KillWorld.begin(options);
  try {
    for (let kill = 1; kill <= options.kills; kill++) {
      await world.kill();
      told(kill);
    }
    return await world.end();
  } finally {
    await world.close();
  }
}

export class KillWorld {
  readonly #problems: string[] = [];
  #kills = 0;
  #clientKills = 0;
  #writers: readonly Writer[] = [];
  #probe: Probe | undefined;

  private constructor(
    private readonly options: KillOptions,
    private server: Child<{ readonly port: number }>,
    private readonly port: number,
  ) {}

  static async begin(options: KillOptions): Promise<KillWorld> {
    const server = start(options, 0);
    await server.until((lines) => lines.length > 0);
    const world = new KillWorld(options, server, server.lines[0]?.port ?? 0);
    const owner = world.#reader();
    const site = await owner.space(space, { create: true }).open();
    const names = Array.from({ length: options.clients }, (_, i) => `writer-${i}`);
    await Promise.all(names.map((name) => makeTally(site, name).settled));
    await owner.close();
    world.#writers = names.map((name) => new Writer(options, world.#url, name));
    return world;
  }

  /** The server's process. */
  get pid(): number {
    return this.server.pid ?? 0;
  }

  /** Writes by hand until the server answers so; its clients go on meanwhile. @throws Error when it never does. */
  async until(status: "applied" | "deferred"): Promise<void> {
    this.#probe ??= await Probe.begin(this.#url);
    for (let tries = 0; tries < 2_000; tries++) if ((await this.#probe.write()) === status) return;
    throw new Error(`The server never answered ${status}.`);
  }

  /** Resolves when each client has so many more outcomes. */
  async outcomes(more: number): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.outcomes(more)));
  }

  /** Another server on the same data, after a kill. */
  async restart(server: Partial<ServerArguments>): Promise<void> {
    await this.server.kill();
    await this.#verify();
    this.server = start({ folder: this.options.folder, programs: this.options.programs, server }, this.port);
    await this.server.until((lines) => lines.length > 0);
  }

  get #url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** One round: kills the server at a random moment, now and then a client too, and looks at what is left. */
  async kill(): Promise<void> {
    const outcomes = randomInt(1, mostOutcomes);
    await Promise.race(this.#writers.map((writer) => writer.outcomes(outcomes)));
    const victim = this.#writers[randomInt(this.#writers.length * 2)];
    await Promise.all([this.server.kill(), victim?.kill()]);
    this.#kills += 1;
    const acknowledged = this.#writers.map((writer) => ({ writer, notes: acknowledgedBy(writer) }));
    await this.#verify();
    await this.#serve();
    if (victim) {
      this.#clientKills += 1;
      victim.restart();
    }
    const reader = this.#reader();
    const site = await reader.space(space).open();
    await this.#sync(reader);
    for (const { writer, notes } of acknowledged) this.#check(site, writer, notes);
    await reader.close();
  }

  /** Ends the clients where they are, and lets all that they saved come to the server. */
  async end(): Promise<KillReport> {
    const acknowledged = new Map<Writer, Map<string, number>>();
    for (const writer of this.#writers) {
      await writer.kill();
      acknowledged.set(writer, acknowledgedBy(writer));
    }
    const clients = this.#writers.map((writer) => this.#client(sqliteStorage(writer.file)));
    const sites = await Promise.all(clients.map((client) => client.space(space).open()));
    // The first round brings every write to the server, the second brings it to the others.
    for (let round = 0; round < 2; round++) for (const client of clients) await this.#sync(client);
    const reader = this.#reader();
    const whole = await reader.space(space).open();
    await this.#sync(reader);
    const bytes = canonicalJson(whole.note.all() as unknown as Json);
    let notes = 0;
    let saved = 0;
    for (const [i, writer] of this.#writers.entries()) {
      const site = sites[i] as NoteSpace;
      this.#check(whole, writer, acknowledged.get(writer) ?? new Map());
      const { names } = written(whole, writer.name);
      notes += names.length;
      const there = new Set(names);
      const own = writer.lines.flatMap((line) => line.saved ?? []);
      saved += own.length;
      for (const name of own)
        if (!there.has(name)) this.#wrong(`${writer.name} lost ${name}, which it had saved`);
      if (canonicalJson(site.note.all() as unknown as Json) !== bytes)
        this.#wrong(`${writer.name} ends with another view than a new reader`);
      if (clients[i]?.status.pending.count !== 0) this.#wrong(`${writer.name} still has events that wait`);
      if (site.inbox.current.length > 0) this.#wrong(`${writer.name} has items in its inbox`);
      for (const { report, status } of writer.lines)
        if (report !== undefined || status === "rejected")
          this.#wrong(`${writer.name}: ${report ?? "rejected"}`);
    }
    const [summary] = await reader.spaces().list();
    const probes = this.#probe?.applied ?? 0;
    if (summary?.head !== notes + this.#writers.length + probes)
      this.#wrong(`the head is ${summary?.head}, with ${notes} notes, ${probes} probes and the tallies`);
    await Promise.all([reader, ...clients].map((client) => client.close()));
    await this.server.kill();
    await this.#verify();
    const sum = [...acknowledged.values()].reduce((count, { size }) => count + size, 0);
    return {
      kills: this.#kills,
      clientKills: this.#clientKills,
      saved,
      acknowledged: sum,
      problems: this.#problems,
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.server.kill(), ...this.#writers.map((writer) => writer.kill())]);
  }

  /** Recomputes every digest and invariant of the file that a killed server has left. */
  async #verify(): Promise<void> {
    const report = await verifyFile(join(this.options.folder, "server.db"));
    if (!report.ok) this.#wrong(`the file is damaged: ${JSON.stringify(report.findings)}`);
  }

  /** Nothing acknowledged is missing or elsewhere, and nothing was done twice or by half. */
  #check(site: NoteSpace, writer: Writer, acknowledged: ReadonlyMap<string, number>): void {
    for (const [name, index] of acknowledged) {
      const version = site.note.get(`${writer.name}.${name}`)?.$.version;
      if (version !== index)
        this.#wrong(
          `${writer.name}'s ${name} was acknowledged at ${index} and is at ${version ?? "no index"}`,
        );
    }
    const { names, count } = written(site, writer.name);
    if (names.length !== count) this.#wrong(`${writer.name} has ${names.length} notes and counts ${count}`);
  }

  #wrong(problem: string): void {
    this.#problems.push(problem);
  }

  async #serve(): Promise<void> {
    this.server = start(this.options, this.port);
    await this.server.until((lines) => lines.length > 0);
  }

  /** Until it is done: a server that has just started may still be slow to answer. */
  async #sync(client: Client<typeof schema>): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        return await client.sync();
      } catch (error) {
        if (tries === 20) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  #reader(): Client<typeof schema> {
    return this.#client(memoryStorage());
  }

  #client(storage: ReturnType<typeof memoryStorage>): Client<typeof schema> {
    const onReport = (code: string): void => this.#wrong(`a client reports ${code}`);
    return createClient({ schema, url: this.#url, credentials: () => "dev:ann", storage, onReport });
  }
}

function start(
  {
    folder,
    programs,
    server = {},
    under = [],
  }: Pick<KillOptions, "folder" | "programs" | "server" | "under">,
  port: number,
): Child<{ readonly port: number }> {
  const told: ServerArguments = { ...server, file: join(folder, "server.db"), port };
  return new Child(programs.server, [JSON.stringify(told)], under);
}
