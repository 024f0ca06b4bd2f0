import {
  type FieldKind,
  type Fields,
  type Json,
  type SetMember,
  isFieldName,
  sameJson,
} from "@landfall/protocol";
import * as limits from "@landfall/protocol/limits";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { copyJson } from "./json-copy.js";
import { type Invalid, invalid, runValidator } from "./validation.js";

/** A record that holds, as plain JSON cut loose from what was given. */
export interface ValidRecord {
  readonly ok: true;
  readonly value: Fields;
}

/** A write that holds, with the fields that the op sets. */
export interface ValidWrite {
  readonly ok: true;
  readonly set: Fields;
}

/** The fields that an update gives and takes away. */
export interface Patch {
  readonly set?: { readonly [field: string]: unknown };
  readonly unset?: readonly string[];
}

/** The fields that do not simply take the last write. */
export type MergedFields = ReadonlyMap<string, FieldKind>;

/**
 * Validates whole records, as `Domain.validate` describes it.
 *
 * @param touched the fields that the write set or unset: all that are given, unless said.
 * @param current the record's fields as they are, where there is one.
 */
export function validateRecord(
  validator: StandardSchemaV1,
  merged: MergedFields,
  input: unknown,
  touched?: readonly string[],
  current?: Fields,
): ValidRecord | Invalid {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    return invalid([], "A record is an object of fields.");
  }
  const all = input as { readonly [field: string]: unknown };
  const given = Object.values(all).includes(undefined) ? pick(all, (field) => all[field] !== undefined) : all;
  const checked = validateFields(validator, merged, { ...given });
  if (!checked.ok) return checked;
  const copied = copyFields(checked.value);
  if (!copied.ok) return copied;
  return changedPresence(given, copied.value, touched ?? Object.keys(given), current) ?? copied;
}

/** Validates a record that is handed back, as `Domain.validateReturned` describes it. */
export function validateReturned(
  validator: StandardSchemaV1,
  merged: MergedFields,
  input: unknown,
): ValidRecord | Invalid {
  const checked = validateRecord(validator, merged, input, []);
  if (!checked.ok) return checked;
  const { value } = checked;
  const unknown = copyFields(pick(input as Fields, (field) => !Object.hasOwn(value, field)));
  return unknown.ok ? { ok: true, value: { ...unknown.value, ...value } } : unknown;
}

/** Runs the validator over the fields that a record is to have; they are the validator's from here on. */
function validateFields(
  validator: StandardSchemaV1,
  merged: MergedFields,
  fields: { readonly [field: string]: unknown },
): ReturnType<typeof runValidator> {
  const completed: Record<string, unknown> = { ...withMergedFields(fields, merged) };
  for (const [field, kind] of merged) {
    const value = completed[field];
    if (kind === "counter") {
      if (!Number.isFinite(value)) return invalid([field], "A counter holds a finite number.");
    } else if (Array.isArray(value) && value.every(isSetMember)) completed[field] = [...new Set(value)];
    else return invalid([field], "A set holds a list of strings, numbers and booleans.");
  }
  return runValidator(validator, completed);
}

/** Validates what `put` is given, as `Domain.validatePut` describes it. */
export function validatePut(
  validator: StandardSchemaV1,
  merged: MergedFields,
  input: unknown,
  current?: Fields,
): ValidWrite | Invalid {
  const checked = validateRecord(validator, merged, input, undefined, current);
  if (!checked.ok) return checked;
  const set = pick(checked.value, (field) => !merged.has(field));
  return mergedNamed(merged, Object.keys(input as object), "put") ?? { ok: true, set };
}

/** Validates an update over a record, as `Domain.validatePatch` describes it. */
export function validatePatch(
  validator: StandardSchemaV1,
  merged: MergedFields,
  current: Fields,
  { set = {}, unset = [] }: Patch,
): ValidWrite | Invalid {
  const named = Object.keys(set);
  for (const field of named) {
    if (set[field] === undefined) {
      return invalid(
        [field],
        "Undefined neither sets nor clears a field: leave it out, or name it in unset.",
      );
    }
    if (unset.length > 0 && unset.includes(field))
      return invalid([field], "A field is either set or unset, not both.");
  }
  const touched = unset.length === 0 ? named : [...named, ...unset];
  const refused = merged.size > 0 ? mergedNamed(merged, touched, "update") : undefined;
  if (refused) return refused;
  const laid = { ...current, ...set };
  const patched = unset.length === 0 ? laid : pick(laid, (field) => !unset.includes(field));
  const checked =
    merged.size > 0 ? validateFields(validator, merged, patched) : runValidator(validator, patched);
  if (!checked.ok) return checked;
  const copied = copyFields(checked.value, { current, touched });
  if (!copied.ok) return copied;
  const { value } = copied;
  const changed = changedPresence(set, value, touched, current);
  if (changed) return changed;
  const written: Record<string, Json> = {};
  for (const field of named) {
    const validated = value[field];
    if (validated !== undefined) written[field] = validated;
  }
  return { ok: true, set: written };
}

/** The fields with an absent counter as 0 and an absent set as empty; the same object where none is absent. */
export function withMergedFields<T>(
  fields: { readonly [field: string]: T },
  merged: MergedFields,
): { readonly [field: string]: T | Json } {
  let completed: Record<string, T | Json> | undefined;
  for (const [field, kind] of merged) {
    if (Object.hasOwn(fields, field)) continue;
    completed ??= { ...fields };
    completed[field] = kind === "counter" ? 0 : [];
  }
  return completed ?? fields;
}

function pick<T>(
  fields: { readonly [field: string]: T },
  wanted: (field: string) => boolean,
): { readonly [field: string]: T } {
  return Object.fromEntries(Object.entries(fields).filter(([field]) => wanted(field)));
}

const isSetMember = (value: unknown): value is SetMember =>
  ["string", "number", "boolean"].includes(typeof value);

function mergedNamed(merged: MergedFields, fields: readonly string[], op: string): Invalid | undefined {
  for (const field of fields) {
    const kind = merged.get(field);
    if (!kind) continue;
    const ways = kind === "counter" ? "increment" : "add and remove";
    return invalid([field], `This is a ${kind}: ${op} leaves it alone; change it with ${ways}.`);
  }
  return undefined;
}

/**
 * The validator's output as fields: each a storable name and a JSON value.
 *
 * @param over says which fields of a record were touched; those that were not and are as they were are left out.
 */
function copyFields(
  output: unknown,
  over?: { readonly current: Fields; readonly touched: readonly string[] },
): ValidRecord | Invalid {
  if (typeof output !== "object" || output === null || Array.isArray(output)) {
    return invalid([], "The validator's output is not an object of fields.");
  }
  const fields: Record<string, Json> = {};
  let count = 0;
  for (const field of Object.keys(output)) {
    const value = (output as { readonly [field: string]: unknown })[field];
    if (value === undefined) continue;
    if (++count > limits.maxFields) return invalid([], `A record has at most ${limits.maxFields} fields.`);
    if (over && over.current[field] === value && !over.touched.includes(field)) continue;
    if (!isFieldName(field))
      return invalid([field], "A field name has 1–128 characters of A–Z a–z 0–9 . _ ~ : -.");
    if (field === "key")
      return invalid(
        [field],
        "A record shows its own key under this name. Write one back without it: const { key, $, ...fields } = record. Give a field of yours another name.",
      );
    // Most values are plain text, which needs no copy.
    if (typeof value === "string" && value.isWellFormed()) {
      fields[field] = value;
      continue;
    }
    const copied = copyJson(value, [field]);
    if (!copied.ok) return copied;
    fields[field] = copied.value;
  }
  return { ok: true, value: fields };
}

/**
 * A touched field that the validator dropped was never declared; one that it brought back cannot be unset. What was given
 * as it is has not been touched: a newer version of the app has put it there.
 */
function changedPresence(
  given: { readonly [field: string]: unknown },
  value: Fields,
  touched: readonly string[],
  current: Fields = {},
): Invalid | undefined {
  for (const field of touched) {
    if (Object.hasOwn(given, field) === Object.hasOwn(value, field)) continue;
    if (Object.hasOwn(value, field))
      return invalid([field], "This field has a default, so it cannot be unset; set it instead.");
    const copied = copyJson(given[field], [field]);
    if (!copied.ok || !sameJson(copied.value, current[field]))
      return invalid([field], "The domain has no such field.");
  }
  return undefined;
}
