import type { Stamp } from "@landfall/protocol";
import type { Inbox, Settled } from "../history.js";
import type { Branch } from "../model/lineage.js";
import { type Checker, type Finding, type Run, tabOf } from "./checker.js";
import { decisionIn } from "./own-events.js";

/**
 * Every event ends in exactly one of applied, rejected, void or pending, and the app hears which (rule 9): a process
 * that waits is told once and rightly, and what was refused or lost a field lies in the inbox until a person has
 * dealt with it.
 */
export const outcomes: Checker = {
  name: "outcomes",
  rule: "rule 9",
  promise: "Every event gets one outcome, and the app gets to know of it.",
  check(run) {
    return [
      ...decidedTwice(run),
      ...toldWrongly(run),
      ...neverTold(run),
      ...inboxForgets(run),
      ...inboxMisses(run),
    ];
  },
};

function decidedTwice({ history, lineage }: Run): Finding[] {
  const findings: Finding[] = [];
  // A disk that fell back sends anew, under other seqs, what it has forgotten that it sent: rule 3 calls that a conflict.
  const older = history.entries.some((entry) => entry.type === "storageFault" && entry.how === "older");
  for (const branches of lineage.branches.values()) {
    for (const branch of branches) {
      const seen = new Map<Stamp, string>();
      for (const { decided, at } of branch.others) {
        const index = branch.indexOf(decided.event);
        // An id that was taken by another event is refused for that event alone.
        if (decided.code === "id_conflict") {
          if (older) continue;
          findings.push({
            at,
            message: `${branch.space}: ${decided.event} was refused as the id of another event, and ids are never given twice`,
          });
          continue;
        }
        const before = index === undefined ? seen.get(decided.event) : `applied at ${index}`;
        const now = decided.status === "void" ? "void" : `rejected as ${decided.code}`;
        if (before !== undefined && before !== now)
          findings.push({ at, message: `${branch.space}: ${decided.event} is ${before}, and also ${now}` });
        seen.set(decided.event, now);
      }
    }
  }
  return findings;
}

/** The histories in which a process may have learnt of an outcome. */
const possible = (run: Run, space: string, position: number): Branch[] =>
  (run.lineage.branches.get(space) ?? []).filter((branch) => branch.since <= position);

function toldWrongly(run: Run): Finding[] {
  const findings: Finding[] = [];
  const told = new Set<string>();
  for (const [position, entry] of run.history.entries.entries()) {
    if (entry.type !== "settled") continue;
    const name = `${tabOf(entry)} ${entry.event}`;
    if (told.has(name))
      findings.push({ at: entry.at, message: `${tabOf(entry)} was told of ${entry.event} twice` });
    told.add(name);
    const wrong = wrongIn(run, entry, position);
    if (wrong !== undefined)
      findings.push({ at: entry.at, message: `${tabOf(entry)} was told that ${entry.event} ${wrong}` });
  }
  return findings;
}

/** Codes that a client may give by itself, to what it never sent or has parked. */
const ownCodes: ReadonlySet<string> = new Set(["depends_on", "wiped", "revoked", "too_large"]);

function wrongIn(run: Run, { space, event, outcome }: Settled, position: number): string | undefined {
  const branches = possible(run, space, position);
  if (outcome.status === "applied") {
    const placed = branches.map((branch) => branch.eventAt(outcome.index ?? 0));
    if (placed.some((one) => one?.applied.event === event)) return undefined;
    return `was applied at ${outcome.index}, where ${placed.map((one) => one?.applied.event ?? "nothing").join(" and ")} stands`;
  }
  const decided = branches.map((branch) => decisionIn(branch, event)).filter((one) => one !== undefined);
  if (outcome.status === "rejected") {
    if (ownCodes.has(outcome.code ?? "") && branches.every((branch) => branch.indexOf(event) === undefined))
      return undefined;
    if (decided.some((one) => one.code === outcome.code)) return undefined;
    return `was rejected as ${outcome.code}, and the server decided ${decided.map((one) => one.code ?? one.status).join(" and ") || "no such thing"}`;
  }
  if (outcome.status === "void" && !decided.some((one) => one.status === "void"))
    return "is void, and the server never said so";
  return undefined;
}

/** When all is quiet, every process that has written and still lives has been told of everything. */
function neverTold({ history }: Run): Finding[] {
  const quiet = history.entries.find((entry) => entry.type === "quiet");
  if (!quiet) return [];
  const waiting = new Map<string, Map<Stamp, number>>();
  for (const entry of history.entries) {
    if (entry.type === "issue") {
      const events = waiting.get(tabOf(entry)) ?? new Map<Stamp, number>();
      waiting.set(tabOf(entry), events.set(entry.event, entry.at));
    } else if (entry.type === "settled") waiting.get(tabOf(entry))?.delete(entry.event);
    else if (entry.type === "ended") waiting.delete(tabOf(entry));
  }
  return [...waiting].flatMap(([tab, events]) =>
    [...events.keys()].map((event) => ({
      at: quiet.at,
      message: `${tab} was never told what became of ${event}, and all is quiet`,
    })),
  );
}

/** An item stays until a person has dealt with it, whatever happens to the process. */
function inboxForgets({ history }: Run): Finding[] {
  const findings: Finding[] = [];
  const held = new Map<string, Map<string, Inbox>>();
  const dealtWith = new Set<string>();
  for (const entry of history.entries) {
    if (entry.type === "choice") dealtWith.add(`${entry.device} ${entry.item}`);
    else if (entry.type === "issue" && entry.fromItem !== undefined)
      dealtWith.add(`${entry.device} ${entry.fromItem}`);
    else if (entry.type === "storageFault") {
      for (const item of entry.lostItems) dealtWith.add(`${entry.device} ${item}`);
    } else if (entry.type === "inbox") {
      const place = `${entry.device} ${entry.space}`;
      const items = held.get(place) ?? new Map<string, Inbox>();
      const now = new Set(entry.items.map(({ id }) => id));
      for (const [id, since] of items) {
        if (now.has(id)) continue;
        if (isExcused(dealtWith, entry, id)) items.delete(id);
        // Another tab of the device may not have heard of it yet.
        else if (since.tab === entry.tab) {
          findings.push({
            at: entry.at,
            message: `${tabOf(entry)} has forgotten the inbox item ${id} of ${entry.space}, with which nobody has dealt`,
          });
          items.delete(id);
        }
      }
      for (const id of now) if (!items.has(id)) items.set(id, entry);
      held.set(place, items);
    }
  }
  return findings;
}

/** Retrying one op of an event retries the event: its other items go with it. */
function isExcused(dealtWith: ReadonlySet<string>, { device }: Inbox, id: string): boolean {
  const event = id.split("~")[0] as string;
  return [...dealtWith].some((name) => name === `${device} ${id}` || name.startsWith(`${device} ${event}`));
}

/** What was refused, or lost a field, and was settled in a process, has been in an inbox of that device. */
function inboxMisses(run: Run): Finding[] {
  const boxed = new Set<string>();
  for (const entry of run.history.entries) {
    if (entry.type !== "inbox") continue;
    for (const { id, event, kind, domain, key, field } of entry.items) {
      boxed.add(`${entry.device} ${id}`);
      if (event === undefined) continue;
      if (kind === "superseded") boxed.add(`${entry.device} ${event} ${domain}/${key}.${field}`);
      else boxed.add(`${entry.device} ${event}`);
    }
  }
  const findings: Finding[] = refusalsMissed(run, boxed);
  for (const entry of run.history.entries) {
    if (entry.type !== "settled") continue;
    const { outcome, event, device } = entry;
    if (outcome.status === "rejected" && !boxed.has(`${device} ${event}`))
      findings.push({
        at: entry.at,
        message: `${tabOf(entry)} was told that ${event} is rejected as ${outcome.code}, and its inbox never had it`,
      });
    for (const { domain, key, field, by } of outcome.superseded ?? []) {
      if (!boxed.has(`${device} ${event} ${domain}/${key}.${field}`))
        findings.push({
          at: entry.at,
          message: `${tabOf(entry)} lost ${domain}/${key}.${field} of ${event} to ${by}, and its inbox never had it`,
        });
    }
  }
  return findings;
}

/**
 * What the server refused lies in the inbox of the device that wrote it, whoever was there to be told. A write that the
 * device could not store is the process's own, and goes with it.
 */
function refusalsMissed({ history, lineage }: Run, boxed: ReadonlySet<string>): Finding[] {
  if (!history.entries.some(({ type }) => type === "quiet")) return [];
  const excused = new Set(
    history.entries.flatMap((entry) =>
      entry.type === "storageFault"
        ? [entry.device]
        : entry.type === "cloned"
          ? [entry.device, entry.from]
          : [],
    ),
  );
  const saved = new Set(history.entries.flatMap((entry) => (entry.type === "saved" ? [entry.event] : [])));
  const findings: Finding[] = [];
  for (const branches of lineage.branches.values()) {
    for (const { decided, at } of branches.at(-1)?.others ?? []) {
      const issue = lineage.issues.get(decided.event);
      if (!issue || decided.status !== "rejected" || excused.has(issue.device)) continue;
      if (!saved.has(decided.event)) continue;
      if (!boxed.has(`${issue.device} ${decided.event}`))
        findings.push({
          at,
          message: `${decided.event} of ${issue.device} was rejected as ${decided.code}, and no inbox of that device ever had it`,
        });
    }
  }
  return findings;
}
