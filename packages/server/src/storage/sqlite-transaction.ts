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
import type { SqlValue, Statements } from "./sqlite-driver.js";
import {
  domainNumber,
  readMembers,
  readSpace,
  readWriter,
  recordColumns,
  spaceNumber,
  toRecord,
} from "./sqlite-rows.js";

const emptySum = "0".repeat(32);

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
  /** The number of the space, where it is known. */
  #number: number | undefined;
  /** The numbers of its domains, as far as they are known. */
  #domains = new Map<string, number>();
  /** Up to which seq the writer's outcomes have lost their bodies. */
  #expired = 0;

  constructor(
    private readonly statements: Statements,
    private readonly space: string,
    private readonly commitModifiedAt: number | undefined,
    private readonly isLast: boolean,
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
      const read = readSpace(this.statements, this.space, user, device);
      if (!read) return undefined;
      const { found } = read;
      this.#generation = found.state.generation;
      this.#openedAt = this.#savedAt = found.state.modifiedAt;
      this.#number = read.number;
      this.#domains = read.domainNumbers;
      this.#writer = read.writerNumber;
      this.#expired = found.writer?.expired ?? 0;
      return { ...found, commitModifiedAt: this.commitModifiedAt, isLast: this.isLast };
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
            `SELECT ${recordColumns} FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN records ON domain=? AND key=wanted`,
          )
          .all(JSON.stringify(of), this.#domain(domain));
        for (const row of rows) found.push(toRecord(domain, row));
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
          `SELECT ${recordColumns} FROM records WHERE domain=? AND key>? AND version<=? AND fields IS NOT NULL ORDER BY key LIMIT ?`,
        )
        .all(this.#domain(domain), afterKey, upTo, limit)
        .map((row) => toRecord(domain, row)),
    );
  }

  lookup(domain: string, name: string, values: readonly string[]): readonly LookupEntry[] {
    return this.#use(() =>
      this.statements
        .of(
          "SELECT lookups.value, lookups.key FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN lookups ON domain=? AND name=? AND lookups.value=wanted",
        )
        .all(JSON.stringify(values), this.#domain(domain), name)
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
          `SELECT events.id, w.generation, w.device, w.user, events.seq, events.was FROM (SELECT value AS wanted FROM json_each(?))
           CROSS JOIN events ON events.space=${spaceNumber} AND events.id=wanted JOIN writers w ON w.writer=events.writer`,
        )
        .all(JSON.stringify(ids), this.space)
        .map(
          ([id, generation, device, user, seq, was]) =>
            ({ id, generation, device, user, seq, was: was ?? undefined }) as KnownEvent,
        ),
    );
  }

  save(changes: SpaceChanges): void {
    this.#use(() => {
      if (changes.space) this.#saveState(changes.space);
      for (const { domain, head, count, sum, horizon } of changes.domains ?? []) {
        this.statements
          .of("UPDATE domains SET head=?, count=?, digest=?, horizon=? WHERE number=?")
          .run(head, count, sum, horizon, this.#makeDomain(domain));
      }
      if (changes.writer) this.#saveWriter(changes.writer);
      this.#saveRecords(changes.records ?? []);
      for (const { domain, name, value, key } of changes.lookupsRemoved ?? []) {
        this.statements
          .of("DELETE FROM lookups WHERE domain=? AND name=? AND value=? AND key=?")
          .run(this.#domain(domain), name, value, key);
      }
      this.statements.insert(
        "INSERT INTO lookups(domain, name, value, key)",
        "ON CONFLICT DO NOTHING",
        4,
        (changes.lookupsAdded ?? []).flatMap(({ domain, name, value, key }) => [
          this.#makeDomain(domain),
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
      this.#saveState(state);
      this.statements
        .of(
          `INSERT INTO generations(space, generation, reason, parent, at, started_at) VALUES (${spaceNumber},?,?,?,?,?)`,
        )
        .run(this.space, start.generation, start.reason, start.parent ?? null, start.at, start.startedAt);
      this.#generation = start.generation;
      this.#writer = undefined;
      this.#expired = 0;
    });
  }

  pruneTombstones(domain: string, upTo: number, limit = -1): number {
    return this.#use(() => {
      const { changes } = this.statements
        .of(
          "DELETE FROM records WHERE rowid IN (SELECT rowid FROM records WHERE domain=? AND version<=? AND fields IS NULL ORDER BY version LIMIT ?)",
        )
        .run(this.#domain(domain), upTo, limit);
      this.statements
        .of("UPDATE domains SET horizon=max(horizon, ?) WHERE number=?")
        .run(upTo, this.#domain(domain));
      return Number(changes);
    });
  }

  clearLookups(): void {
    this.#use(() => this.#clear("lookups"));
  }

  members(): readonly MemberState[] {
    return this.#use(() => readMembers(this.statements, this.space));
  }

  saveMember({ user, role, since }: MemberState): void {
    this.#use(() =>
      this.statements
        .of(
          `INSERT INTO members(space, user, role, since) VALUES (${spaceNumber},?,?,?) ON CONFLICT DO UPDATE SET role=excluded.role, since=excluded.since`,
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

  #spaceNumber(): number {
    const found = this.#number ?? this.statements.of(`SELECT ${spaceNumber}`).all(this.space)[0]?.[0];
    return (this.#number = found as number);
  }

  /** The number of a domain; null, which equals none, where it is not there. */
  #domain(name: string): number | null {
    const known = this.#domains.get(name);
    if (known !== undefined) return known;
    const [[found] = [null]] = this.statements.of(`SELECT ${domainNumber}`).all(this.space, name);
    if (found !== null) this.#domains.set(name, found as number);
    return found as number | null;
  }

  /** The number of a domain, which is made where it is not there. */
  #makeDomain(name: string): number {
    const found = this.#domain(name);
    if (found !== null) return found;
    const { lastInsertRowid } = this.statements
      .of(
        `INSERT INTO domains(space, name, head, count, digest, horizon) VALUES (${spaceNumber},?,0,0,'${emptySum}',0)`,
      )
      .run(this.space, name);
    this.#domains.set(name, Number(lastInsertRowid));
    return Number(lastInsertRowid);
  }

  #saveState(state: SpaceState): void {
    this.statements
      .of(
        this.#number === undefined
          ? `INSERT INTO spaces(generation, head, received_ms, received_counter, modified_at, schema, lookups, space) VALUES (?,?,?,?,?,?,?,?)
             ON CONFLICT DO UPDATE SET generation=excluded.generation, head=excluded.head, received_ms=excluded.received_ms, received_counter=excluded.received_counter,
               modified_at=excluded.modified_at, schema=excluded.schema, lookups=excluded.lookups`
          : "UPDATE spaces SET generation=?, head=?, received_ms=?, received_counter=?, modified_at=?, schema=?, lookups=? WHERE number=?",
      )
      .run(
        state.generation,
        state.head,
        state.receivedMs,
        state.receivedCounter,
        state.modifiedAt,
        state.schema,
        state.lookups,
        this.#number ?? this.space,
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
          `INSERT INTO writers(last_seq, acked, expired, rejected_creates, seen_at, cursor, space, generation, device, user) VALUES (?,?,?,?,?,?,${spaceNumber},?,?,?)`,
        )
        .run(...values, this.space, this.#generation, writer.device, writer.user);
      this.#writer = Number(lastInsertRowid);
      return;
    }
    if (writer.expired > this.#expired) {
      this.statements
        .of(
          "UPDATE outcomes SET bodies=NULL WHERE writer=? AND last_seq<=? AND bodies IS NOT NULL AND last_seq>?",
        )
        .run(this.#writer, writer.expired, this.#expired);
      this.#expired = writer.expired;
    }
    this.statements
      .of(
        "UPDATE writers SET last_seq=?, acked=?, expired=?, rejected_creates=?, seen_at=?, cursor=? WHERE writer=?",
      )
      .run(...values, this.#writer);
  }

  #saveRecords(records: readonly StoredRecord[]): void {
    const values: SqlValue[] = [];
    for (const { domain, key, version, modifiedAt, createdAt, fields, stamps } of records) {
      values.push(this.#makeDomain(domain), key, version, modifiedAt, createdAt, this.#known());
      values.push(fields ?? null, stamps ?? null);
    }
    this.statements.insert(
      "INSERT INTO records(domain, key, version, modified_at, created_at, writer, fields, stamps)",
      `ON CONFLICT(domain, key) DO UPDATE SET version=excluded.version, modified_at=excluded.modified_at, created_at=excluded.created_at,
         writer=excluded.writer, fields=excluded.fields, stamps=excluded.stamps`,
      8,
      values,
    );
  }

  #saveOutcomes({ outcomes, fresh }: NonNullable<SpaceChanges["outcomes"]>): void {
    const { firstSeq, lastSeq, ids, bodies } = packOutcomes(outcomes);
    const [space, writer] = [this.#spaceNumber(), this.#known()];
    this.statements
      .of("INSERT INTO outcomes(writer, last_seq, first_seq, ids, bodies) VALUES (?,?,?,?,?)")
      .run(writer, lastSeq, firstSeq, ids, bodies);
    const values: SqlValue[] = [];
    for (const { id, seq, was } of fresh) values.push(space, id, writer, seq, was ?? null);
    this.statements.insert("INSERT INTO events(space, id, writer, seq, was)", "", 5, values);
  }

  #known(): number {
    if (this.#writer === undefined) throw new Error("The writer is saved before what it wrote.");
    return this.#writer;
  }

  #clear(table: "records" | "lookups"): void {
    this.statements
      .of(`DELETE FROM ${table} WHERE domain IN (SELECT number FROM domains WHERE space=${spaceNumber})`)
      .run(this.space);
  }

  #wipe(head: number): void {
    this.#clear("records");
    this.#clear("lookups");
    this.statements
      .of(`DELETE FROM outcomes WHERE writer IN (SELECT writer FROM writers WHERE space=${spaceNumber})`)
      .run(this.space);
    this.statements.of(`DELETE FROM events WHERE space=${spaceNumber}`).run(this.space);
    this.statements.of(`DELETE FROM writers WHERE space=${spaceNumber}`).run(this.space);
    this.statements
      .of(`UPDATE domains SET head=?, count=0, digest='${emptySum}', horizon=? WHERE space=${spaceNumber}`)
      .run(head, head, this.space);
  }
}
