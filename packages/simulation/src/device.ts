import { storageName } from "@landfall/client/account";
import { DeviceClock } from "./device-clock.js";
import { Line } from "./network/network.js";
import { Origin } from "./origin.js";
import type { DevicePlan } from "./plan.js";
import type { RandomStream } from "./random-stream.js";
import { ClientDisk } from "./storage/client-disk.js";
import { Tab } from "./tab.js";
import type { World } from "./world.js";

const letters = ["a", "b", "c"] as const;

/** A machine: a disk, a clock, a line to the network, and the tabs that run on it. */
export class Device {
  readonly name: string;
  readonly random: RandomStream;
  readonly clock: DeviceClock;
  readonly line: Line;
  readonly origin: Origin;
  readonly tabs: Tab[] = [];
  /** Starts of each tab so far. */
  readonly #runs: number[] = [];

  constructor(
    readonly world: World,
    readonly plan: DevicePlan,
    readonly disk = new ClientDisk(),
  ) {
    this.name = `d${plan.number}`;
    this.random = world.random.split(this.name);
    this.clock = new DeviceClock(world.queue);
    this.line = new Line(world.network, this.name, this.random.split("line"));
    this.origin = new Origin(this.random.split("origin"));
  }

  /** The events that lie on the disk and wait to be sent, by space. */
  outbox(): Readonly<Record<string, readonly string[]>> {
    const account = storageName("landfall", this.plan.user);
    return Object.fromEntries(
      this.world.plan.spaces.map((space) => [
        space,
        this.disk.peek(account, "outbox", space).map(({ a }) => a),
      ]),
    );
  }

  /** Writes down how much it holds. */
  measure(): void {
    const account = storageName("landfall", this.plan.user);
    for (const space of this.world.plan.spaces) {
      const count = (table: "rows" | "outbox" | "inbox"): number =>
        this.disk.peek(account, table, space).length;
      this.world.recorder.add({
        type: "size",
        of: this.name,
        space,
        rows: count("rows"),
        events: count("outbox"),
        inbox: count("inbox"),
      });
    }
  }

  /** Starts what is not running. */
  start(): void {
    for (let tab = 0; tab < this.plan.tabs; tab++) this.startTab(tab);
  }

  startTab(tab: number): void {
    if (this.tabs[tab]?.program.alive) return;
    const run = (this.#runs[tab] ?? 0) + 1;
    this.#runs[tab] = run;
    this.tabs[tab] = new Tab(this, letters[tab] as string, run, this.disk);
  }
}
