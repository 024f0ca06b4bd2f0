import { unpackOutcomes } from "./outcome-chunk.js";
import type { HeldEvent, HeldLookup, HeldOutcome, SpaceContents, StoredRecord } from "./port.js";
import type { Statements } from "./sqlite-driver.js";
import { recordColumns, spaceNumber, toRecord, toWriter, writerColumns } from "./sqlite-rows.js";

/** All of a space, read as it is asked for; whoever stops early has cost no more than what was read. */
export function readContents(statements: Statements, space: string): SpaceContents {
  const rows = statements
    .of(
      `SELECT ${writerColumns}, w.generation, w.writer FROM writers w WHERE w.space=${spaceNumber} ORDER BY w.writer`,
    )
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
  const domains = statements.of(`SELECT number, name FROM domains WHERE space=${spaceNumber}`).all(space);
  if (domains.length === 0) return;
  const names = new Map(domains.map(([number, name]) => [number as number, name as string]));
  // The rows of each domain lie in order of version: SQLite merges one walk for each, and sorts nothing.
  const one = `SELECT ${recordColumns}, domain FROM records WHERE domain=?`;
  const sql =
    domains.length === 1
      ? `${one} ORDER BY version`
      : `${domains.map(() => one).join(" UNION ALL ")} ORDER BY 2`;
  for (const row of statements.of(sql).iterate(...names.keys()))
    yield toRecord(names.get(row[6] as number) as string, row);
}

function* readLookups(statements: Statements, space: string): Generator<HeldLookup> {
  const rows = statements
    .of(
      `SELECT d.name AS domain, l.name, l.value, l.key, r.fields FROM domains d CROSS JOIN lookups l ON l.domain=d.number
       LEFT JOIN records r ON r.domain=l.domain AND r.key=l.key WHERE d.space=${spaceNumber}
       ORDER BY d.name, l.name, l.value, l.key`,
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
    .of(`SELECT id, writer, seq FROM events WHERE space=${spaceNumber} ORDER BY writer, seq`)
    .iterate(space);
  for (const [id, number, seq] of rows)
    yield { id: id as string, seq: seq as number, writer: places.get(number as number) ?? -1 };
}
