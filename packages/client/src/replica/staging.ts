import { type Outcome, type Row, type WireDigest, allOutcomes } from "@landfall/protocol";
import type { AnswerCheckpoint, AnswerEnd, AnswerHead } from "../remote/port.js";
import type { Cut, FinalOutcome, RowsSchema } from "./cut.js";
import { omittedRows } from "./own-echo.js";
import type { PendingEvent } from "./pending-event.js";
import { rowsSchema } from "./rows-schema.js";
import type { ReplicaRules } from "./rules.js";
import { submap } from "../submap.js";

type Cursors = Record<string, number>;

/**
 * What answers have brought since the last cut and nobody sees yet: rows, outcomes, cursors. It becomes a cut
 * when a pull ends with `more: false` (DESIGN rule 5), and is thrown away if the pull cannot go on.
 */
export class Staging {
  readonly #rows = new Map<string, Map<string, Row>>();
  readonly #reset: Set<string>;
  readonly #outcomes = new Map<string, FinalOutcome>();
  readonly #baseRow: (domain: string, key: string) => Row | undefined;
  readonly #rules: ReplicaRules;
  #cursors: Cursors;
  #scan: Cursors = {};
  #digests: { readonly [domain: string]: WireDigest } = {};
  #generation: string | undefined;
  #schema: RowsSchema | undefined;
  #lastSeq = 0;
  /** The newest version of a staged row. */
  #newest = 0;
  /** The earliest that a deferred event may be sent again, counted from its answer. */
  deferredForMs: number | undefined;

  /**
   * @param cursors those of base.
   * @param reset domains that the client itself fetches anew, from 0.
   */
  constructor(options: {
    cursors: { readonly [domain: string]: number };
    reset: Iterable<string>;
    baseRow: (domain: string, key: string) => Row | undefined;
    rules: ReplicaRules;
  }) {
    this.#cursors = { ...options.cursors };
    this.#reset = new Set(options.reset);
    for (const domain of this.#reset) this.#cursors[domain] = 0;
    this.#baseRow = options.baseRow;
    this.#rules = options.rules;
  }

  get cursors(): { readonly [domain: string]: number } {
    return this.#cursors;
  }

  /** The history that it is of; undefined while nothing has come. */
  get generation(): string | undefined {
    return this.#generation;
  }

  get scan(): { readonly [domain: string]: number } {
    return this.#scan;
  }

  /** Whether nothing has come yet, and nothing is left to come of an earlier pull. */
  get isFresh(): boolean {
    return this.#generation === undefined && this.#reset.size === 0;
  }

  get outcomeCount(): number {
    return this.#outcomes.size;
  }

  hasOutcome(id: string): boolean {
    return this.#outcomes.has(id);
  }

  /** @param sent the events of the request, by id. */
  begin(head: AnswerHead, sent: ReadonlyMap<string, PendingEvent>): void {
    this.#generation = head.generation;
    this.#schema = rowsSchema(head);
    this.#lastSeq = Math.max(this.#lastSeq, head.lastSeq);
    for (const domain of head.reset) {
      this.#reset.add(domain);
      this.#cursors[domain] = 0;
    }
    // What is read from 0 comes as a whole; of a row from a try that was cut off, even the delete may be forgotten by now.
    for (const domain of this.#rows.keys()) if (!this.#cursors[domain]) this.#rows.delete(domain);
    this.deferredForMs = undefined;
    allOutcomes(head, [...sent.values()]).forEach((outcome) =>
      this.#takeOutcome(outcome, sent.get(outcome.id)),
    );
  }

  #takeOutcome(outcome: Outcome, event: PendingEvent | undefined): void {
    if (outcome.status === "deferred") {
      this.deferredForMs ??= outcome.retryAfterMs ?? 1_000;
      return;
    }
    this.#outcomes.set(outcome.id, outcome);
    if (outcome.status !== "applied" || !event) return;
    const current = (domain: string, key: string): Row | undefined =>
      this.#rows.get(domain)?.get(key) ?? (this.#reset.has(domain) ? undefined : this.#baseRow(domain, key));
    this.rows(omittedRows(outcome, event, current, this.#rules));
  }

  /** Rows in version order; one that is older than what is staged changes nothing. */
  rows(rows: readonly Row[]): void {
    for (const row of rows) {
      const domain = submap(this.#rows, row.domain);
      // Nearly every row is newer than all before it.
      if (row.version < this.#newest && row.version < (domain.get(row.key)?.version ?? 0)) continue;
      this.#newest = Math.max(this.#newest, row.version);
      domain.set(row.key, row);
    }
  }

  checkpoint(checkpoint: AnswerCheckpoint): void {
    // A domain that is no longer asked for keeps the cursor it had.
    for (const [domain, cursor] of Object.entries(checkpoint.cursors))
      this.#cursors[domain] = Math.max(this.#cursors[domain] ?? 0, cursor);
    this.#scan = { ...checkpoint.scan };
  }

  end(end: AnswerEnd): void {
    this.checkpoint(end);
    this.#lastSeq = Math.max(this.#lastSeq, end.lastSeq);
    this.#digests = end.digests;
  }

  /** The cut that this staging makes. Rows that base has newer are left out: applying is monotone (DESIGN rule 5). */
  toCut(): Cut {
    const rows = new Map<string, Map<string, Row>>();
    for (const [domain, staged] of this.#rows) {
      if (this.#reset.has(domain)) {
        rows.set(domain, staged);
        continue;
      }
      staged.forEach(({ version }, key) => {
        const standing = this.#baseRow(domain, key);
        if (standing && standing.version >= version) staged.delete(key);
      });
      if (staged.size > 0) rows.set(domain, staged);
    }
    return {
      generation: this.#generation as string,
      schema: this.#schema,
      lastSeq: this.#lastSeq,
      // A cut that cannot be stored is made again later, of what has come meanwhile too; what it was is not changed.
      cursors: { ...this.#cursors },
      reset: [...this.#reset],
      rows,
      outcomes: this.#outcomes,
      digests: this.#digests,
    };
  }
}
