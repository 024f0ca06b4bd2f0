import { nativeSha256 } from "@landfall/server/platform";
import { Device } from "./device.js";
import { EventQueue } from "./event-queue.js";
import { hashOnce } from "./hash-once.js";
import { type Counts, type Network, count } from "./network/network.js";
import type { DevicePlan, Plan } from "./plan.js";
import type { Program } from "./program.js";
import { RandomStream } from "./random-stream.js";
import { Recorder, whoIs } from "./recorder.js";
import { ServerMachine } from "./server-machine.js";
import { ClientDisk } from "./storage/client-disk.js";
import type { Tab } from "./tab.js";
import { Trace } from "./trace.js";
import { WireRecorder } from "./wire-recorder.js";

/** Everything that there is in a run: a server, devices, what lies between them, and what is written down of it. */
export class World {
  readonly queue = new EventQueue();
  readonly hash = hashOnce(nativeSha256);
  readonly random: RandomStream;
  readonly trace: Trace;
  readonly recorder: Recorder;
  readonly counts: Counts = new Map();
  /** What went wrong by itself: an error that nobody was to meet. */
  readonly faults: string[] = [];
  readonly wire: WireRecorder;
  readonly network: Network;
  readonly server: ServerMachine;
  readonly devices: Device[];
  /** Whether the plan's troubles may come: not before everything is set up, and not when all is healed. */
  isTroubled = false;
  /** How many drafts were written. */
  drafts = 0;
  /** Whether it has come to rest once. */
  isQuiet = false;
  readonly tabs = new Map<Program, Tab>();

  constructor(
    readonly plan: Plan,
    { keepTrace }: { readonly keepTrace: boolean },
  ) {
    this.random = new RandomStream(`seed ${plan.seed}`);
    this.trace = new Trace(() => this.queue.nowMs, keepTrace);
    this.recorder = new Recorder(this.queue);
    this.wire = new WireRecorder(
      this.recorder,
      this.counts,
      (program) => this.tabs.get(program)?.who ?? whoIs(program.name, "?", 0),
      (program) => {
        const tab = this.tabs.get(program);
        tab?.device.asked(tab);
      },
    );
    this.network = {
      queue: this.queue,
      trace: this.trace,
      counts: this.counts,
      onlooker: this.wire,
      host: () => (this.server.node?.program.alive ? this.server.node : undefined),
      requests: 0,
    };
    this.server = new ServerMachine(this);
    this.devices = plan.devices.map((device) => new Device(this, device));
  }

  /** Whether apps and the server are of several versions. */
  get isMixed(): boolean {
    return this.plan.faults.schema !== undefined;
  }

  /** A storage call of somebody (`disk.d1`, `disk.server`); counted while there may be trouble. */
  called(by: `disk.${string}`): void {
    if (this.isTroubled) count(this.counts, by);
  }

  /** A device that was not there from the start. */
  addDevice(plan: DevicePlan, disk = new ClientDisk()): Device {
    const device = new Device(this, plan, disk);
    this.devices.push(device);
    return device;
  }

  /** Starts the server's process, unless it runs. */
  startServer(): void {
    this.server.start().catch((error: unknown) => this.fault("the server could not start", error));
  }

  /** Something failed that must not, whatever the trouble. */
  fault(message: string, error: unknown): void {
    const text = `${message}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
    this.trace.note("world", "FAULT", message);
    this.faults.push(text);
  }
}
