import { type Row, sameJson } from "@landfall/protocol";
import type { InboxItem } from "./inbox-item.js";
import { lostItem, sameContent } from "./lost-rows.js";

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
  readonly items: readonly InboxItem[];
  /** A row of which the server has an older version only: it has lost history, and that takes more than mending. */
  readonly unsettled: string | undefined;
}

/**
 * Works out how base is mended (DESIGN rules 5 and 10). A row of the server's takes the place of one of an older
 * version, or of the same version with another content, and of nothing else; what lies above the cursor comes with
 * the next pull, and what has changed here since the comparison began is left alone.
 *
 * @param compared the rows of base as they were compared.
 * @param theirs the server's rows where those differ; undefined where it has none.
 * @param current a row of base as it is now.
 */
export function planMend(
  compared: ReadonlyMap<string, Row>,
  theirs: ReadonlyMap<string, Row | undefined>,
  cursor: number,
  current: (key: string) => Row | undefined,
): Mending {
  const rows = new Map<string, Row>();
  const gone: string[] = [];
  const items: InboxItem[] = [];
  let unsettled: string | undefined;
  for (const [key, row] of theirs) {
    const standing = current(key);
    if (standing !== compared.get(key)) continue;
    if (!row) {
      if (!standing) continue;
      gone.push(key);
      if (!standing.deleted) items.push(lostItem(standing));
    } else if (row.version <= cursor) {
      if (standing && standing.version > row.version) unsettled ??= key;
      else if (standing?.version !== row.version || !sameContent(row, standing)) {
        rows.set(key, row);
        if (standing && isOfOtherWrites(standing, row)) items.push(lostItem(standing));
      }
    }
  }
  return { rows, gone, items, unsettled };
}
