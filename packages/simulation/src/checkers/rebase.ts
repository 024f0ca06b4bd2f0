import { applyAsView } from "../model/apply-event.js";
import type { Branch } from "../model/lineage.js";
import { RefusedError } from "../model/merge.js";
import {
  type DomainState,
  type ModelRow,
  type ModelState,
  nameOf,
  rowIn,
  withRows,
  withoutTombstones,
} from "../model/model-row.js";
import { Overlay } from "../model/overlay.js";
import { type Checker, type Finding, type Run, tabOf } from "./checker.js";
import { Standing, differenceAt } from "./consistent-cut.js";
import { type Candidate, OwnEvents } from "./own-events.js";
import type { Cut, Difference, Look, ShownView } from "./shown.js";
import type { EventStory } from "./stories.js";

/** So many ways of what may be pending are tried, at so many indexes of each history, before a view is called wrong. */
const maxWays = 250;
const maxCuts = 40;
/** So many deletes that the server has forgotten may be held or not, each by itself. */
const mostApart = 6;
/** A view that is wrong costs all of these ways, and what follows is mostly wrong with it. */
const enough = 3;

/**
 * A view is base with pending run from scratch (rule 5): the state at an index, and on it every own event that is not
 * in it, in order, as if nothing had ever been worked out before.
 */
export const rebase: Checker = {
  name: "rebase",
  rule: "rule 5",
  promise: "What an app sees equals the confirmed state with all its own pending writes run on it anew.",
  check(run) {
    const standing = new Standing(run);
    const own = new OwnEvents(run);
    const replays = new Map<number, Replay>();
    const findings: Finding[] = [];
    for (const [position, view] of run.entries.of("view")) {
      if (!run.lineage.branches.has(view.space)) continue;
      const shown = run.shown.of(view);
      let replay = replays.get(shown.schema);
      if (!replay) replays.set(shown.schema, (replay = new Replay(run, shown.schema)));
      const problem = judge(run, { standing, own, replay, shown, position });
      if (problem !== undefined) findings.push({ at: view.at, message: `${tabOf(view)} ${problem}` });
      if (findings.length === enough) break;
    }
    return findings;
  },
};

interface Case {
  readonly standing: Standing;
  readonly own: OwnEvents;
  readonly replay: Replay;
  readonly shown: ShownView;
  readonly position: number;
}

/** A place at which a view may stand, with what may be pending there. */
interface Place {
  readonly cut: Cut;
  readonly candidates: readonly Candidate[];
}

/** Whether a view is explained by none of the writes that are in doubt, or by any of them. */
type Explaining = (candidates: readonly Candidate[]) => Iterable<readonly EventStory[]>;

function judge(run: Run, { standing, own, replay, shown, position }: Case): string | undefined {
  const { space } = shown.view;
  let closest: Difference | undefined;
  const explains = ({ cut, candidates }: Place, explaining: Explaining): boolean => {
    for (const base of bases(replay, cut, candidates)) {
      for (const events of explaining(candidates)) {
        const difference = differenceOf(run, shown, replay.fromScratch(base, events));
        if (difference === undefined) {
          standing.settle(shown, cut);
          own.settle(shown, position, cut);
          own.hear(shown, events);
          return true;
        }
        closest ??= () =>
          `shows something else than index ${cut.index} of ${space} with ${describe(events)} on it: ${difference()}`;
      }
    }
    return false;
  };
  const places: Place[] = [];
  // What an index tells by itself needs no write of another tab at an index before it.
  for (const place of placesOf(run, { standing, own, replay, shown, position })) {
    if (explains(place, least)) return undefined;
    places.push(place);
  }
  for (const { cut, candidates } of places)
    for (const ordered of own.orders(candidates, shown, position, cut.branch))
      if (explains({ cut, candidates: ordered }, waysInTurn)) return undefined;
  // Where no index fits even what is confirmed, the checker of cuts says it better.
  return closest?.();
}

/** Where what is confirmed is what a view shows, oldest first. */
function* placesOf(run: Run, { standing, own, shown, position }: Case): Generator<Place> {
  const cuts = function* (): Generator<Cut> {
    yield* standing.from(shown, position);
    const first = run.lineage.branches.get(shown.view.space)?.[0];
    // Before the first contact there is only what the device itself has written.
    if (first && !standing.lastOf(shown)) yield { branch: first, index: 0 };
  };
  const looked = new Map<Branch, number>();
  for (const cut of cuts()) {
    const { branch, index } = cut;
    const count = looked.get(branch) ?? 0;
    if (count === maxCuts) continue;
    // Of many indexes that change nothing in a row, most show something that was deleted in the end.
    if (differenceAt(run, own, { shown, position }, cut) !== undefined) continue;
    looked.set(branch, count + 1);
    yield { cut, candidates: own.pendingAt(shown, position, branch, index) };
  }
}

const describe = (events: readonly EventStory[]): string =>
  events.length === 0 ? "nothing pending" : `${events.length} pending (${events.at(-1)?.issue.event} last)`;

/**
 * The base that a device may hold at an index: it may lack tombstones from before it came, and still have those that the
 * server has forgotten since it came, except of a domain that it has read anew. Only those that pending writes meet make a
 * difference.
 */
function* bases(
  replay: Replay,
  { branch, index }: Cut,
  candidates: readonly Candidate[],
): Generator<ModelState> {
  const state = replay.run.lineage.shownAt(branch, index, replay.schema);
  yield state;
  const versions = new Set<number>();
  const forgotten = new Map<string, Set<ModelRow>>();
  for (const { story } of candidates) {
    for (const [domain, key] of namedBy(replay.run, story)) {
      const lost = branch.forgottenAt(index, domain, key);
      if (lost) forgotten.set(domain, (forgotten.get(domain) ?? new Set()).add(lost));
      const row = lost ?? rowIn(state, domain, key);
      if (row?.deleted) versions.add(row.version);
    }
  }
  const rows = [...forgotten.values()].flatMap((each) => [...each]);
  // A device lets go of each but those that a pending write stands on.
  const apart = rows.length <= mostApart ? rows.map((row) => [row]) : [...forgotten.values()];
  for (const held of choices<Iterable<ModelRow>>(apart)) {
    const all = withRows(state, new Set(held.flatMap((rows) => [...rows])));
    if (all !== state) yield all;
    for (const upTo of [...versions].toSorted((a, b) => a - b))
      yield new Map([...all].map(([domain, rows]) => [domain, replay.bare(rows, upTo)]));
  }
}

/** All of some things, and then any of them; none comes last. */
function* choices<T>(things: readonly T[]): Generator<readonly T[]> {
  for (let bits = 2 ** things.length - 1; bits >= 0; bits--)
    yield things.filter((_, place) => (bits & (1 << place)) !== 0);
}

/** The records that a pending write may touch by name, and those that it names as parents; an action names them in its arguments. */
function* namedBy(
  { history: { schema } }: Run,
  { issue: { ops, action, args } }: EventStory,
): Generator<readonly [domain: string, key: string]> {
  for (const op of ops ?? []) {
    for (const key of op.op === "deleteMany" ? (op.keys ?? []) : [op.key]) yield [op.domain, key];
    const parent = schema.domains[op.domain]?.parent;
    const named = parent && "set" in op ? op.set?.[parent.field] : undefined;
    if (parent && typeof named === "string") yield [parent.domain, named];
  }
  const { key, from, to } = (args ?? {}) as Readonly<Record<string, string | undefined>>;
  if (action === "revive" && key !== undefined) yield ["note", key];
  for (const purse of [from, to]) if (purse !== undefined) yield ["purse", purse];
}

/** Nothing but what is there for sure, or leaves in turn. */
const least: Explaining = (candidates) =>
  inTurn(candidates, function* (left) {
    yield left.flatMap(({ sure, story }) => (sure ? [story] : []));
  });

/** That, and any of what is in doubt. */
const waysInTurn: Explaining = (candidates) => inTurn(candidates, ways);

/** Those of a shared outbox leave it one after another: none is there any more, or the last one, or the last two. */
function* inTurn(candidates: readonly Candidate[], waysOf: Explaining): Generator<readonly EventStory[]> {
  // What is in base already was sent before what is not.
  const leaving = [true, undefined].flatMap((isOver) =>
    candidates.filter((candidate) => candidate.inTurn && candidate.isOver === isOver),
  );
  for (let kept = 0; kept <= leaving.length; kept++) {
    const gone = new Set(leaving.slice(0, leaving.length - kept));
    yield* waysOf(gone.size === 0 ? candidates : candidates.filter((candidate) => !gone.has(candidate)));
  }
}

/** The sets of events that may be pending: all, none of the doubtful ones, and what lies between. */
function* ways(candidates: readonly Candidate[]): Generator<readonly EventStory[]> {
  const doubts = doubtful(candidates);
  if (doubts.length === 0) return yield candidates.map(({ story }) => story);
  const without = (left: readonly number[]): EventStory[] => {
    const gone = new Set(left.flatMap((doubt) => doubts[doubt] ?? []));
    return candidates.flatMap((candidate) => (gone.has(candidate) ? [] : [candidate.story]));
  };
  const tried = new Set<string>();
  for (const left of leavings([...doubts.keys()])) {
    const name = left.join();
    if (tried.has(name)) continue;
    tried.add(name);
    // A tab that has read the storage anew knows of all at once, however many they are.
    if (tried.size > maxWays) return yield without([]);
    yield without(left);
  }
}

/**
 * The candidates that are in doubt; those of one step stand or fall together. What nobody ever sends, or is told
 * of, comes last: it may have gone with the tab that wrote it, and another write does the same.
 */
function doubtful(candidates: readonly Candidate[]): (readonly Candidate[])[] {
  const steps = new Map<unknown, Candidate[]>();
  for (const candidate of candidates) {
    if (candidate.sure) continue;
    const step = candidate.madeIn ?? candidate;
    const others = steps.get(step);
    if (others) others.push(candidate);
    else steps.set(step, [candidate]);
  }
  const wasThere = (step: readonly Candidate[]): boolean =>
    step.some(({ story: { sends, toldAt } }) => sends.length > 0 || Number.isFinite(toldAt));
  const all = [...steps.values()];
  return [...all.filter(wasThere), ...all.filter((step) => !wasThere(step))];
}

/**
 * What may be left out, most of it first: what need not be there is not taken to have been heard of. Of as much as that
 * the newest first: what was told first was heard first, but for one that went with its tab before that could tell of it.
 */
function* leavings(doubtful: readonly number[]): Generator<readonly number[]> {
  if (doubtful.length <= 6) {
    const sets = Array.from({ length: 2 ** doubtful.length }, (_, bits) =>
      doubtful.filter((__, place) => (bits & (1 << place)) !== 0),
    );
    yield* sets.reverse().toSorted((a, b) => b.length - a.length);
    return;
  }
  yield doubtful;
  for (const one of doubtful) yield doubtful.filter((other) => other !== one);
  for (let kept = 2; kept <= doubtful.length; kept++) {
    yield doubtful.slice(kept);
    yield doubtful.slice(0, -kept);
  }
  for (let kept = 3; kept <= doubtful.length; kept++)
    for (const untold of doubtful.slice(0, kept - 1)) yield [...doubtful.slice(kept), untold];
  for (const one of doubtful) yield [one];
  yield [];
}

/** What an event makes of some states: all that look like these to it. */
interface KnownRun {
  readonly read: readonly (readonly [domain: string, rows: DomainState | undefined])[];
  readonly written: readonly (readonly [domain: string, rows: DomainState])[];
}

/** Runs pending events one after another in the app's version; views, ways and tabs run the same events on the same rows again and again. */
class Replay {
  /** What an event has made of a state. */
  readonly #after = new Map<ModelState, Map<EventStory, ModelState>>();
  /** By the event, and by the rows of the domain that it looks at first. */
  readonly #known = new Map<EventStory, Map<DomainState | undefined, KnownRun[]>>();
  readonly #looksFirstAt = new Map<EventStory, string>();

  /** Domains without their tombstones up to a version: the same object each time. */
  readonly #bare = new Map<DomainState, Map<number, DomainState>>();

  constructor(
    readonly run: Run,
    readonly schema: number,
  ) {}

  bare(rows: DomainState, upTo: number): DomainState {
    let known = this.#bare.get(rows);
    if (!known) this.#bare.set(rows, (known = new Map()));
    let left = known.get(upTo);
    if (!left) known.set(upTo, (left = withoutTombstones(rows, upTo)));
    return left;
  }

  fromScratch(base: ModelState, events: readonly EventStory[]): ModelState {
    let state = base;
    for (const story of events) {
      let known = this.#after.get(state);
      if (!known) this.#after.set(state, (known = new Map()));
      let next = known.get(story);
      if (!next) {
        const { written } = this.#runOn(state, story);
        known.set(story, (next = written.length === 0 ? state : new Map([...state, ...written])));
      }
      state = next;
    }
    return state;
  }

  #runOn(state: ModelState, story: EventStory): KnownRun {
    const first = this.#looksFirstAt.get(story) ?? "";
    const runs = this.#known.get(story)?.get(state.get(first)) ?? [];
    const known = runs.find(({ read }) => read.every(([domain, rows]) => state.get(domain) === rows));
    return known ?? this.#runAnew(state, story);
  }

  /** What cannot stand has no effect. */
  #runAnew(state: ModelState, story: EventStory): KnownRun {
    const { history, lineage } = this.run;
    const { issue } = story;
    const mark = { stamp: issue.event, version: 0, modifiedAt: 0 };
    const overlay = new Overlay(state, history.schema, mark);
    let after = state;
    try {
      applyAsView(overlay, lineage.asked(issue, this.schema), lineage.actions);
      after = overlay.settled();
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
    }
    const read = [...overlay.read].map((domain) => [domain, state.get(domain)] as const);
    const written = [...after].filter(([domain, rows]) => state.get(domain) !== rows);
    const known = { read, written };
    const [first = ""] = overlay.read;
    this.#looksFirstAt.set(story, first);
    let runs = this.#known.get(story);
    if (!runs) this.#known.set(story, (runs = new Map()));
    runs.set(state.get(first), [...(runs.get(state.get(first)) ?? []), known]);
    return known;
  }
}

/** The first record that a view shows otherwise, or does not show. */
export function differenceOf(run: Run, shown: ShownView, state: ModelState): Difference | undefined {
  const { wrong, hidden } = run.shown.compare(shown, state, whole);
  const [missing] = hidden;
  return wrong ?? (missing && (() => `${nameOf(missing.domain, missing.key)} is not shown`));
}

const whole: Look = {
  agrees: (record, row) => row?.deleted === undefined && row !== undefined && record.isLike(row),
  tell: (record, row) =>
    !row || row.deleted
      ? `${record.name} is shown, and should not be there`
      : `${record.name} is ${record.text}, and should be ${record.textOf(row)}`,
};
