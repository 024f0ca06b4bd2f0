export {
  type Action,
  type ActionArgs,
  type ActionContext,
  type ActionResult,
  type ActionValue,
  type DefineAction,
  type ValidArgs,
} from "./action.js";
export {
  type ActionMap,
  type DomainMap,
  type Schema,
  type SchemaOptions,
  defineSchema,
} from "./define-schema.js";
export { type Child, type Domain, type Place, parentDeleted } from "./domain.js";
export type {
  CounterKeys,
  DomainTypes,
  FieldsOf,
  IncrementOf,
  InputOf,
  LwwKeys,
  MembersOf,
  PatchOf,
  PutOf,
  SetKeys,
  Typed,
  TypesOf,
  UnsetOf,
} from "./domain-types.js";
export { type CounterField, type MergeField, type SetField, counter, set } from "./merge-field.js";
export {
  type Migrated,
  type NotMigrated,
  type StampedFields,
  migrateAction,
  migrateFieldName,
  migrateFields,
  migrateOps,
  migrateRecord,
  readableFrom,
} from "./migrate.js";
export type { ActionCall, DomainMigration, FieldChanges, Migration, Migrations } from "./migration.js";
export { type OrderBy, type Queried, compareBy, compareValues } from "./order.js";
export { type Query, select } from "./query.js";
export type { Patch, ValidRecord, ValidWrite } from "./record-validation.js";
export {
  type DeclaredOptions,
  type OnParentDelete,
  type ParentOptions,
  type RecordsDomain,
  type RecordsOptions,
  records,
} from "./records.js";
export { SchemaError } from "./schema-error.js";
export type { Tx, TxDomain, TxRecord } from "./tx.js";
export { type Invalid, type Issue, describeIssues } from "./validation.js";
export { type Comparison, type Where, matches } from "./where.js";
