import type { Core } from "../core.js";
import type { SpaceState } from "../storage/port.js";
import type { SpaceFailureText } from "./space-failure.js";

/**
 * The schema version that the rows of a space are in, as members of an answer; nothing where the server has no schema.
 * What led to a newer one than the server's is not known here: then only its own apps are sure to read them.
 */
export function schemaText(core: Core, { schema }: Pick<SpaceState, "schema">): string {
  if (!core.schema || schema === 0) return "";
  const from = schema === core.schema.version ? core.readableFrom : schema;
  return `,"schema":${schema}${from === schema ? "" : `,"readableFrom":${from}`}`;
}

/** Why a server takes no writes to a space that a newer one has brought over; it was put back, or is one of several. */
export const olderThanSpace = ({ schema }: SpaceState, own: number | undefined): string =>
  `Nothing is written to this space: its records are of schema version ${schema}, to which a newer server has brought them, and this server has ${own ?? "none"}. What apps write is kept on their devices. Run the newer server again, or restore the backup from before the upgrade.`;

/** Why a server that does not have the schema of an upgrade has nothing to do with its space. */
export const betweenVersions = ({ schema }: SpaceState): SpaceFailureText => ({
  code: "schema_unsupported",
  message: `The space is being brought to schema version ${schema}, which this server does not have. Run the server that does.`,
});
