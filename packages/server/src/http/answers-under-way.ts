import type { ServerResponse } from "node:http";
import type { TimerPort } from "@landfall/protocol";

/** The answers that a server is about to give on Node's connections. */
export class AnswersUnderWay {
  readonly #responses = new Set<ServerResponse>();
  #quiet: (() => void) | undefined;

  add(response: ServerResponse): void {
    // Whoever was gone before the request came here never closes again.
    if (response.destroyed) return;
    this.#responses.add(response);
    response.once("close", () => {
      this.#responses.delete(response);
      if (this.#responses.size === 0) this.#quiet?.();
    });
  }

  /** Resolves when none is left. After so long those that are left are cut. */
  finish(graceMs: number, timers: TimerPort): Promise<void> {
    if (this.#responses.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        resolve();
      };
      const cancel = timers.after(graceMs, () => {
        for (const response of this.#responses) response.destroy();
        done();
      });
      this.#quiet = done;
    });
  }
}
