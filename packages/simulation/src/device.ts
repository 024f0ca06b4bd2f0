import { storageName } from "@landfall/client/account";
import { DeviceClock } from "./device-clock.js";
import { Line } from "./network/network.js";
import { Origin } from "./origin.js";
import type { DevicePlan } from "./plan.js";
import type { RandomStream } from "./random-stream.js";
import type { SchemaVersion } from "./schema.js";
import { ClientDisk } from "./storage/client-disk.js";
import { Tab } from "./tab.js";
import type { World } from "./world.js";

const letters = ["a", "b", "c"] as const;

/** A machine: a disk, a clock, a line to the network, and the tabs that run on it. */
export class Device {
  readonly name: string;
  /** What calls of its disk are counted as. */
  readonly diskName: `disk.${string}`;
  readonly random: RandomStream;
  readonly clock: DeviceClock;
  readonly line: Line;
  readonly origin: Origin;
  readonly tabs: Tab[] = [];
  /** The version of the app, and of its schema, that its tabs start with. */
  version: SchemaVersion = 1;
  /** How long the tab that asks the server next is frozen then. */
  sleepsForMs: number | undefined;
  /** Starts of each tab so far. */
  readonly #runs: number[] = [];

  constructor(
    readonly world: World,
    readonly plan: DevicePlan,
    readonly disk = new ClientDisk(),
  ) {
    this.name = `d${plan.number}`;
    this.diskName = `disk.${this.name}`;
    this.random = world.random.split(this.name);
    this.clock = new DeviceClock(world.queue);
    this.line = new Line(world.network, this.name, this.random.split("line"));
    this.origin = new Origin(this.random.split("origin"));
  }

  /** The events that lie on the disk and wait to be sent, by space. */
  outbox(): Readonly<Record<string, readonly string[]>> {
    if (this.disk.isTorn) return {};
    const account = storageName("landfall", this.plan.user);
    return Object.fromEntries(
      this.world.plan.spaces.map((space) => [
        space,
        this.disk.peek(account, "outbox", space).map(({ a }) => a),
      ]),
    );
  }

  /** Spaces that the disk says nothing of: what was known of their history is not on it. */
  unknown(): readonly string[] {
    const account = storageName("landfall", this.plan.user);
    return this.world.plan.spaces.filter((space) => this.disk.peek(account, "meta", space).length === 0);
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

  /** The disk cannot be opened any more: apps that start go on without it. */
  tearDisk(): void {
    const account = storageName("landfall", this.plan.user);
    this.#end(
      this.world.plan.spaces.flatMap((space) => this.disk.peek(account, "inbox", space)).map(({ a }) => a),
    );
    this.disk.isTorn = true;
  }

  /** The disk can be opened again, or has room; whoever goes on without it ends, so that it is. */
  mendDisk(): void {
    if (!this.disk.isTorn) {
      const standIns = this.tabs.filter(({ program, standsIn }) => program.alive && standsIn);
      for (const tab of standIns) tab.kill("closed");
      for (const tab of standIns) this.startTab(this.tabs.indexOf(tab));
      return;
    }
    this.#end(
      this.tabs.flatMap((tab) =>
        [...tab.spaces.values()].flatMap(({ inbox }) => inbox.current.map(({ id }) => id)),
      ),
    );
    this.disk.isTorn = false;
    this.start();
  }

  /** Closes the tabs, which find other items when they start again. */
  #end(lostItems: readonly string[]): void {
    for (const tab of this.tabs) tab.kill("closed");
    const fault = {
      type: "storageFault",
      device: this.name,
      how: "torn",
      lostEvents: [],
      lostItems,
    } as const;
    this.world.recorder.add(fault);
  }

  /** A tab has sent a request. */
  asked({ program }: Tab): void {
    const { sleepsForMs } = this;
    if (sleepsForMs === undefined) return;
    this.sleepsForMs = undefined;
    program.freeze();
    this.world.trace.note(program.name, "sleeps", `${sleepsForMs}`);
    this.world.queue.after(sleepsForMs, () => program.thaw());
  }

  /** The app is updated, and its tabs end. @param left the number of one that is left open, with the version before. */
  upgrade(left?: number): void {
    this.version = 2;
    for (const [number, tab] of this.tabs.entries())
      if (number !== left && tab.version < this.version) tab.kill("closed");
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
