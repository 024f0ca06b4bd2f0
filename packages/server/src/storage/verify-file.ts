import { Findings } from "../operations/findings.js";
import { type VerifyReport, verify } from "../operations/verify.js";
import type { Progress } from "../operations/verify-records.js";
import { readDataFile } from "./read-file.js";
import type { SqliteDatabase } from "./sqlite-driver.js";

/** Tables whose rows belong to a space, each with what a row is. */
const ofSpaces = {
  generations: "a generation",
  members: "a member",
  domains: "a domain",
  writers: "a device",
  events: "an event's id",
} as const;

/** Tables whose rows belong to a domain. */
const ofDomains = { records: "a record", lookups: "a lookup" } as const;

/** Rows that nothing else would come across, and chunks that are not what they say; each query gives the number of a kind. */
const strays: readonly (readonly [code: "orphan" | "outcome", sql: string, said: string])[] = [
  ...Object.entries(ofSpaces).map(
    ([table, what]) =>
      [
        "orphan",
        `SELECT count(*) AS n FROM ${table} t WHERE NOT EXISTS (SELECT 1 FROM spaces s WHERE s.number=t.space)`,
        `${table}: ${what} belongs to a space that is not there`,
      ] as const,
  ),
  ...Object.entries(ofDomains).map(
    ([table, what]) =>
      [
        "orphan",
        `SELECT count(*) AS n FROM ${table} t WHERE NOT EXISTS (SELECT 1 FROM domains d WHERE d.number=t.domain)`,
        `${table}: ${what} belongs to a domain that is not there`,
      ] as const,
  ),
  [
    "orphan",
    "SELECT count(*) AS n FROM records t WHERE NOT EXISTS (SELECT 1 FROM writers w WHERE w.writer=t.writer)",
    "records: a record was written by a device that is not there",
  ],
  [
    "orphan",
    "SELECT count(*) AS n FROM outcomes t WHERE NOT EXISTS (SELECT 1 FROM writers w WHERE w.writer=t.writer)",
    "outcomes: outcomes belong to a device that is not there",
  ],
  [
    "outcome",
    `SELECT count(*) AS n FROM outcomes WHERE first_seq>last_seq OR length(ids)<>36*(last_seq-first_seq+1)
       OR (bodies IS NOT NULL AND length(bodies)-length(replace(bodies, char(10), ''))<>last_seq-first_seq)`,
    "outcomes: a chunk does not hold as many outcomes as it says",
  ],
];

/**
 * Verifies a data file as of one moment, beside a server that may be running on it; see `verify`. What SQLite
 * cannot read is a finding, and whatever else can be looked at is.
 *
 * @throws Error where the file is none of a Landfall server's, and whatever `progress` throws: a verification that was
 * broken off has found nothing.
 */
export function verifyFile(file: string, progress: Progress = () => undefined): Promise<VerifyReport> {
  let brokenOff: { readonly by: unknown } | undefined;
  const goOn: Progress = async (done) => {
    try {
      await progress(done);
    } catch (by) {
      brokenOff = { by };
      throw by;
    }
  };
  return readDataFile(file, async (snapshot, database) => {
    const findings = new Findings();
    checkIntegrity(database, findings);
    await goOn(0);
    try {
      for (const [code, sql, said] of strays) {
        const { n } = database.prepare(sql).get() as { n: number | bigint };
        if (Number(n) > 0) findings.add(code, undefined, `${said} (${n})`);
        await goOn(0);
      }
      return await verify(snapshot, { findings, progress: goOn });
    } catch (error) {
      if (brokenOff) throw brokenOff.by;
      findings.add("sqlite", undefined, `reading stopped here: ${String(error)}`);
      const none = { spaces: 0, records: 0, tombstones: 0, outcomes: 0 };
      return { ok: false, ...none, findings: findings.told, counts: findings.counts };
    }
  });
}

function checkIntegrity(database: SqliteDatabase, findings: Findings): void {
  try {
    const lines = database.prepare("PRAGMA integrity_check(20)").all() as { integrity_check: string }[];
    for (const { integrity_check: line } of lines) if (line !== "ok") findings.add("sqlite", undefined, line);
  } catch (error) {
    findings.add("sqlite", undefined, String(error));
  }
}
