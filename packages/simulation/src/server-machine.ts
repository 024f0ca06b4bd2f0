import type { Storage } from "@landfall/server/storage/port";
import { CommitRecorder } from "./commit-recorder.js";
import { DeviceClock } from "./device-clock.js";
import type { PlannedCrash } from "./disk-steps.js";
import { count } from "./network/network.js";
import { Program } from "./program.js";
import type { RandomStream } from "./random-stream.js";
import { type SchemaVersion, schemas } from "./schema.js";
import { ServerNode } from "./server-node.js";
import type { StorageCall, Verdict } from "./storage/call-gate.js";
import type { ServerCallKind } from "./storage/gated-server-storage.js";
import { MemoryServerDisk } from "./storage/memory-server-disk.js";
import type { World } from "./world.js";

/** A call of the server's disk that is to be refused, after a stall. */
export interface PlannedRefusal {
  readonly how: "full" | "broken";
  /** 0 once it is over. */
  stallMs: number;
  /** Calls that it might meet and that still go. */
  leftCalls: number;
}

/** Whether something failed because the disk has refused a call. */
export function isOfDisk(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return "errcode" in error || isOfDisk(error.cause);
}

/** The machine at the server's address: a disk, a clock, and the process that runs on it. */
export class ServerMachine {
  readonly clock: DeviceClock;
  readonly random: RandomStream;
  disk = new MemoryServerDisk();
  readonly #commits: CommitRecorder;
  readonly #slow: RandomStream;
  node: ServerNode | undefined;
  crash: PlannedCrash | undefined;
  refusal: PlannedRefusal | undefined;
  /** How likely a call of the disk takes its time. */
  slowness = 0;
  /** The version of the schema that its next process has. */
  version: SchemaVersion = 1;
  #runs = 0;
  /** The generation that the spaces get at the next start. */
  #restoredAs: string | undefined;

  constructor(readonly world: World) {
    this.clock = new DeviceClock(world.queue);
    this.random = world.random.split("server");
    this.#slow = this.random.split("slow");
    this.#commits = new CommitRecorder(world.recorder);
  }

  /** Starts a process on what the disk has kept; does nothing while one runs. */
  async start(): Promise<void> {
    if (this.node?.program.alive) return;
    const { world } = this;
    this.#runs += 1;
    const name = `server#${this.#runs}`;
    const program = new Program(name, world.queue, world.trace);
    const storage = this.disk.open({
      hook: (call) => this.#verdict(call),
      slow: () => new Promise((resolve) => void program.after(this.#slowMs(), "slow disk", resolve)),
      schedule: (run) => void program.after(0.05, "disk commits", run),
      crashed: () => this.#crashed(),
    });
    await this.#commits.reopened(storage);
    const watched = this.#commits.wrap(storage);
    await this.#restore(watched);
    if (!program.alive) return;
    world.recorder.add({ type: "serverStarted", server: "server" });
    world.trace.note(name, "starts");
    this.node = new ServerNode({
      program,
      storage: watched,
      schema: schemas[this.version],
      clock: this.clock,
      random: this.random.split(name),
      hash: world.hash,
      limits: world.plan.limits,
      retention: world.plan.retention,
      onFault: (message, error) => {
        if (!isOfDisk(error)) world.fault(message, error);
      },
    });
  }

  /** The process ends, and the next one is of the newer version. */
  upgrade(): void {
    if (this.version === 2) return;
    this.version = 2;
    this.#end("closed");
  }

  #end(how: "closed" | "crashed"): void {
    this.crash = undefined;
    this.disk.crash();
    if (!this.node?.program.alive) return;
    this.world.recorder.add({ type: "serverEnded", server: "server", how });
    this.node.program.kill();
  }

  /**
   * The process ends, and the disk becomes that of an earlier moment; its spaces have a generation of their own from
   * the next start on, as a restore from a backup gives them (DESIGN rule 12).
   */
  replaceDisk(backup: MemoryServerDisk, generation: string): void {
    this.#end("crashed");
    this.disk = backup;
    this.#restoredAs = generation;
  }

  async #restore(storage: Storage): Promise<void> {
    const generation = this.#restoredAs;
    if (generation === undefined) return;
    for (const space of this.world.plan.spaces)
      await storage.write(space, async (transaction) => {
        const opened = await transaction.open("", "");
        // A start that crashed has come to some of them.
        if (!opened || opened.state.generation === generation) return;
        const { generation: parent, head: at } = opened.state;
        await transaction.startGeneration(
          { generation, reason: "restored", parent, at, startedAt: this.clock.now() },
          { ...opened.state, generation },
          false,
        );
      });
    this.#restoredAs = undefined;
  }

  #verdict({ kind }: StorageCall<ServerCallKind>): Verdict {
    const { crash } = this;
    this.world.called("disk.server");
    if (crash && crash.leftCalls-- <= 0) return crash.after ? "crash-after" : "crash-before";
    const refused = this.node?.program.alive ? this.#refused(kind) : undefined;
    if (refused) return refused;
    return this.slowness > 0 && this.#slow.chance(this.slowness) ? "slow" : "go";
  }

  /** A full disk refuses what grows, and a bad block anything that a batch does. */
  #refused(kind: ServerCallKind): Verdict | undefined {
    const { refusal } = this;
    if (!refusal) return undefined;
    // Readers do not wait for who writes.
    if (kind.startsWith("read:")) return undefined;
    if (refusal.stallMs > 0) return "slow";
    if (refusal.how === "full" && kind !== "save" && kind !== "commit") return undefined;
    if (refusal.leftCalls-- > 0) return undefined;
    this.refusal = undefined;
    count(this.world.counts, `serverDisk.${refusal.how}`);
    return refusal.how === "full" ? "full" : "fail";
  }

  /** How long a slow call takes; the first one in a stall takes all of that. */
  #slowMs(): number {
    const { refusal } = this;
    if (!refusal || refusal.stallMs === 0) return this.#slow.fraction() * 30;
    const { stallMs } = refusal;
    refusal.stallMs = 0;
    return stallMs;
  }

  #crashed(): void {
    const { crash, world } = this;
    this.crash = undefined;
    count(world.counts, `serverCrash.${crash?.after ? "after" : "before"}`);
    world.trace.note(this.node?.program.name ?? "server", "crashed");
    this.node?.program.kill();
    world.recorder.add({ type: "serverEnded", server: "server", how: "crashed" });
    crash?.crash();
  }
}
