import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { SetMember } from "@landfall/protocol";
import type { CounterField, MergeField, SetField } from "./merge-field.js";

/** No names at all: where nothing is declared, nothing can be named. */
// oxlint-disable-next-line typescript/no-generated-empty-object-type -- an empty object is meant
export type Nothing = Record<never, never>;

/** What the compiler knows of a domain. */
export interface DomainTypes {
  /** The fields of a stored record: the validator's output. */
  readonly fields: object;
  /** The fields that a writer gives: the validator's input. */
  readonly input: object;
  /** The marked fields, each with its `MergeField`. */
  readonly merge: object;
  readonly local: boolean;
  /** The name of the parent domain; `never` where there is none. */
  readonly parent: string;
}

/** Carries a domain's types; nothing is there at run time. */
export interface Typed<T extends DomainTypes = DomainTypes> {
  readonly "~types"?: T;
}

export type TypesOf<D extends Typed> = NonNullable<D["~types"]>;

/** Shows a computed type as one plain object. */
type Flat<T> = T extends unknown ? { [K in keyof T]: T[K] } : never;
/** The keys of every member of a union, not only the shared ones. */
export type AllKeys<T> = T extends unknown ? keyof T & string : never;
/** The value that a union has under a key, in those members that have it. */
export type ValueAt<T, K extends PropertyKey> = T extends unknown
  ? K extends keyof T
    ? T[K]
    : never
  : never;

type KeysMerging<D extends Typed, M extends MergeField> = {
  [K in keyof TypesOf<D>["merge"]]: TypesOf<D>["merge"][K] extends M ? K : never;
}[keyof TypesOf<D>["merge"]] &
  string;

/** The fields of a domain's record, as it is read. */
export type FieldsOf<D extends Typed> = TypesOf<D>["fields"];

/** The names of the counter fields. */
export type CounterKeys<D extends Typed> = KeysMerging<D, CounterField>;
/** The names of the set fields. */
export type SetKeys<D extends Typed> = KeysMerging<D, SetField>;
/** The names of the fields where the last writer wins: all others. */
export type LwwKeys<D extends Typed> = Exclude<AllKeys<FieldsOf<D>>, CounterKeys<D> | SetKeys<D>>;

type MergedKeys<D extends Typed> = CounterKeys<D> | SetKeys<D>;
type OmitFrom<T, K extends PropertyKey> = T extends unknown
  ? { [P in keyof T as P extends K ? never : P]: T[P] }
  : never;
type Loosen<T, K extends PropertyKey> = T extends unknown
  ? Flat<OmitFrom<T, K> & { [P in keyof T as P extends K ? P : never]?: T[P] }>
  : never;

/** The fields that `create` and `restore` take: defaults, counters and sets may be left out. */
export type InputOf<D extends Typed> = Loosen<TypesOf<D>["input"], MergedKeys<D>>;

/** The fields that `put` takes: no counters and sets, because the record may be there already. */
export type PutOf<D extends Typed> = OmitFrom<TypesOf<D>["input"], MergedKeys<D>>;

/** The fields that `update` may set. */
export type PatchOf<D extends Typed> = [LwwKeys<D>] extends [never]
  ? never
  : { readonly [K in LwwKeys<D>]?: Exclude<ValueAt<FieldsOf<D>, K>, undefined> };

type OptionalKeys<T> = T extends unknown
  ? { [K in keyof T]-?: object extends Pick<T, K> ? K : never }[keyof T] & string
  : never;

/** The fields that `update` may unset: those that a record may lack. */
export type UnsetOf<D extends Typed> = Extract<OptionalKeys<FieldsOf<D>>, LwwKeys<D>>;

/** What `increment` takes: amounts by counter field; `never` where a domain has no counters. */
export type IncrementOf<D extends Typed> = [CounterKeys<D>] extends [never]
  ? never
  : { readonly [K in CounterKeys<D>]?: number };

/** The members of a set field's value. */
type MemberOf<V> = V extends readonly (infer Member)[] ? Member & SetMember : never;

/** What `add` and `remove` take: members by set field; `never` where a domain has no sets. */
export type MembersOf<D extends Typed> = [SetKeys<D>] extends [never]
  ? never
  : { readonly [K in SetKeys<D>]?: readonly MemberOf<ValueAt<FieldsOf<D>, K>>[] };

/** Which fields may be marked, and how: numbers as counters, lists of scalars as sets. */
export type MergeFor<Fields> = {
  readonly [K in AllKeys<Fields>]?: Exclude<ValueAt<Fields, K>, undefined> extends number
    ? CounterField
    : Exclude<ValueAt<Fields, K>, undefined> extends readonly SetMember[]
      ? SetField
      : never;
};

/** JSON as an app's types have it, with optional members. */
type LooseJson =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly LooseJson[]
  | { readonly [name: string]: LooseJson };

/** What JSON leaves of a type: `never` where a value cannot be stored. What could be anything is left to the check at run time. */
type JsonOf<T> = unknown extends T
  ? T
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends bigint | symbol | ((...args: never[]) => unknown)
      ? never
      : T extends object
        ? { readonly [K in keyof T]: JsonOf<T[K]> }
        : never;

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** Names that a record as the app sees it uses for itself. */
type TakenName = "key" | "$";

/** The plain comparison comes first because it alone ends on types that contain themselves. */
type IsJson<T> = T extends LooseJson ? true : T extends JsonOf<T> ? true : false;
type NotJson<Fields> = {
  [K in AllKeys<Fields>]: IsJson<ValueAt<Fields, K>> extends true ? never : K;
}[AllKeys<Fields>];
type IsInput<Output, Input> = Output extends Input ? true : Output extends DeepReadonly<Input> ? true : false;

/** A sentence, as a type that nothing matches, where a validator cannot describe records; `unknown` where it can. */
export type FieldsRule<F extends StandardSchemaV1> =
  StandardSchemaV1.InferOutput<F> extends infer Output
    ? Extract<AllKeys<Output>, TakenName> extends never
      ? NotJson<Output> extends never
        ? IsInput<Output, StandardSchemaV1.InferInput<F>> extends true
          ? unknown
          : "The validator's output must be valid input too: a record is validated again at every update."
        : `The field ${NotJson<Output> & string} is not JSON: store what JSON has, such as a number for a date.`
      : `The field name ${Extract<AllKeys<Output>, TakenName>} is taken: a record shows its key as "key" and its state as "$".`
    : never;
