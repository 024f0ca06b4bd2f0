import { digestOf } from "../model/digest.js";
import { type Checker, type Finding, type Run, tabOf } from "./checker.js";

/**
 * Every digest that a server has ever sent is that of the rows at its index, worked out from nothing (rule 10): one
 * that says less than the content would pass for years. And no device ever finds that it differs: nothing in the world
 * changes a row behind its back, so whatever is mended there had been done wrong.
 */
export const digests: Checker = {
  name: "digests",
  rule: "rule 10",
  promise: "A digest names exactly the rows that stood at its index, and every device has them.",
  check(run) {
    return [...wrongDigests(run), ...differences(run)];
  },
};

function wrongDigests({ entries, lineage }: Run): Finding[] {
  const findings: Finding[] = [];
  const known = new Set<string>();
  for (const [position, entry] of entries.of("answerLeft")) {
    for (const { space, generation, digests: told = {} } of entry.spaces) {
      const branch = lineage.standing(space, position);
      if (!branch || (generation !== undefined && branch.generation !== generation)) continue;
      for (const [domain, { index, count, sum }] of Object.entries(told)) {
        if (!branch.hasState(index)) continue;
        const should = digestOf(branch.stateAt(index), domain);
        if (should.count === count && should.sum === sum) continue;
        const name = `${space} ${branch.since} ${domain} ${index} ${sum}`;
        if (known.has(name)) continue;
        known.add(name);
        findings.push({
          at: entry.at,
          message: `${entry.server} named the digest of ${space} ${domain} at index ${index} as ${sum} of ${count} rows, and it is ${should.sum} of ${should.count}`,
        });
      }
    }
  }
  return findings;
}

function differences({ entries }: Run): Finding[] {
  return entries
    .of("report")
    .flatMap(([, entry]) =>
      entry.code === "digest_differs"
        ? [{ at: entry.at, message: `${tabOf(entry)} does not hold what the server has: ${entry.message}` }]
        : [],
    );
}
