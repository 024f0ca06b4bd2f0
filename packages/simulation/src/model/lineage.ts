import type { Stamp } from "@landfall/protocol";
import type {
  AppliedEvent,
  DecidedOtherwise,
  Entry,
  GenerationStarted,
  History,
  Issue,
  SupersededAs,
} from "../history.js";
import { type Asked, applyAsServer } from "./apply-event.js";
import { RefusedError } from "./merge.js";
import { type ModelRow, type ModelState, fromWire, nameOf, rowText } from "./model-row.js";
import { Overlay } from "./overlay.js";
import type { PlainActions } from "./plain-action.js";

/** Something that does not fit, found while the history was replayed. */
export interface Misfit {
  readonly at: number;
  readonly message: string;
}

/** An event at its place in a history. */
export interface Placed {
  readonly applied: AppliedEvent;
  /** Where in the run's entries its commit stands. */
  readonly position: number;
  readonly at: number;
}

/** A refusal or a void at its place: after the event at index `after`. */
export interface PlacedOtherwise {
  readonly decided: DecidedOtherwise;
  readonly after: number;
  readonly position: number;
  readonly at: number;
}

/**
 * One history of a space: from where it parted from its parent until something cut it off. A server that falls
 * back silently begins another branch of the same generation.
 */
export class Branch {
  readonly events = new Map<number, Placed>();
  readonly others: PlacedOtherwise[] = [];
  /** Where in the entries the next branch of the space begins. */
  until = Number.POSITIVE_INFINITY;
  head: number;
  readonly #states = new Map<number, ModelState>();
  readonly #indexes = new Map<Stamp, number>();

  constructor(
    readonly space: string,
    readonly generation: string,
    readonly reason: GenerationStarted["reason"],
    readonly parent: Branch | undefined,
    /** The index up to which it is its parent's history; 0 where it begins anew. */
    readonly from: number,
    readonly since: number,
  ) {
    this.head = from;
    this.#states.set(from, parent && reason !== "wiped" ? parent.stateAt(from) : new Map());
  }

  /** The event at an index, in this branch or where it came from. */
  eventAt(index: number): Placed | undefined {
    return index > this.from ? this.events.get(index) : this.#inherited?.eventAt(index);
  }

  get #inherited(): Branch | undefined {
    return this.reason === "wiped" ? undefined : this.parent;
  }

  /** Where an event was applied in this history. */
  indexOf(event: Stamp): number | undefined {
    const own = this.#indexes.get(event);
    if (own !== undefined) return own;
    const inherited = this.#inherited?.indexOf(event);
    return inherited !== undefined && inherited <= this.from ? inherited : undefined;
  }

  /** Whether another branch's index means the same event here. */
  shares(branch: Branch, index: number): boolean {
    if (branch === this) return true;
    return index <= this.from && (this.#inherited?.shares(branch, index) ?? false);
  }

  stateAt(index: number): ModelState {
    const state = index < this.from ? this.#inherited?.stateAt(index) : this.#states.get(index);
    if (!state) throw new Error(`${this.space} has nothing at index ${index} of ${this.generation}.`);
    return state;
  }

  hasState(index: number): boolean {
    return index < this.from ? (this.#inherited?.hasState(index) ?? false) : this.#states.has(index);
  }

  /** The state at the head from here on: some of it was forgotten on purpose. */
  forget(state: ModelState): void {
    this.#states.set(this.head, state);
  }

  put(placed: Placed, state: ModelState): void {
    this.events.set(placed.applied.index, placed);
    this.#states.set(placed.applied.index, state);
    if (placed.applied.event !== undefined) this.#indexes.set(placed.applied.event, placed.applied.index);
    this.head = Math.max(this.head, placed.applied.index);
  }
}

/** Codes that follow from the rows alone, so that the model can say whether they are right. */
const judged: ReadonlySet<string> = new Set([
  "exists",
  "missing",
  "deleted",
  "not_unique",
  "has_children",
  "expectation_failed",
]);

/** The histories of all spaces of a run, replayed from zero by the model. */
export class Lineage {
  readonly branches = new Map<string, Branch[]>();
  readonly issues = new Map<Stamp, Issue>();
  readonly misfits: Misfit[] = [];

  constructor(
    readonly history: History,
    readonly actions: PlainActions,
  ) {
    for (const entry of history.entries) if (entry.type === "issue") this.issues.set(entry.event, entry);
    for (const [position, entry] of history.entries.entries()) this.#take(entry, position);
  }

  /** The history of a space that stands at the end of the run. */
  last(space: string): Branch | undefined {
    return this.branches.get(space)?.at(-1);
  }

  /** The history that a space had when an entry was written down. */
  standing(space: string, position: number): Branch | undefined {
    return this.branches.get(space)?.findLast((branch) => branch.since <= position);
  }

  #take(entry: Entry, position: number): void {
    if (entry.type === "generation") this.#begin(entry, position);
    else if (entry.type === "pruned") this.#prune(entry, position);
    else if (entry.type === "commit") {
      const branch = this.standing(entry.space, position);
      if (branch?.generation !== entry.generation) {
        this.#misfit(
          entry.at,
          `${entry.space}: a commit of ${entry.generation}, which is not its generation`,
        );
        return;
      }
      for (const decided of entry.decided) {
        if (decided.status === "applied") this.#apply(branch, { applied: decided, position, at: entry.at });
        else this.#refuse(branch, { decided, after: branch.head, position, at: entry.at });
      }
    }
  }

  #begin(entry: GenerationStarted, position: number): void {
    const siblings = this.branches.get(entry.space) ?? [];
    const parent = siblings.findLast((branch) => branch.generation === entry.parent);
    const before = siblings.at(-1);
    if (before) before.until = position;
    const from = parent ? entry.forkedAt : 0;
    siblings.push(new Branch(entry.space, entry.generation, entry.reason, parent, from, position));
    this.branches.set(entry.space, siblings);
  }

  #prune(entry: Extract<Entry, { type: "pruned" }>, position: number): void {
    const branch = this.standing(entry.space, position);
    if (!branch) return;
    const kept = [...branch.stateAt(branch.head)].filter(
      ([, row]) => row.domain !== entry.domain || !row.deleted || row.version > entry.upTo,
    );
    branch.forget(new Map(kept));
  }

  #apply(branch: Branch, placed: Placed): void {
    const { applied, at } = placed;
    const expected = branch.head + 1;
    if (applied.index !== expected) {
      this.#misfit(
        at,
        `${branch.space}: index ${applied.index} was given to ${applied.event ?? "the server"} when ${expected} came next`,
      );
      if (!branch.hasState(applied.index - 1)) return;
    }
    const before = branch.stateAt(applied.index - 1);
    branch.put(placed, this.#after(branch, before, placed));
  }

  /** A refusal that the model can judge must be one that it would have given too. */
  #refuse(branch: Branch, placed: PlacedOtherwise): void {
    branch.others.push(placed);
    const { decided, after, at } = placed;
    const issue = this.issues.get(decided.event);
    if (!issue || decided.status !== "rejected" || !judged.has(decided.code ?? "")) return;
    const mark = { stamp: issue.event, version: after + 1, modifiedAt: at };
    const overlay = new Overlay(branch.stateAt(after), this.history.schema, mark);
    const verdict = this.#verdict(branch, overlay, issue);
    if (verdict === decided.code) return;
    this.#misfit(
      at,
      `${branch.space}: ${decided.event} by ${issue.device} was refused as ${decided.code} after index ${after}, where the model says ${verdict ?? "that it stands"}`,
    );
  }

  /** The code that the model would refuse an event with; undefined where it stands. */
  #verdict(branch: Branch, overlay: Overlay, issue: Issue): string | undefined {
    if (!this.#expectationsHold(branch, overlay, issue)) return "expectation_failed";
    try {
      applyAsServer(overlay, this.asked(issue), this.actions);
      return undefined;
    } catch (error) {
      if (error instanceof RefusedError) return error.code;
      throw error;
    }
  }

  #expectationsHold(branch: Branch, overlay: Overlay, { expect = [] }: Issue): boolean {
    return expect.every(([domain, key, expected]) => {
      const version = overlay.before(domain, key)?.version ?? 0;
      if (typeof expected === "number") return expected === version;
      const own = branch.indexOf(expected.event);
      return own !== undefined && own === version;
    });
  }

  #after(branch: Branch, before: ModelState, { applied, at }: Placed): ModelState {
    const issue = applied.event === undefined ? undefined : this.issues.get(applied.event);
    const told = new Map(
      (applied.rows ?? []).map((row) => [nameOf(row.domain, row.key), fromWire(row)] as const),
    );
    if (!issue) {
      if (applied.event !== undefined)
        this.#misfit(at, `${branch.space}: index ${applied.index} is ${applied.event}, which nobody wrote`);
      return new Map([...before, ...told]);
    }
    const { index: version, modifiedAt } = applied;
    const overlay = new Overlay(before, this.history.schema, {
      stamp: applied.eff ?? issue.event,
      version,
      modifiedAt,
    });
    const refusal = this.#verdict(branch, overlay, issue);
    if (refusal !== undefined) {
      this.#misfit(
        at,
        `${branch.space}: ${issue.event} by ${issue.device} was applied at index ${version}, where the model refuses it as ${refusal}`,
      );
      return new Map([...before, ...told]);
    }
    this.#compareSuperseded(branch, applied, overlay.superseded, at);
    if (applied.rows) this.#compareRows(branch, applied, { told, written: overlay.written, at });
    return overlay.settled();
  }

  #compareRows(
    branch: Branch,
    { index, event }: AppliedEvent,
    rows: {
      readonly told: ReadonlyMap<string, ModelRow>;
      readonly written: ReadonlyMap<string, ModelRow>;
      readonly at: number;
    },
  ): void {
    for (const name of new Set([...rows.told.keys(), ...rows.written.keys()])) {
      const [told, written] = [rows.told.get(name), rows.written.get(name)].map((row) => row && rowText(row));
      if (told !== written)
        this.#misfit(
          rows.at,
          `${branch.space}: index ${index} (${event}) left ${name} as ${told ?? "it was"}, and the model ${written ?? "as it was"}`,
        );
    }
  }

  #compareSuperseded(
    branch: Branch,
    applied: AppliedEvent,
    superseded: readonly SupersededAs[],
    at: number,
  ): void {
    const text = (all: readonly SupersededAs[] = []): string =>
      all
        .map(({ domain, key, field, by }) => `${domain}/${key}.${field} to ${by}`)
        .toSorted()
        .join(", ");
    if (text(applied.superseded) === text(superseded)) return;
    this.#misfit(
      at,
      `${branch.space}: index ${applied.index} is said to have lost [${text(applied.superseded)}], and lost [${text(superseded)}]`,
    );
  }

  /** What an event asks for, whoever wrote it. */
  asked(issue: Issue): Asked {
    return {
      id: issue.event,
      user: this.history.users[issue.device] ?? issue.device,
      ...(issue.ops ? { ops: issue.ops } : {}),
      ...(issue.action === undefined ? {} : { action: issue.action, args: issue.args ?? null }),
    };
  }

  #misfit(at: number, message: string): void {
    this.misfits.push({ at, message });
  }
}
