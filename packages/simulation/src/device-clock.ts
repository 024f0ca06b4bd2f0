import type { ClockPort } from "@landfall/protocol";
import type { EventQueue } from "./event-queue.js";

/** When every world begins, in milliseconds since 1970. */
const epochMs = 1_795_000_000_000;

/** A machine's wall clock, which may be wrong, jump or stand still. */
export class DeviceClock implements ClockPort {
  #offsetMs = 0;
  #stoppedAtMs: number | undefined;

  constructor(readonly queue: EventQueue) {}

  /** The time that it really is. */
  get trueMs(): number {
    return epochMs + this.queue.nowMs;
  }

  now(): number {
    return Math.floor(this.#stoppedAtMs ?? this.trueMs + this.#offsetMs);
  }

  /** From here on the clock is so far from the truth. */
  set(offsetMs: number): void {
    this.#offsetMs = offsetMs;
    this.#stoppedAtMs = undefined;
  }

  stop(): void {
    this.#stoppedAtMs = this.now();
  }
}
