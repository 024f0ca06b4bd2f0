import { type ClockPort, type TimerPort, limits } from "@landfall/protocol";
import type { CommittedEvent, SpaceCommit } from "../engine-types.js";
import type { ServerMetrics } from "../metrics/server-metrics.js";
import type { Connection } from "./connection.js";
import type { SpaceState } from "./space-state.js";
import type { WatchGroup } from "./watch.js";

export interface DeliveryOptions {
  readonly send: (connection: Connection, text: string) => void;
  /** Domains whose pokes go to every member who is connected (`delivery: "auto"`). */
  readonly autoDomains: ReadonlySet<string>;
  /** The schema version that the rows of commits are in: a space is brought there before it is written to. */
  readonly schema?: number | undefined;
  readonly clock: ClockPort;
  readonly timers: TimerPort;
  readonly metrics: ServerMetrics;
}

/**
 * Turns commits into deltas and pokes (DESIGN §6.1). The device that wrote hears nothing of its own events: the
 * answer of its exchange brings them, and says more than a delta could.
 */
export class Delivery {
  readonly #waiting = new Set<WatchGroup>();
  #cancelFlush: (() => void) | undefined = undefined;

  constructor(readonly options: DeliveryOptions) {}

  /** Tells the watchers of one space what a commit did, and takes it into what is known of the space. */
  commit(state: SpaceState, commit: SpaceCommit): void {
    this.options.metrics.committedEvents.observe(commit.events.length);
    const nowMs = this.options.clock.now();
    const small = new Map<WatchGroup, boolean>();
    for (const group of state.groups.values()) small.set(group, fitsDeltas(group, commit.events));
    for (const event of commit.events) {
      const next = state.isNext(event);
      let told = false;
      for (const [group, fits] of small) {
        const touched = this.#touched(group, event);
        const watched = touched.every((domain) => group.members.has(domain));
        if (touched.length > 0 && next && fits && watched) this.#delta(group, event, commit.generation);
        else if (touched.length > 0) this.poke(group, touched, event.index, event.by);
        told ||= touched.length > 0;
        learnSeq(group, event);
      }
      if (told) this.options.metrics.delivery.observe(Math.max(0, nowMs - event.modifiedAt) / 1_000);
      state.record(event);
    }
  }

  /** Pokes every watcher of a space, whatever it watches. */
  pokeAll(state: SpaceState, index: number): void {
    for (const group of state.groups.values()) {
      const domains = [...new Set([...group.domains, ...this.options.autoDomains])];
      if (domains.length > 0) this.poke(group, domains, index, undefined);
    }
  }

  /** Pokes a group with the next turn of the timer, together with whatever else there is to tell it by then. */
  poke(group: WatchGroup, domains: readonly string[], index: number, by: string | undefined): void {
    const waiting = group.poke;
    if (waiting === undefined) group.poke = { domains: new Set(domains), index, by };
    else {
      for (const domain of domains) waiting.domains.add(domain);
      waiting.index = Math.max(waiting.index, index);
      if (waiting.by !== by) waiting.by = undefined;
    }
    this.#waiting.add(group);
    this.#cancelFlush ??= this.options.timers.after(0, () => this.flush());
  }

  /** Sends the pokes that wait. */
  flush(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    for (const group of this.#waiting) {
      const { poke } = group;
      group.poke = undefined;
      if (poke === undefined) continue;
      const text = pokeText(group.state.space, [...poke.domains], poke.index, poke.by);
      for (const { access, connection } of group.watches) {
        if (!access || connection.device === poke.by) continue;
        this.options.send(connection, text);
        this.options.metrics.pokes.add();
      }
    }
    this.#waiting.clear();
  }

  #touched(group: WatchGroup, event: CommittedEvent): string[] {
    const touched: string[] = [];
    for (const { domain } of event.domains) {
      if (group.members.has(domain) || this.options.autoDomains.has(domain)) touched.push(domain);
    }
    return touched;
  }

  #delta(group: WatchGroup, event: CommittedEvent, generation: string): void {
    const { space } = group.state;
    const { schema } = this.options;
    const rows = watchedRows(group, event) as readonly string[];
    const head =
      `{"type":"delta","space":${JSON.stringify(space)},"generation":${JSON.stringify(generation)},${schema === undefined ? "" : `"schema":${schema},`}` +
      `"domains":${JSON.stringify(group.domains)},"from":${group.state.previous(event, group.domains)},` +
      `"index":${event.index},"by":${JSON.stringify(event.by)},"rows":[${rows.join(",")}],"lastSeq":`;
    let poke: string | undefined;
    let [seq, text] = [-1, ""];
    for (const watch of group.watches) {
      if (!watch.access || watch.connection.device === event.by) continue;
      if (watch.ready && event.index > watch.since) {
        // Most devices that only read have the same seq, 0, and so the same text.
        if (watch.lastSeq !== seq) [seq, text] = [watch.lastSeq, `${head}${watch.lastSeq}}`];
        this.options.send(watch.connection, text);
        this.options.metrics.deltas.add();
      } else {
        poke ??= pokeText(space, this.#touched(group, event), event.index, event.by);
        this.options.send(watch.connection, poke);
        this.options.metrics.pokes.add();
      }
    }
  }
}

/** What a device wrote itself is in every later delta to it: the next `lastSeq` says so (DESIGN rule 5). */
function learnSeq(group: WatchGroup, event: CommittedEvent): void {
  for (const watch of group.watches) {
    if (watch.connection.device === event.by) watch.lastSeq = Math.max(watch.lastSeq, event.seq);
  }
}

/** The rows of an event in the domains of a group, as JSON texts; undefined when the commit gave none. */
function watchedRows(group: WatchGroup, event: CommittedEvent): readonly string[] | undefined {
  if (event.rows === undefined) return undefined;
  const texts: string[] = [];
  for (const { domain, text } of event.rows) if (group.members.has(domain)) texts.push(text);
  return texts;
}

/**
 * Whether all that a commit did for a group goes into deltas. One event that does not fit would make every
 * later delta start beyond what the watcher has, so then a single poke is sent.
 */
function fitsDeltas(group: WatchGroup, events: readonly CommittedEvent[]): boolean {
  let [rowCount, bytes] = [0, 0];
  for (const event of events) {
    if (!event.domains.some(({ domain }) => group.members.has(domain))) continue;
    const rows = watchedRows(group, event);
    if (rows === undefined) return false;
    rowCount += rows.length;
    if (rowCount > limits.maxDeltaRows) return false;
    for (const text of rows)
      bytes += text.length > limits.maxDeltaBytes ? text.length : Buffer.byteLength(text);
    if (bytes > limits.maxDeltaBytes) return false;
  }
  return true;
}

function pokeText(space: string, domains: readonly string[], index: number, by: string | undefined): string {
  return JSON.stringify({ type: "poke", space, domains, index, ...(by === undefined ? {} : { by }) });
}
