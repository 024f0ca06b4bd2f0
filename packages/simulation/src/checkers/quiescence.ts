import type { Checker, Finding } from "./checker.js";

/**
 * When the faults have stopped, everything comes to rest by itself, soon and with few requests: no loop that asks
 * again and again, and nothing that waits for a person who is not there.
 */
export const quiescence: Checker = {
  name: "quiescence",
  rule: "§14",
  promise: "After the faults have stopped the whole system is soon at rest, after few requests.",
  check({ history }) {
    const { entries, bounds } = history;
    const over = entries.findIndex((entry) => entry.type === "faultsOver");
    if (over < 0) return [];
    const since = entries[over]?.at ?? 0;
    const quiet = entries.find((entry) => entry.type === "quiet");
    const findings: Finding[] = [];
    const last = entries.at(-1)?.at ?? since;
    if (!quiet)
      findings.push({
        at: last,
        message: `nothing was at rest ${last - since} ms after the faults had stopped${unrest(entries.slice(over))}`,
      });
    else if (quiet.at - since > bounds.quietWithinMs)
      findings.push({
        at: quiet.at,
        message: `all was at rest only ${quiet.at - since} ms after the faults had stopped, which is more than ${bounds.quietWithinMs}`,
      });
    const requests = new Map<string, number>();
    for (const entry of entries.slice(over))
      if (entry.type === "request") requests.set(entry.device, (requests.get(entry.device) ?? 0) + 1);
    for (const [device, count] of requests) {
      if (count > bounds.quietRequests)
        findings.push({
          at: last,
          message: `${device} made ${count} requests after the faults had stopped, which is more than ${bounds.quietRequests}`,
        });
    }
    return findings;
  },
};

/** Who was still busy. */
function unrest(entries: readonly { readonly type: string }[]): string {
  const pending = new Map<string, number>();
  for (const entry of entries) {
    if (entry.type !== "status") continue;
    const status = entry as { readonly tab?: string; readonly pending?: number };
    if (status.tab !== undefined) pending.set(status.tab, status.pending ?? 0);
  }
  const busy = [...pending]
    .filter(([, count]) => count > 0)
    .map(([tab, count]) => `${tab} has ${count} pending`);
  return busy.length === 0 ? "" : `: ${busy.join(", ")}`;
}
