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
import { expectationsHold, revived } from "./expectations.js";
import { RefusedError } from "./merge.js";
import {
  type DomainState,
  type ModelRow,
  type ModelState,
  fromWire,
  nameOf,
  rowIn,
  rowText,
  sameRow,
  withRows,
  withoutTombstones,
} from "./model-row.js";
import { Overlay } from "./overlay.js";
import type { PlainActions } from "./plain-action.js";
import type { Upgrade } from "./upgrade.js";

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
  readonly #decisions = new Map<Stamp, PlacedOtherwise>();
  /** Tombstones of each record, by domain and key, in the order in which they were made. */
  readonly #forgotten = new Map<string, Map<string, ModelRow[]>>();
  readonly #horizons: Map<string, number>;
  readonly #wipedAt: number;
  /** From which index on its rows are of the app's second version, and up to which an app of the first can read them. */
  #upgradedFrom = Number.POSITIVE_INFINITY;
  #readableUpTo = Number.POSITIVE_INFINITY;

  constructor(
    readonly space: string,
    readonly generation: string,
    readonly reason: GenerationStarted["reason"],
    readonly parent: Branch | undefined,
    /** The index up to which it is its parent's history; 0 where it begins anew. */
    readonly from: number,
    readonly since: number,
    /** When it began by the server's clock, where anybody has said. */
    readonly startedAt = Number.POSITIVE_INFINITY,
    forgotten?: GenerationStarted["forgotten"],
    schema?: number,
  ) {
    this.head = from;
    this.#states.set(from, parent && reason !== "wiped" ? parent.#backedUp(from, forgotten) : new Map());
    // A wipe leaves no tombstones of anything.
    this.#wipedAt = reason === "wiped" ? from : parent ? parent.#wipedAt : 0;
    this.#horizons = new Map(forgotten ? Object.entries(forgotten) : parent ? parent.#horizons : []);
    this.#beginSchema(schema);
  }

  /** @param said what it begins in, where it begins empty and somebody has said. */
  #beginSchema(said: number | undefined): void {
    const { parent, from } = this;
    if (!parent) return;
    // Of nothing, nobody can tell the version.
    const last = this.reason === "wiped" ? parent.head : from;
    if ((said ?? parent.schemaAt(last)) === 1) return;
    this.#upgradedFrom = from;
    this.#readableUpTo = this.reason === "wiped" || parent.isReadable(from, 1) ? from : from - 1;
  }

  /** The version of the app's schema that the rows at an index are in. */
  schemaAt(index: number): number {
    if (index < this.from) return this.#inherited?.schemaAt(index) ?? 1;
    return index < this.#upgradedFrom ? 1 : 2;
  }

  /** Whether the event at an index is the one that brings the rows over. */
  isUpgradedAt(index: number): boolean {
    return index === this.#upgradedFrom && index > this.#readableUpTo;
  }

  /** Whether an app of that version can read the rows at an index. */
  isReadable(index: number, schema: number): boolean {
    return schema > 1 || index <= this.#readableUpTo || index < this.from;
  }

  /** The rows are of the app's second version from here on, those of the head too where none is another one in it. */
  upgraded(isChange: boolean): void {
    this.#upgradedFrom = isChange ? this.head + 1 : this.head;
    this.#readableUpTo = this.head;
  }

  /** Whether it, or one that it comes from, began with a wipe. */
  get isAfterWipe(): boolean {
    return this.reason === "wiped" || (this.parent?.isAfterWipe ?? false);
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

  /** The state at an index in a backup, which has the tombstones that were forgotten only after it was made. */
  #backedUp(index: number, upTo: GenerationStarted["forgotten"]): ModelState {
    const state = this.stateAt(index);
    if (!upTo) return state;
    const kept = new Set<ModelRow>();
    for (const [domain, keys] of this.#forgotten)
      for (const key of keys.keys()) {
        const row = this.forgottenAt(index, domain, key);
        if (row && row.version > (upTo[domain] ?? 0)) kept.add(row);
      }
    return withRows(state, kept);
  }

  hasState(index: number): boolean {
    return index < this.from ? (this.#inherited?.hasState(index) ?? false) : this.#states.has(index);
  }

  /** The state at the head from here on: tombstones of it were forgotten on purpose. */
  forget(domain: string, upTo: number, state: ModelState, tombstones: readonly ModelRow[]): void {
    this.#horizons.set(domain, Math.max(upTo, this.horizonOf(domain)));
    this.#states.set(this.head, state);
    for (const row of tombstones) {
      let keys = this.#forgotten.get(domain);
      if (!keys) this.#forgotten.set(domain, (keys = new Map()));
      keys.set(row.key, [...(keys.get(row.key) ?? []), row]);
    }
  }

  /** Up to which version the server has forgotten the tombstones of a domain, as of the head. */
  horizonOf(domain: string): number {
    return Math.max(this.#wipedAt, this.#horizons.get(domain) ?? 0);
  }

  /** Whether the server has forgotten any tombstone of a domain. */
  forgets(domain: string): boolean {
    return this.#forgotten.has(domain);
  }

  /** The tombstone that a device may still have of a key, though the server has forgotten it (rule 7). */
  forgottenAt(index: number, domain: string, key: string): ModelRow | undefined {
    const row = this.#forgotten
      .get(domain)
      ?.get(key)
      ?.findLast(({ version }) => version <= index);
    return row && !rowIn(this.stateAt(index), domain, key) ? row : undefined;
  }

  /** Whether the server has forgotten a tombstone of a record since it had that version. */
  hasForgotten(domain: string, key: string, version: number): boolean {
    const tombstones = this.#forgotten.get(domain)?.get(key) ?? [];
    return (
      tombstones.some((row) => row.version >= version) ||
      (version <= this.from && (this.#inherited?.hasForgotten(domain, key, version) ?? false))
    );
  }

  refuse(placed: PlacedOtherwise): void {
    this.others.push(placed);
    this.#decisions.set(placed.decided.event, placed);
  }

  /** What this history, or where it came from, has decided of an event other than to apply it. */
  decisionOn(event: Stamp): PlacedOtherwise | undefined {
    const own = this.#decisions.get(event);
    if (own) return own;
    const inherited = this.#inherited?.decisionOn(event);
    // What was decided at the very index at which they part may have come after that.
    return inherited && inherited.after < this.from ? inherited : undefined;
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
  /** Where the rows of each space were first brought to the app's second version. */
  readonly #upgradedAt = new Map<string, number>();

  constructor(
    readonly history: History,
    readonly actions: PlainActions,
    readonly upgrade: Upgrade,
  ) {
    for (const entry of history.entries) this.#issue(entry);
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

  /** The generation that a server takes a request for: the one that stands, where a device asks before it knows of any. */
  takenFor(space: string, generation: string | undefined, position: number): string | undefined {
    return generation ?? this.standing(space, position)?.generation;
  }

  #issue(entry: Entry): void {
    if (entry.type === "issue") this.issues.set(entry.event, entry);
    else if (entry.type === "offered") this.issues.set(entry.event, { ...entry, type: "issue" });
    else if (entry.type === "request") {
      // Where memory stands in for a storage, what is offered is seen on its way only.
      const { at, device, tab, run } = entry;
      for (const { space, events } of entry.spaces)
        for (const { id: event, ops, schema } of events)
          if (ops?.[0]?.op === "offer" && !this.issues.has(event))
            this.issues.set(event, {
              type: "issue",
              at,
              device,
              tab,
              run,
              space,
              event,
              ops,
              ...(schema !== undefined && { schema }),
            });
    }
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
      if (entry.schema !== undefined) this.#bring(branch, entry, position);
      for (const decided of entry.decided) {
        if (decided.status === "applied") this.#apply(branch, { applied: decided, position, at: entry.at });
        else this.#refuse(branch, { decided, after: branch.head, position, at: entry.at });
      }
    }
  }

  /** Where no row of a space is another one in the app's second version, no event brings them over. */
  #bring(branch: Branch, { decided, at }: Extract<Entry, { type: "commit" }>, position: number): void {
    if (!this.#upgradedAt.has(branch.space)) this.#upgradedAt.set(branch.space, position);
    const state = branch.stateAt(branch.head);
    if (decided.length === 0 && this.upgrade.state(state) !== state)
      this.#misfit(at, `${branch.space}: rows are said to be of a newer version, and were not brought over`);
    branch.upgraded(decided.length > 0);
  }

  #begin(entry: GenerationStarted, position: number): void {
    const siblings = this.branches.get(entry.space) ?? [];
    const parent = siblings.findLast((branch) => branch.generation === entry.parent);
    const before = siblings.at(-1);
    if (before) before.until = position;
    const from = parent ? entry.forkedAt : 0;
    siblings.push(
      new Branch(
        entry.space,
        entry.generation,
        entry.reason,
        parent,
        from,
        position,
        entry.startedAt,
        entry.forgotten,
        entry.schema,
      ),
    );
    if (entry.schema === 2 && !this.#upgradedAt.has(entry.space)) this.#upgradedAt.set(entry.space, position);
    this.branches.set(entry.space, siblings);
  }

  #prune(entry: Extract<Entry, { type: "pruned" }>, position: number): void {
    const branch = this.standing(entry.space, position);
    if (!branch) return;
    const state = branch.stateAt(branch.head);
    const { domain, upTo } = entry;
    const rows: DomainState = state.get(domain) ?? new Map();
    const left = withoutTombstones(rows, upTo);
    const gone = [...rows.values()].filter(({ key }) => !left.has(key));
    branch.forget(domain, upTo, rows === left ? state : new Map(state).set(domain, left), gone);
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
    branch.refuse(placed);
    const { decided, after, at } = placed;
    const issue = this.issues.get(decided.event);
    if (!issue || decided.status !== "rejected" || !judged.has(decided.code ?? "")) return;
    // What an app that is left behind expects of a write that is over, it could take in no version of.
    const isUntold = issue.expect?.some(([, , version]) => typeof version !== "number") ?? false;
    if (isUntold && (issue.schema ?? 1) === 1 && this.#upgradedAt.has(branch.space)) return;
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
    if (!expectationsHold(branch, overlay, issue)) return "expectation_failed";
    const asked = this.asked(issue, branch.schemaAt(overlay.mark.version));
    const now = revived(overlay, admitted(asked, branch.startedAt), issue);
    try {
      applyAsServer(overlay, now, this.actions);
      return undefined;
    } catch (error) {
      if (error instanceof RefusedError) return error.code;
      throw error;
    }
  }

  #after(branch: Branch, before: ModelState, { applied, at }: Placed): ModelState {
    const issue = applied.event === undefined ? undefined : this.issues.get(applied.event);
    const told = (applied.rows ?? []).map(fromWire);
    const { index: version, modifiedAt } = applied;
    if (!issue) {
      if (applied.event !== undefined)
        this.#misfit(at, `${branch.space}: index ${applied.index} is ${applied.event}, which nobody wrote`);
      else if (branch.isUpgradedAt(version))
        return withRows(before, this.upgrade.changed(before, { version, modifiedAt }));
      return withRows(before, told);
    }
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
      return withRows(before, told);
    }
    this.#compareSuperseded(branch, applied, overlay.superseded, at);
    if (applied.rows) this.#compareRows(branch, applied, { told, written: overlay.written, at });
    return overlay.settled();
  }

  #compareRows(
    branch: Branch,
    { index, event }: AppliedEvent,
    rows: {
      readonly told: readonly ModelRow[];
      readonly written: readonly ModelRow[];
      readonly at: number;
    },
  ): void {
    const [told, written] = [rows.told, rows.written].map(
      (all) => new Map(all.map((row) => [nameOf(row.domain, row.key), row])),
    ) as [Map<string, ModelRow>, Map<string, ModelRow>];
    for (const name of new Set([...told.keys(), ...written.keys()])) {
      const [is, should] = [told.get(name), written.get(name)];
      if (!sameRow(is, should))
        this.#misfit(
          rows.at,
          `${branch.space}: index ${index} (${event}) left ${name} as ${is ? rowText(is) : "it was"}, and the model ${should ? rowText(should) : "as it was"}`,
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

  /** Whether an app of that version could no longer read what there was by then. */
  isLeftBehind(space: string, schema: number, position: number): boolean {
    return schema === 1 && position > (this.#upgradedAt.get(space) ?? Number.POSITIVE_INFINITY);
  }

  /** The rows at an index as an app of that version shows them. */
  shownAt(branch: Branch, index: number, schema: number): ModelState {
    const state = branch.stateAt(index);
    return schema > branch.schemaAt(index) ? this.upgrade.state(state) : state;
  }

  /** What an event asks for, whoever wrote it, in the words of a version of the app. */
  asked(issue: Issue, schema: number): Asked {
    const asked = {
      id: issue.event,
      user: this.history.users[issue.device] ?? issue.device,
      ...(issue.ops ? { ops: issue.ops } : {}),
      ...(issue.action === undefined ? {} : { action: issue.action, args: issue.args ?? null }),
    };
    return schema > (issue.schema ?? 1) ? this.upgrade.asked(asked) : asked;
  }

  #misfit(at: number, message: string): void {
    this.misfits.push({ at, message });
  }
}

/** What a restored space makes of an event: an offer that says to be newer than the restore counts as of then (rule 12). */
function admitted(asked: Asked, startedAt: number): Asked {
  if (asked.ops?.[0]?.op !== "offer" || !Number.isFinite(startedAt)) return asked;
  const notAfter = (stamp: Stamp): Stamp => {
    if (Number.parseInt(stamp.slice(0, 13).replace("-", ""), 16) <= startedAt) return stamp;
    const ms = startedAt.toString(16).padStart(12, "0");
    // The last counter of that millisecond, and the tail that the stamp had.
    return `${ms.slice(0, 8)}-${ms.slice(8)}-7fff-${stamp.slice(19)}`;
  };
  const ops = asked.ops.map((op) => {
    if (op.op !== "offer") return op;
    if ("deletedAt" in op) return { ...op, deletedAt: Math.min(op.deletedAt, startedAt) };
    const stamps = Object.entries(op.stamps).map(([field, stamp]) => [field, notAfter(stamp)] as const);
    return { ...op, stamps: Object.fromEntries(stamps) };
  });
  return { ...asked, ops };
}
