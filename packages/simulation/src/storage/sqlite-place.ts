import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { SqliteFile } from "@landfall/client/storage/sqlite-file";
import { loadSqlite } from "@landfall/server/storage/sqlite-driver";
import type { ClientPlace } from "./client-place.js";
import { copyDatabase, scratchRoot } from "./scratch.js";

/** Accounts in real SQLite files, read and written by the client's own storage. A power loss leaves copies of them, which SQLite recovers. */
export class SqlitePlace implements ClientPlace {
  readonly #folder = mkdtempSync(join(scratchRoot, "landfall-place-"));
  readonly #files = new Map<string, { path: string; file: SqliteFile | undefined }>();
  #count = 0;

  constructor(private readonly room: { readonly maxBytes?: number } = {}) {}

  data(name: string): SqliteFile {
    let held = this.#files.get(name);
    if (!held) this.#files.set(name, (held = { path: this.#newPath(), file: undefined }));
    return (held.file ??= new SqliteFile(held.path, loadSqlite(), this.room.maxBytes));
  }

  names(): readonly string[] {
    return [...this.#files.keys()].sort();
  }

  remove(name: string): void {
    this.#files.get(name)?.file?.end("was destroyed");
    this.#files.delete(name);
  }

  powerLoss(): void {
    for (const held of this.#files.values()) {
      const { path, file } = held;
      if (!file) continue;
      held.path = this.#newPath();
      copyDatabase(path, held.path);
      held.file = undefined;
      file.end("was left by its process");
    }
  }

  another(room: { readonly maxBytes?: number }): SqlitePlace {
    return new SqlitePlace(room);
  }

  dispose(): void {
    for (const { file } of this.#files.values()) file?.end("was closed");
    this.#files.clear();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #newPath(): string {
    this.#count += 1;
    return join(this.#folder, `account-${this.#count}.db`);
  }
}
