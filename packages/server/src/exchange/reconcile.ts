import {
  type ReconcileRequest,
  answerFrame,
  decodeFrame,
  fromBase64Url,
  toBase64Url,
} from "@landfall/protocol";
import { readableSpace } from "../access/readable-space.js";
import { needsUpgrade, upgradeSpace } from "../apply/upgrade.js";
import type { Core } from "../core.js";
import type { User } from "../engine-types.js";
import { LandfallError } from "../landfall-error.js";
import { type MaybePromise, chain, eachInTurn } from "../maybe-promise.js";
import type { Snapshot, SpaceState } from "../storage/port.js";
import type { ReconcileIndexes } from "./reconcile-index.js";

/** Rows read together: as many of the largest are still less than a page may hold. */
const keysPerRead = 32;

/** What a request wants in rows. */
interface Wanted {
  readonly texts: readonly string[];
  /** Some did not find room. */
  readonly more: boolean;
}

/**
 * Answers one round of a reconciliation (DESIGN §10). Nothing is remembered between rounds but the index, which is
 * a cache: every request says up to which index it compares, and what has moved on since shows by its version.
 *
 * @returns the answer as JSON text, and how many rows it has.
 * @throws LandfallError
 */
export async function reconcile(
  core: Core,
  indexes: ReconcileIndexes,
  user: User,
  request: ReconcileRequest,
): Promise<{ readonly text: string; readonly rows: number }> {
  const { space, domain, upTo } = request;
  const before = await readState(core, user, space);
  if (isElsewhere(before, request))
    return { text: answerText(before, "", { texts: [], more: false }), rows: 0 };
  const ranges = readFrame(request.frame);
  const index = await indexes.of(space, domain);
  if (isElsewhere(index, request))
    return { text: answerText(index, "", { texts: [], more: false }), rows: 0 };
  const end = index.items.find({ order: upTo + 1, id: "" });
  const { frame, wanted } = answerFrame(core.hash, index.items, end, ranges);
  const keys = [
    ...new Set([...(request.keys ?? []), ...wanted.map((position) => index.items.at(position).id)]),
  ];
  return core.storage.read((snapshot) =>
    chain(readableSpace(snapshot, user, space), ({ state }) => {
      if (isElsewhere(state, request))
        return { text: answerText(state, "", { texts: [], more: false }), rows: 0 };
      return chain(readRows(core, snapshot, request, keys), (rows) => ({
        text: answerText(state, toBase64Url(frame), rows),
        rows: rows.texts.length,
      }));
    }),
  );
}

/** Whether a request compares with a history that this is not, or not yet. */
function isElsewhere(
  state: { readonly generation: string; readonly head: number },
  { generation, upTo }: ReconcileRequest,
): boolean {
  return state.generation !== generation || state.head < upTo;
}

async function readState(core: Core, user: User, space: string): Promise<SpaceState> {
  for (;;) {
    const { state } = await core.storage.read((snapshot) => readableSpace(snapshot, user, space));
    if (!needsUpgrade(core, state)) return state;
    await core.storage.write(space, (transaction) => upgradeSpace(core, space, transaction));
  }
}

/** @throws LandfallError `invalid_request` */
function readFrame(text: string): Extract<ReturnType<typeof decodeFrame>, { ok: true }>["ranges"] {
  const bytes = fromBase64Url(text);
  if (!bytes) throw new LandfallError("invalid_request", "frame: expected base64url");
  const frame = decodeFrame(bytes);
  if (!frame.ok) throw new LandfallError("invalid_request", frame.message);
  return frame.ranges;
}

/** Rows as they are now, as many as a page may have bytes, and at least one read's. */
function readRows(
  core: Core,
  snapshot: Snapshot,
  { space, domain }: ReconcileRequest,
  keys: readonly string[],
): MaybePromise<Wanted> {
  const texts: string[] = [];
  let bytes = 0;
  let more = false;
  const batches = Array.from({ length: Math.ceil(keys.length / keysPerRead) }, (_, i) =>
    keys.slice(i * keysPerRead, (i + 1) * keysPerRead),
  );
  return chain(
    eachInTurn(batches, (batch) => {
      more ||= bytes > core.limits.maxPageBytes;
      if (more) return undefined;
      return chain(snapshot.rows(space, domain, batch, false), (rows) => {
        for (const { text } of rows) {
          texts.push(text);
          bytes += text.length;
        }
      });
    }),
    () => ({ texts, more }),
  );
}

function answerText(
  { generation, head }: { readonly generation: string; readonly head: number },
  frame: string,
  { texts, more }: Wanted,
): string {
  return `{"generation":"${generation}","head":${head},"frame":"${frame}","rows":[${texts.join(",")}]${more ? ',"more":true' : ""}}`;
}
