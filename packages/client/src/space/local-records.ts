import type { RecordRow } from "@landfall/protocol";
import { type Schema, migrateRecord } from "@landfall/schema";
import { type RowId, rowId } from "../replica/effects.js";
import { WriteError } from "./domain-writes.js";
import type { SpaceSession } from "./space-session.js";

/** A record of a local domain, which says the schema version that it is in: tabs of several versions write side by side. */
export type LocalRecord = RecordRow & { readonly schema: number };

/** A record of a local domain as it is now; without a version it is gone. */
export type LocalRow = LocalRecord | { readonly domain: string; readonly key: string };

/** Records of local domains as they are under the app's schema. */
export interface MigratedLocal {
  readonly shown: readonly LocalRecord[];
  /** What an app of a newer version wrote; it stays as it is, and does not show. */
  readonly newer: readonly LocalRecord[];
  /** What could not be brought over shows and stays as it is. */
  readonly failed: readonly { readonly record: LocalRecord; readonly message: string }[];
}

/** Brings records to the schema's version: no server ever does (DESIGN rule 1). Pure. */
export function migrateLocal(schema: Schema, records: readonly LocalRecord[]): MigratedLocal {
  const shown: LocalRecord[] = [];
  const newer: LocalRecord[] = [];
  const failed: { record: LocalRecord; message: string }[] = [];
  for (const record of records) {
    if (record.schema > schema.version) newer.push(record);
    else if (record.schema === schema.version) shown.push(record);
    else {
      const migrated = migrateRecord(schema, record.schema, record.domain, record);
      if (!migrated.ok) failed.push({ record, message: migrated.message });
      shown.push(migrated.ok ? { ...record, ...migrated.value } : record);
    }
  }
  return { shown, newer, failed };
}

/**
 * The records of the local domains of an open space. One of an older version stays stored as it is until it is written,
 * as confirmed rows do: tabs that open at once would otherwise write over what the others write meanwhile. Keys under which
 * a newer app has written an older one leaves alone.
 */
export class LocalRecords {
  readonly #session: SpaceSession;
  readonly #newer = new Set<RowId>();

  constructor(session: SpaceSession) {
    this.#session = session;
  }

  /** Shows what another account has in place of what is shown: nothing of one may be seen by the next. */
  replace(stored: readonly LocalRecord[]): void {
    const { context, replica } = this.#session;
    replica.patchLocal(
      context.localDomains.flatMap((domain) =>
        [...replica.baseRows(domain).keys()].map((key) => ({ domain, key })),
      ),
    );
    this.#newer.clear();
    this.show(stored);
  }

  /** Shows what another tab has written. */
  hear(rows: readonly LocalRow[]): void {
    const gone = rows.filter((row) => !("version" in row));
    for (const { domain, key } of gone) this.#newer.delete(rowId(domain, key));
    this.#session.replica.patchLocal(gone);
    this.show(rows.filter((row) => "version" in row));
  }

  /** @throws WriteError where an app of a newer version has written the record. */
  check(domain: string, key: string): void {
    if (this.#newer.has(rowId(domain, key)))
      throw new WriteError(
        "schema_outdated",
        `${domain} ${key} was written by a newer version of the app. Update this one; the record is kept.`,
      );
  }

  /** Shows what is stored. */
  show(records: readonly LocalRecord[]): void {
    const { space, context, replica } = this.#session;
    const { shown, newer, failed } = context.migrateLocal(records);
    for (const { domain, key } of shown) this.#newer.delete(rowId(domain, key));
    for (const { domain, key } of newer) this.#newer.add(rowId(domain, key));
    for (const { record, message } of failed)
      context.report("not_migrated", `${space}: ${record.domain} ${record.key} stays as it is. ${message}`);
    if (newer.length > 0)
      context.report(
        "newer_records",
        `${space}: ${newer.length} records of this device were written by a newer version of the app, and do not show in this one. They are kept; update the app.`,
      );
    replica.patchLocal([...newer.map(({ domain, key }) => ({ domain, key })), ...shown]);
  }
}
