import type { ClockPort } from "@landfall/protocol";
import type { Engine, MembershipChange, SpaceCommit, SpaceHeads } from "../engine-types.js";
import { LandfallError } from "../landfall-error.js";
import type { Logger } from "../logger.js";
import type { Connection } from "./connection.js";
import type { Delivery } from "./delivery.js";
import { SpaceState } from "./space-state.js";
import { Watch } from "./watch.js";

export interface WatchingOptions {
  readonly engine: Engine;
  readonly delivery: Delivery;
  readonly send: (connection: Connection, text: string) => void;
  readonly clock: ClockPort;
  readonly logger: Logger;
}

/** How often a snapshot is read again when commits or members changed beneath it, before it waits for the next tick. */
const maxAttempts = 3;

/** Who watches what, and since which snapshot. */
export class Watching {
  readonly #spaces = new Map<string, SpaceState>();
  /** Spaces some of whose watches need a new snapshot. */
  readonly #stale = new Set<SpaceState>();

  constructor(readonly options: WatchingOptions) {}

  /** Begins a watch; resolves with the heads of its domains, or with undefined where the user has no access. */
  async begin(
    connection: Connection,
    space: string,
    domains: readonly string[],
  ): Promise<SpaceHeads | undefined> {
    let state = this.#spaces.get(space);
    if (state === undefined) {
      state = new SpaceState(space);
      this.#spaces.set(space, state);
    }
    const watch = new Watch(connection, state.group(domains));
    connection.watches ??= new Map();
    connection.watches.set(space, watch);
    return this.#attach(watch);
  }

  end(watch: Watch): void {
    const { state } = watch.group;
    watch.connection.watches?.delete(state.space);
    state.drop(watch);
    if (state.groups.size > 0) return;
    this.#spaces.delete(state.space);
    this.#stale.delete(state);
  }

  commit(commit: SpaceCommit): void {
    const state = this.#spaces.get(commit.space);
    if (state === undefined) return;
    const parted = state.generation !== undefined && state.generation !== commit.generation;
    if (parted || commit.events.length === 0) {
      // A new generation counts from the start, so the index is one past all that anybody holds: they will ask.
      this.options.delivery.pokeAll(state, state.index + 1);
      state.restart(commit.generation);
      this.#stale.add(state);
    }
    state.generation = commit.generation;
    const { epoch } = state;
    if (commit.events.length > 0) this.options.delivery.commit(state, commit);
    if (state.epoch !== epoch) this.#stale.add(state);
  }

  membership(change: MembershipChange): void {
    const state = this.#spaces.get(change.space);
    if (state === undefined) return;
    state.memberships += 1;
    for (const watch of [...state.watches()]) {
      if (watch.connection.user?.id !== change.user) continue;
      if (change.role === undefined) this.#revoke(watch);
      else if (!watch.access) this.#refresh(watch);
    }
  }

  /** Reads new snapshots where they are needed. */
  tick(): void {
    for (const state of this.#stale) {
      for (const watch of state.watches()) if (watch.access && !watch.ready) this.#refresh(watch);
    }
    this.#stale.clear();
  }

  /**
   * The heads of all that a connection watches, and with them its access, as the database has them now. Watches
   * whose user is no member any more are revoked; those that became possible begin.
   */
  async heads(connection: Connection): Promise<{ [space: string]: SpaceHeads }> {
    const spaces: { [space: string]: SpaceHeads } = {};
    for (const [space, watch] of [...(connection.watches ?? [])]) {
      const { user } = connection;
      if (user === undefined || watch.dropped) continue;
      const heads = watch.access ? await this.#readHeads(watch, user.id) : await this.#attach(watch);
      if (heads !== undefined && watch.access && !watch.dropped) spaces[space] = heads;
    }
    return spaces;
  }

  async #readHeads(watch: Watch, user: string): Promise<SpaceHeads | undefined> {
    const { state, domains } = watch.group;
    try {
      return await this.options.engine.heads({ id: user }, state.space, domains);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#revoke(watch);
      return undefined;
    }
  }

  #revoke(watch: Watch): void {
    const { access, connection, group } = watch;
    watch.access = false;
    watch.ready = false;
    if (access && !watch.dropped)
      this.options.send(connection, JSON.stringify({ type: "revoked", space: group.state.space }));
  }

  /** Attaches again, and tells the watcher where the space is by now. */
  #refresh(watch: Watch): void {
    const { space } = watch.group.state;
    this.#attach(watch).then(
      (heads) => {
        if (heads === undefined || watch.dropped) return;
        this.options.send(watch.connection, headsText({ [space]: heads }, this.options.clock.now()));
      },
      (error: unknown) => this.options.logger.warn("A watch could not be read again.", { space, error }),
    );
  }

  /** Reads where the space and the device stand, in one snapshot; deltas go out from then on. */
  async #attach(watch: Watch): Promise<SpaceHeads | undefined> {
    const { connection, group } = watch;
    const { state } = group;
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const { epoch, memberships } = state;
      const { user } = connection;
      if (user === undefined) return undefined;
      try {
        const position = await this.options.engine.position(user, state.space, connection.device);
        if (watch.dropped) return undefined;
        if (state.epoch !== epoch || state.memberships !== memberships) continue;
        const known = state.learn(position);
        // Learning of another generation makes the other watches need a new snapshot too.
        if (state.epoch !== epoch) this.#stale.add(state);
        if (!known) continue;
        watch.access = true;
        watch.ready = true;
        // Of two snapshots under way at once the older may come last, and neither may be taken back.
        watch.since = Math.max(watch.since, position.head);
        watch.lastSeq = Math.max(watch.lastSeq, position.lastSeq);
        // Commits told since the snapshot went past this watch, so their indexes belong to what it is told now.
        const headOf = (domain: string): number =>
          Math.max(position.heads[domain] ?? 0, state.headOf(domain));
        const heads = Object.fromEntries(group.domains.map((domain) => [domain, headOf(domain)]));
        return { generation: position.generation, heads };
      } catch (error) {
        if (!isNotFound(error)) throw error;
        this.#revoke(watch);
        return undefined;
      }
    }
    // Whoever cannot get a quiet snapshot goes without deltas; access is asked for by itself.
    watch.access =
      connection.user !== undefined && (await this.options.engine.mayRead(connection.user, state.space));
    this.#stale.add(state);
    return undefined;
  }
}

/** The message that heals lost pokes. */
export function headsText(found: { readonly [space: string]: SpaceHeads }, timeMs: number): string {
  const spaces: { [space: string]: SpaceHeads["heads"] } = {};
  const generations: { [space: string]: string } = {};
  for (const [space, { generation, heads }] of Object.entries(found)) {
    spaces[space] = heads;
    generations[space] = generation;
  }
  return JSON.stringify({ type: "heads", time: timeMs, spaces, generations });
}

function isNotFound(error: unknown): boolean {
  return error instanceof LandfallError && error.code === "not_found";
}
