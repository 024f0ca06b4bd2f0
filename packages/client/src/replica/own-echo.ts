import {
  type AppliedOutcome,
  type Op,
  type RecordOp,
  type Row,
  type Stamp,
  mergeRecord,
} from "@landfall/protocol";
import type { PendingEvent } from "./pending-event.js";
import type { ReplicaRules } from "./rules.js";

/** The op that an event of built-in ops does on a row. */
export function opOn(ops: readonly Op[], domain: string, key: string): RecordOp | undefined {
  for (const op of ops) {
    if (op.domain !== domain) continue;
    if (op.op !== "deleteMany") {
      if (op.key === key) return op;
    } else if (op.upTo !== undefined || op.keys?.includes(key)) return { op: "delete", domain, key };
  }
  return undefined;
}

/**
 * The rows that the server left out because the client can compute them: its own write on the row that both
 * had (DESIGN §6, own echo).
 *
 * @param current the row as staged over base; what is not older than the outcome is left as it is.
 */
export function omittedRows(
  outcome: AppliedOutcome,
  event: PendingEvent,
  current: (domain: string, key: string) => Row | undefined,
  rules: ReplicaRules,
): Row[] {
  const rows: Row[] = [];
  const { index: version, modifiedAt } = outcome;
  const eff: Stamp = outcome.eff ?? outcome.id;
  for (const omitted of outcome.omitted ?? []) {
    const domain = omitted[0] as string;
    const key = omitted[1] as string;
    const op = opOn(event.ops ?? [], domain, key);
    const before = current(domain, key);
    if (!op || (before && before.version >= outcome.index)) continue;
    // A server that made a record anew has forgotten the tombstone that is still held here.
    const isMadeAnew = before?.deleted === true && (op.op === "create" || op.op === "put");
    const merged = mergeRecord(isMadeAnew ? undefined : before, op, eff, rules.domain(domain).kinds);
    // A difference from what the server did shows in the digest, and is repaired and reported there.
    if (!merged.ok || !merged.changed) continue;
    const { state } = merged;
    rows.push(
      state.deleted
        ? { domain, key, version, modifiedAt, deleted: true }
        : { domain, key, version, modifiedAt, fields: state.fields, stamps: state.stamps },
    );
  }
  return rows;
}
