import type { RecordRow, Row } from "@landfall/protocol";
import { type Schema, migrateRecord } from "@landfall/schema";
import { type RowId, rowId } from "../replica/effects.js";
import { submap } from "../submap.js";
import { differingRows } from "./base-patch.js";
import { WriteError } from "./domain-writes.js";
import type { SpaceSession } from "./space-session.js";
import { dropLocal, putLocal } from "./space-store.js";

/** A record of a local domain, which says the schema version that it is in: tabs of several versions write side by side. */
export type LocalRecord = RecordRow & { readonly schema: number };

/** A record of a local domain as it is now; without a version it is gone. */
export type LocalRow = LocalRecord | { readonly domain: string; readonly key: string };

const idOf = ({ domain, key }: LocalRow): RowId => rowId(domain, key);

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

/** Of a write that the storage has refused: it goes on showing until somebody stores another. */
const unstored = Promise.resolve();

/**
 * The records of the local domains of an open space. One of an older version stays stored as it is until it is written,
 * as confirmed rows do: tabs that open at once would otherwise write over what the others write meanwhile. Keys under which
 * a newer app has written an older one leaves alone.
 */
export class LocalRecords {
  readonly #session: SpaceSession;
  #newer = new Set<RowId>();
  /** Records of which was said already that they do not show as they should. */
  readonly #told = new Set<RowId>();
  /** Own writes that the storage has not, or had not when the reading began that is under way. */
  readonly #own = new Map<RowId, Promise<void>>();
  #reading: Promise<unknown> | undefined;
  /** What other tabs have told and was not taken in yet. */
  readonly #heard = new Map<RowId, LocalRow>();

  constructor(session: SpaceSession) {
    this.#session = session;
  }

  /** Writes records as they are to be. Resolves when they are stored. @throws StorageError */
  write(rows: readonly LocalRow[]): Promise<void> {
    const { space, context, replica } = this.#session;
    replica.patchLocal(rows);
    const stored = this.#session.save(
      ...rows.map((row) => ("version" in row ? putLocal(space, row) : dropLocal(space, row.domain, row.key))),
    );
    const mine = rows.map(idOf);
    const isNewest = (id: RowId): boolean => this.#own.get(id) === stored;
    for (const id of mine) this.#own.set(id, stored);
    stored.then(
      async () => {
        context.publish(space, { type: "local", rows });
        await this.#reading;
        for (const id of mine.filter(isNewest)) this.#own.delete(id);
        if (this.#heard.size > 0) await this.#session.exclusively(() => this.takeIn());
      },
      () => mine.filter(isNewest).forEach((id) => this.#own.set(id, unstored)),
    );
    return stored;
  }

  /** Takes note of a reading of the storage, which may lack what is written meanwhile. */
  read<T>(reading: Promise<T>): Promise<T> {
    this.#reading = reading.catch(() => undefined);
    return reading;
  }

  /** Shows what was read in place of what is shown. @param isOtherAccount nothing of one may be seen by the next. */
  replace(stored: readonly LocalRecord[], isOtherAccount = false): void {
    const { context, replica } = this.#session;
    if (isOtherAccount) {
      this.#own.clear();
      this.#heard.clear();
    }
    this.#newer = new Set();
    const rows = new Map<string, Map<string, Row>>();
    for (const row of this.#readable(stored)) submap(rows, row.domain).set(row.key, row);
    replica.patchLocal(
      context.localDomains.flatMap((domain) =>
        [...differingRows(replica.baseRows(domain), rows.get(domain))].flatMap(([key, row]) =>
          this.#own.has(rowId(domain, key)) ? [] : [row ?? { domain, key }],
        ),
      ),
    );
  }

  /** Another tab has written these. */
  hear(told: readonly LocalRow[]): void {
    for (const row of told) {
      // A tab of another version may keep to itself what this one shares.
      if (!this.#isLocal(row)) continue;
      const id = idOf(row);
      this.#heard.set(id, row);
      if (this.#own.get(id) === unstored) this.#own.delete(id);
    }
  }

  /**
   * Shows what other tabs have told, as it is stored: of writes that cross, what is told may come in another order. What is
   * written here meanwhile shows until it is stored, and is looked at then.
   */
  async takeIn(): Promise<void> {
    const { space, context, replica } = this.#session;
    const { storage } = context;
    const heard = [...this.#heard];
    this.#heard.clear();
    if (heard.length === 0) return;
    const reading = Promise.all(
      heard.map(
        ([, { domain, key }]) => storage.get("local", space, domain, key) as Promise<LocalRow | undefined>,
      ),
    );
    // Of a storage that cannot be read, at least what was told of it shows.
    const stored = await this.read(reading.catch(() => heard.map(([, row]) => row)));
    if (storage !== context.storage) return;
    const gone: LocalRow[] = [];
    const found: LocalRecord[] = [];
    for (const [i, [id, row]] of heard.entries()) {
      const own = this.#own.get(id);
      const now = stored[i];
      if (own && own !== unstored) this.#heard.set(id, row);
      if (own) continue;
      this.#newer.delete(id);
      gone.push({ domain: row.domain, key: row.key });
      if (now && "version" in now) found.push(now);
    }
    replica.patchLocal([...gone, ...this.#readable(found)]);
  }

  /** @throws WriteError where an app of a newer version has written the record. */
  check(domain: string, key: string): void {
    if (this.#newer.has(rowId(domain, key)))
      throw new WriteError(
        "schema_outdated",
        `${domain} ${key} was written by a newer version of the app. Update this one; the record is kept.`,
      );
  }

  /** Those of what is stored that this app can show, as it does. */
  #readable(records: readonly LocalRecord[]): readonly LocalRecord[] {
    const { space, context } = this.#session;
    this.#session.observe(records);
    const { shown, newer, failed } = context.migrateLocal(records);
    const isNews = (record: LocalRecord): boolean => {
      const isTold = this.#told.has(idOf(record));
      this.#told.add(idOf(record));
      return !isTold;
    };
    for (const { record, message } of failed)
      if (isNews(record))
        context.report("not_migrated", `${space}: ${record.domain} ${record.key} stays as it is. ${message}`);
    for (const record of newer) this.#newer.add(idOf(record));
    const count = newer.filter(isNews).length;
    if (count > 0)
      context.report(
        "newer_records",
        `${space}: ${count} records of this device were written by a newer version of the app, and do not show in this one. They are kept; update the app.`,
      );
    const others = new Set(
      shown
        .filter((record) => context.domains.includes(record.domain) && isNews(record))
        .map(({ domain }) => domain),
    );
    for (const domain of others)
      context.report(
        "not_migrated",
        `${space}: ${domain} is local no more. What this device has of its own in it is kept, and does not show.`,
      );
    return shown.filter((record) => this.#isLocal(record));
  }

  #isLocal({ domain }: LocalRow): boolean {
    return this.#session.context.localDomains.includes(domain);
  }
}
