import { type Row, sameJson } from "@landfall/protocol";
import type { Cut } from "../replica/cut.js";
import { lostItem, sameContent } from "./lost-rows.js";
import { historyLost } from "./recovery.js";
import { type Difference, type DomainBase, findDifference } from "./repair.js";
import type { SpaceSession } from "./space-session.js";

/** Whether two rows of one version come from different writes. With the same stamps, one of them is damaged and nothing that anybody wrote is lost. */
const isOfOtherWrites = (mine: Row, theirs: Row): boolean =>
  !mine.deleted &&
  mine.version === theirs.version &&
  !(theirs.deleted ? false : sameJson(mine.stamps, theirs.stamps));

/** What is to be changed in a domain of base so that it is the server's again. */
export interface Mending {
  readonly rows: ReadonlyMap<string, Row>;
  /** Keys that the server knows nothing of. */
  readonly gone: readonly string[];
  /** What base had and the server has not, for people: nothing that was shown as confirmed vanishes in silence. */
  readonly lost: readonly Row[];
  /** A row of which the server has an older version only: it has lost history, and that takes more than mending. */
  readonly unsettled: string | undefined;
}

/**
 * Works out how base is mended (DESIGN rules 5 and 10). A row of the server's takes the place of one of an older
 * version, or of the same version with another content, and of nothing else; what lies above the cursor comes with
 * the next pull, and what has changed here since the comparison began is left alone.
 *
 * @param compared the rows of base as they were compared.
 * @param current a row of base as it is now.
 */
export function planMend(
  compared: ReadonlyMap<string, Row>,
  theirs: Difference,
  cursor: number,
  current: (key: string) => Row | undefined,
): Mending {
  const rows = new Map<string, Row>();
  const gone: string[] = [];
  const lost: Row[] = [];
  let unsettled: string | undefined;
  for (const [key, row] of theirs) {
    const standing = current(key);
    if (standing !== compared.get(key)) continue;
    if (!row) {
      if (!standing) continue;
      gone.push(key);
      if (!standing.deleted) lost.push(standing);
    } else if (row.version <= cursor) {
      if (standing && standing.version > row.version) unsettled ??= key;
      else if (standing?.version !== row.version || !sameContent(row, standing)) {
        rows.set(key, row);
        if (standing && isOfOtherWrites(standing, row)) lost.push(standing);
      }
    }
  }
  return { rows, gone, lost, unsettled };
}

/** A domain of base that can be compared: not while all of it is being fetched anyway. */
function standing(session: SpaceSession, domain: string): DomainBase | undefined {
  const { generation, cursors } = session.meta;
  if (session.stopped || generation === undefined || session.refetch.has(domain)) return undefined;
  return { generation, cursor: cursors[domain] ?? 0, rows: new Map(session.replica.baseRows(domain)) };
}

function mendingCut(
  { meta }: SpaceSession,
  generation: string,
  domain: string,
  { rows, gone }: Mending,
): Cut {
  return {
    generation,
    schema: meta.schema,
    // Rows up to the cursors are in base already, and so is what they say of own events.
    lastSeq: 0,
    cursors: meta.cursors,
    reset: [],
    rows: new Map([[domain, rows]]),
    gone: new Map([[domain, gone]]),
    outcomes: new Map(),
    digests: {},
  };
}

/**
 * Finds out which rows of a domain differ from the server's, and puts the server's in their place in one cut.
 * @returns how many; undefined where there is nothing to mend now.
 */
export async function mendDomain(session: SpaceSession, domain: string): Promise<number | undefined> {
  const base = await session.exclusively(async () => standing(session, domain));
  if (!base) return undefined;
  const theirs = await findDifference(session.context, session.space, domain, base);
  return session.exclusively(async () => {
    if (standing(session, domain)?.generation !== base.generation) return undefined;
    const cursor = session.meta.cursors[domain] ?? 0;
    const mending = planMend(base.rows, theirs, cursor, (key) => session.replica.baseRow(domain, key));
    if (mending.unsettled) {
      await historyLost(session);
      session.context.wake();
      return undefined;
    }
    // The digest itself may be what is wrong.
    session.digests.recount(domain, session.replica.baseRows(domain).keys());
    const count = mending.rows.size + mending.gone.length;
    const items = mending.lost.map((row) => lostItem(session.replica.present(row) as Row));
    if (count > 0) await session.apply(mendingCut(session, base.generation, domain, mending), items);
    return count;
  });
}
