import * as crypto from "node:crypto";
import type { ClockPort, RandomPort, Sha256, TimerPort } from "@landfall/protocol";

/** The machine's wall clock. */
export const systemClock: ClockPort = { now: () => Date.now() };

/** The operating system's random numbers. */
export const systemRandom: RandomPort = { bytes: (count) => new Uint8Array(crypto.randomBytes(count)) };

/** The process's timers; none of them keeps it running. */
export const systemTimers: TimerPort = {
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

type OneShot = (algorithm: string, data: Uint8Array | string, encoding: "latin1") => string;

/** One character for each byte, as bytes: making a Buffer for each hash would cost more than the hash. */
function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** SHA-256 by OpenSSL: in one call where Node has that (20.12 and later), which costs a third. */
export const nativeSha256: Sha256 =
  "hash" in crypto
    ? (data) => bytesOf((crypto.hash as unknown as OneShot)("sha256", data, "latin1"))
    : (data) =>
        new Uint8Array(
          (crypto as { createHash: typeof import("node:crypto").createHash })
            .createHash("sha256")
            .update(data)
            .digest(),
        );

/** Milliseconds, and fractions of them, on a clock that never goes back: for durations only. */
export const systemElapsed = (): number => performance.now();
