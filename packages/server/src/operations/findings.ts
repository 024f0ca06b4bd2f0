/** What verification looks for, each with what it means for whoever runs the server. */
export const findingCodes = {
  sqlite: "SQLite itself finds the file damaged",
  orphan: "a table holds rows that belong to nothing",
  generations: "the history of generations does not lead to the present one",
  members: "a member has no role that there is, or the space has no owner",
  state: "the space's own row contradicts itself",
  domain: "a domain's row is missing, or does not fit its records",
  digest: "a domain's digest or count is not that of its records",
  horizon: "deletes are said to be gone beyond the head",
  record: "a record's key, version or times cannot be",
  content: "a record's fields or stamps are not canonical JSON",
  stamp: "a stamp is invalid, or later than its record",
  lookup: "a record is not found by its unique or parent value, or found by one that it does not have",
  unique: "two records share a value that is unique",
  writer: "a device's counters contradict each other",
  outcome: "an outcome is missing, unreadable or out of order",
  index: "an index was given twice, or lies beyond the head",
  id: "an event's id is not known, or known as another event",
} as const;

export type FindingCode = keyof typeof findingCodes;

export interface VerifyFinding {
  readonly code: FindingCode;
  /** Whether data or guarantees are lost. The rest a person should know. */
  readonly isDamage: boolean;
  /** Absent where it is the file's as a whole. */
  readonly space?: string;
  /** What was found where, in words. */
  readonly said: string;
}

/** Findings of one code that are told one by one; the rest are counted. */
const maxTold = 20;

/** Collects what is found: bounded, however much is wrong. */
export class Findings {
  readonly told: VerifyFinding[] = [];
  readonly #counts = new Map<FindingCode, number>();

  add(code: FindingCode, space: string | undefined, said: string, isDamage = true): void {
    const count = (this.#counts.get(code) ?? 0) + 1;
    this.#counts.set(code, count);
    if (count > maxTold) return;
    this.told.push({ code, isDamage, ...(space === undefined ? {} : { space }), said });
  }

  /** How often each code was found, those that are not told one by one included. */
  get counts(): { readonly [code in FindingCode]?: number } {
    return Object.fromEntries(this.#counts);
  }
}
