import type { CommittedEvent, SpacePosition } from "../engine-types.js";
import { type Watch, WatchGroup } from "./watch.js";

/**
 * What the hub knows of one space that somebody watches: up to which index, and the newest index of every
 * domain then. A delta's `from` and `lastSeq` come from here, so what is not certain is not used: indexes
 * have no gaps (DESIGN rule 4), and one that is missing here makes the knowledge start anew.
 */
export class SpaceState {
  generation: string | undefined = undefined;
  /** Counts the times that the knowledge started anew; what was read before the last of them is worth nothing. */
  epoch = 0;
  /** Counts the changes of members, for whoever read access before one and goes on after it. */
  memberships = 0;
  readonly groups = new Map<string, WatchGroup>();
  readonly #heads = new Map<string, number>();
  /** Every touch of an index in (base, index] is known; undefined while nothing is. */
  #base: number | undefined = undefined;
  #index = 0;
  #certain = false;

  constructor(readonly space: string) {}

  /** The newest index heard of; 0 for none. */
  get index(): number {
    return this.#index;
  }

  /** Forgets what was known. */
  restart(generation: string | undefined): void {
    this.generation = generation;
    this.epoch += 1;
    this.#heads.clear();
    this.#base = undefined;
    this.#index = 0;
    this.#certain = false;
    for (const watch of this.watches()) {
      watch.ready = false;
      watch.since = 0;
      watch.lastSeq = 0;
    }
  }

  *watches(): IterableIterator<Watch> {
    for (const group of this.groups.values()) yield* group.watches;
  }

  /** The newest index heard of that touched a domain; 0 for none. */
  headOf(domain: string): number {
    return this.#heads.get(domain) ?? 0;
  }

  /** The newest index before this event that touched any of the domains. */
  previous(event: CommittedEvent, domains: readonly string[]): number {
    let newest = 0;
    for (const domain of domains) {
      const touched = event.domains.find((touch) => touch.domain === domain);
      newest = Math.max(newest, touched === undefined ? (this.#heads.get(domain) ?? 0) : touched.from);
    }
    return newest;
  }

  /** Whether an event is the next index and everything before it is known, so that deltas may be made of it. */
  isNext(event: CommittedEvent): boolean {
    return this.#certain && event.index === this.#index + 1;
  }

  /** Takes in a committed event. */
  record(event: CommittedEvent): void {
    if (this.#base !== undefined && event.index > this.#index + 1) this.restart(this.generation);
    if (this.#base === undefined) this.#base = event.index - 1;
    if (event.index > this.#index) this.#index = event.index;
    for (const { domain } of event.domains)
      this.#heads.set(domain, Math.max(event.index, this.#heads.get(domain) ?? 0));
  }

  /**
   * Takes in a snapshot.
   * @returns false when it is older than what is known reaches back, and must be read again.
   */
  learn(position: SpacePosition): boolean {
    if (this.generation !== undefined && this.generation !== position.generation)
      this.restart(position.generation);
    this.generation = position.generation;
    if (this.#base !== undefined && position.head < this.#base) return false;
    // Commits that the snapshot already has are still to be told; what is certain goes on by them alone.
    if (this.#certain) return true;
    for (const [domain, head] of Object.entries(position.heads)) {
      this.#heads.set(domain, Math.max(head, this.#heads.get(domain) ?? 0));
    }
    this.#base ??= position.head;
    this.#index = Math.max(this.#index, position.head);
    this.#certain = true;
    return true;
  }

  /** @param domains sorted, each once. */
  group(domains: readonly string[]): WatchGroup {
    const key = domains.join(",");
    let group = this.groups.get(key);
    if (group === undefined) {
      group = new WatchGroup(this, domains);
      this.groups.set(key, group);
    }
    return group;
  }

  /** Takes a watch away, and its group with the last one. */
  drop(watch: Watch): void {
    watch.dropped = true;
    const { group } = watch;
    group.watches.delete(watch);
    if (group.watches.size === 0) this.groups.delete(group.domains.join(","));
  }
}
