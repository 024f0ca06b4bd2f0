import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { GroupConnection } from "@landfall/server/storage/group-commit";
import type { Storage } from "@landfall/server/storage/port";
import { sqlite } from "@landfall/server/storage/sqlite";
import { CallCount, CallGate } from "./call-gate.js";
import { type ServerCallKind, gatedConnection, gatedServerStorage } from "./gated-server-storage.js";
import { copyDatabase, scratchRoot } from "./scratch.js";
import type { ServerDisk, ServerDiskPorts } from "./server-disk.js";

/**
 * A server's disk that is a real SQLite file, read and written by the real storage. A crash leaves the process the
 * files that it had and goes on with a copy of them as they were at that moment, which SQLite recovers.
 */
export class SqliteServerDisk implements ServerDisk {
  readonly calls = new CallCount();
  readonly #folder = mkdtempSync(join(scratchRoot, "landfall-disk-"));
  #gate: CallGate<ServerCallKind> | undefined;
  #files = 0;

  constructor(readonly options: { maxBytes?: number } = {}) {}

  open(ports: ServerDiskPorts = {}): Storage {
    if (this.#gate) throw new Error("The disk is in use by another server.");
    const gate = new CallGate<ServerCallKind>(ports, this.calls, () => {
      this.#gate = undefined;
      const left = this.#file;
      this.#files += 1;
      copyDatabase(left, this.#file);
      void release();
    });
    let connection: GroupConnection | undefined;
    const { maxBytes } = this.options;
    const storage = sqlite(this.#file, {
      ...(maxBytes === undefined ? {} : { maxBytes }),
      schedule: ports.schedule ?? queueMicrotask,
      around: (inner) => gatedConnection((connection = inner), gate),
    });
    // What the process waited for fails inside now, so that its connections come free.
    const release = (): Promise<void> => storage.close().catch(() => undefined);
    this.#gate = gate;
    const gated = gatedServerStorage(storage, gate, () => connection?.rollback());
    return {
      ...gated,
      close: async () => {
        await gated.close();
        if (this.#gate === gate) this.#gate = undefined;
      },
    };
  }

  crash(): void {
    this.#gate?.kill();
  }

  copy(): SqliteServerDisk {
    const copy = new SqliteServerDisk({ ...this.options });
    copyDatabase(this.#file, copy.#file);
    return copy;
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #file(): string {
    return join(this.#folder, `data-${this.#files}.db`);
  }
}
