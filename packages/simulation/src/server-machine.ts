import type { Storage } from "@landfall/server/storage/port";
import { CommitRecorder } from "./commit-recorder.js";
import { DeviceClock } from "./device-clock.js";
import { count } from "./network/network.js";
import { Program } from "./program.js";
import type { RandomStream } from "./random-stream.js";
import { schema } from "./schema.js";
import { ServerNode } from "./server-node.js";
import type { Verdict } from "./storage/call-gate.js";
import { MemoryServerDisk } from "./storage/memory-server-disk.js";
import type { PlannedCrash } from "./stepped-storage.js";
import type { World } from "./world.js";

/** The machine at the server's address: a disk, a clock, and the process that runs on it. */
export class ServerMachine {
  readonly clock: DeviceClock;
  readonly random: RandomStream;
  disk = new MemoryServerDisk();
  readonly #commits: CommitRecorder;
  readonly #slow: RandomStream;
  node: ServerNode | undefined;
  crash: PlannedCrash | undefined;
  /** How likely a call of the disk takes its time. */
  slowness = 0;
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
      hook: () => this.#verdict(),
      slow: () =>
        new Promise((resolve) => void program.after(this.#slow.fraction() * 30, "slow disk", resolve)),
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
      schema,
      clock: this.clock,
      random: this.random.split(name),
      limits: world.plan.limits,
      retention: world.plan.retention,
      onFault: (message, error) => world.fault(message, error),
    });
  }

  /**
   * The process ends, and the disk becomes that of an earlier moment; its spaces have a generation of their own from
   * the next start on, as a restore from a backup gives them (DESIGN rule 12).
   */
  replaceDisk(backup: MemoryServerDisk, generation: string): void {
    this.crash = undefined;
    this.disk.crash();
    if (this.node?.program.alive) {
      this.world.recorder.add({ type: "serverEnded", server: "server", how: "crashed" });
      this.node.program.kill();
    }
    this.#commits.forget();
    this.disk = backup;
    this.#restoredAs = generation;
  }

  async #restore(storage: Storage): Promise<void> {
    const generation = this.#restoredAs;
    if (generation === undefined) return;
    this.#restoredAs = undefined;
    for (const space of this.world.plan.spaces)
      await storage.write(space, async (transaction) => {
        const opened = await transaction.open("", "");
        if (!opened) return;
        const { generation: parent, head: at } = opened.state;
        await transaction.startGeneration(
          { generation, reason: "restored", parent, at, startedAt: this.clock.now() },
          { ...opened.state, generation },
          false,
        );
      });
  }

  #verdict(): Verdict {
    const { crash } = this;
    this.world.called("server");
    if (crash && crash.leftCalls-- <= 0) return crash.after ? "crash-after" : "crash-before";
    return this.slowness > 0 && this.#slow.chance(this.slowness) ? "slow" : "go";
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
