import type { Fields, Op, Stamp } from "@landfall/protocol";
import type { Issue, Started, View } from "../history.js";
import { canonicalText } from "../model/canonical.js";
import type { Branch } from "../model/lineage.js";
import { type Checker, type Finding, type Run, tabOf } from "./checker.js";
import { decisionIn } from "./own-events.js";

/**
 * What a person may rely on with one device (rules 1 and 3): a write shows at once, what was `saved` is there after a
 * crash, a record never falls back to an older version, and writes take effect in the order in which they were made.
 */
export const sessionOrder: Checker = {
  name: "session-order",
  rule: "rule 1",
  promise: "A device reads its own writes, keeps them, and has them applied in its own order.",
  check(run) {
    return [
      ...writesDoNotShow(run),
      ...savedIsGone(run),
      ...versionsFallBack(run),
      ...appliedOutOfOrder(run),
    ];
  },
};

/** The fields that the view must show of a record right after an op, whatever else it holds. */
function mustShow(op: Op): Fields {
  return op.op === "create" || op.op === "restore" || op.op === "put" || op.op === "update"
    ? (op.set ?? {})
    : {};
}

function writesDoNotShow({ history }: Run): Finding[] {
  const findings: Finding[] = [];
  for (const entry of history.entries) {
    if (entry.type !== "issue" || !entry.ops || !entry.shows) continue;
    const shown = new Map(entry.shows.map(([domain, key, fields]) => [`${domain}/${key}`, fields]));
    for (const op of entry.ops) {
      if (op.op === "deleteMany") continue;
      const name = `${op.domain}/${op.key}`;
      const wrong = shown.has(name)
        ? notShown(op, shown.get(name) ?? null, history.schema.domains[op.domain]?.sets)
        : undefined;
      if (wrong !== undefined)
        findings.push({
          at: entry.at,
          message: `${tabOf(entry)} wrote ${op.op} of ${name} (${entry.event}), and its view ${wrong}`,
        });
    }
  }
  return findings;
}

function notShown(
  op: Exclude<Op, { op: "deleteMany" }>,
  fields: Fields | null,
  sets: readonly string[] = [],
): string | undefined {
  if (op.op === "delete") return fields === null ? undefined : "still shows it";
  if (fields === null) return "does not show it";
  for (const [field, value] of Object.entries(mustShow(op))) {
    if (sets.includes(field)) continue;
    const is = fields[field];
    if (is === undefined || canonicalText(is) !== canonicalText(value))
      return `shows ${field} as ${JSON.stringify(is)} instead of ${JSON.stringify(value)}`;
  }
  return undefined;
}

/** After a crash the outbox holds what was saved and not settled, in the order in which it was written. */
function savedIsGone(run: Run): Finding[] {
  const findings: Finding[] = [];
  const saved = new Map<string, Map<Stamp, Issue>>();
  const settled = new Set<string>();
  for (const entry of run.history.entries) {
    if (entry.type === "saved") {
      const issue = run.lineage.issues.get(entry.event);
      const events = saved.get(entry.device) ?? new Map<Stamp, Issue>();
      if (issue) saved.set(entry.device, events.set(entry.event, issue));
    } else if (entry.type === "settled") settled.add(`${entry.device} ${entry.event}`);
    else if (entry.type === "inbox") {
      for (const { event } of entry.items) if (event !== undefined) settled.add(`${entry.device} ${event}`);
    } else if (entry.type === "storageFault") {
      for (const event of entry.lostEvents) saved.get(entry.device)?.delete(event);
    } else if (entry.type === "started") {
      findings.push(...missingAt(run, entry, saved.get(entry.device) ?? new Map(), settled));
    }
  }
  return findings;
}

function missingAt(
  { lineage }: Run,
  started: Started,
  saved: ReadonlyMap<Stamp, Issue>,
  settled: ReadonlySet<string>,
): Finding[] {
  const findings: Finding[] = [];
  for (const [event, { space }] of saved) {
    if (started.outbox[space] === undefined || started.outbox[space].includes(event)) continue;
    if (settled.has(`${started.device} ${event}`)) continue;
    // What was decided may have left the outbox before anybody was there to be told.
    const branches = lineage.branches.get(space) ?? [];
    if (branches.some((branch) => branch.indexOf(event) !== undefined || decisionIn(branch, event))) continue;
    findings.push({
      at: started.at,
      message: `${tabOf(started)} starts without ${event}, which had been saved on ${started.device} and was never settled`,
    });
  }
  return findings;
}

/** Versions of one history never fall in the views of one process. */
function versionsFallBack({ history, lineage }: Run): Finding[] {
  const findings: Finding[] = [];
  const last = new Map<string, { readonly view: View; readonly versions: ReadonlyMap<string, number> }>();
  for (const view of history.entries) {
    if (view.type !== "view") continue;
    const name = `${tabOf(view)} ${view.space}`;
    const versions = new Map<string, number>();
    for (const [domain, records] of Object.entries(view.domains))
      for (const { key, $ } of records) versions.set(`${domain}/${key}`, $.version);
    const before = last.get(name);
    last.set(name, { view, versions });
    if (!before || (lineage.branches.get(view.space)?.length ?? 0) > 1) continue;
    for (const [row, version] of versions) {
      const had = before.versions.get(row) ?? 0;
      if (version < had)
        findings.push({
          at: view.at,
          message: `${tabOf(view)} shows ${row} as of index ${version}, after it had shown it as of ${had}`,
        });
    }
  }
  return findings;
}

function appliedOutOfOrder({ lineage, history }: Run): Finding[] {
  const order = new Map<Stamp, number>();
  for (const [position, entry] of history.entries.entries())
    if (entry.type === "issue") order.set(entry.event, position);
  const findings: Finding[] = [];
  for (const branches of lineage.branches.values())
    for (const branch of branches) findings.push(...outOfOrderIn(branch, lineage.issues, order));
  return findings;
}

function outOfOrderIn(
  branch: Branch,
  issues: ReadonlyMap<Stamp, Issue>,
  order: ReadonlyMap<Stamp, number>,
): Finding[] {
  const findings: Finding[] = [];
  const newest = new Map<string, { readonly position: number; readonly event: Stamp }>();
  for (let index = branch.from + 1; index <= branch.head; index++) {
    const placed = branch.events.get(index);
    const issue = placed?.applied.event === undefined ? undefined : issues.get(placed.applied.event);
    if (!placed || !issue) continue;
    // Tabs of one device write side by side; what one tab wrote keeps its order.
    const position = order.get(issue.event) ?? 0;
    const before = newest.get(issue.tab);
    if (before && before.position > position)
      findings.push({
        at: placed.at,
        message: `${branch.space}: ${issue.event} of ${issue.tab} was applied at ${index}, after ${before.event}, which the tab wrote later`,
      });
    else newest.set(issue.tab, { position, event: issue.event });
  }
  return findings;
}
