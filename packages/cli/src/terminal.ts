import { CommandError } from "./command-error.js";

/** Where a command writes and what ends it; the process, or a test. */
export interface Terminal {
  /** What the command is for, on standard output. */
  print(line: string): void;
  /** How it is getting on, on standard error. */
  tell(line: string): void;
  /** Resolves when the person asks to stop. */
  readonly stop: Promise<void>;
}

/** Thrown at the next turn after the person has asked to stop. */
export class StoppedError extends CommandError {}

/** How long nothing is said of work that goes on. */
const tellEveryMs = 1_000;

/**
 * Tells how far long work is, about once a second, and ends it when the person asks to stop.
 * @param said what is told of a count of things that are done.
 * @param stopped what to say then: what is left, and what to do.
 */
export function watchWork(
  terminal: Terminal,
  elapsedMs: () => number,
  said: (done: number) => string,
  stopped: string,
): (more: number) => Promise<void> {
  let isStopped = false;
  void terminal.stop.then(() => (isStopped = true));
  let toldAt = elapsedMs();
  let done = 0;
  return async (more) => {
    done += more;
    // Signals and timers get their turn.
    await new Promise<void>((resolve) => void setImmediate(resolve));
    if (isStopped) throw new StoppedError(stopped);
    if (elapsedMs() - toldAt < tellEveryMs) return;
    toldAt = elapsedMs();
    terminal.tell(said(done));
  };
}
