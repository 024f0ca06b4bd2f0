import {
  type FieldKinds,
  type Op,
  type Outcome,
  type RecordOp,
  type Row,
  type SpaceSuccess,
  type StreamLine,
  allOutcomes,
  type WireDigest,
  DigestSum,
  anyFieldKind,
  mergeRecord,
  portableSha256,
  rowElement,
} from "@landfall/protocol";
import type { TestDevice, TestEvent } from "./device.test.fixture.js";

interface Staged {
  readonly rows: Map<string, Row>;
  readonly reset: Set<string>;
  readonly outcomes: Outcome[];
  cursors: { readonly [domain: string]: number };
  scan: { readonly [domain: string]: number };
}

const name = (domain: string, key: string): string => `${domain}/${key}`;

/**
 * A client as the rules describe it and no cleverer: base, staged pages, pending. Written apart from
 * packages/client, to hold the server against.
 */
export class NaiveReplica {
  base = new Map<string, Row>();
  cursors: { readonly [domain: string]: number };
  pending: TestEvent[] = [];
  settled: Outcome[] = [];
  acked = 0;
  #staged: Staged | undefined;

  constructor(
    readonly device: TestDevice,
    readonly domains: readonly string[],
    private readonly kinds: (domain: string) => FieldKinds = () => anyFieldKind,
  ) {
    this.cursors = Object.fromEntries(domains.map((domain) => [domain, 0]));
  }

  /** What the next request says, beside its events. */
  asking(): {
    cursors: { readonly [domain: string]: number };
    scan: { readonly [domain: string]: number };
    acked: number;
  } {
    return {
      cursors: this.#staged?.cursors ?? this.cursors,
      scan: this.#staged?.scan ?? {},
      acked: this.acked,
    };
  }

  /** The events that are due: those without a staged outcome. */
  due(count: number): TestEvent[] {
    const done = new Set(this.#staged?.outcomes.map(({ seq }) => seq));
    return this.pending.filter(({ seq }) => !done.has(seq)).slice(0, count);
  }

  /** Takes in one answer. @returns whether base has moved. */
  take(answer: SpaceSuccess, sent: readonly TestEvent[]): boolean {
    const staged = this.#stage(answer.reset ?? []);
    this.#compute(staged, answer.outcomes, sent);
    for (const row of answer.rows) this.#put(staged, row);
    staged.cursors = answer.cursors;
    staged.scan = answer.scan ?? {};
    if (answer.more) return false;
    this.#commit(staged, answer.lastSeq);
    return true;
  }

  /** Takes in a stream, up to where it broke off: after the last checkpoint nothing counts. */
  takeStream(lines: readonly StreamLine[], sent: readonly TestEvent[]): boolean {
    let rows: Row[] = [];
    let head: Extract<StreamLine, { type: "space" }> | undefined;
    for (const line of lines) {
      if (line.type === "space") head = { ...line, outcomes: allOutcomes(line, sent), runs: [] };
      else if (line.type === undefined) rows.push(line);
      else if (head && (line.type === "checkpoint" || line.type === "end")) {
        const { reset, ...rest } = head;
        this.take(
          {
            ...rest,
            ...line,
            ...(reset ? { reset } : {}),
            lastSeq: line.type === "end" ? line.lastSeq : head.lastSeq,
            rows,
            more: line.type !== "end",
          },
          sent,
        );
        head = { ...rest, outcomes: [] };
        rows = [];
        if (line.type === "end") return true;
      }
    }
    return false;
  }

  digest(domain: string, index: number): WireDigest {
    const sum = new DigestSum();
    for (const row of this.base.values())
      if (row.domain === domain && !row.deleted) sum.add(rowElement(portableSha256, row));
    return { index, count: sum.count, sum: sum.sum };
  }

  live(): Row[] {
    return [...this.base.values()]
      .filter(({ deleted }) => !deleted)
      .sort((a, b) => (name(a.domain, a.key) < name(b.domain, b.key) ? -1 : 1));
  }

  #stage(reset: readonly string[]): Staged {
    this.#staged ??= { rows: new Map(), reset: new Set(), outcomes: [], cursors: this.cursors, scan: {} };
    for (const domain of reset) {
      this.#staged.reset.add(domain);
      for (const [key, row] of this.#staged.rows) if (row.domain === domain) this.#staged.rows.delete(key);
    }
    return this.#staged;
  }

  #put({ rows }: Staged, row: Row): void {
    const held = rows.get(name(row.domain, row.key));
    if (!held || row.version >= held.version) rows.set(name(row.domain, row.key), row);
  }

  /** Works out the rows that the server left out. */
  #compute(staged: Staged, outcomes: readonly Outcome[], sent: readonly TestEvent[]): void {
    for (const outcome of outcomes) {
      if (outcome.status !== "deferred") staged.outcomes.push(outcome);
      if (outcome.status !== "applied") continue;
      const event = sent.find(({ seq }) => seq === outcome.seq) as TestEvent;
      for (const [domain, key] of (outcome.omitted ?? []) as readonly (readonly [string, string])[]) {
        const held =
          staged.rows.get(name(domain, key)) ??
          (staged.reset.has(domain) ? undefined : this.base.get(name(domain, key)));
        if (held && held.version >= outcome.index) continue;
        const op = opOn(event, domain, key);
        // Where the server made a record anew, it has forgotten the tombstone that is still held here.
        const isForgotten = held?.deleted === true && (op.op === "create" || op.op === "put");
        const result = mergeRecord(
          isForgotten ? undefined : held,
          op,
          outcome.eff ?? outcome.id,
          this.kinds(domain),
        );
        if (!result.ok) throw new Error(`The client cannot do what the server did: ${result.message}`);
        const place = { domain, key, version: outcome.index, modifiedAt: outcome.modifiedAt };
        staged.rows.set(
          name(domain, key),
          result.state.deleted
            ? { ...place, deleted: true }
            : { ...place, fields: result.state.fields, stamps: result.state.stamps },
        );
      }
    }
  }

  #commit(staged: Staged, lastSeq: number): void {
    for (const [key, row] of this.base) if (staged.reset.has(row.domain)) this.base.delete(key);
    for (const [key, row] of staged.rows) {
      const held = this.base.get(key);
      if (!held || row.version >= held.version) this.base.set(key, row);
    }
    this.cursors = staged.cursors;
    this.settled.push(...staged.outcomes);
    const done = new Set(staged.outcomes.map(({ seq }) => seq));
    this.pending = this.pending.filter(({ seq }) => seq > lastSeq && !done.has(seq));
    this.acked = (this.pending[0]?.seq ?? this.device.seq + 1) - 1;
    this.#staged = undefined;
  }
}

function opOn(event: TestEvent, domain: string, key: string): RecordOp {
  const op = (event.ops as readonly Op[]).find(
    (candidate) =>
      candidate.domain === domain &&
      (candidate.op === "deleteMany" ? candidate.keys?.includes(key) : candidate.key === key),
  ) as Op;
  return op.op === "deleteMany" ? { op: "delete", domain, key } : op;
}
