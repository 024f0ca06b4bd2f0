import type { Fields, Op, Stamp } from "@landfall/protocol";
import type { Issue, Started } from "../history.js";
import { canonicalText } from "../model/canonical.js";
import type { Branch } from "../model/lineage.js";
import { type Checker, type Finding, type Run, tabOf } from "./checker.js";
import type { ShownDomain } from "./shown.js";

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

function writesDoNotShow({ history, entries }: Run): Finding[] {
  const findings: Finding[] = [];
  for (const [, entry] of entries.of("issue")) {
    if (!entry.ops || !entry.shows) continue;
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
  const settled = new Map<string, Set<Stamp>>();
  const settle = (device: string, event: Stamp): void => {
    settled.set(device, (settled.get(device) ?? new Set()).add(event));
    saved.get(device)?.delete(event);
  };
  for (const [, entry] of run.entries.of("saved", "settled", "inbox", "storageFault", "started")) {
    if (entry.type === "saved") {
      const issue = run.lineage.issues.get(entry.event);
      const events = saved.get(entry.device) ?? new Map<Stamp, Issue>();
      if (issue && !settled.get(entry.device)?.has(entry.event))
        saved.set(entry.device, events.set(entry.event, issue));
    } else if (entry.type === "settled") settle(entry.device, entry.event);
    else if (entry.type === "inbox") {
      for (const { event } of entry.items) if (event !== undefined) settle(entry.device, event);
    } else if (entry.type === "storageFault") {
      for (const event of entry.lostEvents) saved.get(entry.device)?.delete(event);
    } else {
      findings.push(...missingAt(run, entry, saved.get(entry.device) ?? new Map()));
    }
  }
  return findings;
}

function missingAt({ lineage }: Run, started: Started, saved: ReadonlyMap<Stamp, Issue>): Finding[] {
  const findings: Finding[] = [];
  for (const [event, { space }] of saved) {
    if (started.outbox[space] === undefined || started.outbox[space].includes(event)) continue;
    // What was decided may have left the outbox before anybody was there to be told.
    const branches = lineage.branches.get(space) ?? [];
    if (branches.some((branch) => branch.indexOf(event) !== undefined || branch.decisionOn(event))) continue;
    findings.push({
      at: started.at,
      message: `${tabOf(started)} starts without ${event}, which had been saved on ${started.device} and was never settled`,
    });
  }
  return findings;
}

/**
 * Versions of one history never fall in the views of one process. Where the server has forgotten a tombstone, a domain
 * that is read anew lacks it, and a record that is to be made there stands on nothing again (rule 7).
 */
function versionsFallBack(run: Run): Finding[] {
  const { entries, lineage, shown } = run;
  const findings: Finding[] = [];
  /** What the view before showed of each domain, line by line. */
  const lines = new Map<string, readonly ShownDomain[]>();
  for (const [, view] of entries.of("view")) {
    const { line, lists } = shown.of(view);
    const before = lines.get(line);
    lines.set(line, lists);
    if (!before || (lineage.branches.get(view.space)?.length ?? 0) > 1) continue;
    for (const list of lists) {
      // Mostly it is the same list.
      if (before.includes(list)) continue;
      const { domain, records } = list;
      const versions = before.find((other) => other.domain === domain)?.versions;
      for (const record of records) {
        const { version } = record.seen.$;
        const last = versions?.get(record.key) ?? 0;
        if (version >= last) continue;
        if (version === 0 && lineage.last(view.space)?.hasForgotten(domain, record.key, last)) continue;
        findings.push({
          at: view.at,
          message: `${tabOf(view)} shows ${record.name} as of index ${version}, after it had shown it as of ${last}`,
        });
      }
    }
  }
  return findings;
}

/** Where each event was written, and what says that nobody could keep the order of some. */
interface Order {
  readonly written: ReadonlyMap<Stamp, number>;
  /** Processes that went on without their disk. */
  readonly standIns: ReadonlySet<string>;
  /**
   * From where on an event is one that its device has lost, was told of or gave up, has again and knew to be over, or had no
   * room for when it was copied: a copy, an older copy of its disk or a request that is on its way still brings it, or what
   * came after it, and nobody on the device can keep its order.
   */
  readonly left: ReadonlyMap<Stamp, number>;
}

function appliedOutOfOrder(run: Run): Finding[] {
  const order = orderOf(run);
  const findings: Finding[] = [];
  for (const branches of run.lineage.branches.values())
    for (const branch of branches) findings.push(...outOfOrderIn(branch, run.lineage.issues, order));
  return findings;
}

function orderOf({ entries, stories }: Run): Order {
  const written = new Map<Stamp, number>();
  const standIns = new Set<string>();
  const left = new Map<Stamp, number>();
  for (const [position, { event }] of entries.of("issue")) written.set(event, position);
  const settled = new Set<string>();
  const unsaved = new Map<string, Stamp[]>();
  const leave = (
    position: number,
    events: readonly Stamp[],
    isElsewhere: (event: Stamp) => boolean,
  ): void => {
    for (const event of events) if (!left.has(event) && isElsewhere(event)) left.set(event, position);
  };
  for (const [position, entry] of entries.of("storageFault", "settled", "started", "unsaved", "cloned")) {
    const { device } = entry;
    const isShared = (event: Stamp): boolean => stories.shared.has(device, event, position);
    if (entry.type === "unsaved") unsaved.set(device, [...(unsaved.get(device) ?? []), entry.event]);
    // The copy has what was written later, where the disk had room for that.
    else if (entry.type === "cloned") leave(position, unsaved.get(entry.from) ?? [], () => true);
    else if (entry.type === "settled") {
      settled.add(`${device} ${entry.event}`);
      // It has left the outbox here, and a copy may bring it to a history that lacks it.
      leave(position, [entry.event], isShared);
    } else if (entry.type === "storageFault")
      leave(position, entry.lostEvents, (event) => isShared(event) || stories.isSentBefore(event, position));
    else {
      if (entry.standsIn) standIns.add(tabOf(entry));
      const outbox = Object.values(entry.outbox).flat();
      leave(position, outbox, (event) => settled.has(`${device} ${event}`) && isShared(event));
    }
  }
  return { written, standIns, left };
}

function outOfOrderIn(
  branch: Branch,
  issues: ReadonlyMap<Stamp, Issue>,
  { written, standIns, left }: Order,
): Finding[] {
  const findings: Finding[] = [];
  const newest = new Map<string, { readonly position: number; readonly event: Stamp }>();
  for (let index = branch.from + 1; index <= branch.head; index++) {
    const placed = branch.events.get(index);
    const issue = placed?.applied.event === undefined ? undefined : issues.get(placed.applied.event);
    // What is offered back goes before what was written (rule 3).
    const position = issue && written.get(issue.event);
    if (!placed || !issue || position === undefined) continue;
    // Tabs of one device write side by side; what one tab wrote keeps its order.
    // Without its disk a process does not know what was written before it.
    const process = tabOf(issue);
    const tab = standIns.has(process) ? process : issue.tab;
    const isLeft = placed.position > (left.get(issue.event) ?? Number.POSITIVE_INFINITY);
    const writer = isLeft ? `left by ${tab}` : tab;
    const before = newest.get(writer);
    if (before && before.position > position)
      findings.push({
        at: placed.at,
        message: `${branch.space}: ${issue.event} of ${issue.tab} was applied at ${index}, after ${before.event}, which the tab wrote later`,
      });
    else newest.set(writer, { position, event: issue.event });
  }
  return findings;
}
