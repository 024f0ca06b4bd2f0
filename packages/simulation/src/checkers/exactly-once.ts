import type { Json, Op, Stamp } from "@landfall/protocol";
import type { Branch } from "../model/lineage.js";
import { rowIn } from "../model/model-row.js";
import type { Checker, Finding, Run } from "./checker.js";

/**
 * A write happens once (rule 3). Two ways to see it, neither of which merges anything: no event stands at two
 * indexes of one history, and every counter that is there at the end holds exactly the sum of what the applied
 * events have counted since its record was made.
 */
export const exactlyOnce: Checker = {
  name: "exactly-once",
  rule: "rule 3",
  promise: "Every event has its effect once, however often it was sent.",
  check(run) {
    return [...run.lineage.branches.keys()].flatMap((space) => {
      const branch = run.lineage.last(space);
      return branch ? [...appliedTwice(run, space), ...tallies(run, branch)] : [];
    });
  },
};

function appliedTwice({ lineage }: Run, space: string): Finding[] {
  const findings: Finding[] = [];
  for (const branch of lineage.branches.get(space) ?? []) {
    const seen = new Map<Stamp, number>();
    for (let index = 1; index <= branch.head; index++) {
      const placed = branch.eventAt(index);
      const event = placed?.applied.event;
      if (!placed || event === undefined) continue;
      const first = seen.get(event);
      if (first !== undefined)
        findings.push({
          at: placed.at,
          message: `${space}: ${event} by ${lineage.issues.get(event)?.device ?? "nobody"} was applied at ${first} and again at ${index}`,
        });
      seen.set(event, first ?? index);
    }
  }
  return findings;
}

/** What each counter of a record must hold, worked out by adding alone. */
class Tally {
  readonly counts = new Map<string, number>();
  /** Records that an action or the server itself has written: adding alone says nothing of them. */
  readonly opaque = new Set<string>();

  constructor(readonly counters: (domain: string) => readonly string[]) {}

  born(domain: string, key: string, set: Readonly<Record<string, Json>>): void {
    for (const field of this.counters(domain)) {
      const start = set[field];
      this.counts.set(`${domain}/${key}.${field}`, typeof start === "number" ? start : 0);
    }
  }

  take(op: Op, isThere: boolean): void {
    if (op.op === "create" || op.op === "restore" || (op.op === "put" && !isThere))
      this.born(op.domain, op.key, op.set);
    if (op.op === "offer" && "set" in op && !isThere) this.born(op.domain, op.key, op.set);
    if (op.op !== "increment") return;
    for (const [field, by] of Object.entries(op.by)) {
      const name = `${op.domain}/${op.key}.${field}`;
      this.counts.set(name, (this.counts.get(name) ?? 0) + by);
    }
  }
}

function tallies({ history, entries, lineage }: Run, branch: Branch): Finding[] {
  const [, end] = entries.of("serverRows").findLast(([, { space }]) => space === branch.space) ?? [];
  if (end?.generation !== branch.generation) return [];
  const tally = new Tally((domain) => history.schema.domains[domain]?.counters ?? []);
  for (let index = 1; index <= branch.head; index++) {
    const applied = branch.eventAt(index)?.applied;
    const issue = applied?.event === undefined ? undefined : lineage.issues.get(applied.event);
    if (issue?.ops) {
      for (const op of issue.ops) {
        const before =
          op.op === "put" || op.op === "offer"
            ? rowIn(branch.stateAt(index - 1), op.domain, op.key)
            : undefined;
        tally.take(op, before !== undefined);
      }
    } else for (const { domain, key } of applied?.rows ?? []) tally.opaque.add(`${domain}/${key}`);
  }
  const findings: Finding[] = [];
  for (const row of end.rows) {
    if (row.deleted || tally.opaque.has(`${row.domain}/${row.key}`)) continue;
    for (const field of tally.counters(row.domain)) {
      const name = `${row.domain}/${row.key}.${field}`;
      const [holds, counted] = [row.fields[field] ?? 0, tally.counts.get(name) ?? 0];
      if (holds !== counted)
        findings.push({
          at: end.at,
          message: `${branch.space}: ${name} holds ${JSON.stringify(holds)} at the end, and the applied events have counted to ${counted}`,
        });
    }
  }
  return findings;
}
