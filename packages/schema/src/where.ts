import type { AllKeys, ValueAt } from "./domain-types.js";
import { type Queried, compareValues, kindOf } from "./order.js";
import { refuse } from "./schema-error.js";

/** Tests of one field. All that are given must hold. */
export interface Comparison<V> {
  readonly eq?: V;
  readonly ne?: V;
  readonly in?: readonly V[];
  readonly lt?: NonNullable<V>;
  readonly lte?: NonNullable<V>;
  readonly gt?: NonNullable<V>;
  readonly gte?: NonNullable<V>;
  /** A member that a set or a list contains. */
  readonly has?: V extends readonly (infer Member)[] ? Member : never;
}

/** A field that may be absent is sought by null. */
type Sought<V> = undefined extends V ? V | null : V;
/** A value to equal may stand alone, unless it is an object: that would read as a comparison. */
type Plain<V> = V extends readonly unknown[] ? V : V extends object ? never : V;
type Condition<V> = Plain<V> | Comparison<V>;

/** What records must be like: a value, or comparisons, by field; "key" is the record's key. */
export type Where<Fields> = { readonly [K in AllKeys<Fields>]?: Condition<Sought<ValueAt<Fields, K>>> } & {
  readonly key?: Condition<string>;
};

/**
 * Whether a record is as asked. Equality is of JSON values, and an absent field equals null. An order
 * (`lt`, `lte`, `gt`, `gte`) holds only between values of one kind, so that `{ lt: 5 }` finds numbers and
 * neither null nor text.
 *
 * @throws SchemaError on a comparison that does not exist.
 */
export function matches<Fields extends object>(
  where: Where<Fields> | undefined,
  record: Fields & Queried,
): boolean {
  for (const field in where) {
    if (!holds((where as Record<string, unknown>)[field], (record as Record<string, unknown>)[field]))
      return false;
  }
  return true;
}

function holds(condition: unknown, value: unknown): boolean {
  if (typeof condition !== "object" || condition === null || Array.isArray(condition))
    return compareValues(value, condition) === 0;
  for (const comparison in condition) {
    if (!compares(comparison, value, (condition as Record<string, unknown>)[comparison])) return false;
  }
  return true;
}

function compares(comparison: string, value: unknown, operand: unknown): boolean {
  const apart = compareValues(value, operand);
  const ordered = kindOf(value) === kindOf(operand) && kindOf(value) > 0;
  switch (comparison) {
    case "eq":
      return apart === 0;
    case "ne":
      return apart !== 0;
    case "in":
      return Array.isArray(operand) && operand.some((one) => compareValues(value, one) === 0);
    case "has":
      return Array.isArray(value) && value.some((one) => compareValues(one, operand) === 0);
    case "lt":
      return ordered && apart < 0;
    case "lte":
      return ordered && apart <= 0;
    case "gt":
      return ordered && apart > 0;
    case "gte":
      return ordered && apart >= 0;
    default:
      return refuse(
        "where",
        `there is no comparison "${comparison}". They are eq, ne, in, lt, lte, gt, gte and has; an object to equal goes under eq.`,
      );
  }
}
