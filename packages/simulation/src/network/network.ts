import type { Program } from "../program.js";
import type { EventQueue } from "../event-queue.js";
import type { RandomStream } from "../random-stream.js";
import type { Trace } from "../trace.js";
import type { Host, Onlooker } from "./port.js";
import { type Weather, calm } from "./weather.js";

/** How often each thing has happened; a batch of runs in which one never has shows nothing about it. */
export type Counts = Map<string, number>;

export const count = (counts: Counts, name: string): void =>
  void counts.set(name, (counts.get(name) ?? 0) + 1);

/** What all lines of a world share: the server at its one address, and who looks on. */
export interface Network {
  readonly queue: EventQueue;
  readonly trace: Trace;
  readonly counts: Counts;
  readonly onlooker: Onlooker;
  /** Who answers at the server's address now; nobody while it is down. */
  readonly host: () => Host | undefined;
  /** Requests so far. */
  requests: number;
}

/** The line from one device to the server: all that is lost or late between them is so here. */
export class Line {
  weather: Weather = calm;
  /** Whether the device has a network at all; it knows of that. */
  #up = true;
  /** Partitions, of which nobody knows: what goes this way vanishes. */
  blockedToServer = false;
  blockedFromServer = false;
  readonly #breakers = new Set<() => void>();
  readonly #listeners = new Set<() => void>();

  constructor(
    readonly network: Network,
    readonly name: string,
    readonly random: RandomStream,
  ) {}

  get up(): boolean {
    return this.#up;
  }

  /** The network comes or goes; what is under way breaks when it goes. */
  turn(up: boolean): void {
    if (up === this.#up) return;
    this.#up = up;
    this.network.trace.note(this.name, up ? "online" : "offline");
    if (!up) this.breakAll();
    for (const listen of [...this.#listeners]) listen();
  }

  /** Breaks every connection that is open. */
  breakAll(): void {
    for (const broken of [...this.#breakers]) broken();
  }

  /** Calls when the line breaks. Returns what ends it. */
  onBreak(broken: () => void): () => void {
    this.#breakers.add(broken);
    return () => void this.#breakers.delete(broken);
  }

  /** What the platform tells a program about the network. */
  onTurn(program: Program, listen: () => void): () => void {
    const tell = (): void => void program.after(0, "network hint", listen);
    this.#listeners.add(tell);
    return () => void this.#listeners.delete(tell);
  }

  /** How long one way takes this time. */
  delay(random: RandomStream): number {
    const { delayMs, tail } = this.weather;
    const usual = delayMs * (0.5 + random.fraction());
    if (tail === 0 || !random.chance(tail)) return usual;
    count(this.network.counts, "network.tail");
    return Math.min(usual * 10 ** (3 * random.fraction()), 120_000);
  }
}
