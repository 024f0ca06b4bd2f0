import type { View } from "../history.js";
import { applyAsView } from "../model/apply-event.js";
import { RefusedError } from "../model/merge.js";
import { type ModelState, nameOf } from "../model/model-row.js";
import { Overlay } from "../model/overlay.js";
import { type Checker, type Finding, type Run, tabOf } from "./checker.js";
import { type Cut, Standing, isLocal, seenText, shownText } from "./consistent-cut.js";
import { type Candidate, type EventStory, OwnEvents } from "./own-events.js";

/** So many ways of what may be pending are tried, at so many indexes, before a view is called wrong. */
const maxWays = 100;
const maxCuts = 12;
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
    const findings: Finding[] = [];
    for (const [position, view] of run.history.entries.entries()) {
      if (view.type !== "view" || !run.lineage.branches.has(view.space)) continue;
      const problem = judge(run, { standing, own, view, position });
      if (problem !== undefined) findings.push({ at: view.at, message: `${tabOf(view)} ${problem}` });
      if (findings.length === enough) break;
    }
    return findings;
  },
};

interface Case {
  readonly standing: Standing;
  readonly own: OwnEvents;
  readonly view: View;
  readonly position: number;
}

function judge(run: Run, { standing, own, view, position }: Case): string | undefined {
  let closest: string | undefined;
  const cuts = function* (): Generator<Cut> {
    yield* standing.from(view, position);
    const first = run.lineage.branches.get(view.space)?.[0];
    // Before the first contact there is only what the device itself has written.
    if (first && !standing.lastOf(view)) yield { branch: first, index: 0 };
  };
  let looked = 0;
  for (const cut of cuts()) {
    const { branch, index } = cut;
    if (!hasVersionsOf(run, view, branch.stateAt(index))) continue;
    looked += 1;
    if (looked > maxCuts) break;
    const candidates = own.pendingAt(view, position, branch, index);
    for (const base of bases(branch.stateAt(index), candidates)) {
      for (const events of ways(candidates)) {
        const shown = runFromScratch(run, base, events);
        const difference = differenceOf(run, view, shown);
        if (difference === undefined) {
          standing.settle(view, cut);
          own.hear(view, events);
          return undefined;
        }
        closest ??= `shows something else than index ${index} of ${view.space} with ${describe(events)} on it: ${difference}`;
      }
    }
  }
  // Where no index fits even what is confirmed, the checker of cuts says it better.
  return closest;
}

const describe = (events: readonly EventStory[]): string =>
  events.length === 0 ? "nothing pending" : `${events.length} pending (${events.at(-1)?.issue.event} last)`;

/** A quick look at versions, which pending writes do not change. */
function hasVersionsOf(run: Run, view: View, state: ModelState): boolean {
  for (const [domain, records] of Object.entries(view.domains)) {
    if (isLocal(run, domain)) continue;
    for (const { key, $ } of records) {
      const row = state.get(nameOf(domain, key));
      if ($.version !== (row && !row.deleted ? row.version : 0) && $.version !== (row?.version ?? 0))
        return false;
    }
  }
  return true;
}

/**
 * The base that a device may hold at an index: it may lack tombstones from before it came, and those that were
 * dropped since. Only those that pending ops meet make a difference.
 */
function* bases(state: ModelState, candidates: readonly Candidate[]): Generator<ModelState> {
  yield state;
  const versions = new Set<number>();
  for (const { story } of candidates) {
    for (const op of story.issue.ops ?? []) {
      for (const key of op.op === "deleteMany" ? (op.keys ?? []) : [op.key]) {
        const row = state.get(nameOf(op.domain, key));
        if (row?.deleted) versions.add(row.version);
      }
    }
  }
  for (const version of [...versions].toSorted((a, b) => a - b))
    yield new Map([...state].filter(([, row]) => !row.deleted || row.version > version));
}

/** The sets of events that may be pending: all, none of the doubtful ones, and what lies between. */
function* ways(candidates: readonly Candidate[]): Generator<readonly EventStory[]> {
  const doubtful = candidates.flatMap(({ sure }, place) => (sure ? [] : [place]));
  const without = (left: ReadonlySet<number>): EventStory[] =>
    candidates.flatMap(({ story }, place) => (left.has(place) ? [] : [story]));
  const tried = new Set<string>();
  for (const left of leavings(doubtful)) {
    const name = left.join();
    if (tried.has(name)) continue;
    tried.add(name);
    if (tried.size > maxWays) return;
    yield without(new Set(left));
  }
}

/** What may be left out, most of it first: what need not be there is not taken to have been heard of. */
function* leavings(doubtful: readonly number[]): Generator<readonly number[]> {
  if (doubtful.length <= 6) {
    const sets = Array.from({ length: 2 ** doubtful.length }, (_, bits) =>
      doubtful.filter((__, place) => (bits & (1 << place)) !== 0),
    );
    yield* sets.toSorted((a, b) => b.length - a.length);
    return;
  }
  yield doubtful;
  for (const one of doubtful) yield doubtful.filter((other) => other !== one);
  for (let kept = 2; kept <= doubtful.length; kept++) {
    yield doubtful.slice(kept);
    yield doubtful.slice(0, -kept);
  }
  for (const one of doubtful) yield [one];
  yield [];
}

/** Runs pending events one after another; what cannot stand has no effect. */
function runFromScratch(run: Run, base: ModelState, events: readonly EventStory[]): ModelState {
  let state = base;
  for (const { issue } of events) {
    const overlay = new Overlay(state, run.history.schema, { stamp: issue.event, version: 0, modifiedAt: 0 });
    try {
      applyAsView(overlay, run.lineage.asked(issue), run.lineage.actions);
    } catch (error) {
      if (error instanceof RefusedError) continue;
      throw error;
    }
    state = overlay.settled();
  }
  return state;
}

/** The first record that a view shows otherwise. */
export function differenceOf(run: Run, view: View, state: ModelState): string | undefined {
  let shown = 0;
  for (const [domain, records] of Object.entries(view.domains)) {
    if (isLocal(run, domain)) continue;
    for (const seen of records) {
      shown += 1;
      const row = state.get(nameOf(domain, seen.key));
      if (!row || row.deleted) return `${domain}/${seen.key} is shown, and should not be there`;
      const [is, should] = [seenText(seen), shownText(run, row)];
      if (is !== should) return `${domain}/${seen.key} is ${is}, and should be ${should}`;
    }
  }
  const live = [...state.values()].filter((row) => !row.deleted && !isLocal(run, row.domain));
  if (live.length === shown) return undefined;
  const missing = live.find(({ domain, key }) => !view.domains[domain]?.some((seen) => seen.key === key));
  return missing && `${nameOf(missing.domain, missing.key)} is not shown`;
}
