import type { StoredRecord } from "@landfall/server/storage/port";

/**
 * The records and tombstones of one domain, by key and in the order of their versions.
 *
 * A record that is replaced stays in the order until the next tidying, and is left out by comparing it with what
 * its key has now. So a change costs what it touches, and undoing changes backwards restores exactly what was.
 */
export class DomainRecords {
  readonly byKey = new Map<string, StoredRecord>();
  #order: StoredRecord[] = [];

  clone(): DomainRecords {
    const copy = new DomainRecords();
    for (const [key, record] of this.byKey) copy.byKey.set(key, record);
    copy.#order = [...this.#order];
    return copy;
  }

  /** @returns the place in the order, which `unput` needs. */
  put(record: StoredRecord): number {
    this.byKey.set(record.key, record);
    const at = this.#firstAfter(record.version);
    if (at === this.#order.length) this.#order.push(record);
    else this.#order.splice(at, 0, record);
    return at;
  }

  /** Undoes the newest `put` or `remove` that is not undone yet. */
  unput(key: string, before: StoredRecord | undefined, at: number | undefined): void {
    if (at !== undefined) this.#order.splice(at, 1);
    if (before) this.byKey.set(key, before);
    else this.byKey.delete(key);
  }

  /** Takes a record out; it stays in the order, where nothing finds it any more. */
  remove(key: string): void {
    this.byKey.delete(key);
  }

  /** The records of higher versions, in version order. */
  *after(version: number): Iterable<StoredRecord> {
    for (let i = this.#firstAfter(version); i < this.#order.length; i++) {
      const record = this.#order[i] as StoredRecord;
      if (this.byKey.get(record.key) === record) yield record;
    }
  }

  /** Tombstones up to a version, the oldest first. */
  tombstones(upTo: number, limit: number): StoredRecord[] {
    const found: StoredRecord[] = [];
    for (const record of this.after(0)) {
      if (found.length >= limit || record.version > upTo) break;
      if (record.fields === undefined) found.push(record);
    }
    return found;
  }

  /** The newest version at or before a time. Times rise with versions. */
  versionAt(modifiedAt: number): number {
    for (let i = this.#order.length - 1; i >= 0; i--) {
      const record = this.#order[i] as StoredRecord;
      if (record.modifiedAt <= modifiedAt && this.byKey.get(record.key) === record) return record.version;
    }
    return 0;
  }

  /** Drops from the order what is not there any more, if that is much. Only between transactions. */
  tidy(): void {
    if (this.#order.length <= 2 * this.byKey.size + 16) return;
    this.#order = this.#order.filter((record) => this.byKey.get(record.key) === record);
  }

  #firstAfter(version: number): number {
    const order = this.#order;
    const last = order.length - 1;
    if (last < 0 || (order[last] as StoredRecord).version <= version) return order.length;
    let low = 0;
    let high = last;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((order[middle] as StoredRecord).version <= version) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
