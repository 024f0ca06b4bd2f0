import type {
  DomainState,
  FoundSpace,
  GenerationStart,
  HeldLookup,
  KnownEvent,
  LookupEntry,
  MemberState,
  RecordKey,
  SpaceContents,
  SpaceState,
  StoredOutcome,
  StoredRecord,
  WriterState,
} from "@landfall/server/storage/port";
import { DomainRecords } from "./domain-records.js";
import { WriterOutcomes } from "./writer-outcomes.js";

/** Takes one change back, from the tables that it was made in or from a copy of them. Runs in reverse order. */
export type Undo = (tables: SpaceTables) => void;

/** A device of a user in a generation. */
export type WriterKey = Pick<KnownEvent, "generation" | "device" | "user">;

const writerName = ({ generation, device, user }: WriterKey): string => `${generation}\0${device}\0${user}`;
const lookupName = ({ domain, name, value }: Pick<LookupEntry, "domain" | "name" | "value">): string =>
  `${domain}\0${name}\0${value}`;

const compare = (x: string, y: string): number => (x < y ? -1 : x > y ? 1 : 0);

/** What a row costs beside its texts. */
const rowBytes = 100;
const sizeOf = (record: StoredRecord | undefined): number =>
  record ? rowBytes + record.key.length + (record.fields?.length ?? 0) + (record.stamps?.length ?? 0) : 0;

/** Everything that a server keeps of one space. Every change notes how it is taken back. */
export class SpaceTables {
  state: SpaceState | undefined;
  /** About what it takes on a disk. */
  bytes = 0;
  /** Oldest first. */
  generations: readonly GenerationStart[] = [];
  readonly members = new Map<string, MemberState>();
  readonly domains = new Map<string, DomainState>();
  readonly #records = new Map<string, DomainRecords>();
  #lookups = new Map<string, ReadonlySet<string>>();
  #writers = new Map<string, { readonly generation: string; readonly writer: WriterState }>();
  #outcomes = new Map<string, WriterOutcomes>();
  #events = new Map<string, KnownEvent>();

  clone(): SpaceTables {
    const copy = new SpaceTables();
    copy.state = this.state;
    copy.bytes = this.bytes;
    copy.generations = this.generations;
    for (const [user, member] of this.members) copy.members.set(user, member);
    for (const [name, domain] of this.domains) copy.domains.set(name, domain);
    for (const [domain, records] of this.#records) copy.#records.set(domain, records.clone());
    copy.#lookups = new Map(this.#lookups);
    copy.#writers = new Map(this.#writers);
    for (const [writer, outcomes] of this.#outcomes) copy.#outcomes.set(writer, outcomes.clone());
    copy.#events = new Map(this.#events);
    return copy;
  }

  /** Makes up what was left lying by changes; only between transactions. */
  tidy(): void {
    for (const records of this.#records.values()) records.tidy();
  }

  records(domain: string): DomainRecords {
    let found = this.#records.get(domain);
    if (!found) this.#records.set(domain, (found = new DomainRecords()));
    return found;
  }

  /** The space as a device of a user finds it. */
  found(user: string, device: string): FoundSpace | undefined {
    const { state } = this;
    if (!state) return undefined;
    const member = this.members.get(user);
    const role = member ? (member.role ?? "former") : undefined;
    const writer = this.writer({ generation: state.generation, device, user });
    return { state, role, domains: this.domainList(), writer };
  }

  domainList(): DomainState[] {
    return [...this.domains.values()].sort((x, y) => compare(x.domain, y.domain));
  }

  memberList(): MemberState[] {
    return [...this.members.values()].sort((x, y) => compare(x.user, y.user));
  }

  writer(key: WriterKey): WriterState | undefined {
    return this.#writers.get(writerName(key))?.writer;
  }

  writerList(generation: string): WriterState[] {
    return [...this.#writers.values()]
      .filter((held) => held.generation === generation)
      .map(({ writer }) => writer)
      .sort((x, y) => compare(x.user, y.user) || compare(x.device, y.device));
  }

  /** Everything of the space, in the orders that the port asks for. */
  contents(): SpaceContents {
    const writers = [...this.#writers.entries()];
    const places = new Map(writers.map(([name], place) => [name, place]));
    return {
      writers: writers.map(([, { generation, writer }]) => ({ ...writer, generation })),
      records: () =>
        [...this.#records.values()]
          .flatMap((records) => [...records.byKey.values()])
          .sort((x, y) => x.version - y.version || compare(x.domain, y.domain)),
      lookups: () => this.#heldLookups(),
      outcomes: () =>
        writers.flatMap(([name], writer) =>
          (this.#outcomes.get(name)?.between(0, Infinity) ?? []).map((outcome) => ({ ...outcome, writer })),
        ),
      events: () =>
        [...this.#events.values()]
          .map((event) => ({ id: event.id, seq: event.seq, writer: places.get(writerName(event)) ?? -1 }))
          .sort((x, y) => x.writer - y.writer || x.seq - y.seq),
    };
  }

  #heldLookups(): HeldLookup[] {
    return [...this.#lookups]
      .flatMap(([place, keys]) => {
        const [domain, name, value] = place.split("\0") as [string, string, string];
        return [...keys].map((key) => {
          const fields = this.#records.get(domain)?.byKey.get(key)?.fields;
          return { domain, name, value, key, fields };
        });
      })
      .sort(
        (x, y) =>
          compare(x.domain, y.domain) ||
          compare(x.name, y.name) ||
          compare(x.value, y.value) ||
          compare(x.key, y.key),
      );
  }

  lookup(domain: string, name: string, value: string): readonly string[] {
    return [...(this.#lookups.get(lookupName({ domain, name, value })) ?? [])].sort();
  }

  outcomes(key: WriterKey, from: number, to: number): StoredOutcome[] {
    return this.#outcomes.get(writerName(key))?.between(from, to) ?? [];
  }

  event(id: string): KnownEvent | undefined {
    return this.#events.get(id);
  }

  setState(state: SpaceState, log: Undo[]): void {
    const before = this.state;
    log.push((tables) => (tables.state = before));
    this.state = state;
  }

  addGeneration(start: GenerationStart, log: Undo[]): void {
    const before = this.generations;
    if (before.some(({ generation }) => generation === start.generation))
      throw new Error(`UNIQUE constraint failed: the generation ${start.generation} has been there before.`);
    log.push((tables) => (tables.generations = before));
    this.generations = [...before, start];
  }

  setMember(member: MemberState, log: Undo[]): void {
    put((tables) => tables.members, this, member.user, member, log);
  }

  setDomain(domain: DomainState, log: Undo[]): void {
    put((tables) => tables.domains, this, domain.domain, domain, log);
  }

  /** Saves a writer, and drops the bodies of the outcomes that have expired with it. */
  setWriter(generation: string, writer: WriterState, log: Undo[]): void {
    const key = writerName({ generation, ...writer });
    const expired = this.#writers.get(key)?.writer.expired ?? 0;
    put((tables) => tables.#writers, this, key, { generation, writer }, log);
    if (writer.expired <= expired) return;
    const before = this.#outcomes.get(key)?.between(expired + 1, writer.expired) ?? [];
    if (before.length === 0) return;
    this.#outcomes.get(key)?.replace(before.map((outcome) => ({ ...outcome, body: undefined })));
    log.push((tables) => tables.#outcomes.get(key)?.replace(before));
    this.#grow(-before.reduce((sum, { body }) => sum + (body?.length ?? 0), 0), log);
  }

  putRecord(record: StoredRecord, log: Undo[]): void {
    const { domain, key } = record;
    const records = this.records(domain);
    const before = records.byKey.get(key);
    const at = records.put(record);
    log.push((tables) => tables.records(domain).unput(key, before, at));
    this.#grow(sizeOf(record) - sizeOf(before), log);
  }

  removeRecord({ domain, key }: RecordKey, log: Undo[]): void {
    const records = this.records(domain);
    const before = records.byKey.get(key);
    records.remove(key);
    log.push((tables) => tables.records(domain).unput(key, before, undefined));
    this.#grow(-sizeOf(before), log);
  }

  setLookup(entry: LookupEntry, isThere: boolean, log: Undo[]): void {
    const name = lookupName(entry);
    const keys = new Set(this.#lookups.get(name));
    if (isThere) keys.add(entry.key);
    else keys.delete(entry.key);
    put((tables) => tables.#lookups, this, name, keys, log);
  }

  clearLookups(log: Undo[]): void {
    const before = this.#lookups;
    log.push((tables) => (tables.#lookups = new Map(before)));
    this.#lookups = new Map();
  }

  addOutcomes(key: WriterKey, outcomes: readonly StoredOutcome[], log: Undo[]): void {
    const name = writerName(key);
    let of = this.#outcomes.get(name);
    if (!of) this.#outcomes.set(name, (of = new WriterOutcomes()));
    of.add(outcomes);
    log.push((tables) => tables.#outcomes.get(name)?.drop(outcomes.length));
    this.#grow(
      outcomes.reduce((sum, { body }) => sum + rowBytes + (body?.length ?? 0), 0),
      log,
    );
  }

  addEvent(event: KnownEvent, log: Undo[]): void {
    if (this.#events.has(event.id))
      throw new Error(`UNIQUE constraint failed: the event ${event.id} is known already.`);
    put((tables) => tables.#events, this, event.id, event, log);
    this.#grow(rowBytes, log);
  }

  /** Drops rows, outcomes, ids and writers; domains stay, empty. */
  wipe(head: number, log: Undo[]): void {
    for (const [domain, { byKey }] of this.#records)
      for (const key of byKey.keys()) this.removeRecord({ domain, key }, log);
    this.clearLookups(log);
    const [writers, outcomes, events] = [this.#writers, this.#outcomes, this.#events];
    log.push((tables) => {
      // The maps are left to nobody else, and a copy of the tables may be undone once only.
      tables.#writers = new Map(writers);
      tables.#outcomes = new Map([...outcomes].map(([writer, kept]) => [writer, kept.clone()]));
      tables.#events = new Map(events);
    });
    this.#writers = new Map();
    this.#outcomes = new Map();
    this.#events = new Map();
    this.#grow(-this.bytes, log);
    for (const domain of this.domains.values())
      this.setDomain({ ...domain, head, count: 0, sum: "0".repeat(32), horizon: head }, log);
  }

  #grow(by: number, log: Undo[]): void {
    log.push((tables) => (tables.bytes -= by));
    this.bytes += by;
  }
}

/** Sets a value of one of the maps, and notes how to take it back. */
function put<V>(
  mapOf: (tables: SpaceTables) => Map<string, V>,
  tables: SpaceTables,
  key: string,
  value: V,
  log: Undo[],
): void {
  const map = mapOf(tables);
  const before = map.get(key);
  log.push((undone) => {
    if (before === undefined) mapOf(undone).delete(key);
    else mapOf(undone).set(key, before);
  });
  map.set(key, value);
}
