import type { FieldKind, Fields } from "@landfall/protocol";
import type { DomainTypes, Typed } from "./domain-types.js";
import {
  type Patch,
  type ValidRecord,
  type ValidWrite,
  validatePatch,
  validatePut,
  validateRecord,
  validateReturned,
  withMergedFields,
} from "./record-validation.js";
import type { DeclaredOptions, ParentOptions } from "./records.js";
import type { Invalid } from "./validation.js";

/** A domain whose records hold a key of this one in a field. */
export interface Child extends ParentOptions {
  /** The name of the detail domain. */
  readonly domain: string;
}

/** Where a record stands. */
export interface Place {
  readonly domain: string;
  readonly key: string;
}

/** What client and server say of a record that a write would bring under a deleted parent. */
export const parentDeleted = (record: Place, parent: Place): { code: "deleted"; message: string } => ({
  code: "deleted",
  message: `${record.domain} ${record.key} would belong to ${parent.domain} ${parent.key}, which was deleted. Restore that first, or choose another.`,
});

/**
 * What client and server need to know of a domain. Everything that validates is total and pure, and
 * reads an absent counter as 0 and an absent set as empty.
 */
export interface Domain<T extends DomainTypes = DomainTypes> extends Typed<T> {
  readonly name: string;
  readonly kind: "records";
  readonly local: boolean;
  readonly delivery: "auto" | "watch";
  readonly unique: readonly (readonly string[])[];
  readonly indexes: readonly (readonly string[])[];
  readonly parent: ParentOptions | undefined;
  readonly children: readonly Child[];
  /**
   * The parent under which a write has brought a record that cannot be without one, as `onDelete` says; undefined where it
   * stays where it was, or there is none. It must not be deleted.
   *
   * @param before the fields of the live record before the write.
   */
  readonly newParent: (before: Fields | undefined, after: Fields) => Place | undefined;
  /** How writes to a field meet; `lww` for every name that is not marked. */
  readonly fieldKind: (field: string) => FieldKind;
  /**
   * Validates a whole record: what `create` is given, or a record after a merge.
   *
   * @param touched the fields that this write set or unset, all of them unless said. One that the
   * validator does not know is an issue; an older field that nobody touched is left out in silence.
   */
  validate(fields: unknown, touched?: readonly string[]): ValidRecord | Invalid;
  /**
   * Validates a whole record that was there before, such as one that is restored. What the validator does not know stays as
   * it is: a newer version of the app has put it there.
   */
  validateReturned(fields: unknown): ValidRecord | Invalid;
  /**
   * Validates what `put` is given. `set` has no counters and sets, which a put must leave alone, and none of the fields that
   * the validator does not know and that are as they are in `current`: a newer version of the app has put them there.
   */
  validatePut(fields: unknown, current?: Fields): ValidWrite | Invalid;
  /**
   * Lays an update over a record and validates the result; `set` has the patch's fields as validated, without those that
   * the validator does not know and that are as they are.
   */
  validatePatch(current: Fields, patch: Patch): ValidWrite | Invalid;
  /** The fields with every counter and set in place, for the app to see; the same object where none is absent. */
  complete(fields: Fields): Fields;
}

/** Makes the descriptor of a domain whose options have been checked. */
export function describeDomain(name: string, options: DeclaredOptions, children: readonly Child[]): Domain {
  const { fields, merge = {}, parent, unique, indexes, delivery = "watch", local = false } = options;
  const merged = new Map<string, FieldKind>(
    Object.entries(merge).map(([field, marker]) => [field, marker.merge]),
  );
  return Object.freeze<Domain>({
    name,
    kind: "records",
    local,
    delivery,
    unique: freezeLists(unique),
    indexes: freezeLists(indexes),
    parent: parent && Object.freeze({ ...parent }),
    children: Object.freeze(children),
    newParent: newParentOf(parent),
    fieldKind: (field) => merged.get(field) ?? "lww",
    complete: merged.size === 0 ? (record) => record : (record) => withMergedFields(record, merged),
    validate: (input, touched) => validateRecord(fields, merged, input, touched),
    validateReturned: (input) => validateReturned(fields, merged, input),
    validatePut: (input, current) => validatePut(fields, merged, input, current),
    validatePatch: (current, patch) => validatePatch(fields, merged, current, patch),
  });
}

function newParentOf(parent: ParentOptions | undefined): Domain["newParent"] {
  if (!parent || parent.onDelete === "keep") return () => undefined;
  const { domain, field } = parent;
  const keyIn = (fields: Fields): unknown => (Object.hasOwn(fields, field) ? fields[field] : undefined);
  return (before, after) => {
    const key = keyIn(after);
    return typeof key === "string" && !(before && keyIn(before) === key) ? { domain, key } : undefined;
  };
}

function freezeLists(lists: readonly (readonly string[])[] = []): readonly (readonly string[])[] {
  return Object.freeze(lists.map((names) => Object.freeze([...names])));
}
