import type { Row } from "@landfall/protocol";

/** A row of base as the app's version of the schema has it: the same row for the same row. */
export type Present = (row: Row | undefined) => Row | undefined;

/** Rows that are in the app's version, or in one that it reads as they are. */
export const asIs: Present = (row) => row;
