import type { Outcome, OutcomeRun } from "./exchange-answer.js";
import type { Op } from "./op.js";

/** What `allOutcomes` looks at of an event. */
export interface AskedEvent {
  readonly id: string;
  readonly seq?: number;
  readonly ops?: readonly Op[];
}

/**
 * The outcomes of an answer, those of its runs with them, in order of seq. Each event of a run was applied with its id
 * as stamp and nothing superseded, and all rows that its ops name are left out of the answer.
 *
 * @param events those of the request; what a run says of others says nothing.
 */
export function allOutcomes(
  { outcomes, runs }: { readonly outcomes: readonly Outcome[]; readonly runs?: readonly OutcomeRun[] },
  events: readonly AskedEvent[],
): readonly Outcome[] {
  const all = [...outcomes];
  for (const { seq: first, count, index, modifiedAt } of runs ?? []) {
    events.forEach(({ id, seq = 0, ops = [] }) => {
      const at = seq - first;
      if (at < 0 || at >= count) return;
      const omitted: (readonly string[])[] = [];
      for (const op of ops)
        for (const key of op.op === "deleteMany" ? (op.keys ?? []) : [op.key]) omitted.push([op.domain, key]);
      all.push({ id, seq, status: "applied", index: index + at, modifiedAt, omitted });
    });
  }
  return all.sort((a, b) => a.seq - b.seq);
}
