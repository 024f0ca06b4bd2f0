import type { Authenticated } from "../auth/authenticator.js";
import type { Watch } from "./watch.js";
import type { Wire } from "./wire.js";

/**
 * One socket as the hub knows it. There may be very many that say nothing for hours, so it holds no timer, no
 * closure and no collection that it does not need yet; the hub's one ticker looks after all of them.
 */
export class Connection {
  /** Undefined until the hello was accepted. */
  user: Authenticated | undefined = undefined;
  device = "";
  /** By the space's id; undefined until the first `watch`. */
  watches: Map<string, Watch> | undefined = undefined;
  /** Messages that came while another was being handled; undefined while none is. */
  queue: string[] | undefined = undefined;
  /** Messages since the last tick. */
  recentMessages = 0;
  /** Whether anything came since the last ping. */
  heard = true;
  closed = false;

  /** @param deadline until when hello must have been said, and from then on when the token ends; milliseconds since 1970. */
  constructor(
    readonly wire: Wire,
    readonly slot: number,
    public deadline: number,
  ) {}
}
