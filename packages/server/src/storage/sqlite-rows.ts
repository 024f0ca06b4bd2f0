import type { Role } from "@landfall/protocol";
import type {
  DomainState,
  FoundSpace,
  GenerationStart,
  MemberState,
  RejectedCreate,
  SpaceState,
  StoredRecord,
  WriterState,
} from "./port.js";
import type { SqlValue, Statements } from "./sqlite-driver.js";

type Columns = readonly SqlValue[];

const stateColumns =
  "s.generation, s.head, s.received_ms, s.received_counter, s.modified_at, s.schema, s.lookups";

function toState([
  generation,
  head,
  receivedMs,
  receivedCounter,
  modifiedAt,
  schema,
  lookups,
]: Columns): SpaceState {
  return { generation, head, receivedMs, receivedCounter, modifiedAt, schema, lookups } as SpaceState;
}

/** The number of a domain, by the names of its space and of itself. */
export const domainNumber =
  "(SELECT d.number FROM domains d JOIN spaces s ON s.number=d.space WHERE s.space=? AND d.name=?)";
/** The number of a space, by its name. */
export const spaceNumber = "(SELECT number FROM spaces WHERE space=?)";

export const recordColumns = "key, version, modified_at, created_at, fields, stamps";

export function toRecord(
  domain: string,
  [key, version, modifiedAt, createdAt, fields, stamps]: Columns,
): StoredRecord {
  return {
    domain,
    key,
    version,
    modifiedAt,
    createdAt,
    fields: fields ?? undefined,
    stamps: stamps ?? undefined,
  } as StoredRecord;
}

/** The space, with what the user and the device are in it; and the numbers that other tables know its parts by. */
export function readSpace(
  statements: Statements,
  space: string,
  user: string,
  device = "",
): (Numbers & { readonly found: FoundSpace }) | undefined {
  const row = statements
    .of(
      `SELECT ${stateColumns}, m.role, m.user IS NOT NULL, s.number, w.writer, ${writerColumns} FROM spaces s
       LEFT JOIN members m ON m.space=s.number AND m.user=?1
       LEFT JOIN writers w ON w.space=s.number AND w.generation=s.generation AND w.device=?2 AND w.user=?1
       WHERE s.space=?3`,
    )
    .get(user, device, space);
  if (!row) return undefined;
  const role = (row[7] as Role | null) ?? (row[8] === 1 ? "former" : undefined);
  const [number, writerNumber] = [row[9] as number, (row[10] as number | null) ?? undefined];
  const domains: DomainState[] = [];
  const domainNumbers = new Map<string, number>();
  for (const [name, ...rest] of statements
    .of("SELECT name, head, count, digest, horizon, number FROM domains WHERE space=?")
    .all(number)) {
    const [head, count, sum, horizon, of] = rest;
    domains.push({ domain: name, head, count, sum, horizon } as DomainState);
    domainNumbers.set(name as string, of as number);
  }
  const writer = writerNumber === undefined ? undefined : toWriter(row.slice(11));
  return { found: { state: toState(row), role, domains, writer }, number, domainNumbers, writerNumber };
}

interface Numbers {
  readonly number: number;
  readonly domainNumbers: Map<string, number>;
  readonly writerNumber: number | undefined;
}

export const writerColumns =
  "w.device, w.user, w.last_seq, w.acked, w.expired, w.rejected_creates, w.seen_at, w.cursor";

export function toWriter([
  device,
  user,
  lastSeq,
  acked,
  expired,
  rejected,
  seenAt,
  cursor,
]: Columns): WriterState {
  const rejectedCreates = JSON.parse(rejected as string) as readonly RejectedCreate[];
  return { device, user, lastSeq, acked, expired, rejectedCreates, seenAt, cursor } as WriterState;
}

/** A writer and the number that other tables know it by. */
export function readWriter(
  statements: Statements,
  key: {
    readonly space: string;
    readonly generation: string;
    readonly device: string;
    readonly user: string;
  },
): { readonly number: number; readonly state: WriterState } | undefined {
  const row = statements
    .of(
      `SELECT ${writerColumns}, w.writer FROM writers w WHERE w.space=${spaceNumber} AND w.generation=? AND w.device=? AND w.user=?`,
    )
    .get(key.space, key.generation, key.device, key.user);
  return row && { number: row[8] as number, state: toWriter(row) };
}

export function readWriters(
  statements: Statements,
  space: string,
  generation: string,
): readonly WriterState[] {
  return statements
    .of(
      `SELECT ${writerColumns} FROM writers w WHERE w.space=${spaceNumber} AND w.generation=? ORDER BY w.user, w.device`,
    )
    .all(space, generation)
    .map(toWriter);
}

export function readGenerations(statements: Statements, space: string): readonly GenerationStart[] {
  return statements
    .of(
      `SELECT generation, reason, parent, at, started_at FROM generations WHERE space=${spaceNumber} ORDER BY number DESC`,
    )
    .all(space)
    .map(
      ([generation, reason, parent, at, startedAt]) =>
        ({ generation, reason, parent: parent ?? undefined, at, startedAt }) as GenerationStart,
    );
}

export function readMembers(statements: Statements, space: string): readonly MemberState[] {
  return statements
    .of(`SELECT user, role, since FROM members WHERE space=${spaceNumber} ORDER BY user`)
    .all(space)
    .map(([user, role, since]) => ({ user, role: role ?? undefined, since }) as MemberState);
}

export function readMemberships(
  statements: Statements,
  user: string,
): readonly {
  readonly space: string;
  readonly role: Role;
  readonly state: SpaceState;
  readonly members: number;
}[] {
  return statements
    .of(
      `SELECT ${stateColumns}, s.space, m.role, (SELECT count(*) FROM members o WHERE o.space=s.number AND o.role IS NOT NULL)
       FROM members m JOIN spaces s ON s.number=m.space WHERE m.user=? AND m.role IS NOT NULL ORDER BY s.space`,
    )
    .all(user)
    .map((row) => ({
      state: toState(row),
      space: row[7] as string,
      role: row[8] as Role,
      members: row[9] as number,
    }));
}

export function readSpaceIds(statements: Statements): readonly string[] {
  return statements
    .of("SELECT space FROM spaces ORDER BY space")
    .all()
    .map(([space]) => space as string);
}
