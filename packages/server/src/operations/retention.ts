import type { ClockPort, TimerPort } from "@landfall/protocol";
import type { Sightings } from "../access/sightings.js";
import type { Logger } from "../logger.js";
import type { Storage, WriterState } from "../storage/port.js";

/** How long a server keeps what it needs only for those who were away. `Infinity` keeps it for ever. */
export interface RetentionOptions {
  /**
   * How long a delete is remembered, in milliseconds; 90 days unless set. A client that was away for longer is
   * answered with `reset`: it fetches the domain anew, and loses nothing that it has not sent.
   */
  readonly tombstonesMs?: number;
  /**
   * How long the last acknowledged outcomes of a device are kept after it has written last; 30 days unless set.
   * What it has not acknowledged is kept for ever (DESIGN rule 3).
   */
  readonly outcomesMs?: number;
  /** From the end of one sweep to the next; an hour unless set. */
  readonly everyMs?: number;
}

const dayMs = 86_400_000;
export const retentionDefaults = { tombstonesMs: 90 * dayMs, outcomesMs: 30 * dayMs, everyMs: 3_600_000 };

/** A first sync that takes longer than deletes are kept begins anew, so they are kept for longer than any takes. */
const leastMs = 60_000;
/** A server that has just started has other things to do. */
const firstSweepMs = 60_000;
/** Tombstones that one transaction clears away: some milliseconds that other writes may have to wait. */
const batchRows = 1_000;
/** Spaces that are looked at before other work gets a turn. */
const spacesPerTurn = 100;

/** What sweeps have done since the server started. */
export interface RetentionCounts {
  sweeps: number;
  failures: number;
  tombstones: number;
  outcomes: number;
}

/**
 * Clears away the tombstones and outcomes that have had their time, space by space, in small transactions between
 * those of clients. A domain's horizon goes with the newest tombstone that went, so that who may have missed it
 * is told to read anew (DESIGN §6).
 */
export class Retention {
  readonly counts: RetentionCounts = { sweeps: 0, failures: 0, tombstones: 0, outcomes: 0 };
  readonly #options: Required<RetentionOptions>;
  #running: Promise<void> | undefined;
  #cancel: (() => void) | undefined;
  #goOn = (): void => undefined;
  #stopped = false;

  /** @throws Error for times that could not work. */
  constructor(
    options: RetentionOptions,
    private readonly ports: {
      readonly storage: Storage;
      readonly sightings: Sightings;
      readonly clock: ClockPort;
      readonly timers: TimerPort;
      readonly logger: Logger;
    },
  ) {
    this.#options = { ...retentionDefaults, ...options };
    for (const [name, ms] of Object.entries(this.#options)) {
      if (!(ms >= leastMs))
        throw new Error(
          `retention.${name} is ${ms}, and has to be ${leastMs} (a minute) at least. Infinity keeps everything.`,
        );
    }
  }

  /** Sweeps by itself from now on. */
  start(): void {
    this.#plan(firstSweepMs);
  }

  /** Ends it, and what is running after its present transaction. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    this.#goOn();
    await this.#running?.catch(() => undefined);
  }

  /** Sweeps now; joins the sweep that is running where there is one. */
  sweep(): Promise<void> {
    return (this.#running ??= this.#sweepAll().finally(() => (this.#running = undefined)));
  }

  #plan(afterMs: number): void {
    if (this.#stopped || afterMs === Infinity) return;
    this.#cancel = this.ports.timers.after(afterMs, () => {
      this.sweep().then(
        () => this.#plan(this.#options.everyMs),
        (error: unknown) => {
          this.#fail({ error });
          this.#plan(this.#options.everyMs);
        },
      );
    });
  }

  #fail(what: { readonly space?: string; readonly error: unknown }): void {
    this.counts.failures += 1;
    this.ports.logger.error("a sweep of what has had its time failed; it is tried again", what);
  }

  async #sweepAll(): Promise<void> {
    const { storage, timers, clock } = this.ports;
    const nowMs = clock.now();
    const spaces = await storage.read((snapshot) => snapshot.spaces());
    for (const [position, space] of spaces.entries()) {
      if (this.#stopped) return;
      try {
        await this.#sweepTombstones(space, nowMs - this.#options.tombstonesMs);
        await this.#sweepOutcomes(space, nowMs - this.#options.outcomesMs);
      } catch (error) {
        // One that cannot be swept keeps none of the others from it.
        this.#fail({ space, error });
      }
      if (position % spacesPerTurn === spacesPerTurn - 1)
        await new Promise<void>((resolve) => {
          this.#goOn = resolve;
          timers.after(1, resolve);
        });
    }
    this.counts.sweeps += 1;
  }

  async #sweepTombstones(space: string, before: number): Promise<void> {
    const { storage } = this.ports;
    const found = await storage.read((snapshot) => snapshot.space(space, ""));
    for (const { domain } of found?.domains ?? []) {
      for (let isMore = true; isMore && !this.#stopped;) {
        const oldest = await storage.read((snapshot) => snapshot.tombstones(space, domain, batchRows));
        const last = oldest.findLast(({ modifiedAt }) => modifiedAt <= before);
        if (!last) break;
        this.counts.tombstones += await storage.write(space, (transaction) =>
          transaction.pruneTombstones(domain, last.version, batchRows),
        );
        isMore = oldest.length === batchRows;
      }
    }
  }

  async #sweepOutcomes(space: string, before: number): Promise<void> {
    const { storage, sightings } = this.ports;
    const found = await storage.read(async (snapshot) => {
      const generation = (await snapshot.space(space, ""))?.state.generation;
      return generation === undefined
        ? undefined
        : { generation, writers: await snapshot.writers(space, generation) };
    });
    if (!found) return;
    const heard = new Map(
      sightings.of(space, found.generation).map(({ device, user, acked }) => [`${device} ${user}`, acked]),
    );
    /** The writer as it is to be kept: what it has acknowledged since it wrote last was not worth a write of its own. */
    const swept = (writer: WriterState): WriterState => {
      const said = heard.get(`${writer.device} ${writer.user}`) ?? 0;
      const acked = Math.max(writer.acked, Math.min(said, writer.lastSeq));
      // What the device has not said to hold may be asked for after any time (rule 3).
      return { ...writer, acked, expired: writer.seenAt <= before ? acked : writer.expired };
    };
    const moves = (from: WriterState, to: WriterState): boolean =>
      from.acked < to.acked || from.expired < to.expired;
    for (const { device, user } of found.writers.filter((writer) => moves(writer, swept(writer)))) {
      if (this.#stopped) return;
      this.counts.outcomes += await storage.write(space, async (transaction) => {
        const opened = await transaction.open(device, user);
        const writer = opened?.writer;
        if (!writer || opened.state.generation !== found.generation) return 0;
        const next = swept(writer);
        if (!moves(writer, next)) return 0;
        await transaction.save({ writer: next });
        return next.expired - writer.expired;
      });
    }
  }
}
