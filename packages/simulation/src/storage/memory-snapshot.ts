import type {
  FoundSpace,
  GenerationStart,
  MemberState,
  Page,
  PageRequest,
  PageRow,
  Snapshot,
  SpaceContents,
  StoredRecord,
  WriterState,
} from "@landfall/server/storage/port";
import type { ServerStore } from "./server-store.js";
import { SpaceTables } from "./space-tables.js";

function toRow(record: StoredRecord, keysOnly: boolean): PageRow {
  const { domain, key, version, modifiedAt, fields, stamps } = record;
  const place = `{"domain":"${domain}","key":"${key}","version":${version},"modifiedAt":${modifiedAt}`;
  const rest = keysOnly ? "}" : `,"fields":${fields},"stamps":${stamps}}`;
  const text = place + (fields === undefined ? ',"deleted":true}' : rest);
  return { domain, key, version, modifiedAt, text };
}

/** Reads of one moment; whoever makes it sees to it that the tables stay as they were then. */
export class MemorySnapshot implements Snapshot {
  constructor(
    private readonly store: ServerStore,
    private readonly tablesOf: (space: string) => SpaceTables | undefined,
  ) {}

  space(space: string, user: string, device = ""): FoundSpace | undefined {
    return this.tablesOf(space)?.found(user, device);
  }

  writer(space: string, generation: string, device: string, user: string): WriterState | undefined {
    return this.tablesOf(space)?.writer({ generation, device, user });
  }

  writers(space: string, generation: string): readonly WriterState[] {
    return this.tablesOf(space)?.writerList(generation) ?? [];
  }

  generations(space: string): readonly GenerationStart[] {
    return this.tablesOf(space)?.generations.toReversed() ?? [];
  }

  members(space: string): readonly MemberState[] {
    return this.tablesOf(space)?.memberList() ?? [];
  }

  memberships(user: string): ReturnType<Snapshot["memberships"]> {
    return this.spaces().flatMap((space) => {
      const { state, members } = this.tablesOf(space) as SpaceTables;
      const role = members.get(user)?.role;
      if (!state || !role) return [];
      const present = [...members.values()].filter((member) => member.role !== undefined);
      return [{ space, role, state, members: present.length }];
    });
  }

  spaces(): readonly string[] {
    return [...this.store.spaces.keys()].filter((space) => this.tablesOf(space)?.state).sort();
  }

  versionAt(space: string, domain: string, modifiedAt: number): number {
    return this.tablesOf(space)?.records(domain).versionAt(modifiedAt) ?? 0;
  }

  tombstones(space: string, domain: string, limit: number): ReturnType<Snapshot["tombstones"]> {
    const oldest = this.tablesOf(space)?.records(domain).tombstones(Infinity, limit) ?? [];
    return oldest.map(({ version, modifiedAt }) => ({ version, modifiedAt }));
  }

  contents(space: string): SpaceContents {
    // Each part is taken from the tables when it is asked for, since they may have been put aside meanwhile.
    const contents = (): SpaceContents => (this.tablesOf(space) ?? new SpaceTables()).contents();
    return {
      writers: contents().writers,
      records: () => contents().records(),
      lookups: () => contents().lookups(),
      outcomes: () => contents().outcomes(),
      events: () => contents().events(),
    };
  }

  rows(space: string, domain: string, keys: readonly string[], keysOnly: boolean): readonly PageRow[] {
    const records = this.tablesOf(space)?.records(domain);
    return keys
      .flatMap((key) => records?.byKey.get(key) ?? [])
      .sort((x, y) => x.version - y.version)
      .map((record) => toRow(record, keysOnly));
  }

  page({ space, domains, limit, maxBytes, keysOnly = false }: PageRequest): Page {
    const tables = this.tablesOf(space);
    if (!tables) return { rows: [], more: false };
    const rows: PageRow[] = [];
    let bytes = 0;
    for (const record of inVersionOrder(tables, domains)) {
      // One version may touch many rows: a page goes on to its end, or a client would believe that it has all of it.
      const isFull = rows.length >= limit || bytes > maxBytes;
      if (isFull && record.version !== rows.at(-1)?.version) return { rows, more: true };
      const row = toRow(record, keysOnly);
      rows.push(row);
      bytes += row.text.length;
    }
    return { rows, more: false };
  }
}

/** The records of several domains as one list; those of one version in the order in which the domains are named. */
function* inVersionOrder(tables: SpaceTables, domains: PageRequest["domains"]): Iterable<StoredRecord> {
  const walks = domains.map(({ domain, after }) => tables.records(domain).after(after)[Symbol.iterator]());
  const heads = walks.map((walk) => walk.next());
  for (;;) {
    let first = -1;
    for (const [i, { done, value }] of heads.entries()) {
      const best = heads[first]?.value as StoredRecord | undefined;
      if (done !== true && (!best || value.version < best.version)) first = i;
    }
    if (first < 0) return;
    yield (heads[first] as IteratorResult<StoredRecord>).value as StoredRecord;
    heads[first] = (walks[first] as Iterator<StoredRecord>).next();
  }
}
