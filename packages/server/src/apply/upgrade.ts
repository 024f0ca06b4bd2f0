import { type Fields, type Stamps, canonicalJson } from "@landfall/protocol";
import { type Migrated, type Schema, migrateFieldName, migrateFields } from "@landfall/schema";
import type { Core } from "../core.js";
import type {
  LookupEntry,
  SpaceState,
  SpaceTransaction,
  StoredRecord,
  WriterState,
} from "../storage/port.js";
import { lookupValue } from "./domain-rules.js";
import { SpaceBatch } from "./space-batch.js";
import type { EventScope } from "./working-set.js";

/** Rows that are brought over at a time. */
const pageRows = 500;

/** Whether the rows of a space, or its lookups, were made under another schema than the server has now; never where that is the older one. */
export function needsUpgrade(core: Core, state: SpaceState): boolean {
  if (!core.schema || state.schema > core.schema.version) return false;
  return state.schema < core.schema.version || state.lookups !== core.lookupDeclaration;
}

/**
 * Brings a space to the server's schema in one transaction: rows that a migration changes get a new version,
 * all of them the same one, so that every client fetches them (DESIGN §5.2); lookups are built anew. A row
 * that a migration fails on stays as it is, and is logged.
 */
export async function upgradeSpace(core: Core, transaction: SpaceTransaction): Promise<void> {
  const opened = await transaction.open("server", "");
  const { schema } = core;
  if (!opened || !schema || !needsUpgrade(core, opened.state)) return;
  const batch = new SpaceBatch(core, transaction, opened);
  const scope = batch.beginOwn();
  const changed: string[] = [];
  await transaction.save({ writer: opened.writer ?? serverWriter(scope.modifiedAt) });
  await transaction.clearLookups();
  for (const { domain } of opened.domains) {
    if (
      schema.domain(domain) &&
      (await bringDomain(core, transaction, batch, scope, { schema, domain, version: opened.state.schema }))
    )
      changed.push(domain);
  }
  if (changed.length > 0) batch.acceptOutside(scope, changed);
  await batch.save({ schema: schema.version });
}

/** The writer of what the server itself writes. */
export function serverWriter(seenAt: number): WriterState {
  return {
    device: "server",
    user: "",
    lastSeq: 0,
    acked: 0,
    expired: 0,
    rejectedCreates: [],
    seenAt,
    cursor: 0,
  };
}

interface Bringing {
  readonly schema: Schema;
  readonly domain: string;
  /** The schema version that the rows are in; 0 where nobody has said, and nothing is migrated. */
  readonly version: number;
}

/** @returns whether any row has changed. */
async function bringDomain(
  core: Core,
  transaction: SpaceTransaction,
  batch: SpaceBatch,
  scope: EventScope,
  bringing: Bringing,
): Promise<boolean> {
  const { domain } = bringing;
  let hasChanged = false;
  let afterKey = "";
  for (;;) {
    const rows = await transaction.scan({ domain, afterKey, limit: pageRows });
    const last = rows.at(-1);
    if (!last) return hasChanged;
    afterKey = last.key;
    const records: StoredRecord[] = [];
    const lookupsAdded: LookupEntry[] = [];
    for (const row of rows) {
      const brought = bringRow(core, scope, row, bringing);
      if (brought !== row) {
        records.push(brought);
        batch.moveDigest(row, brought);
      }
      const fields = JSON.parse(brought.fields as string) as Fields;
      for (const lookup of core.rules.of(domain).lookups) {
        const value = lookupValue(lookup, fields);
        if (value !== undefined) lookupsAdded.push({ domain, key: row.key, name: lookup.name, value });
      }
    }
    hasChanged ||= records.length > 0;
    await transaction.save({ records, lookupsAdded });
  }
}

/** The row under the new schema, or the same row where nothing of it changes. */
function bringRow(
  core: Core,
  scope: EventScope,
  row: StoredRecord,
  { schema, domain, version }: Bringing,
): StoredRecord {
  if (version === 0 || version === schema.version) return row;
  const fields = migrateFields(schema, version, domain, JSON.parse(row.fields as string) as Fields);
  const stamps = fields.ok
    ? migrateStamps(schema, version, domain, JSON.parse(row.stamps as string) as Stamps)
    : fields;
  if (!fields.ok || !stamps.ok) {
    core.logger.error("a row could not be migrated and stays as it is", {
      domain,
      key: row.key,
      version,
      why: fields.ok ? stamps : fields,
    });
    return row;
  }
  const brought = { fields: canonicalJson(fields.value), stamps: canonicalJson(stamps.value) };
  if (brought.fields === row.fields && brought.stamps === row.stamps) return row;
  return { ...row, ...brought, version: scope.index, modifiedAt: scope.modifiedAt };
}

/** Stamps go with their fields: to the new name, or away. */
function migrateStamps(schema: Schema, version: number, domain: string, stamps: Stamps): Migrated<Stamps> {
  const brought: Record<string, string> = {};
  for (const [field, stamp] of Object.entries(stamps)) {
    const name =
      field === "*" ? { ok: true as const, value: field } : migrateFieldName(schema, version, domain, field);
    if (!name.ok) return name;
    if (name.value !== undefined) brought[name.value] = stamp;
  }
  return { ok: true, value: brought };
}
