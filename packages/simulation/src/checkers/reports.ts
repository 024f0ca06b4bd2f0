import type { Report, StorageFault } from "../history.js";
import type { Branch, Lineage } from "../model/lineage.js";
import { type Checker, type Finding, tabOf } from "./checker.js";

/**
 * Whoever looks after an app is told of a loss, a copy or a restore only where there was one (rules 3, 8 and 12). A client
 * that has mistaken its own state for a copy's or for the server's mostly comes to rest all the same, since the server knows
 * each event by its id: what it leaves is a word that is not true, and everything fetched again.
 */
export const reports: Checker = {
  name: "reports",
  rule: "rule 12",
  promise: "Nobody is told of a loss, a copy or a restore that there was not.",
  check({ entries, lineage }) {
    const findings: Finding[] = [];
    /** Devices whose disk has lost anything, and those that may be a copy of another one or of themselves. */
    const losers = new Set<string>();
    const copies = new Set<string>();
    for (const [position, entry] of entries.of("storageFault", "cloned", "report")) {
      if (entry.type === "cloned") {
        for (const device of [entry.device, entry.from]) {
          losers.add(device);
          copies.add(device);
        }
      } else if (entry.type === "storageFault") {
        if (entry.how !== "full") losers.add(entry.device);
        if (makesCopy.has(entry.how)) copies.add(entry.device);
      } else if (
        (entry.code === "unsynced_lost" && !losers.has(entry.device)) ||
        (entry.code === "device_forked" && !copies.has(entry.device)) ||
        isOfNoHistory(lineage, entry, position)
      )
        findings.push({ at: entry.at, message: `${tabOf(entry)} was told what is not so: ${entry.message}` });
    }
    return findings;
  },
};

/** What leaves a disk without seqs that its device has sent, or may have, and nothing on it that says so. */
const makesCopy: ReadonlySet<StorageFault["how"]> = new Set(["older", "full"]);

/** What must have become of a space's history where a client says so. */
const needed: Readonly<Record<string, readonly Branch["reason"][]>> = {
  history_lost: ["restored", "rolledBack"],
  restored: ["restored"],
  recovered: ["restored", "rolledBack"],
  wiped: ["wiped"],
};

function isOfNoHistory({ branches }: Lineage, { code, message }: Report, position: number): boolean {
  const reasons = needed[code];
  if (!reasons) return false;
  for (const [space, histories] of branches)
    if (
      message.includes(space) &&
      histories.some((branch) => reasons.includes(branch.reason) && branch.since < position)
    )
      return false;
  return true;
}
