import { type Row, sameJson } from "@landfall/protocol";
import type { Cut } from "../replica/cut.js";
import type { InboxItem } from "./inbox-item.js";
import type { Aside } from "./space-store.js";

/** Rows of base as they were when a server turned out to have lost history. */
export interface KeptAside extends Aside {
  readonly rows: readonly Row[];
}

/** Whether a server lacks what a row said. @param now the row as the server has it. */
function isLost(row: Row, now: Row | undefined, { at }: Aside): boolean {
  if (row.version > at || now?.version === row.version) return !sameContent(now, row);
  // A later version may well come after this one; whether it does cannot be seen.
  return !now || now.version < row.version || now.modifiedAt < row.modifiedAt;
}

/** Whether two rows say the same, wherever their versions come from. */
export function sameContent(a: Row | undefined, b: Row): boolean {
  if (!a || a.deleted || b.deleted) return Boolean(a?.deleted && b.deleted);
  return sameJson(a.fields, b.fields) && sameJson(a.stamps, b.stamps);
}

/** Inbox items for what was kept aside and the server does not have any more, once its own rows have come (DESIGN rule 12). */
export function lostItems(
  aside: KeptAside | undefined,
  cut: Cut,
  rowOf: (domain: string, key: string) => Row | undefined,
): InboxItem[] {
  if (!aside || cut.reset.length === 0) return [];
  return aside.rows.filter((row) => isLost(row, rowOf(row.domain, row.key), aside)).map(lostItem);
}

/** What a person can do with a confirmed row that the server has not. */
export function lostItem(row: Row): InboxItem {
  return {
    id: `lost~${row.domain}~${row.key}~${row.version}`,
    kind: "lost",
    madeAt: row.modifiedAt,
    domain: row.domain,
    key: row.key,
    ...(row.deleted ? {} : { tried: row.fields }),
    reason: "The server does not have this version, though it had confirmed it; it is kept here.",
    row,
    choices: row.deleted ? ["dismiss"] : ["writeAgain", "keepCopy", "dismiss"],
  };
}
