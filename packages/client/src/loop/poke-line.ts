import type { ServerMessage } from "@landfall/protocol";
import type { PokeChannel, PokeListener } from "../remote/port.js";
import { backoffMs } from "./pace.js";

export interface PokeLineOptions {
  readonly connect: (listener: PokeListener) => PokeChannel;
  readonly now: () => number;
  readonly random: () => number;
  /** The line is open, or lost. */
  readonly changed: () => void;
  readonly message: (message: ServerMessage) => void;
  readonly unauthorized: () => void;
}

/** The socket of a loop: opened, told what to watch, and opened again with backoff when it was lost. */
export interface PokeLine {
  readonly open: boolean;
  /** Opens the line when that is due. Returns the uptime at which to call again, Infinity while there is a line. */
  upkeep(): number;
  /** Says what to watch, if that is new. */
  watch(spaces: { readonly [space: string]: readonly string[] }): void;
  auth(token: string): void;
  close(): void;
}

export function createPokeLine({ connect, now, random, changed, message, unauthorized }: PokeLineOptions): PokeLine {
  let channel: PokeChannel | undefined;
  let attempt = 0;
  let open = false;
  let failures = 0;
  let retryAtMs = 0;
  let said = "";

  const drop = (): void => {
    attempt += 1;
    channel = undefined;
    open = false;
    said = "";
  };
  const lost = (): void => {
    drop();
    failures += 1;
    retryAtMs = now() + backoffMs(failures, random());
  };
  const begin = (): void => {
    const mine = ++attempt;
    try {
      channel = connect({
        open() {
          if (mine !== attempt) return;
          open = true;
          failures = 0;
          changed();
        },
        message: (said) => void (mine === attempt && message(said)),
        closed(reason) {
          if (mine !== attempt) return;
          lost();
          if (reason.unauthorized) unauthorized();
          changed();
        },
      });
    } catch {
      // The platform refuses the address, a page over HTTPS one without; polling goes on, and says so in the status.
      lost();
    }
  };
  return {
    get open() {
      return open;
    },
    upkeep() {
      if (!channel && now() >= retryAtMs) begin();
      return channel ? Number.POSITIVE_INFINITY : retryAtMs;
    },
    watch(spaces) {
      const text = JSON.stringify(spaces);
      if (!channel || text === said) return;
      said = text;
      channel.watch(spaces);
    },
    auth: (token) => channel?.auth(token),
    close() {
      channel?.close();
      drop();
      retryAtMs = 0;
    },
  };
}
