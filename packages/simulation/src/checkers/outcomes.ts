import type { Stamp } from "@landfall/protocol";
import type { Inbox, Settled } from "../history.js";
import type { Branch } from "../model/lineage.js";
import { type Checker, type Finding, type Run, tabOf } from "./checker.js";

/**
 * Every event ends in exactly one of applied, rejected, void or pending, and the app hears which (rule 9): a process
 * that waits is told once and rightly, and what was refused or lost a field lies in the inbox until a person has
 * dealt with it.
 */
export const outcomes: Checker = {
  name: "outcomes",
  rule: "rule 9",
  promise:
    "Every event gets one outcome, and the app gets to know of it. No client asks or writes what it could have found invalid.",
  check(run) {
    return [
      ...decidedTwice(run),
      ...expiredEarly(run),
      ...toldWrongly(run),
      ...neverTold(run),
      ...inboxForgets(run),
      ...inboxMisses(run),
      ...askedWrongly(run),
    ];
  },
};

function decidedTwice({ lineage }: Run): Finding[] {
  const findings: Finding[] = [];
  for (const branches of lineage.branches.values()) {
    for (const branch of branches) {
      const seen = new Map<Stamp, string>();
      for (const { decided, at } of branch.others) {
        const index = branch.indexOf(decided.event);
        // An id that was taken by another event is refused for that event alone.
        if (decided.code === "id_conflict") {
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

/** The server forgets what became of an event only after a device has said, by `acked`, that it knows (rule 3). */
function expiredEarly({ entries, lineage }: Run): Finding[] {
  const findings: Finding[] = [];
  /** The highest `acked` of each writer, and the writers that have sent an event, with the seq there. */
  const acked = new Map<string, number>();
  const sentAs = new Map<Stamp, Map<string, number>>();
  for (const [position, entry] of entries.of("request", "answerLeft")) {
    if (entry.type === "request")
      for (const part of entry.spaces) {
        const generation = lineage.takenFor(part.space, part.generation, position);
        const writer = `${entry.deviceId} ${part.space} ${generation}`;
        acked.set(writer, Math.max(acked.get(writer) ?? 0, part.acked));
        for (const { id, seq } of part.events)
          sentAs.set(id, (sentAs.get(id) ?? new Map<string, number>()).set(writer, seq));
      }
    if (entry.type !== "answerLeft") continue;
    for (const outcome of entry.spaces.flatMap((part) => part.outcomes)) {
      if (outcome.status !== "duplicate" || outcome.of !== "expired") continue;
      const sends = [...(sentAs.get(outcome.id) ?? [])];
      if (sends.some(([writer, seq]) => seq <= (acked.get(writer) ?? 0))) continue;
      findings.push({
        at: entry.at,
        message: `${entry.server} no longer knows what became of ${outcome.id}, and nobody has said that it is known: sent as ${sends.map(([writer, seq]) => `${seq} by ${writer}, acked ${acked.get(writer)}`).join("; ")}`,
      });
    }
  }
  return findings;
}

/** What a client checks before it writes or asks is never found invalid: a refusal of that is nobody's to mend. */
function askedWrongly({ history, lineage }: Run): Finding[] {
  const findings: Finding[] = [];
  for (const entry of history.entries) {
    if (entry.type === "answerLeft") {
      for (const { space, error } of entry.spaces)
        if (error?.code === "invalid_space")
          findings.push({ at: entry.at, message: `a device asked for ${space} wrongly: ${error.message}` });
    } else if (entry.type === "commit") {
      for (const decided of entry.decided)
        if (decided.status === "rejected" && decided.code === "invalid")
          findings.push({
            at: entry.at,
            message: `${lineage.issues.get(decided.event)?.device} wrote ${decided.event}, which is invalid`,
          });
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
  for (const [position, entry] of run.entries.of("settled")) {
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

function wrongIn(run: Run, { device, space, event, outcome }: Settled, position: number): string | undefined {
  const branches = possible(run, space, position);
  if (outcome.status === "applied") {
    const placed = branches.map((branch) => branch.eventAt(outcome.index ?? 0));
    if (placed.some((one) => one?.applied.event === event)) return undefined;
    return `was applied at ${outcome.index}, where ${placed.map((one) => one?.applied.event ?? "nothing").join(" and ")} stands`;
  }
  const decided = branches.flatMap((branch) => branch.decisionOn(event)?.decided ?? []);
  if (outcome.status === "rejected") {
    // A wipe takes away what was applied too; who was not told of that has it parked, for nobody can know (rule 12).
    const counted = outcome.code === "wiped" ? branches.slice(wipedFrom(branches)) : branches;
    // What a device has given up, a copy of it may still send.
    const until = run.stories.shared.has(device, event, position) ? position : Number.POSITIVE_INFINITY;
    const isApplied = (branch: Branch): boolean => {
      const index = branch.indexOf(event);
      return index !== undefined && (branch.eventAt(index)?.position ?? 0) < until;
    };
    if (ownCodes.has(outcome.code ?? "") && !counted.some(isApplied)) return undefined;
    if (decided.some((one) => one.code === outcome.code)) return undefined;
    return `was rejected as ${outcome.code}, and the server decided ${decided.map((one) => one.code ?? one.status).join(" and ") || "no such thing"}`;
  }
  if (outcome.status === "void" && !decided.some((one) => one.status === "void"))
    return "is void, and the server never said so";
  return undefined;
}

/** The place of the newest history that a wipe has begun; 0 where there is none. */
const wipedFrom = (branches: readonly Branch[]): number =>
  Math.max(
    0,
    branches.findLastIndex(({ reason }) => reason === "wiped"),
  );

/** When all is quiet, every process that has written and still lives has been told of everything. */
function neverTold({ entries }: Run): Finding[] {
  const [, quiet] = entries.of("quiet")[0] ?? [];
  if (!quiet) return [];
  const waiting = new Map<string, Map<Stamp, number>>();
  for (const [, entry] of entries.of("issue", "settled", "ended")) {
    if (entry.type === "issue") {
      const events = waiting.get(tabOf(entry)) ?? new Map<Stamp, number>();
      waiting.set(tabOf(entry), events.set(entry.event, entry.at));
    } else if (entry.type === "settled") waiting.get(tabOf(entry))?.delete(entry.event);
    else waiting.delete(tabOf(entry));
  }
  return [...waiting].flatMap(([tab, events]) =>
    [...events.keys()].map((event) => ({
      at: quiet.at,
      message: `${tab} was never told what became of ${event}, and all is quiet`,
    })),
  );
}

/** An item stays until a person has dealt with it, whatever happens to the process. */
function inboxForgets({ entries }: Run): Finding[] {
  const findings: Finding[] = [];
  const held = new Map<string, Map<string, Inbox>>();
  const dealtWith = new Set<string>();
  const standIns = new Set<string>();
  for (const [, entry] of entries.of("choice", "issue", "storageFault", "started", "inbox")) {
    if (entry.type === "started") {
      if (entry.standsIn) standIns.add(tabOf(entry));
    } else if (entry.type === "choice") dealtWith.add(`${entry.device} ${entry.item}`);
    else if (entry.type === "issue") {
      if (entry.fromItem !== undefined) dealtWith.add(`${entry.device} ${entry.fromItem}`);
    } else if (entry.type === "storageFault") {
      for (const item of entry.lostItems) dealtWith.add(`${entry.device} ${item}`);
    } else {
      // Who goes on without the disk knows nothing of what lies there.
      const of = standIns.has(tabOf(entry)) ? tabOf(entry) : entry.device;
      const place = `${of} ${entry.space}`;
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

/**
 * What was refused, or lost a field, and was settled in a process, has been in an inbox of that device. The server names a
 * field as it was called when it decided, and an inbox as the app calls it now.
 */
function inboxMisses(run: Run): Finding[] {
  const boxed = new Set<string>();
  const { plain } = run.lineage.upgrade;
  const nameOf = (domain = "", field = ""): string => plain.nameOf(domain, field) ?? field;
  for (const [, entry] of run.entries.of("inbox")) {
    for (const { id, event, kind, domain, key, field } of entry.items) {
      boxed.add(`${entry.device} ${id}`);
      if (event === undefined) continue;
      if (kind === "superseded")
        boxed.add(`${entry.device} ${event} ${domain}/${key}.${nameOf(domain, field)}`);
      else boxed.add(`${entry.device} ${event}`);
    }
  }
  const findings: Finding[] = refusalsMissed(run, boxed);
  for (const [, entry] of run.entries.of("settled")) {
    const { outcome, event, device } = entry;
    if (outcome.status === "rejected" && !boxed.has(`${device} ${event}`))
      findings.push({
        at: entry.at,
        message: `${tabOf(entry)} was told that ${event} is rejected as ${outcome.code}, and its inbox never had it`,
      });
    for (const { domain, key, field, by } of outcome.superseded ?? []) {
      if (!boxed.has(`${device} ${event} ${domain}/${key}.${nameOf(domain, field)}`))
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
function refusalsMissed({ entries, lineage }: Run, boxed: ReadonlySet<string>): Finding[] {
  if (entries.of("quiet").length === 0) return [];
  const excused = new Set(
    entries.of("storageFault", "cloned").flatMap(([, entry]) => {
      if (entry.type === "cloned") return [entry.device, entry.from];
      return entry.how === "full" ? [] : [entry.device];
    }),
  );
  const saved = new Set(entries.of("saved").map(([, { event }]) => event));
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
