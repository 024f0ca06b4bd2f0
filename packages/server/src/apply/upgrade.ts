import { type Fields, type Stamps, canonicalJson } from "@landfall/protocol";
import { type Schema, describeIssues, migrateRecord } from "@landfall/schema";
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

/** Rows that one transaction brings over: some tens of milliseconds that other spaces may have to wait. */
const batchRows = 500;

/** Whether the rows of a space, or its lookups, were made under another schema than the server has now; never where that is the older one. */
export function needsUpgrade(core: Core, state: SpaceState): boolean {
  if (!core.schema || state.schema > core.schema.version) return false;
  return state.schema < core.schema.version || state.lookups !== core.lookupDeclaration;
}

/** How far an upgrade has come; it stands in the place of what the lookups were built from, since they are not whole. */
interface Progress {
  /** The schema version that the rows were in before; 0 where nobody has said, and nothing is migrated. */
  readonly from: number;
  /** Rows above an index were brought to a version: by this upgrade, and by those before it that did not come to their end. */
  readonly steps: readonly (readonly [above: number, version: number])[];
  readonly declaration: string;
  /** All domains before this one are done, and its own keys up to `afterKey`. */
  readonly domain: string;
  readonly afterKey: string;
}

const mark = '{"upgrading":{';
const progressText = (progress: Progress): string => JSON.stringify({ upgrading: progress });

/** The upgrade that a space is in the middle of. Until it ends nobody reads or writes the space. */
export function upgradeUnderWay(state: SpaceState): Progress | undefined {
  if (!state.lookups.startsWith(mark)) return undefined;
  return (JSON.parse(state.lookups) as { readonly upgrading: Progress }).upgrading;
}

/** Goes on with the upgrade that is under way, or begins one: anew where it was under way to something else. */
function nextProgress(core: Core, schema: Schema, state: SpaceState): Progress & { readonly isNew: boolean } {
  const before = upgradeUnderWay(state);
  const declaration = core.lookupDeclaration;
  if (before?.declaration === declaration && before.steps.at(-1)?.[1] === schema.version)
    return { ...before, isNew: false };
  const steps = [...(before?.steps ?? []), [state.head, schema.version] as const];
  return { from: before?.from ?? state.schema, steps, declaration, domain: "", afterKey: "", isNew: true };
}

/**
 * Brings a space a step nearer to the server's schema, in a transaction of its own; whoever needs the space calls it
 * until `needsUpgrade` says that it is there. Rows that a migration changes get a new version, one for each step, so
 * that every client fetches them (DESIGN §5.2); lookups are built anew. A row that a migration fails on stays as it
 * is, and is logged.
 */
export async function upgradeSpace(core: Core, space: string, transaction: SpaceTransaction): Promise<void> {
  const opened = await transaction.open("server", "");
  const { schema } = core;
  if (!opened || !schema || !needsUpgrade(core, opened.state)) return;
  const { isNew, ...progress } = nextProgress(core, schema, opened.state);
  const batch = new SpaceBatch(core, transaction, opened);
  const scope = batch.beginOwn();
  const changed: string[] = [];
  await transaction.save({ writer: opened.writer ?? serverWriter(scope.modifiedAt) });
  if (isNew) await transaction.clearLookups();
  // Rows of a domain that is gone, or is kept on devices alone now, stay as they are.
  const domains = opened.domains
    .map(({ domain }) => domain)
    .filter((name) => schema.domain(name)?.local === false);
  let left = batchRows;
  let rest: Progress | undefined;
  for (const domain of domains.toSorted().filter((name) => name >= progress.domain)) {
    const afterKey = domain === progress.domain ? progress.afterKey : "";
    const bringing = { schema, space, domain, progress, afterKey, limit: left };
    const part = await bringPart(core, transaction, batch, scope, bringing);
    if (part.hasChanged) changed.push(domain);
    left -= part.rows;
    if (left > 0) continue;
    rest = { ...progress, domain, afterKey: part.lastKey };
    break;
  }
  if (changed.length > 0) batch.acceptOutside(scope, changed);
  await batch.save({ schema: schema.version, ...(rest && { lookups: progressText(rest) }) });
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
  readonly space: string;
  readonly domain: string;
  readonly progress: Progress;
  readonly afterKey: string;
  readonly limit: number;
}

/** Brings the next rows of a domain over, by key. */
async function bringPart(
  core: Core,
  transaction: SpaceTransaction,
  batch: SpaceBatch,
  scope: EventScope,
  bringing: Bringing,
): Promise<{ readonly rows: number; readonly lastKey: string; readonly hasChanged: boolean }> {
  const { schema, space, domain, afterKey, limit } = bringing;
  const rows = await transaction.scan({ domain, afterKey, limit });
  const records: StoredRecord[] = [];
  const lookupsAdded: LookupEntry[] = [];
  const wrong: { readonly key: string; readonly why: string }[] = [];
  for (const row of rows) {
    const brought = bringRow(core, scope, row, bringing);
    if (brought !== row) {
      records.push(brought);
      batch.moveDigest(row, brought);
    }
    const fields = JSON.parse(brought.fields as string) as Fields;
    const held = isOlder(row, bringing) ? schema.domain(domain)?.validate(fields) : undefined;
    if (held?.ok === false) wrong.push({ key: row.key, why: describeIssues(held.issues) });
    for (const lookup of core.rules.of(domain).lookups) {
      const value = lookupValue(lookup, fields);
      if (value !== undefined) lookupsAdded.push({ domain, key: row.key, name: lookup.name, value });
    }
  }
  await transaction.save({ records, lookupsAdded });
  if (wrong.length > 0)
    core.logger.warn(
      "records do not hold under the schema that they were brought to: see whether a migration is missing or misspelt",
      { space, domain, version: schema.version, records: wrong.length, ...wrong[0] },
    );
  return { rows: rows.length, lastKey: rows.at(-1)?.key ?? afterKey, hasChanged: records.length > 0 };
}

/** The schema version that a row is in: that of the last upgrade that has brought it, or that of before. */
function versionOf(row: StoredRecord, { from, steps }: Progress): number {
  return steps.findLast(([above]) => row.version > above)?.[1] ?? from;
}

/** Whether a row was made under a version before the schema's; where nobody has said under which, that is not known. */
function isOlder(row: StoredRecord, { schema, progress }: Bringing): boolean {
  const version = versionOf(row, progress);
  return version !== 0 && version !== schema.version;
}

/** The row under the new schema, or the same row where nothing of it changes. */
function bringRow(core: Core, scope: EventScope, row: StoredRecord, bringing: Bringing): StoredRecord {
  const { schema, space, domain, progress } = bringing;
  const version = versionOf(row, progress);
  if (!isOlder(row, bringing)) return row;
  const migrated = migrateRecord(schema, version, domain, {
    fields: JSON.parse(row.fields as string) as Fields,
    stamps: JSON.parse(row.stamps as string) as Stamps,
  });
  if (!migrated.ok) {
    core.logger.error("a row could not be migrated and stays as it is", {
      space,
      domain,
      key: row.key,
      version,
      why: migrated,
    });
    return row;
  }
  const brought = {
    fields: canonicalJson(migrated.value.fields),
    stamps: canonicalJson(migrated.value.stamps),
  };
  if (brought.fields === row.fields && brought.stamps === row.stamps) return row;
  return { ...row, ...brought, version: scope.index, modifiedAt: scope.modifiedAt };
}
