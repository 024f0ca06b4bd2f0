import { type Domain, type Where, compareValues } from "@landfall/schema";
import type { Replica } from "../replica/replica.js";
import type { ViewRecord } from "../replica/view-record.js";
import { type LiveQuery, liveQuery, position } from "./live-query.js";

/** A run of records within an index: what their first fields are at least, and at most. */
interface Span {
  readonly fields: readonly string[];
  readonly from: readonly unknown[];
  readonly to: readonly unknown[];
}

/** What a domain declares that its records are looked up by. */
type Declared = Pick<Domain, "name" | "indexes" | "unique" | "parent">;

/**
 * The indexes of an open space: its records in the order of the fields that an index names (DESIGN §8). One is made when
 * a query first has a use for it, and kept up to date from then on.
 */
export class RecordIndexes {
  readonly #replica: Replica;
  /** By domain and fields. */
  readonly #made = new Map<string, LiveQuery<ViewRecord>>();

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  /**
   * All records that can answer a query, and perhaps others.
   *
   * @returns undefined where no index leaves any out.
   */
  candidates(
    { name, indexes, unique, parent }: Declared,
    where: Where<ViewRecord> = {},
  ): readonly ViewRecord[] | undefined {
    const declared = [...indexes, ...unique, ...(parent ? [[parent.field]] : [])];
    const [best] = declared.map((fields) => spanOf(fields, where)).sort((a, b) => bounds(b) - bounds(a));
    if (!best || bounds(best) === 0) return undefined;
    const records = this.#inOrder(name, best.fields);
    const start = position(records, (record) => compareTo(record, best.fields, best.from) < 0);
    return records.slice(
      start,
      position(records, (record) => compareTo(record, best.fields, best.to) <= 0),
    );
  }

  #inOrder(domain: string, fields: readonly string[]): readonly ViewRecord[] {
    const name = `${domain} ${fields.join(" ")}`;
    let live = this.#made.get(name);
    if (!live) {
      live = liveQuery(this.#replica, domain, { orderBy: fields.map((field) => [field, "asc"] as const) });
      // It follows the replica for as long as that is there, and before all who will ask it.
      live.subscribe(() => undefined);
      this.#made.set(name, live);
    }
    return live.current;
  }
}

const bounds = ({ from, to }: Span): number => from.length + to.length;

/** Where the records that `where` can find stand in an index: equal in its first fields, and in the next one in a range. */
function spanOf(fields: readonly string[], where: { readonly [field: string]: unknown }): Span {
  const from: unknown[] = [];
  const to: unknown[] = [];
  for (const field of fields) {
    if (!Object.hasOwn(where, field)) break;
    const condition = where[field];
    const isPlain = typeof condition !== "object" || condition === null || Array.isArray(condition);
    const asked: { readonly [comparison: string]: unknown } = isPlain ? { eq: condition } : { ...condition };
    if (Object.hasOwn(asked, "eq")) {
      from.push(asked.eq);
      to.push(asked.eq);
      continue;
    }
    const least = asked.gte ?? asked.gt;
    const most = asked.lte ?? asked.lt;
    if (least !== undefined) from.push(least);
    if (most !== undefined) to.push(most);
    break;
  }
  return { fields, from, to };
}

function compareTo(record: ViewRecord, fields: readonly string[], values: readonly unknown[]): number {
  for (let i = 0; i < values.length; i++) {
    const apart = compareValues((record as Record<string, unknown>)[fields[i] as string], values[i]);
    if (apart !== 0) return apart;
  }
  return 0;
}
