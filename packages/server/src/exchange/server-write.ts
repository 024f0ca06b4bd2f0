import { type Code, RejectedError, codeEntry, randomIdentifier, rejectionCode } from "@landfall/protocol";
import { RecordTransaction } from "../apply/record-transaction.js";
import { settleRelations } from "../apply/relations.js";
import { SpaceBatch } from "../apply/space-batch.js";
import { needsUpgrade, serverWriter, upgradeSpace, upgradeUnderWay } from "../apply/upgrade.js";
import type { Core } from "../core.js";
import type { AnyTx } from "../engine-types.js";
import { LandfallError, spaceNotFound } from "../landfall-error.js";
import { type SpaceTransaction, TransactionLostError } from "../storage/port.js";
import { withinBudget } from "./budget.js";
import { olderThanSpace } from "./rows-schema.js";

export interface ServerWrite<R> {
  readonly index: number;
  readonly modifiedAt: number;
  readonly result: R;
}

/**
 * Writes to a space as the server: one event of its own, beside those of devices and in the same order.
 * @throws LandfallError with the code that an event would have been rejected with; or what `change` threw.
 */
export async function writeAsServer<R>(
  core: Core,
  space: string,
  change: (tx: AnyTx) => R | Promise<R>,
): Promise<ServerWrite<R>> {
  try {
    for (;;) {
      const done = await core.storage.write(space, (transaction) => writeOnce(core, transaction, change));
      if (done !== "upgrade") return done;
      await core.storage.write(space, (transaction) => upgradeSpace(core, space, transaction));
    }
  } catch (error) {
    if (error instanceof TransactionLostError)
      throw new LandfallError("unavailable", error.message, { retryAfterMs: 1_000, cause: error });
    const code = rejectionCode(error);
    if (code === undefined) throw error;
    // A code of the app's own has no place in the closed list; its words say what it is.
    throw new LandfallError(
      codeEntry(code) ? (code as Code) : "invalid",
      codeEntry(code) ? (error as Error).message : `${code}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

async function writeOnce<R>(
  core: Core,
  transaction: SpaceTransaction,
  change: (tx: AnyTx) => R | Promise<R>,
): Promise<ServerWrite<R> | "upgrade"> {
  const opened = await transaction.open("server", "");
  if (!opened) throw spaceNotFound();
  if (needsUpgrade(core, opened.state)) return "upgrade";
  const isNewer = core.schema
    ? opened.state.schema > core.schema.version
    : upgradeUnderWay(opened.state) !== undefined;
  if (isNewer) {
    throw new RejectedError("schema_unsupported", olderThanSpace(opened.state, core.schema?.version));
  }
  const batch = new SpaceBatch(core, transaction, opened);
  const scope = batch.beginOwn();
  const writing = new RecordTransaction(batch.working, scope, () => randomIdentifier(core.random));
  const result = await withinBudget(
    core,
    (async () => {
      const value = await change(writing.tx);
      await writing.finish();
      return value;
    })(),
  );
  await settleRelations(batch.working, scope);
  if (scope.changes.size === 0)
    return { index: opened.state.head, modifiedAt: opened.state.modifiedAt, result };
  batch.accept(scope, { device: "server", user: "", seq: 0, computable: false });
  await batch.save({ writer: opened.writer ?? serverWriter(scope.modifiedAt) });
  return { index: scope.index, modifiedAt: scope.modifiedAt, result };
}
