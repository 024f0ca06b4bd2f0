import type { Role } from "@landfall/protocol";
import type {
  DomainState,
  GenerationStart,
  MemberState,
  OpenedSpace,
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

export const recordColumns = "domain, key, version, modified_at, created_at, fields, stamps";

export function toRecord([
  domain,
  key,
  version,
  modifiedAt,
  createdAt,
  fields,
  stamps,
]: Columns): StoredRecord {
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

/** The space, with what the user is in it. */
export function readSpace(
  statements: Statements,
  space: string,
  user: string,
): { readonly state: SpaceState; readonly role: OpenedSpace["role"] } | undefined {
  const row = statements
    .of(
      `SELECT ${stateColumns}, m.role, m.user IS NOT NULL FROM spaces s LEFT JOIN members m ON m.space=s.space AND m.user=? WHERE s.space=?`,
    )
    .get(user, space);
  if (!row) return undefined;
  const role = (row[7] as Role | null) ?? (row[8] === 1 ? "former" : undefined);
  return { state: toState(row), role };
}

export function readDomains(statements: Statements, space: string): readonly DomainState[] {
  return statements
    .of("SELECT domain, head, count, digest, horizon FROM domains WHERE space=?")
    .all(space)
    .map(([domain, head, count, sum, horizon]) => ({ domain, head, count, sum, horizon }) as DomainState);
}

export const writerColumns = "device, user, last_seq, acked, expired, rejected_creates, seen_at, cursor";

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
    .of(`SELECT ${writerColumns}, writer FROM writers WHERE space=? AND generation=? AND device=? AND user=?`)
    .get(key.space, key.generation, key.device, key.user);
  return row && { number: row[8] as number, state: toWriter(row) };
}

export function readWriters(
  statements: Statements,
  space: string,
  generation: string,
): readonly WriterState[] {
  return statements
    .of(`SELECT ${writerColumns} FROM writers WHERE space=? AND generation=? ORDER BY user, device`)
    .all(space, generation)
    .map(toWriter);
}

export function readGenerations(statements: Statements, space: string): readonly GenerationStart[] {
  return statements
    .of(
      "SELECT generation, reason, parent, at, started_at FROM generations WHERE space=? ORDER BY number DESC",
    )
    .all(space)
    .map(
      ([generation, reason, parent, at, startedAt]) =>
        ({ generation, reason, parent: parent ?? undefined, at, startedAt }) as GenerationStart,
    );
}

export function readMembers(statements: Statements, space: string): readonly MemberState[] {
  return statements
    .of("SELECT user, role, since FROM members WHERE space=? ORDER BY user")
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
      `SELECT ${stateColumns}, s.space, m.role, (SELECT count(*) FROM members o WHERE o.space=s.space AND o.role IS NOT NULL)
       FROM members m JOIN spaces s ON s.space=m.space WHERE m.user=? AND m.role IS NOT NULL ORDER BY s.space`,
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
