import type { Checker, Finding } from "./checker.js";

/** Nothing grows with the length of a run beyond what was written: rows, tombstones, outcomes, the outbox (§13). */
export const bounded: Checker = {
  name: "bounded",
  rule: "§13",
  promise: "What a device and a server hold is bounded, and the outbox is empty when all is quiet.",
  check({ history, entries }) {
    const { bounds } = history;
    const findings: Finding[] = [];
    if (history.overflow)
      findings.push({ at: entries.last?.at ?? 0, message: "the run is too long to be recorded" });
    const [quietAt] = entries.of("quiet")[0] ?? [Number.POSITIVE_INFINITY];
    for (const [position, entry] of entries.of("size")) {
      const say = (message: string): void =>
        void findings.push({ at: entry.at, message: `${entry.of} ${message} of ${entry.space}` });
      if (entry.rows > bounds.rows) say(`holds ${entry.rows} rows, more than ${bounds.rows},`);
      if (entry.events > bounds.outcomes) say(`keeps ${entry.events} events, more than ${bounds.outcomes},`);
      const isDevice = history.users[entry.of] !== undefined;
      if (isDevice && position > quietAt && entry.events > 0)
        say(`has ${entry.events} events left in the outbox when all is quiet`);
    }
    return findings;
  },
};
