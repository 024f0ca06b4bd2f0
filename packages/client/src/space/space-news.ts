import type { Cut } from "../replica/cut.js";
import type { PendingEvent } from "../replica/pending-event.js";
import type { InboxItem } from "./inbox-item.js";
import type { LocalRow } from "./local-records.js";
import type { Settlement } from "./settlement.js";

/** Writes that a tab has stored, or that the storage has refused. */
export interface WriteNews {
  readonly type: "write";
  readonly events: readonly PendingEvent[];
  readonly isStored: boolean;
  /** That of the telling tab: what is settled of them was settled after it. */
  readonly revision: number;
}

/** A step of base that the leader has stored. */
export interface CutNews {
  readonly type: "cut";
  readonly revision: number;
  readonly cut: Cut;
  readonly settlement: Settlement;
}

/** Rows of a cut that other tabs are told; more are read from the storage. */
const maxToldRows = 2_000;

/** What tabs tell each other of a space; every tab has a replica of its own. */
export type SpaceNews =
  | WriteNews
  | { readonly type: "sent"; readonly events: readonly PendingEvent[] }
  | CutNews
  | { readonly type: "inbox"; readonly put: readonly InboxItem[]; readonly drop: readonly string[] }
  | { readonly type: "local"; readonly rows: readonly LocalRow[] }
  /** A tab has opened the space, and has read what is stored; `create`: it is to be created if there is none. */
  | { readonly type: "opened"; readonly create?: boolean }
  /** Too much to tell: read the storage. What became of events is told all the same, for the storage knows nothing of it. */
  | { readonly type: "reload"; readonly settled?: Settlement["settled"] };

/** What other tabs are told of a cut. @param isMore whether more has changed than what it says. */
export function newsOf(cut: Cut, settlement: Settlement, revision: number, isMore: boolean): SpaceNews {
  let rows = 0;
  for (const domain of cut.rows.values()) rows += domain.size;
  for (const keys of cut.gone?.values() ?? []) rows += keys.length;
  return isMore || rows > maxToldRows
    ? { type: "reload", settled: settlement.settled }
    : { type: "cut", revision, cut, settlement };
}

/** What news tells of writes that are over. */
export const settledBy = (news: SpaceNews): Settlement["settled"] =>
  (news.type === "cut" ? news.settlement.settled : news.type === "reload" && news.settled) || new Map();
