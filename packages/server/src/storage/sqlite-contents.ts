import { unpackOutcomes } from "./outcome-chunk.js";
import type { HeldEvent, HeldLookup, HeldOutcome, SpaceContents, StoredRecord } from "./port.js";
import type { Statements } from "./sqlite-driver.js";
import { readDomains, recordColumns, toRecord, toWriter, writerColumns } from "./sqlite-rows.js";

/** All of a space, read as it is asked for; whoever stops early has cost no more than what was read. */
export function readContents(statements: Statements, space: string): SpaceContents {
  const rows = statements
    .of(`SELECT ${writerColumns}, generation, writer FROM writers WHERE space=? ORDER BY writer`)
    .all(space);
  const numbers = rows.map((row) => row[9] as number);
  return {
    writers: rows.map((row) => ({ ...toWriter(row), generation: row[8] as string })),
    records: () => readRecords(statements, space),
    lookups: () => readLookups(statements, space),
    outcomes: () => readOutcomes(statements, numbers),
    events: () => readEvents(statements, space, numbers),
  };
}

function* readRecords(statements: Statements, space: string): Generator<StoredRecord> {
  const domains = new Set(readDomains(statements, space).map(({ domain }) => domain));
  for (const [domain] of statements.of("SELECT DISTINCT domain FROM records WHERE space=?").all(space))
    domains.add(domain as string);
  if (domains.size === 0) return;
  // The rows of each domain lie in order of version: SQLite merges one walk for each, and sorts nothing.
  const one = `SELECT ${recordColumns} FROM records WHERE space=? AND domain=?`;
  const sql =
    domains.size === 1
      ? `${one} ORDER BY version`
      : `${[...domains].map(() => one).join(" UNION ALL ")} ORDER BY 3`;
  for (const row of statements.of(sql).iterate(...[...domains].flatMap((domain) => [space, domain])))
    yield toRecord(row);
}

function* readLookups(statements: Statements, space: string): Generator<HeldLookup> {
  const rows = statements
    .of(
      `SELECT l.domain, l.name, l.value, l.key, r.fields FROM lookups l
       LEFT JOIN records r ON r.space=l.space AND r.domain=l.domain AND r.key=l.key WHERE l.space=?
       ORDER BY l.domain, l.name, l.value, l.key`,
    )
    .iterate(space);
  for (const [domain, name, value, key, fields] of rows)
    yield { domain, name, value, key, fields: fields ?? undefined } as HeldLookup;
}

function* readOutcomes(statements: Statements, numbers: readonly number[]): Generator<HeldOutcome> {
  const chunks = statements.of(
    "SELECT first_seq, last_seq, ids, bodies FROM outcomes WHERE writer=? ORDER BY last_seq",
  );
  for (const [writer, number] of numbers.entries()) {
    for (const [first, last, ids, bodies] of chunks.iterate(number)) {
      const [from, to] = [first as number, last as number];
      for (const outcome of unpackOutcomes(from, ids as string, bodies as string | null, from, to))
        yield { ...outcome, writer };
    }
  }
}

function* readEvents(
  statements: Statements,
  space: string,
  numbers: readonly number[],
): Generator<HeldEvent> {
  const places = new Map(numbers.map((number, place) => [number, place]));
  const rows = statements
    .of("SELECT id, writer, seq FROM events WHERE space=? ORDER BY writer, seq")
    .iterate(space);
  for (const [id, number, seq] of rows)
    yield { id: id as string, seq: seq as number, writer: places.get(number as number) ?? -1 };
}
