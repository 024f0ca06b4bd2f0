import { type Sha256, isIdentifier } from "@landfall/protocol";
import { nativeSha256 } from "../platform.js";
import type { GenerationStart, MemberState, Snapshot, SpaceState } from "../storage/port.js";
import { type FindingCode, Findings, type VerifyFinding } from "./findings.js";
import { HistoryCheck } from "./verify-history.js";
import { type Progress, RecordsCheck } from "./verify-records.js";

/** What verification has looked at, and what it found. */
export interface VerifyReport {
  /** Whether nothing is damaged; there may be findings that are none. */
  readonly ok: boolean;
  readonly spaces: number;
  /** Live ones. */
  readonly records: number;
  readonly tombstones: number;
  readonly outcomes: number;
  /** The first of each code; `counts` says how many there are. */
  readonly findings: readonly VerifyFinding[];
  readonly counts: { readonly [code in FindingCode]?: number };
}

export interface VerifyOptions {
  readonly hash?: Sha256;
  /** Hears of rows and outcomes that were looked at; may give other work a turn. */
  readonly progress?: Progress;
  /** What was found before, elsewhere. */
  readonly findings?: Findings;
}

/**
 * Recomputes every digest and holds every invariant that a storage keeps against what is in it (DESIGN §3, §5.4).
 * Reads only, and all of it one snapshot, so it may run beside whoever writes.
 */
export async function verify(snapshot: Snapshot, options: VerifyOptions = {}): Promise<VerifyReport> {
  const { hash = nativeSha256, progress = () => undefined, findings = new Findings() } = options;
  const spaces = await snapshot.spaces();
  const sums = { records: 0, tombstones: 0, outcomes: 0 };
  for (const space of spaces) {
    const found = await snapshot.space(space, "");
    if (!found) continue;
    const { state } = found;
    if (!isIdentifier(space)) findings.add("state", space, "its name is no identifier");
    const generations = await snapshot.generations(space);
    checkGenerations(space, state, generations, findings);
    checkMembers(space, await snapshot.members(space), findings);
    if (state.receivedMs < state.modifiedAt || state.head < 0)
      findings.add("state", space, "its clock is behind its newest commit");
    const contents = await snapshot.contents(space);
    const records = new RecordsCheck(space, state, hash, findings);
    await records.run(contents, found.domains, progress);
    const names = new Set(generations.map(({ generation }) => generation));
    const history = new HistoryCheck(space, state, names, findings);
    await history.run(contents, progress);
    sums.records += records.records;
    sums.tombstones += records.tombstones;
    sums.outcomes += history.outcomes;
  }
  const ok = !findings.told.some(({ isDamage }) => isDamage);
  return { ok, spaces: spaces.length, ...sums, findings: findings.told, counts: findings.counts };
}

/** Each generation names the one before as its parent, and the newest is the space's (DESIGN rule 12). */
function checkGenerations(
  space: string,
  { generation, head }: SpaceState,
  newestFirst: readonly GenerationStart[],
  findings: Findings,
): void {
  const wrong = (said: string): void => findings.add("generations", space, said);
  if (newestFirst[0]?.generation !== generation)
    wrong(
      `the space is in ${generation}, and its history ends with ${newestFirst[0]?.generation ?? "nothing"}`,
    );
  for (const [position, start] of newestFirst.entries()) {
    const { reason, parent, at } = start;
    const before = newestFirst[position + 1];
    if (!["created", "wiped", "restored"].includes(reason))
      wrong(`${start.generation} began for a reason that is none, ${reason}`);
    if (parent !== before?.generation)
      wrong(
        `${start.generation} parts from ${parent ?? "nothing"}, and came after ${before?.generation ?? "nothing"}`,
      );
    if (at < (before?.at ?? 0) || at > head) wrong(`${start.generation} parts at ${at}, which cannot be`);
  }
}

function checkMembers(space: string, members: readonly MemberState[], findings: Findings): void {
  for (const { user, role } of members) {
    if (role !== undefined && !["owner", "writer", "reader"].includes(role))
      findings.add("members", space, `${user} is ${role as string}, which is no role`);
  }
  if (!members.some(({ role }) => role === "owner")) findings.add("members", space, "it has no owner");
}
