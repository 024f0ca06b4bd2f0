import type { Row } from "@landfall/protocol";
import type { Cut, RowsSchema } from "../replica/cut.js";
import type { PendingEvent } from "../replica/pending-event.js";
import type { ClientStorage, StorageChange, StorageTable } from "../storage/port.js";
import type { InboxItem } from "./inbox-item.js";
import type { LocalRecord } from "./local-records.js";
import type { Settlement } from "./settlement.js";
import { submap } from "../submap.js";

/** What a replica knows of itself beside its rows. */
export interface ReplicaMeta {
  /** Absent until the first contact. */
  readonly generation?: string;
  /** What the rows of base are in; absent where nobody has said. */
  readonly schema?: RowsSchema | undefined;
  readonly cursors: { readonly [domain: string]: number };
  readonly nextSeq: number;
  /** The device that the seqs of this outbox are counted for. */
  readonly device?: string;
  /** Counts the cuts, so that a tab knows when it has missed one. */
  readonly revision: number;
  /** A history was lost: base is being fetched again, and what may be lost of it is kept aside (DESIGN rule 12). */
  readonly recovering?: Aside;
  /** The space is to be created at the first contact. */
  readonly create?: true;
  /** Local time of the last whole sync, in milliseconds. */
  readonly syncedAt?: number;
}

/** What is known of a history that a server has lost. */
export interface Aside {
  /** Of what is above this version it has nothing for sure. */
  readonly at: number;
  /** Whether it has all that is not above; otherwise some of that may be gone too. */
  readonly exact: boolean;
  /** Until when the server takes rows back, in milliseconds of its clock; absent when it does not. */
  readonly until?: number;
}

export const emptyMeta: ReplicaMeta = { cursors: {}, nextSeq: 1, revision: 0 };

/** Everything that is stored of a space. */
export interface StoredSpace {
  /** `emptyMeta` itself where the storage does not know the space. */
  readonly meta: ReplicaMeta;
  readonly rows: Map<string, Map<string, Row>>;
  readonly local: readonly LocalRecord[];
  readonly outbox: readonly PendingEvent[];
  readonly inbox: readonly InboxItem[];
}

const replicaName = "replica";

export const loadMeta = (storage: ClientStorage, space: string): Promise<ReplicaMeta | undefined> =>
  storage.get("meta", space, replicaName) as Promise<ReplicaMeta | undefined>;

/**
 * Reads a space as it stands at one moment: another tab may store a cut at any time.
 * @param hasBase whether the rows are held already, and need not be read.
 */
export async function loadSpace(
  storage: ClientStorage,
  space: string,
  hasBase = false,
): Promise<StoredSpace> {
  const tables: StorageTable[] = ["meta", "local", "outbox", "inbox"];
  if (!hasBase) tables.push("rows");
  const [meta = [], local = [], outbox = [], inbox = [], rows = []] = await storage.snapshot(tables, space);
  return {
    meta: (meta.find(({ a }) => a === replicaName)?.value as ReplicaMeta | undefined) ?? emptyMeta,
    rows: byDomain(rows),
    local: local.map((entry) => entry.value as LocalRecord),
    outbox: outbox.map((entry) => entry.value as PendingEvent),
    inbox: inbox.map((entry) => entry.value as InboxItem),
  };
}

function byDomain(
  entries: readonly { readonly a: string; readonly b: string; readonly value: unknown }[],
): Map<string, Map<string, Row>> {
  const domains = new Map<string, Map<string, Row>>();
  for (const { a, b, value } of entries) submap(domains, a).set(b, value as Row);
  return domains;
}

export const putEntry = (
  table: StorageTable,
  space: string,
  a: string,
  b: string,
  value: unknown,
): StorageChange => ({
  type: "put",
  table,
  space,
  a,
  b,
  value,
});
const dropEntry = (table: StorageTable, space: string, a: string, b = ""): StorageChange => ({
  type: "delete",
  table,
  space,
  a,
  b,
});

/** An entry of the account, and of no space. */
export const putAccount = (a: string, value: unknown, table: StorageTable = "meta"): StorageChange =>
  putEntry(table, "", a, "", value);
export const putMeta = (space: string, value: ReplicaMeta): StorageChange =>
  putEntry("meta", space, replicaName, "", value);
export const putEvent = (space: string, event: PendingEvent): StorageChange =>
  putEntry("outbox", space, event.id, "", event);
export const dropEvent = (space: string, id: string): StorageChange => dropEntry("outbox", space, id);
export const putItem = (space: string, item: InboxItem): StorageChange =>
  putEntry("inbox", space, item.id, "", item);
export const dropItem = (space: string, id: string): StorageChange => dropEntry("inbox", space, id);
export const putLocal = (space: string, row: LocalRecord): StorageChange =>
  putEntry("local", space, row.domain, row.key, row);
export const dropLocal = (space: string, domain: string, key: string): StorageChange =>
  dropEntry("local", space, domain, key);

/** A cut and what it settles, as changes of the storage. */
export function cutChanges(
  space: string,
  { reset, rows, gone }: Cut,
  { settled, changed, made = [], items }: Settlement,
): StorageChange[] {
  const changes: StorageChange[] = [];
  for (const a of reset) changes.push({ type: "clear", table: "rows", space, a });
  for (const [a, values] of rows) changes.push({ type: "putAll", table: "rows", space, a, values });
  for (const [a, keys] of gone ?? []) for (const key of keys) changes.push(dropEntry("rows", space, a, key));
  for (const id of settled.keys()) changes.push(dropEvent(space, id));
  for (const event of changed) changes.push(putEvent(space, event));
  for (const event of made) changes.push(putEvent(space, event));
  for (const item of items) changes.push(putItem(space, item));
  return changes;
}
