import { type ServerMessage } from "@landfall/protocol";
import * as limits from "@landfall/protocol/limits";
import type { PokeChannel, PokeListener } from "../remote/port.js";
import { backoffMs } from "./pace.js";
import type { TrackedSpace } from "./tracked-space.js";

/** Characters of a `watch`; spaces that do not fit are polled. */
const maxWatchChars = limits.maxSocketFrameBytes - 1_024;

/** What a socket is to watch: the spaces that fit, which learn that they are among them. */
export function watchOf(all: readonly TrackedSpace[]): { readonly [space: string]: readonly string[] } {
  const watch: { [space: string]: readonly string[] } = {};
  let chars = 0;
  for (const tracked of all) {
    const { space, domains } = tracked.space;
    chars += JSON.stringify([space, domains]).length;
    tracked.watched = chars < maxWatchChars;
    if (tracked.watched) watch[space] = domains;
  }
  return watch;
}

export interface PokeLineOptions {
  readonly connect: (listener: PokeListener) => PokeChannel;
  readonly now: () => number;
  /** In [0, 1). */
  readonly chance: () => number;
  /**
   * The line was lost, or could not be had; or it is open now. `turned`: it had been the other way. `doubtful`: the server
   * may be gone, for the line fell silent, or the first try to have it again was in vain.
   */
  readonly changed: (turned: boolean, doubtful: boolean) => void;
  readonly message: (message: ServerMessage) => void;
  readonly unauthorized: () => void;
}

/** The socket of a loop: opened, told what to watch, and opened again with backoff when it was lost. */
export class PokeLine {
  readonly #options: PokeLineOptions;
  open = false;
  #channel: PokeChannel | undefined;
  #failures = 0;
  /** It was open since a doubt was told of: where none can be had, nothing is told again and again. */
  #wasOpen = false;
  #retryAtMs = 0;
  #said: object | undefined;

  constructor(options: PokeLineOptions) {
    this.#options = options;
  }

  /** Opens the line when that is due. Returns the uptime at which to call again, Infinity while there is a line. */
  upkeep(): number {
    if (!this.#channel && this.#options.now() >= this.#retryAtMs) this.#begin();
    return this.#channel ? Number.POSITIVE_INFINITY : this.#retryAtMs;
  }

  #begin(): void {
    const { connect, message, changed, unauthorized } = this.#options;
    try {
      this.#channel = connect({
        open: () => {
          this.open = this.#wasOpen = true;
          this.#failures = 0;
          changed(true, false);
        },
        message,
        closed: (reason) => {
          const turned = this.open;
          const doubtful = this.#wasOpen && (reason.silent === true || !turned);
          if (doubtful) this.#wasOpen = false;
          this.#lost();
          if (reason.unauthorized) unauthorized();
          changed(turned, doubtful);
        },
      });
    } catch {
      // The platform refuses the address, a page over HTTPS one without; the client polls, and its status says so.
      this.#lost();
    }
  }

  #lost(): void {
    const { now, chance } = this.#options;
    this.close();
    this.#retryAtMs = now() + backoffMs(++this.#failures, chance());
  }

  /** Says what to watch, if that is another object than the last. */
  watch(spaces: { readonly [space: string]: readonly string[] }): void {
    if (!this.#channel || spaces === this.#said) return;
    this.#said = spaces;
    this.#channel.watch(spaces);
  }

  auth(token: string): void {
    this.#channel?.auth(token);
  }

  close(): void {
    this.#channel?.close();
    this.#channel = undefined;
    this.open = false;
    this.#said = undefined;
    this.#retryAtMs = 0;
  }
}
