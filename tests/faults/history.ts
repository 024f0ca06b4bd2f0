import type { Row } from "@landfall/protocol";
import type { Engine, SpaceCommit } from "@landfall/server/engine-types";

/** The live rows of a space as they stood at each index, worked out from what each event wrote. */
export class History {
  readonly #states: ReadonlyMap<string, Row>[] = [new Map()];
  /** Each event's index, by device and seq. */
  readonly indexes = new Map<string, number>();

  constructor(engine: Engine, space: string) {
    engine.onCommit((commit) => {
      if (commit.space === space) this.#take(commit);
    });
  }

  #take(commit: SpaceCommit): void {
    for (const { index, rows, by, seq } of commit.events) {
      if (rows === undefined) throw new Error("An event of this test is too large to be told whole.");
      if (index !== this.#states.length)
        throw new Error(`Index ${index} comes after ${this.#states.length - 1}.`);
      const state = new Map(this.#states[index - 1]);
      for (const { domain, key, text } of rows) {
        const row = JSON.parse(text) as Row;
        if (row.deleted) state.delete(`${domain}/${key}`);
        else state.set(`${domain}/${key}`, row);
      }
      this.#states.push(state);
      this.indexes.set(`${by}/${seq}`, index);
    }
  }

  get head(): number {
    return this.#states.length - 1;
  }

  at(index: number): ReadonlyMap<string, Row> {
    const state = this.#states[index];
    if (!state) throw new Error(`Nothing has index ${index}.`);
    return state;
  }
}
