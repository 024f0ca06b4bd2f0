import { limits } from "@landfall/protocol";
import type { CommittedEvent } from "../engine-types.js";
import type { BatchTransaction } from "./group-commit.js";
import { packOutcomes, unpackOutcomes } from "./outcome-chunk.js";
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
  WriterState,
} from "./port.js";
import type { Statements } from "./sqlite-driver.js";
import { readDomains, readMembers, readSpace, readWriter, recordColumns, toRecord } from "./sqlite-rows.js";

/** Outcomes of one chunk at most: a request's events. */
const maxChunk = 10 * limits.maxEventsPerRequest;

/** One batch inside the group's transaction and a savepoint of its own. */
export class SqliteTransaction implements BatchTransaction {
  readonly published: { readonly generation: string; readonly events: CommittedEvent[] }[] = [];
  #openedAt: number | undefined;
  #savedAt: number | undefined;
  #over = false;
  #failure: { readonly error: unknown } | undefined;
  #generation = "";
  #writer: number | undefined;

  constructor(
    private readonly statements: Statements,
    private readonly space: string,
    private readonly commitModifiedAt: number | undefined,
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
      const found = readSpace(this.statements, this.space, user);
      if (!found) return undefined;
      this.#generation = found.state.generation;
      this.#openedAt = this.#savedAt = found.state.modifiedAt;
      const writer = readWriter(this.statements, {
        space: this.space,
        generation: this.#generation,
        device,
        user,
      });
      this.#writer = writer?.number;
      return {
        ...found,
        domains: readDomains(this.statements, this.space),
        writer: writer?.state,
        commitModifiedAt: this.commitModifiedAt,
      };
    });
  }

  records(keys: readonly RecordKey[]): readonly StoredRecord[] {
    return this.#use(() => {
      const byDomain = new Map<string, string[]>();
      for (const { domain, key } of keys) {
        const of = byDomain.get(domain);
        if (of) of.push(key);
        else byDomain.set(domain, [key]);
      }
      const found: StoredRecord[] = [];
      for (const [domain, of] of byDomain) {
        const rows = this.statements
          .of(
            `SELECT ${recordColumns} FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN records ON space=? AND domain=? AND key=wanted`,
          )
          .all(JSON.stringify(of), this.space, domain);
        for (const row of rows) found.push(toRecord(row));
      }
      return found;
    });
  }

  scan({
    domain,
    upTo = Number.MAX_SAFE_INTEGER,
    afterKey = "",
    limit = -1,
  }: ScanRange): readonly StoredRecord[] {
    return this.#use(() =>
      this.statements
        .of(
          `SELECT ${recordColumns} FROM records WHERE space=? AND domain=? AND key>? AND version<=? AND fields IS NOT NULL ORDER BY key LIMIT ?`,
        )
        .all(this.space, domain, afterKey, upTo, limit)
        .map(toRecord),
    );
  }

  lookup(domain: string, name: string, values: readonly string[]): readonly LookupEntry[] {
    return this.#use(() =>
      this.statements
        .of(
          "SELECT lookups.value, lookups.key FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN lookups ON space=? AND domain=? AND name=? AND lookups.value=wanted",
        )
        .all(JSON.stringify(values), this.space, domain, name)
        .map(([value, key]) => ({ domain, name, value, key }) as LookupEntry),
    );
  }

  outcomes(
    writer: { readonly generation: string; readonly device: string; readonly user: string },
    from: number,
    to: number,
  ): readonly StoredOutcome[] {
    return this.#use(() => {
      const found = readWriter(this.statements, { space: this.space, ...writer });
      if (!found) return [];
      // The chunk of the last one may end after it, by less than a request has events.
      const chunks = this.statements
        .of(
          "SELECT first_seq, ids, bodies FROM outcomes WHERE writer=? AND last_seq BETWEEN ? AND ? AND first_seq<=? ORDER BY last_seq",
        )
        .all(found.number, from, to + maxChunk, to);
      return chunks.flatMap(([firstSeq, ids, bodies]) =>
        unpackOutcomes(firstSeq as number, ids as string, bodies as string | null, from, to),
      );
    });
  }

  knownEvents(ids: readonly string[]): readonly KnownEvent[] {
    return this.#use(() =>
      this.statements
        .of(
          `SELECT events.id, w.generation, w.device, w.user, events.seq FROM (SELECT value AS wanted FROM json_each(?))
           CROSS JOIN events ON events.space=? AND events.id=wanted JOIN writers w ON w.writer=events.writer`,
        )
        .all(JSON.stringify(ids), this.space)
        .map(([id, generation, device, user, seq]) => ({ id, generation, device, user, seq }) as KnownEvent),
    );
  }

  save(changes: SpaceChanges): void {
    this.#use(() => {
      if (changes.space) this.#saveState(changes.space);
      this.statements.insert(
        "INSERT INTO domains(space, domain, head, count, digest, horizon)",
        "ON CONFLICT DO UPDATE SET head=excluded.head, count=excluded.count, digest=excluded.digest, horizon=excluded.horizon",
        (changes.domains ?? []).map(({ domain, head, count, sum, horizon }) => [
          this.space,
          domain,
          head,
          count,
          sum,
          horizon,
        ]),
      );
      if (changes.writer) this.#saveWriter(changes.writer);
      this.#saveRecords(changes.records ?? []);
      for (const { domain, name, value, key } of changes.lookupsRemoved ?? []) {
        this.statements
          .of("DELETE FROM lookups WHERE space=? AND domain=? AND name=? AND value=? AND key=?")
          .run(this.space, domain, name, value, key);
      }
      this.statements.insert(
        "INSERT INTO lookups(space, domain, name, value, key)",
        "ON CONFLICT DO NOTHING",
        (changes.lookupsAdded ?? []).map(({ domain, name, value, key }) => [
          this.space,
          domain,
          name,
          value,
          key,
        ]),
      );
      if (changes.outcomes) this.#saveOutcomes(changes.outcomes);
    });
  }

  startGeneration(start: GenerationStart, state: SpaceState, wipe: boolean): void {
    this.#use(() => {
      if (wipe) this.#wipe(state.head);
      this.statements
        .of("INSERT INTO generations(space, generation, reason, parent, at, started_at) VALUES (?,?,?,?,?,?)")
        .run(this.space, start.generation, start.reason, start.parent ?? null, start.at, start.startedAt);
      this.#saveState(state);
      this.#generation = start.generation;
      this.#writer = undefined;
    });
  }

  pruneTombstones(domain: string, upTo: number, limit = -1): number {
    return this.#use(() => {
      const { changes } = this.statements
        .of(
          "DELETE FROM records WHERE rowid IN (SELECT rowid FROM records WHERE space=? AND domain=? AND version<=? AND fields IS NULL ORDER BY version LIMIT ?)",
        )
        .run(this.space, domain, upTo, limit);
      this.statements
        .of("UPDATE domains SET horizon=max(horizon, ?) WHERE space=? AND domain=?")
        .run(upTo, this.space, domain);
      return Number(changes);
    });
  }

  clearLookups(): void {
    this.#use(() => this.statements.of("DELETE FROM lookups WHERE space=?").run(this.space));
  }

  members(): readonly MemberState[] {
    return this.#use(() => readMembers(this.statements, this.space));
  }

  saveMember({ user, role, since }: MemberState): void {
    this.#use(() =>
      this.statements
        .of(
          "INSERT INTO members(space, user, role, since) VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET role=excluded.role, since=excluded.since",
        )
        .run(this.space, user, role ?? null, since),
    );
  }

  publish(generation: string, events: readonly CommittedEvent[]): void {
    this.published.push({ generation, events: [...events] });
  }

  /** After one failed statement nothing else runs: SQLite may have rolled back the whole transaction, and what came then would stand by itself. */
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
    this.statements
      .of(
        `INSERT INTO spaces(space, generation, head, received_ms, received_counter, modified_at, schema, lookups) VALUES (?,?,?,?,?,?,?,?)
         ON CONFLICT DO UPDATE SET generation=excluded.generation, head=excluded.head, received_ms=excluded.received_ms, received_counter=excluded.received_counter,
           modified_at=excluded.modified_at, schema=excluded.schema, lookups=excluded.lookups`,
      )
      .run(
        this.space,
        state.generation,
        state.head,
        state.receivedMs,
        state.receivedCounter,
        state.modifiedAt,
        state.schema,
        state.lookups,
      );
    this.#savedAt = state.modifiedAt;
  }

  #saveWriter(writer: WriterState): void {
    const values = [
      writer.lastSeq,
      writer.acked,
      writer.expired,
      JSON.stringify(writer.rejectedCreates),
      writer.seenAt,
      writer.cursor,
    ];
    if (this.#writer === undefined) {
      const { lastInsertRowid } = this.statements
        .of(
          "INSERT INTO writers(last_seq, acked, expired, rejected_creates, seen_at, cursor, space, generation, device, user) VALUES (?,?,?,?,?,?,?,?,?,?)",
        )
        .run(...values, this.space, this.#generation, writer.device, writer.user);
      this.#writer = Number(lastInsertRowid);
      return;
    }
    this.statements
      .of(
        "UPDATE outcomes SET bodies=NULL WHERE writer=? AND last_seq<=? AND bodies IS NOT NULL AND last_seq>(SELECT expired FROM writers WHERE writer=?)",
      )
      .run(this.#writer, writer.expired, this.#writer);
    this.statements
      .of(
        "UPDATE writers SET last_seq=?, acked=?, expired=?, rejected_creates=?, seen_at=?, cursor=? WHERE writer=?",
      )
      .run(...values, this.#writer);
  }

  #saveRecords(records: readonly StoredRecord[]): void {
    this.statements.insert(
      "INSERT INTO records(space, domain, key, version, modified_at, created_at, writer, fields, stamps)",
      `ON CONFLICT(space, domain, key) DO UPDATE SET version=excluded.version, modified_at=excluded.modified_at, created_at=excluded.created_at,
         writer=excluded.writer, fields=excluded.fields, stamps=excluded.stamps`,
      records.map(({ domain, key, version, modifiedAt, createdAt, fields, stamps }) => [
        this.space,
        domain,
        key,
        version,
        modifiedAt,
        createdAt,
        this.#known(),
        fields ?? null,
        stamps ?? null,
      ]),
    );
  }

  #saveOutcomes({ outcomes, fresh }: NonNullable<SpaceChanges["outcomes"]>): void {
    const { firstSeq, lastSeq, ids, bodies } = packOutcomes(outcomes);
    this.statements
      .of("INSERT INTO outcomes(writer, last_seq, first_seq, ids, bodies) VALUES (?,?,?,?,?)")
      .run(this.#known(), lastSeq, firstSeq, ids, bodies);
    this.statements.insert(
      "INSERT INTO events(space, id, writer, seq)",
      "",
      fresh.map(({ id, seq }) => [this.space, id, this.#known(), seq]),
    );
  }

  #known(): number {
    if (this.#writer === undefined) throw new Error("The writer is saved before what it wrote.");
    return this.#writer;
  }

  #wipe(head: number): void {
    this.statements.of("DELETE FROM records WHERE space=?").run(this.space);
    this.statements.of("DELETE FROM lookups WHERE space=?").run(this.space);
    this.statements
      .of("DELETE FROM outcomes WHERE writer IN (SELECT writer FROM writers WHERE space=?)")
      .run(this.space);
    this.statements.of("DELETE FROM events WHERE space=?").run(this.space);
    this.statements.of("DELETE FROM writers WHERE space=?").run(this.space);
    this.statements
      .of(
        "UPDATE domains SET head=?, count=0, digest='00000000000000000000000000000000', horizon=? WHERE space=?",
      )
      .run(head, head, this.space);
  }
}
