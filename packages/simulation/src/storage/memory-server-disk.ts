import type { Storage } from "@landfall/server/storage/port";
import { CallCount, CallGate } from "./call-gate.js";
import { type ServerCallKind, gatedConnection, gatedServerStorage } from "./gated-server-storage.js";
import { type MemoryStorage, memoryServerStorage } from "./memory-server-storage.js";
import type { ServerDisk, ServerDiskPorts } from "./server-disk.js";
import { ServerStore } from "./server-store.js";

export interface MemoryServerDiskOptions {
  /** About how much it takes; a commit beyond that loses its group. Can be changed while a process runs. */
  maxBytes?: number;
  /** A disk that lies: it says of the newest commits that they are on it, and a crash loses this many of them. */
  readonly losesCommits?: number;
}

/** A server's disk in memory. */
export class MemoryServerDisk implements ServerDisk {
  readonly calls = new CallCount();
  #process: { readonly gate: CallGate<ServerCallKind>; readonly storage: MemoryStorage } | undefined;

  constructor(
    readonly options: MemoryServerDiskOptions = {},
    private readonly store = new ServerStore(),
  ) {}

  /** About how much lies on it. */
  get bytes(): number {
    return this.store.bytes;
  }

  open(ports: ServerDiskPorts = {}): Storage {
    if (this.#process) throw new Error("The disk is in use by another server.");
    const { losesCommits = 0 } = this.options;
    const gate = new CallGate<ServerCallKind>(ports, this.calls, () => {
      this.#process = undefined;
      storage.powerLoss(losesCommits);
    });
    const storage = memoryServerStorage({
      store: this.store,
      room: this.options,
      tailCommits: losesCommits,
      ...(ports.schedule ? { schedule: ports.schedule } : {}),
      around: (connection) => gatedConnection(connection, gate),
    });
    this.#process = { gate, storage };
    const gated = gatedServerStorage(storage, gate, () => storage.loseGroup());
    return {
      ...gated,
      close: async () => {
        await gated.close();
        if (this.#process?.gate === gate) this.#process = undefined;
      },
    };
  }

  crash(): void {
    this.#process?.gate.kill();
  }

  copy(): MemoryServerDisk {
    return new MemoryServerDisk({ ...this.options }, this.#process?.storage.copy() ?? this.store.clone());
  }

  dispose(): void {
    // There is nothing outside of memory.
  }
}
