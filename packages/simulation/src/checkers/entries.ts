import type { Entry } from "../history.js";

type Type = Entry["type"];

/** An entry, and where it stands in the history. */
export type PlacedEntry<T extends Type> = readonly [position: number, entry: Extract<Entry, { type: T }>];

/** The entries of a history by their types: each check looks at a few of these, and the whole is long. */
export class Entries {
  readonly #known = new Map<string, PlacedEntry<Type>[]>();
  readonly last: Entry | undefined;

  constructor(all: readonly Entry[]) {
    this.last = all.at(-1);
    for (const [position, entry] of all.entries()) {
      const same = this.#known.get(entry.type);
      if (same) same.push([position, entry]);
      else this.#known.set(entry.type, [[position, entry]]);
    }
  }

  /** All entries of these types, in the order in which they stand. */
  of<T extends Type>(...types: readonly T[]): readonly PlacedEntry<T>[] {
    const name = types.join();
    let found = this.#known.get(name);
    if (!found) {
      const all = types.flatMap((type) => this.#known.get(type) ?? []);
      this.#known.set(name, (found = all.toSorted(([a], [b]) => a - b)));
    }
    return found as unknown as readonly PlacedEntry<T>[];
  }
}
