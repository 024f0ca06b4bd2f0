import type { RecordOp, Stamp } from "@landfall/protocol";
import type { DomainFacts, SchemaFacts, SupersededAs } from "../history.js";
import { type Written, mergeOp } from "./merge.js";
import { type LiveRow, type ModelRow, type ModelState, nameOf } from "./model-row.js";

/** A state with the writes of one event on top of it; the event is atomic, so they are taken all together or not. */
export class Overlay {
  readonly #under: ModelState;
  readonly #over = new Map<string, ModelRow>();
  readonly superseded: SupersededAs[] = [];

  constructor(
    under: ModelState,
    readonly schema: SchemaFacts,
    /** What the rows that the event writes are marked with. */
    readonly mark: { readonly stamp: Stamp; readonly version: number; readonly modifiedAt: number },
  ) {
    this.#under = under;
  }

  facts(domain: string): DomainFacts | undefined {
    return this.schema.domains[domain];
  }

  get(domain: string, key: string): ModelRow | undefined {
    const name = nameOf(domain, key);
    return this.#over.get(name) ?? this.#under.get(name);
  }

  before(domain: string, key: string): ModelRow | undefined {
    return this.#under.get(nameOf(domain, key));
  }

  /** Live records of a domain, by key. */
  live(domain: string): LiveRow[] {
    const rows: LiveRow[] = [];
    for (const [name, row] of this.#under) {
      const standing = this.#over.get(name) ?? row;
      if (standing.domain === domain && !standing.deleted) rows.push(standing);
    }
    for (const [name, row] of this.#over)
      if (row.domain === domain && !row.deleted && !this.#under.has(name)) rows.push(row);
    return rows.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** @throws RefusedError */
  apply(op: RecordOp): void {
    const { row, superseded } = mergeOp(
      this.get(op.domain, op.key),
      op,
      this.mark.stamp,
      this.facts(op.domain),
    );
    this.superseded.push(...superseded);
    if (row) this.put(op.domain, op.key, row);
  }

  put(domain: string, key: string, row: NonNullable<Written>): void {
    const { version, modifiedAt } = this.mark;
    const head = { domain, key, version, modifiedAt };
    this.#over.set(nameOf(domain, key), row.deleted ? { ...head, deleted: true } : { ...row, ...head });
  }

  /** The rows that the event wrote. */
  get written(): ReadonlyMap<string, ModelRow> {
    return this.#over;
  }

  /** The state with them in it. */
  settled(): ModelState {
    return new Map([...this.#under, ...this.#over]);
  }
}
