import type { Stamp } from "@landfall/protocol";
import type { Entry, Issue, StorageFault } from "../history.js";
import type { Branch, Lineage } from "../model/lineage.js";
import { type Checker, type Finding, type Run, tabOf } from "./checker.js";
import type { Entries } from "./entries.js";
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
    const acknowledged = acknowledgements(run);
    const findings: Finding[] = [];
    for (const [event, { at, index, position }] of acknowledged) {
      const issue = run.lineage.issues.get(event);
      const last = issue && run.lineage.last(issue.space);
      if (!issue || !last || isStanding(run.lineage, last, { event, index, position })) continue;
      if (!wasTold(run, issue, last.since) && !hadForgotten(run, issue, position, last.since))
        findings.push({
          at,
          message: `${issue.device} was told that ${event} is index ${index} of ${issue.space}, which is gone, and nobody has told it so`,
        });
    }
    return [...findings, ...savedAndGone(run), ...goneInSilence(run)];
  },
};

interface Acknowledgement {
  readonly at: number;
  readonly index: number;
  readonly position: number;
}

/** The first answer, or the first word to the app, that said an event was applied. */
function acknowledgements({ entries }: Run): Map<Stamp, Acknowledgement> {
  const all = new Map<Stamp, Acknowledgement>();
  const note = (event: Stamp, index: number | undefined, entry: Entry, position: number): void => {
    if (index !== undefined && !all.has(event)) all.set(event, { at: entry.at, index, position });
  };
  for (const [position, entry] of entries.of("answerLeft", "settled")) {
    if (entry.type === "answerLeft") {
      for (const { outcomes } of entry.spaces)
        for (const outcome of outcomes) note(outcome.id, appliedIndex(outcome), entry, position);
    } else if (entry.outcome.status === "applied") note(entry.event, entry.outcome.index, entry, position);
  }
  return all;
}

/** Whether the event stands in the last history, or was wiped away with everything else on purpose. */
function isStanding(
  { branches }: Lineage,
  last: Branch,
  { event, index, position }: { readonly event: Stamp; readonly index: number; readonly position: number },
): boolean {
  // What it has refused was sent to it anew, by a device that had not heard of the first answer, and hears of that.
  if (last.indexOf(event) !== undefined || last.decisionOn(event)) return true;
  const wiped = (branches.get(last.space) ?? []).some(
    (branch) => branch.reason === "wiped" && branch.since > position,
  );
  // What was applied to another history than that which was cut off was never acknowledged in it.
  return wiped || last.eventAt(index)?.applied.event === event;
}

const tellsOfLoss: ReadonlySet<string> = new Set(["restored", "history_lost", "wiped"]);

function wasTold({ entries }: Run, { device }: Issue, since: number): boolean {
  return entries
    .of("report")
    .some(([position, entry]) => position > since && entry.device === device && tellsOfLoss.has(entry.code));
}

/**
 * Whether a device met the last history of a space as one that had never seen it: with what it knew of the one before its
 * disk was taken away, or somebody had signed out. It has nothing to offer back then, and cannot know that anything is gone.
 */
function hadForgotten(
  { entries }: Run,
  { device, space }: Issue,
  acknowledgedAt: number,
  since: number,
): boolean {
  const left = new Map<number, number>();
  let isForgotten = false;
  /** Whether what still comes goes to who is about to end. */
  let isOver = false;
  for (const [position, entry] of entries.of("answerLeft", "answerArrived", "storageFault", "started")) {
    if (entry.type === "answerLeft" && entry.spaces.some((part) => part.space === space))
      left.set(entry.exchange, position);
    if (position <= acknowledgedAt) continue;
    if (entry.type === "storageFault" && entry.device === device && entry.forgets?.includes(space))
      isForgotten = isOver = true;
    if (entry.type === "started" && entry.device === device) isOver = false;
    if (entry.type !== "answerArrived" || entry.device !== device || isOver) continue;
    const leftAt = left.get(entry.exchange);
    if (leftAt === undefined) continue;
    if (leftAt > since) return isForgotten;
    // It knows the history that was lost, again.
    isForgotten = false;
  }
  return isForgotten;
}

function savedAndGone({ entries, lineage }: Run): Finding[] {
  const fate = new Map<Stamp, { readonly issue: Issue; readonly at: number }>();
  const excused = new Set<Stamp>();
  const reported = new Set<string>();
  for (const [, entry] of entries.of("saved", "settled", "inbox", "storageFault")) {
    if (entry.type === "saved") {
      const issue = lineage.issues.get(entry.event);
      if (issue) fate.set(entry.event, { issue, at: entry.at });
    } else if (entry.type === "settled") excused.add(entry.event);
    else if (entry.type === "inbox") {
      for (const { event } of entry.items) if (event !== undefined) excused.add(event);
    } else for (const event of entry.lostEvents) reported.add(event);
  }
  const stillPending = endingOutboxes(entries);
  return [...fate].flatMap(([event, { issue, at }]) => {
    const isDecided = (lineage.branches.get(issue.space) ?? []).some(
      (branch) => branch.indexOf(event) !== undefined || branch.decisionOn(event),
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

/** What a disk took with it that no server had is reported at the next start, unless nothing was left to tell of it. */
function goneInSilence({ entries }: Run): Finding[] {
  return entries.of("storageFault").flatMap(([position, entry]) => {
    if (entry.silent) return [];
    if (entry.how === "torn") return tornInSilence(entries, position, entry);
    if (entry.lostEvents.length === 0 || isGoneWhole(entries, position, entry)) return [];
    const isTold = entries
      .of("report")
      .some(([at, later]) => at > position && later.device === entry.device && isOfLoss(entry, later.code));
    const text = `${entry.device} lost ${entry.lostEvents.length} unsynced writes with a part of its disk, and nobody was told`;
    return isTold ? [] : [{ at: entry.at, message: text }];
  });
}

/** Whether all that could have told of a loss was gone too, or as it was before, when somebody was there to be told. */
function isGoneWhole(entries: Entries, since: number, { device }: StorageFault): boolean {
  const next = entries
    .of("storageFault", "started")
    .find(
      ([position, entry]) =>
        position > since && entry.device === device && (entry.type === "started" || entry.silent),
    );
  return next?.[1].type === "storageFault" && (next[1].how === "evicted" || next[1].how === "older");
}

/** Who starts on a disk that cannot be opened is told so. @param since where it was torn, or mended. */
function tornInSilence(entries: Entries, since: number, { at, device }: StorageFault): Finding[] {
  const after = entries
    .of("storageFault", "started", "report")
    .flatMap(([position, entry]) => (position > since && entry.device === device ? [entry] : []));
  const next = after.findIndex(({ type }) => type === "storageFault");
  const between = after.slice(0, Math.max(next, 0));
  const isStarted = between.some(({ type }) => type === "started");
  if (!isStarted || isMended(between)) return [];
  const isTold = between.some((entry) => entry.type === "report" && entry.code === "storage");
  return isTold ? [] : [{ at, message: `${device} went on without its disk, and nobody was told` }];
}

/** On a disk that can be opened, a start finds what lies there. */
const isMended = (entries: readonly Entry[]): boolean =>
  entries.some((entry) => entry.type === "started" && Object.keys(entry.outbox).length > 0);

/** Of a disk that is gone as a whole, a note beside it says how many writes were in it; that may be a moment old. */
const isOfLoss = ({ how }: StorageFault, code: string): boolean =>
  code === "unsynced_lost" || (how === "evicted" && code === "storage");

/** Events that a device may still have at the end: of a process that lives, or on a disk that was read last. */
function endingOutboxes(entries: Entries): Set<Stamp> {
  const pending = new Set<Stamp>();
  // When all is quiet nothing is pending; a run that never came to rest is the business of another checker too.
  if (entries.of("quiet").length > 0) return pending;
  const ended = new Set(entries.of("ended").map(([, entry]) => tabOf(entry)));
  for (const [, entry] of entries.of("issue", "started")) {
    if (ended.has(tabOf(entry))) continue;
    const events = entry.type === "issue" ? [entry.event] : Object.values(entry.outbox).flat();
    for (const event of events) pending.add(event);
  }
  return pending;
}
