import { digestOf } from "../model/digest.js";
import type { Checker, Finding } from "./checker.js";

/**
 * Every digest that a server has ever sent is that of the rows at its index, worked out from nothing (rule 10): one
 * that says less than the content would pass for years.
 */
export const digests: Checker = {
  name: "digests",
  rule: "rule 10",
  promise: "A digest names exactly the rows that stood at its index.",
  check({ history, lineage }) {
    const findings: Finding[] = [];
    const judged = new Set<string>();
    for (const [position, entry] of history.entries.entries()) {
      if (entry.type !== "answerLeft") continue;
      for (const { space, generation, digests: told = {} } of entry.spaces) {
        const branch = lineage.standing(space, position);
        if (!branch || (generation !== undefined && branch.generation !== generation)) continue;
        for (const [domain, { index, count, sum }] of Object.entries(told)) {
          const name = `${space} ${branch.since} ${domain} ${index} ${sum}`;
          if (judged.has(name) || !branch.hasState(index)) continue;
          judged.add(name);
          const should = digestOf(branch.stateAt(index), domain);
          if (should.count === count && should.sum === sum) continue;
          findings.push({
            at: entry.at,
            message: `${entry.server} named the digest of ${space} ${domain} at index ${index} as ${sum} of ${count} rows, and it is ${should.sum} of ${should.count}`,
          });
        }
      }
    }
    return findings;
  },
};
