import type { BatchTransaction } from "@landfall/server/storage/group-commit";
import type { CommittedEvent } from "@landfall/server/engine-types";
import type {
  GenerationStart,
  KnownEvent,
  LookupEntry,
  MemberState,
  OpenedSpace,
  RecordKey,
  ScanRange,
  SpaceChanges,
  SpaceState,
  StoredOutcome,
  StoredRecord,
} from "@landfall/server/storage/port";
import type { SpaceTables, Undo, WriterKey } from "./space-tables.js";

/** One batch on the tables of its space. */
export class MemoryTransaction implements BatchTransaction {
  readonly published: { readonly generation: string; readonly events: CommittedEvent[] }[] = [];
  #openedAt: number | undefined;
  #savedAt: number | undefined;
  #over = false;
  #failure: { readonly error: unknown } | undefined;
  #generation = "";
  #writer: WriterKey | undefined;

  /** @param checkRoom is asked after every change. @throws when there is no room for it. */
  constructor(
    private readonly tables: SpaceTables,
    private readonly log: Undo[],
    private readonly commitModifiedAt: number | undefined,
    private readonly isLast: boolean,
    private readonly checkRoom: () => void,
  ) {}

  get movedTo(): number | undefined {
    return this.#savedAt === this.#openedAt ? undefined : this.#savedAt;
  }

  end(): void {
    this.#over = true;
    if (this.#failure) throw this.#failure.error;
  }

  open(device: string, user: string): OpenedSpace | undefined {
    return this.#use(() => {
      const found = this.tables.found(user, device);
      if (!found) return undefined;
      const { generation, modifiedAt } = found.state;
      this.#generation = generation;
      this.#openedAt = this.#savedAt = modifiedAt;
      this.#writer = found.writer && { generation, device, user };
      return { ...found, commitModifiedAt: this.commitModifiedAt, isLast: this.isLast };
    });
  }

  records(keys: readonly RecordKey[]): readonly StoredRecord[] {
    return this.#use(() =>
      keys.flatMap(({ domain, key }) => this.tables.records(domain).byKey.get(key) ?? []),
    );
  }

  scan({
    domain,
    upTo = Number.MAX_SAFE_INTEGER,
    afterKey = "",
    limit = Infinity,
  }: ScanRange): readonly StoredRecord[] {
    return this.#use(() =>
      [...this.tables.records(domain).byKey.values()]
        .filter(({ key, version, fields }) => fields !== undefined && key > afterKey && version <= upTo)
        .sort((x, y) => (x.key < y.key ? -1 : 1))
        .slice(0, limit),
    );
  }

  lookup(domain: string, name: string, values: readonly string[]): readonly LookupEntry[] {
    return this.#use(() =>
      values.flatMap((value) =>
        this.tables.lookup(domain, name, value).map((key) => ({ domain, name, value, key })),
      ),
    );
  }

  outcomes(writer: WriterKey, from: number, to: number): readonly StoredOutcome[] {
    return this.#use(() => this.tables.outcomes(writer, from, to));
  }

  knownEvents(ids: readonly string[]): readonly KnownEvent[] {
    return this.#use(() => ids.flatMap((id) => this.tables.event(id) ?? []));
  }

  save(changes: SpaceChanges): void {
    this.#change(() => {
      const { tables, log } = this;
      if (changes.space) this.#saveState(changes.space);
      for (const domain of changes.domains ?? []) tables.setDomain(domain, log);
      if (changes.writer) {
        this.#writer = { ...changes.writer, generation: this.#generation };
        tables.setWriter(this.#generation, changes.writer, log);
      }
      for (const record of changes.records ?? []) {
        this.#known();
        tables.putRecord(record, log);
      }
      for (const entry of changes.lookupsRemoved ?? []) tables.setLookup(entry, false, log);
      for (const entry of changes.lookupsAdded ?? []) tables.setLookup(entry, true, log);
      const { outcomes = [], fresh = [] } = changes.outcomes ?? {};
      if (outcomes.length > 0) tables.addOutcomes(this.#known(), outcomes, log);
      for (const { id, seq, was } of fresh) {
        const { generation, device, user } = this.#known();
        tables.addEvent({ id, generation, device, user, seq, was }, log);
      }
    });
  }

  startGeneration(start: GenerationStart, state: SpaceState, wipe: boolean): void {
    this.#change(() => {
      if (wipe) this.tables.wipe(state.head, this.log);
      this.tables.addGeneration(start, this.log);
      this.#saveState(state);
      this.#generation = start.generation;
      this.#writer = undefined;
    });
  }

  pruneTombstones(domain: string, upTo: number, limit = Infinity): number {
    return this.#use(() => {
      const oldest = this.tables.records(domain).tombstones(upTo, limit);
      for (const { key } of oldest) this.tables.removeRecord({ domain, key }, this.log);
      const state = this.tables.domains.get(domain);
      if (state) this.tables.setDomain({ ...state, horizon: Math.max(state.horizon, upTo) }, this.log);
      return oldest.length;
    });
  }

  clearLookups(): void {
    this.#change(() => this.tables.clearLookups(this.log));
  }

  members(): readonly MemberState[] {
    return this.#use(() => this.tables.memberList());
  }

  saveMember(member: MemberState): void {
    this.#change(() => this.tables.setMember(member, this.log));
  }

  publish(generation: string, events: readonly CommittedEvent[]): void {
    this.published.push({ generation, events: [...events] });
  }

  #change(run: () => void): void {
    this.#use(() => {
      run();
      this.checkRoom();
    });
  }

  /** After one failed call nothing else is done, as after a failed statement of SQLite. */
  #use<T>(run: () => T): T {
    if (this.#over) throw new Error("The transaction is over: this came after its batch had ended.");
    if (this.#failure) throw this.#failure.error;
    try {
      return run();
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }

  #saveState(state: SpaceState): void {
    this.tables.setState(state, this.log);
    this.#savedAt = state.modifiedAt;
  }

  #known(): WriterKey {
    if (!this.#writer) throw new Error("The writer is saved before what it wrote.");
    return this.#writer;
  }
}
