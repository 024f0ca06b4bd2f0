import type { Op } from "@landfall/protocol";
import type { Settled } from "../history.js";
import { type LiveRow, type ModelRow, nameOf } from "../model/model-row.js";
import { type Checker, type Finding, type Run, tabOf } from "./checker.js";
import { OwnEvents } from "./own-events.js";
import type { Cut, Difference, Look, ShownView } from "./shown.js";

/** What follows a wrong view is mostly wrong with it. */
const enough = 5;

/** Where each tab stands, as far as its views have shown it: it never goes back. */
export class Standing {
  readonly #last = new Map<string, Cut>();

  constructor(readonly run: Run) {}

  /** The cuts that a view may be, oldest first: at or after the last one, not after what was committed, and such as its app can read. */
  *from({ view, line, newest, schema }: ShownView, position: number): Generator<Cut> {
    const last = this.#last.get(line);
    const branches = this.run.lineage.branches.get(view.space) ?? [];
    for (const branch of branches) {
      if (branch.since > position || (last && branch.since < last.branch.since)) continue;
      // Who reads a history reads it up to its head at least; what lies before it is what another history shows too.
      const first = branch === last?.branch ? last.index : branch.from;
      for (let index = Math.max(first, newest); index <= branch.head; index++) {
        if (index > branch.from && (branch.events.get(index)?.position ?? position) > position) break;
        // Of a newer version an app takes nothing in.
        if (branch.hasState(index) && branch.isReadable(index, schema)) yield { branch, index };
      }
    }
  }

  settle({ line }: ShownView, cut: Cut): void {
    this.#last.set(line, cut);
  }

  lastOf({ line }: ShownView): Cut | undefined {
    return this.#last.get(line);
  }
}

/**
 * Every view is the state at one index, and own pending writes on top of it (rules 4 and 5). This looks at what is
 * confirmed alone: the versions of all records, and whole the records that nothing is pending on.
 */
export const consistentCut: Checker = {
  name: "consistent-cut",
  rule: "rule 5",
  promise: "What an app is shown is never half of an event, and never goes back to an older state.",
  check(run) {
    const standing = new Standing(run);
    const own = new OwnEvents(run, true);
    const findings: Finding[] = [];
    const views = new Map<string, ShownView>();
    for (const [position, entry] of run.entries.of("settled", "view")) {
      if (findings.length === enough) break;
      if (entry.type === "settled") {
        const early = tooEarly(
          run,
          { standing, own, shown: views.get(`${tabOf(entry)} ${entry.space}`) },
          entry,
          position,
        );
        if (early !== undefined) findings.push({ at: entry.at, message: early });
        continue;
      }
      if (!run.lineage.branches.has(entry.space)) continue;
      const shown = run.shown.of(entry);
      views.set(shown.line, shown);
      const found = findCut(run, standing, own, { shown, position });
      if (found) {
        standing.settle(shown, found);
        own.settle(shown, position, found);
      } else
        findings.push({
          at: entry.at,
          message: `${tabOf(entry)} ${why(run, standing, own, { shown, position })}`,
        });
    }
    return [...findings, ...wrongCursors(run)];
  },
};

/** What makes a device fetch one domain without the others: then, and only then, its cursors may stand apart. */
const refetches: ReadonlySet<string> = new Set(["digest_differs", "history_lost", "restored"]);

/**
 * A device asks for all its domains from one index, since cursors that stand apart are a cut that is none, and from none
 * that lies before what it shows, since no cursor moves back. What it asks once more, since no answer came, is as old as it
 * was.
 */
function wrongCursors({ entries, lineage, shown: views }: Run): Finding[] {
  const findings: Finding[] = [];
  const excused = new Set<string>();
  const askedBy = new Map<number, string>();
  const shown = new Map<string, number>();
  const unanswered = new Map<number, string>();
  for (const [, entry] of entries.of("report", "answerLeft", "answerArrived", "view", "request")) {
    if (entry.type === "report" && refetches.has(entry.code)) excused.add(entry.device);
    if (entry.type === "answerLeft" && entry.spaces.some(({ reset }) => reset && reset.length > 0))
      excused.add(askedBy.get(entry.exchange) ?? "");
    if (entry.type === "view") {
      const { line, newest } = views.of(entry);
      shown.set(line, newest);
    }
    if (entry.type === "answerArrived" && entry.whole) unanswered.delete(entry.exchange);
    if (entry.type !== "request") continue;
    askedBy.set(entry.exchange, entry.device);
    const asked = `${tabOf(entry)} ${JSON.stringify(entry.spaces)}`;
    const isAskedAgain = [...unanswered.values()].includes(asked);
    unanswered.set(entry.exchange, asked);
    if (isAskedAgain && entry.spaces.every(({ events }) => events.length > 0)) continue;
    for (const { space, cursors } of entry.spaces) {
      const from = Object.values(cursors);
      if (excused.has(entry.device) || from.length === 0) continue;
      const newest = shown.get(`${tabOf(entry)} ${space}`) ?? 0;
      const hasOneHistory = lineage.branches.get(space)?.length === 1;
      const wrong =
        new Set(from).size > 1
          ? "several indexes at once"
          : hasOneHistory && Math.min(...from) < newest
            ? `before index ${newest}, which it shows`
            : undefined;
      if (wrong !== undefined)
        findings.push({
          at: entry.at,
          message: `${tabOf(entry)} asks for ${space} from ${wrong}: ${JSON.stringify(cursors)}`,
        });
    }
  }
  return findings.slice(0, enough);
}

/** An outcome that an app hears before its view has what it tells of. */
function tooEarly(
  run: Run,
  {
    standing,
    own,
    shown,
  }: { readonly standing: Standing; readonly own: OwnEvents; readonly shown: ShownView | undefined },
  { tab, run: count, space, event, outcome }: Settled,
  position: number,
): string | undefined {
  const { index } = outcome;
  const last = shown && standing.lastOf(shown);
  if (outcome.status !== "applied" || index === undefined || !last || last.index >= index) return undefined;
  // Only in the history in which it stands there; another one has another event at that index.
  if (last.branch.eventAt(index)?.applied.event !== event) return undefined;
  // An app that cannot read what there is shows its write over what it had.
  if (run.lineage.isLeftBehind(space, shown.schema, position)) return undefined;
  for (const cut of standing.from(shown, position)) {
    if (cut.branch !== last.branch || cut.index < index) continue;
    if (differenceAt(run, own, { shown, position }, cut) === undefined) return undefined;
  }
  return `${tabOf({ tab, run: count })} was told that ${event} is index ${index} while it shows index ${last.index}`;
}

interface Looked {
  readonly shown: ShownView;
  readonly position: number;
}

function findCut(run: Run, standing: Standing, own: OwnEvents, looked: Looked): Cut | undefined {
  const { shown, position } = looked;
  for (const cut of standing.from(shown, position)) {
    if (differenceAt(run, own, looked, cut) === undefined) return cut;
  }
  const first = run.lineage.branches.get(shown.view.space)?.[0];
  // Before the first contact there is nothing at all, and a view says so.
  return shown.newest === 0 && first && !standing.lastOf(shown) ? { branch: first, index: 0 } : undefined;
}

/** The first record whose confirmed part is not the one of that index. */
export function differenceAt(
  run: Run,
  own: OwnEvents,
  { shown, position }: Looked,
  cut: Cut,
): Difference | undefined {
  const { branch, index } = cut;
  const { lineage } = run;
  const state = lineage.shownAt(branch, index, shown.schema);
  const isLeftBehind = lineage.isLeftBehind(branch.space, shown.schema, position);
  const { wrong, hidden } = run.shown.compare(shown, state, isLeftBehind ? versions : confirmed, cut);
  if (wrong) return wrong;
  if (hidden.length === 0) return undefined;
  const pending = own.pendingAt(shown, position, branch, index);
  const missing = hidden.find(
    (row) =>
      !pending.some(
        ({ story }) => story.issue.ops === undefined || story.issue.ops.some((op) => mayDelete(run, op, row)),
      ),
  );
  return missing && (() => `${nameOf(missing.domain, missing.key)} of index ${missing.version} is not shown`);
}

/** What is confirmed of a record: its version, and all of it where nothing is pending on it. */
const confirmed: Look = {
  agrees(record, row) {
    const { $ } = record.seen;
    if (!isOfVersion($.version, row)) return false;
    return (
      $.pending || (row?.deleted === undefined && row?.modifiedAt === $.modifiedAt && record.isLike(row))
    );
  },
  tell(record, row) {
    const { name, text } = record;
    const { version, modifiedAt } = record.seen.$;
    const live = row?.deleted ? undefined : row;
    if (!isOfVersion(version, row))
      return `${name} is shown as of index ${version}, and was of ${live?.version ?? 0}`;
    if (!live) return `${name} is shown as confirmed, and was not there`;
    if (modifiedAt !== live.modifiedAt)
      return `${name} is shown as modified at ${modifiedAt}, and was at ${live.modifiedAt}`;
    return `${name} is shown as ${text}, and was ${record.textOf(live)}`;
  },
};

/**
 * Of an app that cannot read what there is, the versions alone: what was written in it and is over shows over what it has,
 * and is not pending.
 */
const versions: Look = { ...confirmed, agrees: ({ seen: { $ } }, row) => isOfVersion($.version, row) };

/** A record that is to come back shows the version of its tombstone. */
const isOfVersion = (version: number, row: ModelRow | undefined): boolean =>
  version === (row?.version ?? 0) || (version === 0 && row?.deleted === true);

/** Whether a pending op may hide a record: it deletes it, or something that takes it along. */
function mayDelete({ history }: Run, op: Op, row: LiveRow): boolean {
  if (op.op !== "delete" && op.op !== "deleteMany" && !(op.op === "offer" && "deletedAt" in op)) return false;
  if (op.domain === row.domain)
    return op.op !== "deleteMany"
      ? op.key === row.key
      : (op.keys?.includes(row.key) ?? row.version <= (op.upTo ?? 0));
  return Object.values(history.schema.domains).some(({ parent }) => parent?.domain === op.domain);
}

/** Why a view is no cut, against the state that it is most like. */
function why(run: Run, standing: Standing, own: OwnEvents, looked: Looked): string {
  const { shown, position } = looked;
  const { space } = shown.view;
  let best: { readonly cut: Cut; readonly text: Difference } | undefined;
  let count = 0;
  for (const cut of standing.from(shown, position)) {
    const text = differenceAt(run, own, looked, cut);
    if (text) best ??= { cut, text };
    count += 1;
  }
  const last = standing.lastOf(shown);
  const after = last ? `, having stood at index ${last.index} of ${last.branch.generation}` : "";
  if (!best)
    return `shows of ${space} what lies after every commit, before what it had shown, or beyond what its app can read${after}`;
  return `shows no state of ${space} that ever was (${count} looked at${after}): at index ${best.cut.index} of ${best.cut.branch.generation}, ${best.text()}`;
}
