import type { Connection } from "./connection.js";
import type { SpaceState } from "./space-state.js";

/** The watchers of a space whose set of domains is the same: one message is made for all of them. */
export class WatchGroup {
  readonly watches = new Set<Watch>();
  readonly members: ReadonlySet<string>;
  /** What is left to be said with the next flush; undefined when nothing is. */
  poke: { readonly domains: Set<string>; index: number; by: string | undefined } | undefined = undefined;

  /** @param domains sorted, each once. */
  constructor(
    readonly state: SpaceState,
    readonly domains: readonly string[],
  ) {
    this.members = new Set(domains);
  }
}

/** One socket's interest in one space. */
export class Watch {
  /** Whether the user was a member when the database was last asked, with no removal heard of since. */
  access = false;
  /** Whether `lastSeq` and `since` are known, so that deltas may be sent. */
  ready = false;
  /** The snapshot that `lastSeq` was read in: an event up to it cannot be given the seq that belongs to it. */
  since = 0;
  /** The seq of the device's newest event at the newest index that the hub has heard of. */
  lastSeq = 0;
  /** Set when the socket has closed, or has replaced what it watches. */
  dropped = false;

  constructor(
    readonly connection: Connection,
    readonly group: WatchGroup,
  ) {
    group.watches.add(this);
  }
}
