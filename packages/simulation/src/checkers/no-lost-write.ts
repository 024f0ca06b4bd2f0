import type { Stamp } from "@landfall/protocol";
import type { Entry, History, Issue } from "../history.js";
import type { Branch, Lineage } from "../model/lineage.js";
import { type Checker, type Finding, tabOf } from "./checker.js";
import { decisionIn } from "./own-events.js";
import { appliedIndex } from "./serializability.js";

/**
 * What was acknowledged stays (rules 2 and 8), through every crash. A server that comes back from a backup may have
 * lost what rule 12 says; then the app of the device that wrote it has been told. What a device called `saved` is
 * decided in the end, or in its inbox, unless the disk under it was taken away, and then that was reported.
 */
export const noLostWrite: Checker = {
  name: "no-lost-write",
  rule: "rule 2",
  promise: "No write that was called safe is gone without a word.",
  check(run) {
    const acknowledged = acknowledgements(run.history);
    const findings: Finding[] = [];
    for (const [event, { at, index, position }] of acknowledged) {
      const issue = run.lineage.issues.get(event);
      const last = issue && run.lineage.last(issue.space);
      if (!issue || !last || isStanding(run.lineage, last, { event, index, position })) continue;
      if (!wasTold(run.history, issue, last.since))
        findings.push({
          at,
          message: `${issue.device} was told that ${event} is index ${index} of ${issue.space}, which is gone, and nobody has told it so`,
        });
    }
    return [...findings, ...savedAndGone(run.history, run.lineage)];
  },
};

interface Acknowledgement {
  readonly at: number;
  readonly index: number;
  readonly position: number;
}

/** The first answer, or the first word to the app, that said an event was applied. */
function acknowledgements({ entries }: History): Map<Stamp, Acknowledgement> {
  const all = new Map<Stamp, Acknowledgement>();
  const note = (event: Stamp, index: number | undefined, entry: Entry, position: number): void => {
    if (index !== undefined && !all.has(event)) all.set(event, { at: entry.at, index, position });
  };
  for (const [position, entry] of entries.entries()) {
    if (entry.type === "answerLeft") {
      for (const { outcomes } of entry.spaces)
        for (const outcome of outcomes) note(outcome.id, appliedIndex(outcome), entry, position);
    }
    if (entry.type === "settled" && entry.outcome.status === "applied")
      note(entry.event, entry.outcome.index, entry, position);
  }
  return all;
}

/** Whether the event stands in the last history, or was wiped away with everything else on purpose. */
function isStanding(
  { branches }: Lineage,
  last: Branch,
  { event, index, position }: { readonly event: Stamp; readonly index: number; readonly position: number },
): boolean {
  if (last.indexOf(event) !== undefined) return true;
  const wiped = (branches.get(last.space) ?? []).some(
    (branch) => branch.reason === "wiped" && branch.since > position,
  );
  // What was applied to another history than that which was cut off was never acknowledged in it.
  return wiped || last.eventAt(index)?.applied.event === event;
}

const tellsOfLoss: ReadonlySet<string> = new Set(["restored", "history_lost", "wiped"]);

function wasTold({ entries }: History, { device }: Issue, since: number): boolean {
  return entries.some(
    (entry, position) =>
      position > since && entry.type === "report" && entry.device === device && tellsOfLoss.has(entry.code),
  );
}

function savedAndGone(history: History, lineage: Lineage): Finding[] {
  const { entries } = history;
  const fate = new Map<Stamp, { readonly issue: Issue; readonly at: number }>();
  const excused = new Set<Stamp>();
  const reported = new Set<string>();
  for (const entry of entries) {
    if (entry.type === "saved") {
      const issue = lineage.issues.get(entry.event);
      if (issue) fate.set(entry.event, { issue, at: entry.at });
    } else if (entry.type === "settled") excused.add(entry.event);
    else if (entry.type === "inbox") {
      for (const { event } of entry.items) if (event !== undefined) excused.add(event);
    } else if (entry.type === "storageFault") for (const event of entry.lostEvents) reported.add(event);
  }
  const stillPending = endingOutboxes(entries);
  return [...fate].flatMap(([event, { issue, at }]) => {
    const isDecided = (lineage.branches.get(issue.space) ?? []).some(
      (branch) => branch.indexOf(event) !== undefined || decisionIn(branch, event),
    );
    if (isDecided || excused.has(event) || reported.has(event) || stillPending.has(event)) return [];
    return [
      {
        at,
        message: `${issue.tab} said that ${event} is saved, and it was never decided, nor is it pending or in the inbox`,
      },
    ];
  });
}

/** Events that a device may still have at the end: of a process that lives, or on a disk that was read last. */
function endingOutboxes(entries: readonly Entry[]): Set<Stamp> {
  const pending = new Set<Stamp>();
  // When all is quiet nothing is pending; a run that never came to rest is the business of another checker too.
  if (entries.some((entry) => entry.type === "quiet")) return pending;
  const ended = new Set(entries.flatMap((entry) => (entry.type === "ended" ? [tabOf(entry)] : [])));
  for (const entry of entries) {
    if (entry.type === "issue" && !ended.has(tabOf(entry))) pending.add(entry.event);
    if (entry.type === "started" && !ended.has(tabOf(entry)))
      for (const event of Object.values(entry.outbox).flat()) pending.add(event);
  }
  return pending;
}
