import { stampMaker } from "./stamp-maker.js";
import {
  type ClockReading,
  type Stamp,
  makeStamp,
  maxStampCounter,
  stampReading,
  stampTail,
} from "./stamp.js";

/**
 * The end of the year 9999. A clock that says more is broken, and is read as one that stands still: a
 * stamp near the end of its 48 bits would leave no stamp above it, for this device and all who see it.
 */
const lastSaneMs = 253_402_300_799_999;

/** Adds one to a reading; a full counter borrows the next millisecond (DESIGN §5.1). */
function successor(reading: ClockReading): ClockReading {
  return reading.counter < maxStampCounter
    ? { ms: reading.ms, counter: reading.counter + 1 }
    : { ms: reading.ms + 1, counter: 0 };
}

function isAfter(a: ClockReading, b: ClockReading): boolean {
  return a.ms > b.ms || (a.ms === b.ms && a.counter > b.counter);
}

/** Whole milliseconds of a wall clock; 0, which moves nothing, where it says no time at all. */
const saneMs = (ms: number): number => (ms > 0 && ms <= lastSaneMs ? Math.floor(ms) : 0);

/**
 * The hybrid logical clock of one writer session (Kulkarni et al. 2014; DESIGN rule 6): stamps rise
 * strictly, whatever the wall clock does, and lie above every stamp that was observed.
 */
export class HybridClock {
  readonly #now: () => number;
  readonly #make: (ms: number, counter: number) => Stamp;
  #last: ClockReading;

  /**
   * @param options.now corrected wall time in milliseconds; may be fractional, jump, or be no number at all.
   * @param options.tail the tail of this writer session, from `makeTail`.
   * @param options.floorMs no stamp is issued at or below this; the persisted reservation of an earlier session.
   */
  constructor(options: { now: () => number; tail: string; floorMs?: number }) {
    this.#now = options.now;
    this.#make = stampMaker(options.tail);
    this.#last = { ms: saneMs(options.floorMs ?? 0), counter: maxStampCounter };
  }

  /** The next stamp, above every stamp issued or observed before. */
  next(): Stamp {
    const ms = saneMs(this.#now());
    this.#last = ms > this.#last.ms ? { ms, counter: 0 } : successor(this.#last);
    return this.#make(this.#last.ms, this.#last.counter);
  }

  /**
   * Lifts the clock to a stamp that was seen: the effective stamp of another's write, or a raw one of an own
   * tab. What lies past the year 9999 comes from no honest server and is passed over.
   */
  observe(stamp: Stamp): void {
    const reading = stampReading(stamp);
    if (reading.ms <= lastSaneMs && isAfter(reading, this.#last)) this.#last = reading;
  }

  /** Milliseconds of the newest stamp issued or observed. */
  get lastMs(): number {
    return this.#last.ms;
  }
}

/**
 * The receive clock of a space: strictly increasing per event, its milliseconds strictly increasing per
 * commit (DESIGN rule 6). It lives in the space's row and is only moved under that row's lock.
 */
export class ReceiveClock {
  #last: ClockReading;
  #commitMs: number | undefined;

  /** @param last the reading that the newest event of the space was received at; zeros for a new space. */
  constructor(last: ClockReading) {
    this.#last = last;
  }

  /** Begins a commit and gives its `modifiedAt`: after that of every earlier commit, whatever the wall clock says. */
  beginCommit(nowMs: number): number {
    this.#commitMs = Math.max(saneMs(nowMs), this.#last.ms + 1);
    return this.#commitMs;
  }

  /** Goes on with a commit that began before: the batches of one database transaction share its `modifiedAt`. */
  continueCommit(modifiedAt: number): void {
    this.#commitMs = modifiedAt;
  }

  /** The reading of the next event of the commit. */
  next(): ClockReading {
    if (this.#commitMs === undefined) throw new Error("beginCommit comes before next");
    this.#last = this.#commitMs > this.#last.ms ? { ms: this.#commitMs, counter: 0 } : successor(this.#last);
    return this.#last;
  }

  get last(): ClockReading {
    return this.#last;
  }
}

/**
 * The effective stamp of an event: its id when that does not lie after its receipt, else the receipt with
 * the id's tail (DESIGN rule 6). A clock ahead thus gains at most the time that its event waited.
 */
export function effectiveStamp(id: Stamp, received: ClockReading): Stamp {
  return isAfter(stampReading(id), received) ? makeStamp(received.ms, received.counter, stampTail(id)) : id;
}
