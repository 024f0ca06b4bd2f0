import {
  type ReconcileAnswer,
  type ReconcileItem,
  ReconcileItems,
  type ReconcileRequest,
  Reconciliation,
  type Row,
  fromBase64Url,
  protocolVersion,
  rowElement,
  toBase64Url,
} from "@landfall/protocol";
import * as limits from "@landfall/protocol/limits";
import { RemoteError } from "../remote/port.js";
import type { SessionContext } from "./session-context.js";

/** Rows hashed in one go, as for the digest: about 4 ms of a slow phone's time. */
const rowsPerSlice = 250;

/** A domain of base as it stood at its cursor. */
export interface DomainBase {
  readonly generation: string;
  readonly cursor: number;
  readonly rows: ReadonlyMap<string, Row>;
}

/** The server's rows where they are not the same, by key; undefined where it knows of none. */
export type Difference = ReadonlyMap<string, Row | undefined>;

/** Why a reconciliation came to nothing: the domain is fetched again instead. */
export class UnreconciledError extends Error {
  override readonly name = "UnreconciledError";
}

/**
 * Finds out in which rows a domain of base differs from the server's (DESIGN §10). Base may move on meanwhile: what
 * has come since is of later versions than the cursor.
 *
 * @throws UnreconciledError where it cannot be found out, and what the remote throws.
 */
export async function findDifference(
  context: Pick<SessionContext, "hash" | "timers" | "reconcile">,
  space: string,
  domain: string,
  base: DomainBase,
): Promise<Difference> {
  const { generation, cursor } = base;
  const asking = new Reconciliation(context.hash, ReconcileItems.of(await itemsOf(context, base)));
  const ask = async (request: Pick<ReconcileRequest, "frame" | "keys">): Promise<ReconcileAnswer> => {
    const answer = await context
      .reconcile({ protocol: protocolVersion, space, generation, domain, upTo: cursor, ...request })
      .catch(giveUpIfRefused);
    if (answer.generation !== generation || answer.head < cursor)
      throw new UnreconciledError("the server's history has changed");
    return answer;
  };
  await narrow(asking, ask, base.rows.size);
  const theirs = new Map<string, Row | undefined>();
  await fetchLacking(context, asking, ask, theirs);
  await fetchStanding(asking, ask, theirs);
  return theirs;
}

/** What a server refuses for good it would refuse again; with a network that is gone, or a busy server, it may go later. */
function giveUpIfRefused(error: unknown): never {
  const status = error instanceof RemoteError ? (error.status ?? 0) : 0;
  if (status >= 400 && status < 500 && status !== 401 && status !== 408 && status !== 429)
    throw new UnreconciledError((error as RemoteError).message, { cause: error });
  throw error;
}

type Ask = (request: Pick<ReconcileRequest, "frame" | "keys">) => Promise<ReconcileAnswer>;

/** The live rows as they count in the digest, hashed in slices between other work. */
async function itemsOf(
  { hash, timers }: Pick<SessionContext, "hash" | "timers">,
  { rows }: DomainBase,
): Promise<ReconcileItem[]> {
  const items: ReconcileItem[] = [];
  for (const row of rows.values()) {
    if (row.deleted) continue;
    items.push({ order: row.version, id: row.key, digest: rowElement(hash, row) });
    if (items.length % rowsPerSlice === 0) await new Promise<void>((resolve) => timers.after(0, resolve));
  }
  return items;
}

async function narrow(asking: Reconciliation, ask: Ask, size: number): Promise<void> {
  let rounds = 0;
  for (let frame = asking.next(); frame; frame = asking.next()) {
    if (++rounds > limits.maxReconcileRounds) throw new UnreconciledError("it came to no end");
    const answer = fromBase64Url((await ask({ frame: toBase64Url(frame) })).frame);
    const fault = answer ? asking.take(answer) : "the frame is not base64url";
    if (fault !== undefined) throw new UnreconciledError(fault);
    // Past this point one fetch of everything costs less than asking row by row.
    if (asking.differences > limits.maxReconcileRows && asking.differences > size / 4)
      throw new UnreconciledError(`${asking.differences} rows differ`);
  }
}

/** The rows that base lacks. */
async function fetchLacking(
  { hash }: Pick<SessionContext, "hash">,
  asking: Reconciliation,
  ask: Ask,
  theirs: Map<string, Row | undefined>,
): Promise<void> {
  for (
    let frame = asking.want(limits.maxReconcileRows);
    frame;
    frame = asking.want(limits.maxReconcileRows)
  ) {
    const { rows, more = false } = await ask({ frame: toBase64Url(frame) });
    const digests = new Set<bigint>();
    for (const row of rows) {
      theirs.set(row.key, row);
      if (!row.deleted) digests.add(rowElement(hash, row));
    }
    asking.came(digests, more);
  }
}

/** The rows that base has and the server has not: as others, as tombstones, or not at all. */
async function fetchStanding(
  asking: Reconciliation,
  ask: Ask,
  theirs: Map<string, Row | undefined>,
): Promise<void> {
  let keys = asking.have.map(({ id }) => id).filter((key) => !theirs.has(key));
  while (keys.length > 0) {
    const batch = keys.slice(0, limits.maxReconcileRows);
    const { rows, more = false } = await ask({ frame: "", keys: batch });
    for (const row of rows) theirs.set(row.key, row);
    if (!more) for (const key of batch) if (!theirs.has(key)) theirs.set(key, undefined);
    const left = keys.filter((key) => !theirs.has(key));
    // A server that has more and does not say what has not said that there is nothing.
    if (left.length === keys.length) throw new UnreconciledError("it came to no end");
    keys = left;
  }
}
