import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { AllKeys, DomainTypes, FieldsRule, MergeFor, Nothing, Typed, ValueAt } from "./domain-types.js";
import type { MergeField } from "./merge-field.js";

/**
 * What happens to details when their parent is deleted: `cascade` deletes them in the same commit,
 * `restrict` refuses the deletion while there are any, `keep` leaves them as they are.
 */
export type OnParentDelete = "cascade" | "restrict" | "keep";

/** The domain that a detail belongs to, and the field of the detail that holds the parent's key. */
export interface ParentOptions<Field extends string = string, Name extends string = string> {
  readonly domain: Name;
  readonly field: Field;
  readonly onDelete: OnParentDelete;
}

/** The fields that hold a key: text, or nothing. */
type KeyFields<Fields> = {
  [K in AllKeys<Fields>]: ValueAt<Fields, K> extends string | null | undefined ? K : never;
}[AllKeys<Fields>];

/** The fields that are not marked in `merge` with one of these. */
type FieldsWithout<Fields, Merge, Kind> = Exclude<
  AllKeys<Fields>,
  { [K in keyof Merge]: Merge[K] extends Kind ? K : never }[keyof Merge]
>;

/**
 * What `records()` takes.
 *
 * @typeParam F the validator. @typeParam M the marked fields. @typeParam L whether the domain is local.
 * @typeParam P the name of the parent domain.
 */
export interface RecordsOptions<
  F extends StandardSchemaV1,
  M,
  L extends boolean = boolean,
  P extends string = string,
> {
  /** A synchronous Standard Schema validator of the whole record, whose output is JSON and valid input. */
  readonly fields: F;
  /** The fields that are counters and sets; in all others the last writer wins. */
  readonly merge?: M;
  /** One level of master and detail: a change of a detail touches its parent. */
  readonly parent?: ParentOptions<KeyFields<StandardSchemaV1.InferOutput<F>>, P>;
  /** Combinations of fields that no two records may share; the server enforces them. */
  readonly unique?: readonly (readonly FieldsWithout<StandardSchemaV1.InferOutput<F>, M, MergeField>[])[];
  /** Combinations of fields that queries filter and order by. */
  readonly indexes?: readonly (readonly FieldsWithout<
    StandardSchemaV1.InferOutput<F>,
    M,
    { readonly merge: "set" }
  >[])[];
  /** Whether pokes go to everyone with access (`auto`) or to those who watch the domain (`watch`, the default). */
  readonly delivery?: "auto" | "watch";
  /** True where records never leave the device. */
  readonly local?: L;
  /** What is in memory; other places than memory are not built yet. */
  readonly residency?: "memory";
}

/** The options as client and server read them, where the fields are not known to the compiler. */
export interface DeclaredOptions {
  readonly fields: StandardSchemaV1;
  readonly merge?: { readonly [field: string]: MergeField };
  readonly parent?: ParentOptions;
  readonly unique?: readonly (readonly string[])[];
  readonly indexes?: readonly (readonly string[])[];
  readonly delivery?: "auto" | "watch";
  readonly local?: boolean;
  readonly residency?: "memory";
}

/** A domain of keyed rows of fields, as `records()` declares it and `defineSchema` takes it. */
export interface RecordsDomain<T extends DomainTypes = DomainTypes> extends Typed<T> {
  readonly kind: "records";
  readonly options: DeclaredOptions;
}

/** Nothing is inferred from where a declaration is put, or every domain inside a `defineSchema` would be any domain. */
interface DeclaredTypes<
  F extends StandardSchemaV1<unknown, object>,
  M extends object,
  L extends boolean,
  P extends string,
> {
  readonly fields: StandardSchemaV1.InferOutput<F>;
  readonly input: StandardSchemaV1.InferInput<F> & object;
  readonly merge: NoInfer<M>;
  readonly local: NoInfer<L>;
  readonly parent: NoInfer<P>;
}

/**
 * Declares a domain of records: keyed rows of fields that merge field by field (DESIGN §5.2). What is
 * wrong with the options is said by `defineSchema`, which knows the domain's name.
 */
export function records<
  F extends StandardSchemaV1<unknown, object>,
  const M extends MergeFor<StandardSchemaV1.InferOutput<F>> = Nothing,
  L extends boolean = false,
  const P extends string = never,
>(
  options: RecordsOptions<F, M, L, P> & { readonly fields: FieldsRule<F> },
): RecordsDomain<DeclaredTypes<F, M, L, P>> {
  return Object.freeze({ kind: "records", options: options as unknown as DeclaredOptions });
}
