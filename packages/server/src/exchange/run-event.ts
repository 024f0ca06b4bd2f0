import {
  type ActionEvent,
  type Decoded,
  type Expectation,
  type Json,
  type Op,
  type OpsEvent,
  RejectedError,
  type WireEvent,
  actionContext,
  clipMessage,
  decode,
  jsonDecoder,
  limits,
  opsConflict,
  rejectionCode,
} from "@landfall/protocol";
import { describeIssues, migrateAction, migrateOps } from "@landfall/schema";
import { type WasRejected, applyOp } from "../apply/apply-op.js";
import { keysOf } from "../apply/domain-rules.js";
import { RecordTransaction } from "../apply/record-transaction.js";
import { settleRelations } from "../apply/relations.js";
import type { SpaceBatch } from "../apply/space-batch.js";
import type { EventScope } from "../apply/working-set.js";
import type { Core } from "../core.js";
import { type MaybePromise, chain, eachInTurn } from "../maybe-promise.js";
import type { RecordKey } from "../storage/port.js";
import { withinBudget } from "./budget.js";
import { type RecoveryWindow, admitOffer } from "./recovery-window.js";
import type { Deferred, EventOutcome, Recorded, WrittenRow } from "./outcome.js";

/** The device that sends, and what it may do. */
export interface Sender {
  readonly space: string;
  readonly device: string;
  readonly user: string;
  readonly role: "owner" | "writer" | "reader";
  readonly wasRejected: WasRejected;
  /** In which the space takes back what it has lost, if it does now. */
  readonly window: RecoveryWindow | undefined;
  /** The index that an own event was applied at; undefined where it was not. */
  indexOf(seq: number): MaybePromise<number | undefined>;
}

export type Run =
  | ({ readonly recorded: Recorded } & Pick<EventOutcome, "written" | "isWhole">)
  | { readonly deferred: Deferred };

type Effective = OpsEvent | ActionEvent;

/** Handles one event that was not seen before: applied whole, or rejected without a trace, or deferred. */
export function runEvent(
  batch: SpaceBatch,
  sender: Sender,
  decoded: Decoded<WireEvent>,
  identity: { readonly id: string; readonly seq: number },
): MaybePromise<Run> {
  const reject = (code: string, message: string): Run => ({
    recorded: { status: "rejected", code, message: clipMessage(message) },
    written: [],
    isWhole: false,
  });
  if (!decoded.ok) return reject("invalid", decoded.message);
  if ("void" in decoded.value) return { recorded: { status: "void" }, written: [], isWhole: false };
  if (sender.role === "reader")
    return reject("forbidden", "You may read this space and not write to it. Ask an owner.");
  const event = toCurrent(batch.core, decoded.value);
  if ("code" in event) return reject(event.code, event.message);
  if (decoded.value.schema !== undefined) batch.sawSchema(decoded.value.schema);
  const scope = batch.begin(identity.id);
  const failed = (error: unknown): Run => {
    scope.undo();
    if (error instanceof DeferredError) return { deferred: error.deferred };
    const code = rejectionCode(error);
    if (code !== undefined) return reject(code, (error as Error).message);
    throw error;
  };
  const accepted = (asked: Effective, result: Json | undefined): Run => {
    const computable =
      "ops" in asked &&
      asked.ops === (decoded.value as OpsEvent).ops &&
      !asked.ops.some((op) => op.op === "offer" || (op.op === "deleteMany" && op.upTo !== undefined));
    batch.accept(scope, { device: sender.device, user: sender.user, seq: identity.seq, computable });
    const written = writtenRows(scope);
    const isWhole = computable && written.length === countNamed(asked.ops);
    return { recorded: applied(scope, identity.id, result), written, isWhole };
  };
  try {
    const run = chain(prepare(batch, sender, scope, event, event !== decoded.value), (asked) =>
      chain(
        "ops" in asked ? runOps(batch, sender, scope, asked.ops) : runAction(batch, sender, scope, asked),
        (result) => accepted(asked, result),
      ),
    );
    return run instanceof Promise ? run.catch(failed) : run;
  } catch (error) {
    return failed(error);
  }
}

/** Leaves the event unhandled, to be sent again. */
class DeferredError extends Error {
  constructor(readonly deferred: Deferred) {
    super(deferred.message);
  }
}

/** Brings an event to the server's schema version; the newer ones were refused before. */
function toCurrent(
  core: Core,
  event: Effective,
): Effective | { readonly code: string; readonly message: string } {
  if ("ops" in event) {
    // One create alone is in nobody's way; most events are that.
    const conflict =
      event.ops.length === 1 && event.ops[0]?.op === "create" ? undefined : opsConflict(event.ops);
    if (conflict) return { code: "invalid", message: conflict };
    if (event.ops.length > 3 && JSON.stringify(event.ops).length > limits.maxBatchBytes) {
      return {
        code: "too_large",
        message: `The event has more than ${limits.maxBatchBytes} bytes. Split it.`,
      };
    }
  }
  const { schema } = core;
  if (!schema || event.schema === undefined || event.schema === schema.version) return event;
  if ("ops" in event) {
    const migrated = migrateOps(schema, event.schema, event.ops);
    return migrated.ok ? { ...event, ops: migrated.value } : { code: "invalid", message: migrated.message };
  }
  const migrated = migrateAction(schema, event.schema, { action: event.action, args: event.args });
  return migrated.ok ? { ...event, ...migrated.value } : { code: "invalid", message: migrated.message };
}

/**
 * Checks what the event expects and whether it may.
 *
 * @param migrated whether it may name other rows than those that were loaded
 * @returns what is to be done
 */
function prepare(
  batch: SpaceBatch,
  sender: Sender,
  scope: EventScope,
  event: Effective,
  migrated: boolean,
): MaybePromise<Effective> {
  return chain(migrated ? batch.working.load(namedKeys(event)) : undefined, () =>
    chain(checkExpectations(batch, sender, scope, event), (asked) =>
      batch.core.authorize ? authorize(batch, sender, scope, event).then(() => asked) : asked,
    ),
  );
}

/** The rows that an event names; those of a whole request are loaded before the first of its events runs. */
export function namedKeys(event: Effective): RecordKey[] {
  const keys: RecordKey[] = (event.expect ?? []).map(([domain, key]) => ({ domain, key }));
  if ("ops" in event)
    for (const op of event.ops) for (const key of keysOf(op)) keys.push({ domain: op.domain, key });
  return keys;
}

const noExpectations: readonly Expectation[] = [];

/**
 * @returns the event; a restore that expects a tombstone which has been removed since is a create in it: to all who
 * remember the delete, the key is as deleted as ever (DESIGN rule 7). Which those of an action are, its scope knows.
 * @throws RejectedError
 */
function checkExpectations(
  batch: SpaceBatch,
  sender: Sender,
  scope: EventScope,
  event: Effective,
): MaybePromise<Effective> {
  const expectations = event.expect ?? noExpectations;
  if ("ops" in event) {
    for (const op of event.ops) {
      if (op.op !== "restore" || expectations.some(([domain, key]) => domain === op.domain && key === op.key))
        continue;
      throw new RejectedError(
        "expectation_failed",
        `A restore of ${op.key} needs an expect on the version of its tombstone.`,
      );
    }
  }
  const forgotten = new Set<Op>();
  const checked = eachInTurn(expectations, ([domain, key, expected]: Expectation) => {
    const slot = batch.working.slot(domain, key);
    const version = slot.current?.version ?? 0;
    return chain(typeof expected === "number" ? expected : sender.indexOf(expected.seq), (wanted) => {
      if (wanted === version) return;
      if (version === 0 && wanted !== undefined && wanted <= batch.horizonOf(domain)) {
        const restore = restoreIn(event, domain, key);
        if (restore) return void forgotten.add(restore);
        if ("action" in event) return void (scope.forgotten ??= new Set()).add(slot);
      }
      const why =
        wanted === undefined
          ? `event ${JSON.stringify(expected)} did not produce one`
          : `${wanted} was expected`;
      throw new RejectedError("expectation_failed", `${domain} ${key} is at version ${version}, and ${why}.`);
    });
  });
  return chain(checked, () =>
    "ops" in event && forgotten.size > 0
      ? { ...event, ops: event.ops.map((op) => (forgotten.has(op) ? ({ ...op, op: "create" } as Op) : op)) }
      : event,
  );
}

function restoreIn(event: Effective, domain: string, key: string): Op | undefined {
  if (!("ops" in event)) return undefined;
  return event.ops.find((op) => op.op === "restore" && op.domain === domain && op.key === key);
}

function runOps(
  batch: SpaceBatch,
  sender: Sender,
  scope: EventScope,
  ops: readonly Op[],
): MaybePromise<undefined> {
  return chain(
    eachInTurn(ops, (op) => {
      if (op.op === "create" || op.op === "put" || op.op === "restore" || (op.op === "offer" && "set" in op))
        checkQuota(batch);
      const admitted = op.op === "offer" ? admitOffer(op, sender.window) : op;
      return applyOp(batch.working, scope, admitted, sender.wasRejected);
    }),
    () => {
      if (batch.isBeyondDomains(scope))
        throw new RejectedError(
          "invalid",
          `A space has at most ${limits.maxDomains} domains, and this would make more.`,
        );
      return chain(settleRelations(batch.working, scope), () => undefined);
    },
  );
}

function checkQuota(batch: SpaceBatch): void {
  if (batch.rows < batch.core.limits.maxRowsPerSpace) return;
  throw new DeferredError({
    code: "quota_exceeded",
    message: `The space holds ${batch.rows} records, which is all that it may. Delete something, or raise the quota.`,
  });
}

async function authorize(
  batch: SpaceBatch,
  sender: Sender,
  scope: EventScope,
  event: Effective,
): Promise<void> {
  const { authorize: decide } = batch.core;
  if (!decide) return;
  const reading = new RecordTransaction(batch.working, scope, undefined);
  let allowed: unknown;
  try {
    const decision = decide({
      space: sender.space,
      user: { id: sender.user },
      role: sender.role,
      event,
      tx: reading.tx,
    });
    allowed = await withinBudget(batch.core, Promise.resolve(decision));
    if (typeof allowed !== "boolean")
      throw new Error(
        `authorize gave ${allowed === undefined ? "nothing" : JSON.stringify(allowed)}, which is neither true nor false.`,
      );
    reading.close();
  } catch (error) {
    if (rejectionCode(error) !== undefined) throw error;
    batch.core.logger.error("authorize failed; the event is deferred", {
      space: sender.space,
      event: event.id,
      error,
    });
    throw new DeferredError({
      code: "busy",
      message: "The server could not decide whether this is allowed. The event is kept and sent again.",
      retryAfterMs: 5_000,
    });
  }
  if (!allowed) throw new RejectedError("forbidden", "The server does not allow that.");
}

async function runAction(
  batch: SpaceBatch,
  sender: Sender,
  scope: EventScope,
  event: ActionEvent,
): Promise<Json | undefined> {
  const { core } = batch;
  const declared = core.schema?.action(event.action);
  const own = core.actions.get(event.action);
  if (!declared && !own)
    throw new RejectedError(
      "unknown_action",
      `The server has no action ${event.action}. Update the server or the client.`,
    );
  const args = declared?.validate(event.args) ?? { ok: true as const, value: event.args };
  if (!args.ok)
    throw new RejectedError("invalid", `The arguments of ${event.action}: ${describeIssues(args.issues)}`);
  checkQuota(batch);
  const { context, newKey } = actionContext(event.id, sender.user);
  const writing = new RecordTransaction(batch.working, scope, newKey);
  try {
    const call = async (): Promise<unknown> =>
      own ? own(writing.tx, args.value as Json, context) : declared?.run(writing.tx, args.value, context);
    const result = await withinBudget(core, call());
    await writing.finish();
    checkForgotten(scope, event.action);
    await settleRelations(batch.working, scope);
    return toResult(event.action, result);
  } catch (error) {
    writing.abandon();
    // What it fails by otherwise comes of a record that it did not find.
    if (!(error instanceof DeferredError)) checkForgotten(scope, event.action);
    if (rejectionCode(error) !== undefined || error instanceof DeferredError) throw error;
    throw new RejectedError(
      "action_failed",
      `${event.action}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** @throws RejectedError where the event expects a delete that was forgotten, and the action has not restored its record. */
function checkForgotten({ forgotten = new Set() }: EventScope, action: string): void {
  for (const { domain, key } of forgotten)
    throw new RejectedError(
      "expectation_failed",
      `${domain} ${key} is not there, and ${action} did not restore it.`,
    );
}

function toResult(action: string, value: unknown): Json | undefined {
  if (value === undefined) return undefined;
  const text = JSON.stringify(value) as string | undefined;
  const decoded = text === undefined ? undefined : decode(jsonDecoder, JSON.parse(text));
  if (!decoded?.ok || (text as string).length > limits.maxRecordBytes)
    throw new RejectedError("action_failed", `${action} returned something that is not JSON, or too large.`);
  return decoded.value;
}

function applied(scope: EventScope, id: string, result: Json | undefined): Recorded {
  return {
    status: "applied",
    index: scope.index,
    modifiedAt: scope.modifiedAt,
    ...(scope.stamp === id ? {} : { eff: scope.stamp }),
    ...(scope.superseded.length === 0
      ? {}
      : { superseded: scope.superseded.map(({ domain, key, field, by }) => ({ domain, key, field, by })) }),
    ...(result === undefined ? {} : { result }),
  };
}

function countNamed(ops: readonly Op[]): number {
  let count = 0;
  for (const op of ops) count += keysOf(op).length;
  return count;
}

function writtenRows(scope: EventScope): WrittenRow[] {
  const rows: WrittenRow[] = [];
  for (const [{ domain, key }, { causes }] of scope.changes) if (causes.has("op")) rows.push([domain, key]);
  return rows;
}
