import { type FieldKind, type Fields, type Json, type SetMember, isFieldName, limits } from "@landfall/protocol";
import type { DomainTypes, Typed } from "./domain-types.js";
import { copyJson } from "./json-copy.js";
import type { ParentOptions, RecordsOptions } from "./records.js";
import { type Invalid, invalid, runValidator } from "./validation.js";

/** A record that holds, as plain JSON cut loose from what was given. */
export interface ValidRecord {
  readonly ok: true;
  readonly value: Fields;
}

/** A write that holds: the record as it will be, and the fields that the op sets. */
export interface ValidWrite extends ValidRecord {
  readonly set: Fields;
}

/** The fields that an update gives and takes away. */
export interface Patch {
  readonly set?: { readonly [field: string]: unknown };
  readonly unset?: readonly string[];
}

/** A domain whose records hold a key of this one in a field. */
export interface Child extends ParentOptions {
  /** The name of the detail domain. */
  readonly domain: string;
}

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
  /** How writes to a field meet; `lww` for every name that is not marked. */
  readonly fieldKind: (field: string) => FieldKind;
  /**
   * Validates a whole record: what `create` and `restore` are given, or a record after a merge.
   *
   * @param touched the fields that this write set or unset, all of them unless said. One that the
   * validator does not know is an issue; an older field that nobody touched is left out in silence.
   */
  validate(fields: unknown, touched?: readonly string[]): ValidRecord | Invalid;
  /** Validates what `put` is given. `set` has no counters and sets, which a put must leave alone. */
  validatePut(fields: unknown): ValidWrite | Invalid;
  /** Lays an update over a record and validates the result; `set` has the patch's fields as validated. */
  validatePatch(current: Fields, patch: Patch): ValidWrite | Invalid;
  /** The fields with every counter and set in place, for the app to see; the same object where none is absent. */
  complete(fields: Fields): Fields;
}

/** Makes the descriptor of a domain whose options have been checked. */
export function describeDomain(name: string, options: RecordsOptions, children: readonly Child[]): Domain {
  const merged = new Map<string, FieldKind>(Object.entries(options.merge ?? {}).map(([field, { merge }]) => [field, merge]));
  const fieldKind = (field: string): FieldKind => merged.get(field) ?? "lww";
  const complete = (fields: Fields): Fields => withMergedFields(fields, merged);

  function validate(input: unknown, touched?: readonly string[]): ValidRecord | Invalid {
    if (typeof input !== "object" || input === null || Array.isArray(input)) return invalid([], "A record is an object of fields.");
    const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
    const completed: Record<string, unknown> = { ...withMergedFields(given as Fields, merged) };
    for (const [field, kind] of merged) {
      const value = completed[field];
      if (kind === "counter") {
        if (!Number.isFinite(value)) return invalid([field], "A counter holds a finite number.");
      } else if (Array.isArray(value) && value.every(isSetMember)) completed[field] = [...new Set(value)];
      else return invalid([field], "A set holds a list of strings, numbers and booleans.");
    }
    const checked = runValidator(options.fields, completed);
    if (!checked.ok) return checked;
    const copied = copyFields(checked.value);
    if (!copied.ok) return copied;
    return changedPresence(given, copied.value, touched ?? Object.keys(given)) ?? copied;
  }

  function refuseMerged(fields: readonly string[], op: string): Invalid | undefined {
    const field = fields.find((candidate) => merged.has(candidate));
    if (field === undefined) return undefined;
    const kind = merged.get(field) as FieldKind;
    const ways = kind === "counter" ? "increment" : "add and remove";
    return invalid([field], `This is a ${kind}: ${op} leaves it alone; change it with ${ways}.`);
  }

  return Object.freeze({
    name,
    kind: "records" as const,
    local: options.local ?? false,
    delivery: options.delivery ?? "watch",
    unique: freezeNames(options.unique),
    indexes: freezeNames(options.indexes),
    parent: options.parent && Object.freeze({ ...options.parent }),
    children: Object.freeze(children),
    fieldKind,
    complete,
    validate,
    validatePut(input: unknown) {
      const checked = validate(input);
      if (!checked.ok) return checked;
      const refused = refuseMerged(Object.keys(input as object), "put");
      return refused ?? { ...checked, set: pick(checked.value, (field) => !merged.has(field)) };
    },
    validatePatch(current: Fields, { set = {}, unset = [] }: Patch) {
      const names = Object.keys(set);
      const blank = names.find((field) => set[field] === undefined);
      if (blank !== undefined) return invalid([blank], "Undefined neither sets nor clears a field: leave it out, or name it in unset.");
      const both = names.find((field) => unset.includes(field));
      if (both !== undefined) return invalid([both], "A field is either set or unset, not both.");
      const touched = [...names, ...unset];
      const refused = refuseMerged(touched, "update");
      if (refused) return refused;
      const checked = validate(pick({ ...current, ...(set as Fields) }, (field) => !unset.includes(field)), touched);
      return checked.ok ? { ...checked, set: pick(checked.value, (field) => Object.hasOwn(set, field)) } : checked;
    },
  });
}

function freezeNames(lists: readonly (readonly string[])[] = []): readonly (readonly string[])[] {
  return Object.freeze(lists.map((names) => Object.freeze([...names])));
}

function pick(fields: Fields, wanted: (field: string) => boolean): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([field]) => wanted(field)));
}

function withMergedFields(fields: Fields, merged: ReadonlyMap<string, FieldKind>): Fields {
  let completed: Record<string, Json> | undefined;
  for (const [field, kind] of merged) {
    if (!Object.hasOwn(fields, field)) (completed ??= { ...fields })[field] = kind === "counter" ? 0 : [];
  }
  return completed ?? fields;
}

const isSetMember = (value: unknown): value is SetMember => ["string", "number", "boolean"].includes(typeof value);

/** The validator's output as fields: each a storable name and a JSON value. */
function copyFields(output: unknown): ValidRecord | Invalid {
  if (typeof output !== "object" || output === null || Array.isArray(output)) {
    return invalid([], "The validator's output is not an object of fields.");
  }
  const fields: Record<string, Json> = {};
  const entries = Object.entries(output).filter(([, value]) => value !== undefined);
  if (entries.length > limits.maxFields) return invalid([], `A record has at most ${limits.maxFields} fields.`);
  for (const [field, value] of entries) {
    if (!isFieldName(field)) return invalid([field], "A field name has 1–128 characters of A–Z a–z 0–9 . _ ~ : -.");
    if (field === "key") return invalid([field], "A record shows its own key under this name; give the field another.");
    const copied = copyJson(value, [field]);
    if (!copied.ok) return copied;
    fields[field] = copied.value;
  }
  return { ok: true, value: fields };
}

/** A touched field that the validator dropped was never declared; one that it brought back cannot be unset. */
function changedPresence(given: object, value: Fields, touched: readonly string[]): Invalid | undefined {
  for (const field of touched) {
    if (Object.hasOwn(given, field) === Object.hasOwn(value, field)) continue;
    return Object.hasOwn(value, field)
      ? invalid([field], "This field has a default, so it cannot be unset; set it instead.")
      : invalid([field], "The domain has no such field.");
  }
  return undefined;
}
