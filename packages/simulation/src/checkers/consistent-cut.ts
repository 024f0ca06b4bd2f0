import type { Fields, Op } from "@landfall/protocol";
import type { Seen, Settled, View } from "../history.js";
import { canonicalText } from "../model/canonical.js";
import type { Branch } from "../model/lineage.js";
import { type LiveRow, type ModelState, completeFields, nameOf } from "../model/model-row.js";
import { type Checker, type Finding, type Run, tabOf } from "./checker.js";
import { OwnEvents } from "./own-events.js";

const texts = new WeakMap<object, string>();

/** The fields of what an app saw, as one text. */
export function seenText(seen: Seen): string {
  let text = texts.get(seen);
  if (text === undefined) {
    const { key: _key, $: _meta, ...fields } = seen;
    texts.set(seen, (text = canonicalText(fields as Fields)));
  }
  return text;
}

/** The fields of a row as an app would see them, as one text. */
export function shownText(run: Run, row: LiveRow): string {
  let text = texts.get(row);
  if (text === undefined)
    texts.set(
      row,
      (text = canonicalText(completeFields(row.fields, run.history.schema.domains[row.domain]))),
    );
  return text;
}

export const isLocal = (run: Run, domain: string): boolean =>
  run.history.schema.domains[domain]?.local === true;

/** What follows a wrong view is mostly wrong with it. */
const enough = 5;

/** A history and an index in it that a view may stand at. */
export interface Cut {
  readonly branch: Branch;
  readonly index: number;
}

/** Where each tab stands, as far as its views have shown it: it never goes back. */
export class Standing {
  readonly #last = new Map<string, Cut>();

  constructor(readonly run: Run) {}

  /** The cuts that a view may be, oldest first: at or after the last one, and not after what was committed. */
  *from(view: View, position: number): Generator<Cut> {
    const name = `${tabOf(view)} ${view.space}`;
    const last = this.#last.get(name);
    const branches = this.run.lineage.branches.get(view.space) ?? [];
    const newest = newestVersion(view);
    for (const branch of branches) {
      if (branch.since > position || (last && branch.since < last.branch.since)) continue;
      const first = branch === last?.branch ? last.index : 0;
      for (let index = Math.max(first, newest); index <= branch.head; index++) {
        if (index > branch.from && (branch.events.get(index)?.position ?? position) > position) break;
        if (branch.hasState(index)) yield { branch, index };
      }
    }
  }

  settle(view: View, cut: Cut): void {
    this.#last.set(`${tabOf(view)} ${view.space}`, cut);
  }

  lastOf(view: View): Cut | undefined {
    return this.#last.get(`${tabOf(view)} ${view.space}`);
  }
}

function newestVersion(view: View): number {
  let newest = 0;
  for (const seen of Object.values(view.domains))
    for (const { $ } of seen) if ($.version > newest) newest = $.version;
  return newest;
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
    const own = new OwnEvents(run);
    const findings: Finding[] = [];
    const shown = new Map<string, View>();
    for (const [position, entry] of run.history.entries.entries()) {
      if (findings.length === enough) break;
      if (entry.type === "settled") {
        const early = tooEarly(
          run,
          { standing, own, shown: shown.get(`${tabOf(entry)} ${entry.space}`) },
          entry,
          position,
        );
        if (early !== undefined) findings.push({ at: entry.at, message: early });
      }
      if (entry.type !== "view" || !run.lineage.branches.has(entry.space)) continue;
      shown.set(`${tabOf(entry)} ${entry.space}`, entry);
      const found = findCut(run, standing, own, { view: entry, position });
      if (found) standing.settle(entry, found);
      else
        findings.push({
          at: entry.at,
          message: `${tabOf(entry)} ${why(run, standing, own, { view: entry, position })}`,
        });
    }
    return [...findings, ...cursorsApart(run)];
  },
};

/** What makes a device fetch one domain without the others: then, and only then, its cursors may stand apart. */
const refetches: ReadonlySet<string> = new Set(["digest_differs", "history_lost", "restored"]);

/** A device asks for all its domains from one index: cursors that stand apart are a cut that is none. */
function cursorsApart({ history }: Run): Finding[] {
  const findings: Finding[] = [];
  const excused = new Set<string>();
  const askedBy = new Map<number, string>();
  for (const entry of history.entries) {
    if (entry.type === "report" && refetches.has(entry.code)) excused.add(entry.device);
    if (entry.type === "answerLeft" && entry.spaces.some(({ reset }) => reset && reset.length > 0))
      excused.add(askedBy.get(entry.exchange) ?? "");
    if (entry.type !== "request") continue;
    askedBy.set(entry.exchange, entry.device);
    for (const { space, cursors } of entry.spaces) {
      if (excused.has(entry.device) || new Set(Object.values(cursors)).size <= 1) continue;
      findings.push({
        at: entry.at,
        message: `${tabOf(entry)} asks for ${space} from several indexes at once: ${JSON.stringify(cursors)}`,
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
  }: { readonly standing: Standing; readonly own: OwnEvents; readonly shown: View | undefined },
  { tab, run: count, event, outcome }: Settled,
  position: number,
): string | undefined {
  const { index } = outcome;
  const last = shown && standing.lastOf(shown);
  if (outcome.status !== "applied" || index === undefined || !last || last.index >= index) return undefined;
  // Only in the history in which it stands there; another one has another event at that index.
  if (last.branch.eventAt(index)?.applied.event !== event) return undefined;
  for (const cut of standing.from(shown, position)) {
    if (cut.branch !== last.branch || cut.index < index) continue;
    if (differenceAt(run, own, { view: shown, position }, cut) === undefined) return undefined;
  }
  return `${tabOf({ tab, run: count })} was told that ${event} is index ${index} while it shows index ${last.index}`;
}

interface Looked {
  readonly view: View;
  readonly position: number;
}

function findCut(run: Run, standing: Standing, own: OwnEvents, { view, position }: Looked): Cut | undefined {
  let isEmpty = true;
  for (const seen of Object.values(view.domains)) if (seen.some(({ $ }) => $.version > 0)) isEmpty = false;
  for (const cut of standing.from(view, position)) {
    if (differenceAt(run, own, { view, position }, cut) === undefined) return cut;
  }
  const first = run.lineage.branches.get(view.space)?.[0];
  // Before the first contact there is nothing at all, and a view says so.
  return isEmpty && first && !standing.lastOf(view) ? { branch: first, index: 0 } : undefined;
}

/** The first record whose confirmed part is not the one of that index. */
function differenceAt(
  run: Run,
  own: OwnEvents,
  { view, position }: Looked,
  { branch, index }: Cut,
): string | undefined {
  const state = branch.stateAt(index);
  const seenNames = new Set<string>();
  for (const [domain, records] of Object.entries(view.domains)) {
    if (isLocal(run, domain)) continue;
    for (const seen of records) {
      const name = nameOf(domain, seen.key);
      seenNames.add(name);
      const difference = recordDifference(run, seen, name, state);
      if (difference !== undefined) return difference;
    }
  }
  const hidden = [...state.values()].filter(
    (row) => !row.deleted && !isLocal(run, row.domain) && !seenNames.has(nameOf(row.domain, row.key)),
  );
  if (hidden.length === 0) return undefined;
  const pending = own.pendingAt(view, position, branch, index);
  const missing = hidden.find(
    (row) =>
      !pending.some(
        ({ story }) =>
          story.issue.ops === undefined || story.issue.ops.some((op) => mayDelete(run, op, row as LiveRow)),
      ),
  );
  return missing && `${nameOf(missing.domain, missing.key)} of index ${missing.version} is not shown`;
}

function recordDifference(run: Run, seen: Seen, name: string, state: ModelState): string | undefined {
  const row = state.get(name);
  const version = row && !row.deleted ? row.version : 0;
  // A record that is to come back shows the version of its tombstone.
  if (seen.$.version !== version && !(row?.deleted && seen.$.version === row.version))
    return `${name} is shown as of index ${seen.$.version}, and was of ${version}`;
  if (seen.$.pending) return undefined;
  if (!row || row.deleted) return `${name} is shown as confirmed, and was not there`;
  if (seen.$.modifiedAt !== row.modifiedAt)
    return `${name} is shown as modified at ${seen.$.modifiedAt}, and was at ${row.modifiedAt}`;
  const [shown, stood] = [seenText(seen), shownText(run, row)];
  return shown === stood ? undefined : `${name} is shown as ${shown}, and was ${stood}`;
}

/** Whether a pending op may hide a record: it deletes it, or something that takes it along. */
function mayDelete({ history }: Run, op: Op, row: LiveRow): boolean {
  if (op.op !== "delete" && op.op !== "deleteMany") return false;
  if (op.domain === row.domain)
    return op.op === "delete"
      ? op.key === row.key
      : (op.keys?.includes(row.key) ?? row.version <= (op.upTo ?? 0));
  return Object.values(history.schema.domains).some(({ parent }) => parent?.domain === op.domain);
}

/** Why a view is no cut, against the state that it is most like. */
function why(run: Run, standing: Standing, own: OwnEvents, looked: Looked): string {
  const { view, position } = looked;
  let best: { readonly cut: Cut; readonly text: string } | undefined;
  let count = 0;
  for (const cut of standing.from(view, position)) {
    const text = differenceAt(run, own, looked, cut);
    if (text !== undefined) best ??= { cut, text };
    count += 1;
  }
  const last = standing.lastOf(view);
  const after = last ? `, having stood at index ${last.index} of ${last.branch.generation}` : "";
  if (!best)
    return `shows of ${view.space} what lies after every commit, or before what it had shown${after}`;
  return `shows no state of ${view.space} that ever was (${count} looked at${after}): at index ${best.cut.index} of ${best.cut.branch.generation}, ${best.text}`;
}
