import { type Fields, type Json, isFieldName } from "@landfall/protocol";
import { own } from "./own.js";
import { checkOptions, refuse, refuseUnknown } from "./schema-error.js";

/** What an update does: the fields that it sets, and those that it clears. */
export interface FieldChanges {
  readonly set: Fields;
  readonly unset: readonly string[];
}

/**
 * How one domain's fields of the version before become fields of this one, in the order below. The first
 * four work on whole records and on updates alike. `fields` and `update` are for what they cannot say,
 * come together, and run last: one for whole records, the other for what an update sets and clears.
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
  /**
   * A field that it gives as both set and cleared is set: so says an edit of two old fields that are one now.
   *
   * Is also asked of each field by itself what becomes of it: what it sets or clears then was written when that field was,
   * so that later writes go on to win. Where it throws on one alone, it is asked of the whole record.
   */
  readonly update?: (changes: { set: Record<string, Json>; unset: string[] }) => FieldChanges;
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
export type Migrations<DomainName extends string = string> = {
  readonly [version: number]: Migration<DomainName>;
};

/** Refuses migrations that could not run, or would never run. */
export function checkMigrations(migrations: Migrations, version: number, domains: readonly string[]): void {
  for (const [to, migration] of Object.entries(migrations)) {
    const where = `migrations ${to}`;
    if (!Number.isInteger(+to) || +to < 2 || +to > version)
      refuse(where, `a schema of version ${version} has migrations to whole numbers from 2 to ${version}.`);
    checkOptions(where, migration, ["domains", "actions"]);
    for (const [name, changes] of Object.entries(migration.domains ?? {})) {
      if (!domains.includes(name)) refuseUnknown(where, "domain", name, domains);
      checkDomainMigration(`${where}, domain "${name}"`, changes as DomainMigration);
    }
    checkFunctions(where, migration.actions ?? {});
  }
}

function checkDomainMigration(where: string, changes: DomainMigration): void {
  checkOptions(where, changes, ["drop", "rename", "map", "add", "fields", "update"]);
  const { drop = [], rename = {}, map = {}, add = {}, fields, update } = changes;
  const targets = Object.values(rename);
  for (const name of [...drop, ...Object.keys({ ...rename, ...map, ...add }), ...targets]) {
    if (!isFieldName(name)) refuse(where, `"${name}" cannot be the name of a field. Correct it.`);
  }
  const twice =
    targets.find((name, i) => targets.indexOf(name) !== i) ?? drop.find((name) => own(rename, name));
  if (twice) refuse(where, `"${twice}" comes from two fields, or is both dropped and renamed. Keep one.`);
  if (!fields !== !update) {
    refuse(
      where,
      "fields and update come together: edits made under the old version are updates, and must not be lost. Write both, or use rename, drop, map and add, which work on both.",
    );
  }
  checkFunctions(where, fields ? { ...map, fields, update } : map);
}

function checkFunctions(where: string, changes: object): void {
  for (const [name, change] of Object.entries(changes)) {
    if (typeof change !== "function") refuse(where, `"${name}" must be a function from the old to the new.`);
  }
}
