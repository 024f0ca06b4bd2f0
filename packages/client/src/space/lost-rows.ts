import {
  type Fields,
  type Json,
  type OfferOp,
  type RecordRow,
  type Row,
  type Stamp,
  sameJson,
} from "@landfall/protocol";
import type { ReplicaRules } from "../replica/rules.js";
import type { InboxItem } from "./inbox-item.js";
import type { Aside } from "./space-store.js";

/** Rows of base as they were when a server turned out to have lost history. */
export interface KeptAside extends Aside {
  readonly rows: readonly Row[];
}

/** What becomes of what a server lost: some of it is offered back, the rest is for people. */
export interface LostRows {
  /** One for each row, those first that others may refer to. */
  readonly offers: readonly OfferOp[];
  readonly items: readonly InboxItem[];
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

/**
 * Works out what is to be done about rows that were kept aside, now that the server's own have come (DESIGN rule 12).
 *
 * @param rowOf rows as the server has them.
 */
export function recoverRows(
  aside: KeptAside,
  rowOf: (domain: string, key: string) => Row | undefined,
  rules: Pick<ReplicaRules, "domain">,
): LostRows {
  const offers: OfferOp[] = [];
  const items: InboxItem[] = [];
  for (const row of aside.rows) {
    const now = rowOf(row.domain, row.key);
    if (!isLost(row, now, aside)) continue;
    const { offer, isWhole } =
      aside.until === undefined ? { offer: undefined, isWhole: false } : offerOf(row, now, rules);
    if (offer) offers.push(offer);
    if (!isWhole) items.push(lostItem(row));
  }
  return { offers: offers.toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1)), items };
}

/** Records in the order in which they were made, for a detail is newer than its master; deletes after them. */
const orderOf = (op: OfferOp): string =>
  "deletedAt" in op ? `~${op.domain}/${op.key}` : (op.stamps["*"] as Stamp);

interface Offer {
  readonly offer: OfferOp | undefined;
  /** Whether the offer says all that was lost of the row. */
  readonly isWhole: boolean;
}

function offerOf(row: Row, now: Row | undefined, rules: Pick<ReplicaRules, "domain">): Offer {
  const { domain, key } = row;
  if (row.deleted) return { offer: { op: "offer", domain, key, deletedAt: row.modifiedAt }, isWhole: true };
  // Whoever deleted the key since, or gave it to another record, has decided.
  if (now && (now.deleted || now.stamps["*"] !== row.stamps["*"]))
    return { offer: undefined, isWhole: false };
  const { kinds } = rules.domain(domain);
  const kindOf = (field: string): string => kinds(field) ?? "lww";
  return now ? offerFields(row, now, kindOf) : offerRecord(row, kindOf);
}

/** A record that the server does not have at all. Its counters begin anew: an own event that is sent again would count twice. */
function offerRecord({ domain, key, fields, stamps }: RecordRow, kindOf: (field: string) => string): Offer {
  const set: Record<string, Json> = {};
  let isWhole = true;
  for (const [field, value] of Object.entries(fields)) {
    if (kindOf(field) !== "counter") set[field] = value;
    else {
      set[field] = 0;
      isWhole &&= value === 0;
    }
  }
  return { offer: { op: "offer", domain, key, set, stamps }, isWhole };
}

/** The fields that the server has older, of a record that it has; counters and sets have no stamps to tell by. */
function offerFields(row: RecordRow, now: RecordRow, kindOf: (field: string) => string): Offer {
  const created = row.stamps["*"] as Stamp;
  const stampOf = ({ stamps }: RecordRow, field: string): Stamp =>
    (Object.hasOwn(stamps, field) ? stamps[field] : undefined) ?? created;
  const valueOf = ({ fields }: RecordRow, field: string): Json | undefined =>
    Object.hasOwn(fields, field) ? fields[field] : undefined;
  const set: Record<string, Json> = {};
  const stamps: Record<string, Stamp> = { "*": created };
  let isWhole = true;
  for (const field of new Set([...Object.keys(row.fields), ...Object.keys(row.stamps)])) {
    if (field === "*") continue;
    const value = valueOf(row, field);
    if (kindOf(field) !== "lww") isWhole &&= sameJson(value ?? null, valueOf(now, field) ?? null);
    else if (stampOf(row, field) > stampOf(now, field)) {
      stamps[field] = stampOf(row, field);
      if (value !== undefined) set[field] = value;
    } else if (stampOf(row, field) === stampOf(now, field))
      // Without a schema a counter or a set shows itself so.
      isWhole &&= sameJson(value ?? null, valueOf(now, field) ?? null);
  }
  const { domain, key } = row;
  const offer: OfferOp = { op: "offer", domain, key, set, stamps };
  return { offer: Object.keys(stamps).length > 1 ? offer : undefined, isWhole };
}

/** What a person can do with a confirmed row that the server has not. */
export function lostItem(row: Row): InboxItem {
  return {
    ...lostIn(row.domain, row.key, row.deleted ? undefined : row.fields),
    id: `lost~${row.domain}~${row.key}~${row.version}`,
    madeAt: row.modifiedAt,
    reason: "The server does not have this version, though it had confirmed it; it is kept here.",
    row,
  };
}

/** What a person can do with a row that was offered back and not taken. @param id of the event that offered it. */
export function refusedOfferItem(
  op: OfferOp,
  id: string,
  madeAt: number,
  code: string,
  reason: string,
): InboxItem {
  return { ...lostIn(op.domain, op.key, "set" in op ? op.set : undefined), id, madeAt, code, reason };
}

function lostIn(
  domain: string,
  key: string,
  tried: Fields | undefined,
): Pick<InboxItem, "kind" | "domain" | "key" | "tried" | "choices"> {
  return tried
    ? { kind: "lost", domain, key, tried, choices: ["writeAgain", "keepCopy", "dismiss"] }
    : { kind: "lost", domain, key, choices: ["dismiss"] };
}
