import type { RecordOp, Stamp } from "@landfall/protocol";
import type { DomainFacts, SchemaFacts, SupersededAs } from "../history.js";
import { type Written, mergeOp } from "./merge.js";
import { type LiveRow, type ModelRow, type ModelState, rowIn, rowsOf, withRows } from "./model-row.js";

/** A state with the writes of one event on top of it; the event is atomic, so they are taken all together or not. */
export class Overlay {
  readonly #under: ModelState;
  readonly #over = new Map<string, Map<string, ModelRow>>();
  readonly superseded: SupersededAs[] = [];
  /** The domains that were looked at: what the event does follows from these alone. */
  readonly read = new Set<string>();

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
    return this.#over.get(domain)?.get(key) ?? this.before(domain, key);
  }

  before(domain: string, key: string): ModelRow | undefined {
    this.read.add(domain);
    return rowIn(this.#under, domain, key);
  }

  /** Live records of a domain. */
  live(domain: string): LiveRow[] {
    this.read.add(domain);
    const rows: LiveRow[] = [];
    const over = this.#over.get(domain);
    const under = this.#under.get(domain);
    for (const row of under?.values() ?? []) {
      const standing = over?.get(row.key) ?? row;
      if (!standing.deleted) rows.push(standing);
    }
    for (const row of over?.values() ?? []) if (!row.deleted && !under?.has(row.key)) rows.push(row);
    return rows;
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
    let rows = this.#over.get(domain);
    if (!rows) this.#over.set(domain, (rows = new Map()));
    rows.set(key, row.deleted ? { ...head, deleted: true } : { ...row, ...head });
  }

  hasWritten(domain: string, key: string): boolean {
    return this.#over.get(domain)?.has(key) ?? false;
  }

  /** The rows that the event wrote. */
  get written(): ModelRow[] {
    return rowsOf(this.#over);
  }

  /** The state with them in it. */
  settled(): ModelState {
    return withRows(this.#under, this.written);
  }
}
