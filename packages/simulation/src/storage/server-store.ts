import { SpaceTables, type Undo } from "./space-tables.js";

/** What a commit changed, space by space, and how to take it back. */
export type CommitLog = ReadonlyMap<string, readonly Undo[]>;

/** Everything that a server keeps, as it lies on its disk: whole commits, but for the changes of the open transaction. */
export class ServerStore {
  readonly spaces = new Map<string, SpaceTables>();

  clone(): ServerStore {
    const copy = new ServerStore();
    for (const [space, tables] of this.spaces) copy.spaces.set(space, tables.clone());
    return copy;
  }

  /** The tables of a space; empty ones where there are none yet. */
  tables(space: string): SpaceTables {
    let tables = this.spaces.get(space);
    if (!tables) this.spaces.set(space, (tables = new SpaceTables()));
    return tables;
  }

  get bytes(): number {
    let sum = 0;
    for (const { bytes } of this.spaces.values()) sum += bytes;
    return sum;
  }

  /** Takes back all that a commit or an open transaction changed. */
  takeBack(log: CommitLog): void {
    for (const [space, undos] of log) undoAll(this.tables(space), undos);
  }
}

/** Takes changes back, the newest first. */
export function undoAll(tables: SpaceTables, undos: readonly Undo[]): void {
  for (let i = undos.length - 1; i >= 0; i--) (undos[i] as Undo)(tables);
}
