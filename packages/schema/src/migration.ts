import { type Fields, type Json, isFieldName } from "@landfall/protocol";
import { SchemaError, checkOptions, didYouMean } from "./schema-error.js";

/**
 * How one domain's fields of the version before become fields of this one, in the order below. The first
 * four work on whole records and on updates alike. `fields` and `update` are for what they cannot say,
 * come together, and run last: one for whole records, the other for the fields that an update sets.
 */
export interface DomainMigration {
  /** Fields that are gone: they leave records, updates, increments and set changes. */
  readonly drop?: readonly string[];
  /** New names by old name. */
  readonly rename?: { readonly [oldName: string]: string };
  /** Values by new name; for a set, also the members that an op adds or removes. Increments stay as they are. */
  readonly map?: { readonly [field: string]: (value: Json) => Json };
  /** Values for fields that a whole record lacks. */
  readonly add?: Fields;
  readonly fields?: (fields: Record<string, Json>) => Fields;
  readonly update?: (set: Record<string, Json>) => Fields;
}

/** A call of an action: its name and its arguments. */
export interface ActionCall {
  readonly action: string;
  readonly args: Json;
}

/** What changed from the version before. What is not named did not change. */
export interface Migration<DomainName extends string = string> {
  readonly domains?: { readonly [K in DomainName]?: DomainMigration };
  /** By the action's old name: the call as this version has it. */
  readonly actions?: { readonly [oldName: string]: (args: Json) => ActionCall };
}

/** Migrations by the version that they lead to. A version that only adds domains, optional fields or actions needs none. */
export type Migrations<DomainName extends string = string> = { readonly [version: number]: Migration<DomainName> };

const domainOptions = ["drop", "rename", "map", "add", "fields", "update"];

/** Refuses migrations that could not run, or would never run. */
export function checkMigrations(migrations: Migrations, version: number, domains: readonly string[]): void {
  if (typeof migrations !== "object" || migrations === null) throw new SchemaError("migrations must be an object by version, such as { 2: { domains: { … } } }.");
  for (const [text, migration] of Object.entries(migrations)) {
    const to = Number(text);
    if (!Number.isInteger(to) || to < 2 || to > version) {
      throw new SchemaError(`migrations: ${text} is not a version that a schema of version ${version} can come to. Use whole numbers from 2 to ${version}.`);
    }
    const where = `migrations ${to}`;
    checkOptions(where, migration, ["domains", "actions"]);
    for (const [name, changes] of Object.entries(migration.domains ?? {})) {
      if (!domains.includes(name)) {
        throw new SchemaError(`${where}: there is no domain "${name}", so this would never run.${didYouMean(name, domains)} A domain that was removed needs no migration.`);
      }
      checkDomainMigration(`${where}, domain "${name}"`, changes as DomainMigration);
    }
    for (const [name, migrate] of Object.entries(migration.actions ?? {})) checkFunction(`${where}, action "${name}"`, migrate);
  }
}

function checkDomainMigration(where: string, changes: DomainMigration): void {
  checkOptions(where, changes, domainOptions);
  const { drop = [], rename = {}, map = {}, add = {}, fields, update } = changes;
  const targets = Object.values(rename);
  for (const name of [...drop, ...Object.keys(rename), ...targets, ...Object.keys(map), ...Object.keys(add)]) {
    if (!isFieldName(name)) throw new SchemaError(`${where}: "${name}" cannot be the name of a field. Correct it.`);
  }
  const twice = targets.find((name, i) => targets.indexOf(name) !== i) ?? drop.find((name) => Object.hasOwn(rename, name));
  if (twice !== undefined) throw new SchemaError(`${where}: "${twice}" comes from two fields, or is both dropped and renamed. Keep one.`);
  for (const [name, change] of Object.entries(map)) checkFunction(`${where}, map "${name}"`, change);
  if (!fields !== !update) {
    throw new SchemaError(
      `${where}: fields and update come together, because edits made under the old version are updates, and they must not be lost. Write both, or say it with rename, drop, map and add, which work on records and updates alike.`,
    );
  }
  for (const change of [fields, update]) if (change) checkFunction(where, change);
}

function checkFunction(where: string, change: unknown): void {
  if (typeof change !== "function") throw new SchemaError(`${where}: a function from the old to the new is needed here.`);
}
