import type { Json } from "@landfall/protocol";
import type { AllKeys } from "./domain-types.js";
import { refuse } from "./schema-error.js";

/** What queries look at: a record's fields and its key. */
export type Queried = { readonly key: string };

/** A field to order by, or several with their directions; "key" is the record's key. */
export type OrderBy<Fields> =
  | AllKeys<Fields>
  | "key"
  | readonly (readonly [field: AllKeys<Fields> | "key", direction: "asc" | "desc"])[];

/** Where values of a kind stand among those of others; absent and null are one kind. */
export function kindOf(value: unknown): number {
  switch (typeof value) {
    case "boolean":
      return 1;
    case "number":
      return 2;
    case "string":
      return 3;
    case "object":
      return value === null ? 0 : Array.isArray(value) ? 4 : 5;
    default:
      return 0;
  }
}

/**
 * The total order of JSON values that every query uses: absent and null first, then false, true, numbers,
 * strings (by UTF-16 code units, the same on every machine), lists (member by member), objects (by their
 * sorted members). 0 means equal, whatever the order of members.
 */
export function compareValues(a: unknown, b: unknown): number {
  const kind = kindOf(a);
  const apart = kind - kindOf(b);
  if (apart !== 0 || kind === 0) return apart;
  if (kind === 4) return compareLists(a as readonly unknown[], b as readonly unknown[]);
  if (kind === 5) return compareLists(sortedMembers(a as object), sortedMembers(b as object));
  return (a as string) < (b as string) ? -1 : (a as string) > (b as string) ? 1 : 0;
}

function sortedMembers(value: object): readonly (readonly [string, Json])[] {
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}

function compareLists(a: readonly unknown[], b: readonly unknown[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const apart = compareValues(a[i], b[i]);
    if (apart !== 0) return apart;
  }
  return a.length - b.length;
}

/**
 * Compares records by fields in turn and, where they tie, by key: no two records are ever equal.
 * @throws SchemaError on what is no order.
 */
export function compareBy<Fields extends object>(
  orderBy: OrderBy<Fields> = "key",
): (a: Fields & Queried, b: Fields & Queried) => number {
  if (orderBy === "key") return byKey;
  const steps: readonly (readonly [string, "asc" | "desc"])[] =
    typeof orderBy === "string" ? [[orderBy, "asc"]] : orderBy;
  if (!Array.isArray(steps) || steps.some((step) => !["asc", "desc"].includes(step[1])))
    refuse("orderBy", 'must be a field, or a list of [field, "asc" or "desc"].');
  return (a, b) => {
    for (const [field, direction] of steps) {
      const apart = compareValues(a[field as keyof typeof a], b[field as keyof typeof b]);
      if (apart !== 0) return direction === "desc" ? -apart : apart;
    }
    return byKey(a, b);
  };
}

/** The order that most queries have; a live one looks places up by it at every write. */
const byKey = (a: Queried, b: Queried): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
