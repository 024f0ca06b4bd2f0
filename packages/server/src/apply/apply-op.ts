import { type Op, type RecordOp, RejectedError, mergeRecord } from "@landfall/protocol";
import { type MaybePromise, chain } from "../maybe-promise.js";
import { checkWrite } from "./domain-rules.js";
import type { RecordState } from "./record-state.js";
import { noteParent } from "./relations.js";
import type { EventScope, WorkingSet } from "./working-set.js";

/** Whether this device had its `create` of a key rejected, and does not know yet (DESIGN rule 7). */
export type WasRejected = (domain: string, key: string) => boolean;

/**
 * Applies one op to rows that were loaded; a `deleteMany` by version loads its own.
 * @throws RejectedError where it cannot stand
 */
export function applyOp(
  working: WorkingSet,
  scope: EventScope,
  op: Op,
  wasRejected: WasRejected,
): MaybePromise<void> {
  if (op.op !== "deleteMany") {
    if (op.op !== "create" && op.op !== "put" && op.op !== "offer")
      refuseDependent(op.domain, op.key, wasRejected);
    return applyRecordOp(working, scope, op);
  }
  working.rules.of(op.domain);
  if (op.keys) {
    for (const key of op.keys) refuseDependent(op.domain, key, wasRejected);
    return deleteLive(working, scope, op.domain, op.keys);
  }
  return chain(working.transaction.scan({ domain: op.domain, upTo: op.upTo }), (rows) =>
    chain(working.load(rows), () => {
      const upTo = op.upTo as number;
      const keys = [...working.slots()]
        .filter(
          ({ domain, current }) => domain === op.domain && current !== undefined && current.version <= upTo,
        )
        .map(({ key }) => key);
      return deleteLive(working, scope, op.domain, keys);
    }),
  );
}

function refuseDependent(domain: string, key: string, wasRejected: WasRejected): void {
  if (wasRejected(domain, key))
    throw new RejectedError(
      "depends_on",
      `The create of ${key} was rejected, so there is nothing to change.`,
    );
}

function applyRecordOp(working: WorkingSet, scope: EventScope, op: RecordOp): void {
  const rule = working.rules.of(op.domain);
  const slot = working.slot(op.domain, op.key);
  const before = slot.current?.fields;
  const result = mergeRecord(slot.current?.merge, op, scope.stamp, rule.kinds);
  if (!result.ok) throw new RejectedError(result.code, result.message);
  for (const { field, by } of result.superseded)
    scope.superseded.push({ domain: op.domain, key: op.key, field, by });
  if (!result.changed) return;
  scope.write(slot, result.state, "op");
  if (result.state.deleted) return;
  const parent = rule.newParent(before, result.state.fields);
  if (parent) noteParent(working, scope, slot, parent);
  checkWrite(rule, op, result.state.fields, (slot.current as RecordState).fieldsText);
}

/** Keys that are not there, or deleted already, need nothing more. */
function deleteLive(working: WorkingSet, scope: EventScope, domain: string, keys: readonly string[]): void {
  for (const key of keys) {
    const slot = working.slot(domain, key);
    if (slot.current && !slot.current.deleted) scope.write(slot, { deleted: true }, "op");
  }
}
