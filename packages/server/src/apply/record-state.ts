import { type Fields, type MergeState, type Stamps, canonicalJson } from "@landfall/protocol";
import type { StoredRecord } from "../storage/port.js";

/** What `canonicalJson` gives: names of fields and stamps need no escaping, and most records have the create stamp alone. */
function stampsJson(stamps: Stamps): string {
  const names = Object.keys(stamps).sort();
  return `{${names.map((name) => `"${name}":"${stamps[name]}"`).join(",")}}`;
}

/**
 * A record or tombstone at one version. Its content is kept as text, as an object, or as both: parsed only
 * when something merges with it, written only when it is stored.
 */
export class RecordState {
  #merge: MergeState | undefined;
  #fieldsText: string | undefined;
  #stampsText: string | undefined;

  private constructor(
    readonly version: number,
    readonly modifiedAt: number,
    readonly createdAt: number,
    readonly deleted: boolean,
  ) {}

  static stored(row: StoredRecord): RecordState {
    const state = new RecordState(row.version, row.modifiedAt, row.createdAt, row.fields === undefined);
    state.#fieldsText = row.fields;
    state.#stampsText = row.stamps;
    return state;
  }

  static merged(merge: MergeState, version: number, modifiedAt: number, createdAt: number): RecordState {
    const state = new RecordState(version, modifiedAt, createdAt, merge.deleted === true);
    state.#merge = merge;
    return state;
  }

  /** The same content at a later version: what a change of a detail does to its master. */
  touched(version: number, modifiedAt: number): RecordState {
    const state = new RecordState(version, modifiedAt, this.createdAt, this.deleted);
    state.#merge = this.#merge;
    state.#fieldsText = this.#fieldsText;
    state.#stampsText = this.#stampsText;
    return state;
  }

  get merge(): MergeState {
    return (this.#merge ??= this.deleted
      ? { deleted: true }
      : {
          fields: JSON.parse(this.#fieldsText as string) as Fields,
          stamps: JSON.parse(this.#stampsText as string) as Stamps,
        });
  }

  /** The fields of a live record; undefined for a tombstone. */
  get fields(): Fields | undefined {
    return this.merge.deleted ? undefined : this.merge.fields;
  }

  /** Canonical JSON (RFC 8785) of a live record's fields. */
  get fieldsText(): string {
    return (this.#fieldsText ??= canonicalJson(this.fields ?? {}));
  }

  get stampsText(): string {
    return (this.#stampsText ??= this.merge.deleted ? "{}" : stampsJson(this.merge.stamps));
  }

  toStored(domain: string, key: string): StoredRecord {
    const { version, modifiedAt, createdAt } = this;
    if (this.deleted)
      return { domain, key, version, modifiedAt, createdAt, fields: undefined, stamps: undefined };
    return { domain, key, version, modifiedAt, createdAt, fields: this.fieldsText, stamps: this.stampsText };
  }

  /** The row as wire JSON (DESIGN §5.3); identifiers need no escaping. */
  toWire(domain: string, key: string): string {
    const head = `{"domain":"${domain}","key":"${key}","version":${this.version},"modifiedAt":${this.modifiedAt}`;
    return this.deleted
      ? `${head},"deleted":true}`
      : `${head},"fields":${this.fieldsText},"stamps":${this.stampsText}}`;
  }
}
