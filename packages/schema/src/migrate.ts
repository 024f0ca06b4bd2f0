import { type Fields, type Json, type Op, type Stamps, isFieldName } from "@landfall/protocol";
import type { Schema } from "./define-schema.js";
import { copyJson } from "./json-copy.js";
import { own } from "./own.js";
import type { ActionCall, DomainMigration, FieldChanges, Migration } from "./migration.js";
import { describeIssues } from "./validation.js";

/**
 * Why something could not be brought to the schema's version. `newer`: it was made under a later version
 * than this side has, and can be tried again after an update. `failed`: a migration threw or gave
 * something else than JSON.
 */
export interface NotMigrated {
  readonly ok: false;
  readonly reason: "newer" | "failed";
  readonly message: string;
}

export type Migrated<T> = { readonly ok: true; readonly value: T } | NotMigrated;

/** The fields of a record and when each was last written. */
export interface StampedFields {
  readonly fields: Fields;
  readonly stamps: Stamps;
}

/** A failure on its way to `migrating`, which no caller sees. */
class Failure extends Error {}

/**
 * Brings the ops of an event made under `fromVersion` to the schema's version. Ops on domains that no
 * longer exist stay as they are, for the server to refuse by name; an op that only changed dropped fields
 * is left out. Total.
 */
export function migrateOps(schema: Schema, fromVersion: number, ops: readonly Op[]): Migrated<readonly Op[]> {
  return migrating(schema, fromVersion, ops, (current, { domains }) =>
    current.flatMap((op) => {
      const changes = own(domains, op.domain);
      return changes ? migrateOp(changes, op) : op;
    }),
  );
}

/** Brings the fields of a whole record of a domain, stored under `fromVersion`, to the schema's version. Total. */
export function migrateFields(
  schema: Schema,
  fromVersion: number,
  domain: string,
  fields: Fields,
): Migrated<Fields> {
  return migrating(schema, fromVersion, fields, (current, { domains }) => {
    const changes = own(domains, domain);
    return changes ? wholeFields(changes, current) : current;
  });
}

/**
 * Brings a stored record to the schema's version: its fields, and their stamps with them, to the new name, to what was made
 * of them, or away. Total.
 */
export function migrateRecord(
  schema: Schema,
  fromVersion: number,
  domain: string,
  { fields: old, stamps: written }: StampedFields,
): Migrated<StampedFields> {
  return migrating(schema, fromVersion, { fields: old, stamps: written }, (current, { domains }) => {
    const changes = own(domains, domain);
    if (!changes) return current;
    const { fields, stamps } = current;
    return {
      fields: wholeFields(changes, fields),
      stamps: stampsFrom(changes, mapFields(changes, fields), stamps),
    };
  });
}

/**
 * The oldest schema version whose apps can read rows of this schema: since then migrations have only added fields, which
 * an older app leaves alone. What happens to the calls of actions does not matter to reading.
 */
export function readableFrom({ version, migrations }: Pick<Schema, "version" | "migrations">): number {
  let oldest = version;
  while (oldest > 1 && isAdditive(migrations[oldest])) oldest -= 1;
  return oldest;
}

const isAdditive = (migration: Migration | undefined): boolean =>
  Object.values(migration?.domains ?? {}).every(
    ({ drop = [], rename = {}, map = {}, fields }: DomainMigration = {}) =>
      !fields && drop.length === 0 && isEmpty(rename) && isEmpty(map),
  );

/** The name that a field of `fromVersion` has now, or undefined where it was dropped. Total. */
export function migrateFieldName(
  schema: Schema,
  fromVersion: number,
  domain: string,
  field: string,
): Migrated<string | undefined> {
  return migrating<string | undefined>(schema, fromVersion, field, (current, { domains }) => {
    const changes = own(domains, domain);
    return changes && current !== undefined ? nameIn(changes, current) : current;
  });
}

/** Brings the call of an action made under `fromVersion` to the schema's version. Total. */
export function migrateAction(schema: Schema, fromVersion: number, call: ActionCall): Migrated<ActionCall> {
  return migrating(schema, fromVersion, call, (current, { actions }) => {
    const change = own(actions, current.action);
    if (!change) return current;
    const next = change(json(current.args));
    if (typeof next?.action !== "string") throw new Failure("a migrated call needs the name of an action");
    return { action: next.action, args: json(next.args) };
  });
}

/** Takes a value through every version after `fromVersion`. */
function migrating<T>(
  schema: Schema,
  fromVersion: number,
  value: T,
  step: (value: T, migration: Migration) => T,
): Migrated<T> {
  if (!(fromVersion <= schema.version)) {
    return {
      ok: false,
      reason: "newer",
      message: `Made under schema version ${fromVersion}; this side has ${schema.version}. Update it.`,
    };
  }
  let current = value;
  for (let version = Math.max(2, Math.floor(fromVersion) + 1); version <= schema.version; version++) {
    const migration = schema.migrations[version];
    if (!migration) continue;
    try {
      current = step(current, migration);
    } catch (error) {
      const why = error instanceof Failure ? error.message : String(error);
      return {
        ok: false,
        reason: "failed",
        message: `The migration to schema version ${version} failed: ${why}`,
      };
    }
  }
  return { ok: true, value: current };
}

/** The op as the next version has it; an empty list where nothing is left of it. */
function migrateOp(changes: DomainMigration, op: Op): Op | readonly [] {
  switch (op.op) {
    case "create":
    case "put":
    case "restore":
      return { ...op, set: wholeFields(changes, op.set) };
    case "update": {
      const cleared = (op.unset ?? []).flatMap((field) => nameIn(changes, field) ?? []);
      const { set, unset } = changesFrom(changes, mapFields(changes, op.set ?? {}), cleared);
      return isEmpty(set) && isEmpty(unset) ? [] : { ...op, set, unset };
    }
    case "offer": {
      if ("deletedAt" in op) return op;
      const mapped = mapFields(changes, op.set);
      const { set } = changesFrom(changes, mapped, []);
      return { ...op, set, stamps: stampsFrom(changes, mapped, op.stamps) };
    }
    case "increment": {
      const by = renamed(changes, op.by);
      return isEmpty(by) ? [] : { ...op, by };
    }
    case "add":
    case "remove": {
      const values = mapFields(changes, op.values) as typeof op.values;
      return isEmpty(values) ? [] : { ...op, values };
    }
    default:
      return op;
  }
}

const isEmpty = (members: object): boolean => Object.keys(members).length === 0;

function wholeFields(changes: DomainMigration, old: Fields): Fields {
  const fields = { ...changes.add, ...mapFields(changes, old) };
  return changes.fields ? fieldsFrom(changes.fields, fields) : fields;
}

/** Drop, rename and map: what whole records and updates have in common. */
function mapFields(changes: DomainMigration, old: Fields): Fields {
  const fields = renamed(changes, old);
  for (const [field, change] of Object.entries(changes.map ?? {})) {
    if (Object.hasOwn(fields, field)) fields[field] = json(change(json(fields[field])));
  }
  return fields;
}

function renamed<T>(changes: DomainMigration, old: { readonly [field: string]: T }): Record<string, T> {
  const fields: Record<string, T> = {};
  for (const [field, value] of Object.entries(old)) {
    const name = nameIn(changes, field);
    if (name !== undefined) fields[name] = value;
  }
  return fields;
}

/** A field that another one is renamed to, and that is not renamed itself, makes room for it. */
function nameIn({ drop = [], rename = {} }: DomainMigration, field: string): string | undefined {
  return (
    own(rename, field) ?? (drop.includes(field) || Object.values(rename).includes(field) ? undefined : field)
  );
}

/**
 * Stamps go where their fields go. What `update` makes of a field is as new as that was, and as the newest of several:
 * were it older, an earlier write that is still on its way would win over a later one.
 */
function stampsFrom(changes: DomainMigration, mapped: Fields, old: Stamps): Stamps {
  const stamps = renamed(changes, old) as Stamps;
  if (!changes.update) return stamps;
  const { "*": created, ...written } = stamps;
  const now: Record<string, string> = { "*": created as string };
  for (const [field, stamp] of Object.entries(written)) {
    for (const name of madeOf(changes, mapped, field)) if (stamp > (own(now, name) ?? "")) now[name] = stamp;
  }
  return now;
}

/** The fields that `update` makes of one. Where it fails on that alone: that one, and those that are new, if it makes them of all. */
function madeOf(changes: DomainMigration, mapped: Fields, field: string): readonly string[] {
  const unset = Object.hasOwn(mapped, field) ? [] : [field];
  const names = (set: Fields): string[] => {
    const made = changesFrom(changes, set, unset);
    return [...Object.keys(made.set), ...made.unset];
  };
  try {
    return names(unset.length > 0 ? {} : { [field]: mapped[field] as Json });
  } catch {
    return names(mapped).filter((name) => name === field || !Object.hasOwn(mapped, name));
  }
}

/** What an update does after its fields have their new names and values. What it would both set and clear is set. */
function changesFrom({ update }: DomainMigration, set: Fields, unset: readonly string[]): FieldChanges {
  if (!update) return { set, unset };
  const changes = json(update(json({ set, unset }) as { set: Record<string, Json>; unset: string[] }));
  const { set: sets, unset: clears, ...rest } = Object(changes) as Record<string, Json>;
  if (!Array.isArray(clears) || !isEmpty(rest)) throw new Failure("update gives { set, unset }");
  const made = checked(sets);
  const cleared = Object.keys(checked(Object.fromEntries(clears.map((name) => [name, null]))));
  return { set: made, unset: cleared.filter((name) => !Object.hasOwn(made, name)) };
}

function fieldsFrom(change: (fields: Record<string, Json>) => Fields, old: Fields): Fields {
  return checked(json(change(json(old) as Record<string, Json>)));
}

function checked(fields: Json | undefined): Fields {
  if (typeof fields !== "object" || fields === null || Array.isArray(fields))
    throw new Failure("it did not give an object of fields");
  const wrong = Object.keys(fields).find((field) => !isFieldName(field));
  if (wrong !== undefined) throw new Failure(`"${wrong}" cannot be the name of a field`);
  return fields as Fields;
}

/** A copy that the app's function may change, or that it gave. */
function json(value: unknown): Json {
  const copied = copyJson(value);
  if (copied.ok) return copied.value;
  throw new Failure(describeIssues(copied.issues));
}
