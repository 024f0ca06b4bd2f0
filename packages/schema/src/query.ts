import { type OrderBy, type Queried, compareBy } from "./order.js";
import { refuse } from "./schema-error.js";
import { type Where, matches } from "./where.js";

/** Which records, in which order, and how many of them. */
export interface Query<Fields> {
  readonly where?: Where<Fields>;
  /** By key unless said; ties are always broken by key. */
  readonly orderBy?: OrderBy<Fields>;
  /** At most so many. */
  readonly limit?: number;
  /** Only what comes after the record with this key, in the order of the query. */
  readonly after?: string;
}

const options = ["where", "orderBy", "limit", "after"];

/**
 * Answers a query from records: the one definition that client and server share. Pure, and the same for
 * the same records in any order. The record named by `after` need not match; when it is not there at all,
 * an order by key alone goes on from where it was, and any other order yields nothing, since its place is
 * not known.
 *
 * @param records all records of the domain, or those that an index left.
 * @param find gives a record by key, where `records` may lack the one named by `after`.
 * @throws SchemaError on an option that does not exist.
 */
export function select<R extends Queried>(
  records: Iterable<R>,
  query: Query<R>,
  find: (key: string) => R | undefined = (key) => findIn(records, key),
): R[] {
  for (const option in query)
    if (!options.includes(option))
      refuse("query", `there is no option "${option}". Known are: ${options.join(", ")}.`);
  const { where, orderBy, limit, after } = query;
  const compare = compareBy<R>(orderBy);
  const byKey = orderBy === undefined || orderBy === "key";
  const from = after === undefined ? undefined : (find(after) ?? (byKey ? ({ key: after } as R) : undefined));
  if (after !== undefined && !from) return [];
  const found: R[] = [];
  for (const record of records) {
    if (matches<R>(where, record) && (!from || compare(record, from) > 0)) found.push(record);
  }
  found.sort(compare);
  return limit === undefined ? found : found.slice(0, Math.max(0, limit));
}

function findIn<R extends Queried>(records: Iterable<R>, key: string): R | undefined {
  for (const record of records) if (record.key === key) return record;
  return undefined;
}
