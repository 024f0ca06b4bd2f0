import { type Fields, type Json, type Op, isFieldName } from "@landfall/protocol";
import type { Schema } from "./define-schema.js";
import { copyJson } from "./json-copy.js";
import type { ActionCall, DomainMigration, Migration } from "./migration.js";
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

/** A failure on its way to `migrating`, which no caller sees. */
class Failure extends Error {}

/**
 * Brings the ops of an event made under `fromVersion` to the schema's version. Ops on domains that no
 * longer exist stay as they are, for the server to refuse by name; an op that only changed dropped fields
 * is left out. Total.
 */
export function migrateOps(schema: Schema, fromVersion: number, ops: readonly Op[]): Migrated<readonly Op[]> {
  return migrating(schema, fromVersion, ops, (current, { domains = {} }) =>
    current.flatMap((op) => {
      const changes = Object.hasOwn(domains, op.domain) ? domains[op.domain] : undefined;
      const migrated = changes ? migrateOp(changes, op) : op;
      return migrated ? [migrated] : [];
    }),
  );
}

/** Brings the fields of a whole record of a domain, stored under `fromVersion`, to the schema's version. Total. */
export function migrateFields(schema: Schema, fromVersion: number, domain: string, fields: Fields): Migrated<Fields> {
  return migrating(schema, fromVersion, fields, (current, { domains = {} }) => {
    const changes = Object.hasOwn(domains, domain) ? domains[domain] : undefined;
    return changes ? wholeFields(changes, current) : current;
  });
}

/** The name that a field of `fromVersion` has now, or undefined where it was dropped; stamps move along with it. Total. */
export function migrateFieldName(schema: Schema, fromVersion: number, domain: string, field: string): Migrated<string | undefined> {
  return migrating<string | undefined>(schema, fromVersion, field, (current, { domains = {} }) => {
    const changes = Object.hasOwn(domains, domain) ? domains[domain] : undefined;
    return changes && current !== undefined ? nameIn(changes, current) : current;
  });
}

/** Brings the call of an action made under `fromVersion` to the schema's version. Total. */
export function migrateAction(schema: Schema, fromVersion: number, call: ActionCall): Migrated<ActionCall> {
  return migrating(schema, fromVersion, call, (current, { actions = {} }) => {
    const change = Object.hasOwn(actions, current.action) ? actions[current.action] : undefined;
    if (!change) return current;
    const next = change(json(current.args));
    if (typeof next?.action !== "string") throw new Failure("a migrated call needs the name of an action");
    return { action: next.action, args: json(next.args) };
  });
}

/** Takes a value through every version after `fromVersion`. */
function migrating<T>(schema: Schema, fromVersion: number, value: T, step: (value: T, migration: Migration) => T): Migrated<T> {
  if (!(fromVersion <= schema.version)) {
    return { ok: false, reason: "newer", message: `Made under schema version ${fromVersion}; this side has ${schema.version}. Update it.` };
  }
  let current = value;
  for (let version = Math.max(2, Math.floor(fromVersion) + 1); version <= schema.version; version++) {
    const migration = schema.migrations[version];
    if (!migration) continue;
    try {
      current = step(current, migration);
    } catch (error) {
      const why = error instanceof Failure ? error.message : String(error);
      return { ok: false, reason: "failed", message: `The migration to schema version ${version} failed: ${why}` };
    }
  }
  return { ok: true, value: current };
}

function migrateOp(changes: DomainMigration, op: Op): Op | undefined {
  switch (op.op) {
    case "create":
    case "put":
    case "restore":
      return { ...op, set: wholeFields(changes, op.set) };
    case "update": {
      const mapped = mapFields(changes, op.set ?? {});
      const set = changes.update ? fieldsFrom(changes.update, mapped) : mapped;
      const unset = (op.unset ?? []).flatMap((field) => nameIn(changes, field) ?? []);
      if (unset.length === 0 && isEmpty(set)) return undefined;
      return { op: op.op, domain: op.domain, key: op.key, ...(isEmpty(set) ? {} : { set }), ...(unset.length === 0 ? {} : { unset }) };
    }
    case "increment": {
      const by = renamed(changes, op.by);
      return isEmpty(by) ? undefined : { ...op, by };
    }
    case "add":
    case "remove": {
      const values = mapFields(changes, op.values) as typeof op.values;
      return isEmpty(values) ? undefined : { ...op, values };
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
  return Object.fromEntries(
    Object.entries(old).flatMap(([field, value]) => {
      const name = nameIn(changes, field);
      return name === undefined ? [] : [[name, value] as const];
    }),
  );
}

/** A field that another one is renamed to, and that is not renamed itself, makes room for it. */
function nameIn({ drop = [], rename = {} }: DomainMigration, field: string): string | undefined {
  if (Object.hasOwn(rename, field)) return rename[field];
  return drop.includes(field) || Object.values(rename).includes(field) ? undefined : field;
}

function fieldsFrom(change: (fields: Record<string, Json>) => Fields, old: Fields): Fields {
  const fields = json(change(json(old) as Record<string, Json>));
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) throw new Failure("it did not give an object of fields");
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
