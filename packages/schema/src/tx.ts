import type {
  FieldsOf,
  IncrementOf,
  InputOf,
  MembersOf,
  PatchOf,
  PutOf,
  Typed,
  TypesOf,
  UnsetOf,
} from "./domain-types.js";
import type { Query } from "./query.js";

/** A record as an action reads it: its fields and its key. */
export type TxRecord<D extends Typed> = FieldsOf<D> & { readonly key: string };

/**
 * One domain inside an action. Reads see what the action has written so far. Writes take effect together
 * when the action ends, or not at all: one that cannot stand ends the action with its reason.
 */
export interface TxDomain<D extends Typed = Typed> {
  get(key: string): Promise<TxRecord<D> | undefined>;
  /** All records, by key. */
  all(): Promise<readonly TxRecord<D>[]>;
  query(query: Query<FieldsOf<D>>): Promise<readonly TxRecord<D>[]>;
  /** Makes a record under a new key, or under the one given. @returns the key. */
  create(fields: InputOf<D>, options?: { readonly key?: string }): string;
  /** Makes a record, or sets its fields if it is there; for natural keys. */
  put(key: string, fields: PutOf<D>): void;
  update(key: string, patch: PatchOf<D>, options?: { readonly unset?: readonly UnsetOf<D>[] }): void;
  increment(key: string, by: IncrementOf<D>): void;
  /** Adds members to set fields. */
  add(key: string, members: MembersOf<D>): void;
  /** Removes members from set fields. */
  remove(key: string, members: MembersOf<D>): void;
  delete(key: string): void;
  /** Brings a deleted key back as a new record. */
  restore(key: string, fields: InputOf<D>): void;
}

/** The domains that the server knows too, each as an action sees it. */
export type Tx<D extends { readonly [name: string]: Typed }> = {
  readonly [K in keyof D as TypesOf<D[K]>["local"] extends true ? never : K]: TxDomain<D[K]>;
};
