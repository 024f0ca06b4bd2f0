import type { AnswerHead } from "../remote/port.js";
import type { Cut, RowsSchema } from "./cut.js";

/** What an answer says of its rows; undefined where the server has no schema. */
export function rowsSchema({
  schema,
  readableFrom = schema,
}: Pick<AnswerHead, "schema" | "readableFrom">): RowsSchema | undefined {
  return schema === undefined || readableFrom === undefined ? undefined : { version: schema, readableFrom };
}

/** A server that went back to before a version does not know who reads that; what is known of it already stands. */
export const asKnown = (
  schema: RowsSchema | undefined,
  before: RowsSchema | undefined,
): RowsSchema | undefined =>
  schema && schema.version === before?.version && before.readableFrom < schema.readableFrom ? before : schema;

/**
 * What the rows of base are in once a cut is there. A server brings a space to a newer schema as a whole before anybody
 * reads it, so the rows that a cut does not bring are the same under both. An older one than base has comes from a history
 * that was lost or restored, and counts with the cut that fetches everything anew (DESIGN rule 12).
 */
export function schemaAfter(
  { schema, reset }: Cut,
  before: RowsSchema | undefined,
  domains: readonly string[],
): RowsSchema | undefined {
  const isOlder = schema && before && schema.version < before.version;
  return isOlder && !domains.every((domain) => reset.includes(domain)) ? before : asKnown(schema, before);
}

/** Why an app cannot read rows, for people; undefined where it can. */
export function unreadable(
  schema: RowsSchema | undefined,
  app = Number.POSITIVE_INFINITY,
): string | undefined {
  return schema && schema.readableFrom > app
    ? `The data is of version ${schema.version} of the app's schema, which this version, ${app}, cannot read. Update the app, and close it where it is open still; what was written here is kept.`
    : undefined;
}
