import { type Role, type Row, limits, rowDecoder } from "@landfall/protocol";
import {
  type Decoder,
  type Infer,
  choose,
  hasMember,
  identifier,
  literal,
  object,
  oneOf,
  positive,
  text,
  uint,
} from "@landfall/protocol/decode";

/**
 * The lines of an export, one JSON object each. What is written of a space comes in sections: rows in order of
 * version, then a checkpoint with their number and their SHA-256. A key may come again with a later version, and
 * the last one counts; so an export that was broken off goes on from its last checkpoint with what changed since.
 */
export const exportFormat = 1;

/** Rows of a section: what is held at once, and what an import applies as one event. */
export const sectionRows = 500;
/** Bytes of a section's rows, about. */
export const sectionBytes = 1_000_000;
/** Bytes of a line: a row with all the fields and stamps that it may have, in UTF-8. */
export const maxLineBytes = 4 * limits.maxRecordBytes;

/** The first line. `id` is what an import remembers an export by. */
const header = object({ landfall: literal("export"), format: uint, id: identifier, madeAt: uint });
/** Begins a space, or goes on with it after a break. */
const space = object({
  space: identifier,
  generation: identifier,
  head: uint,
  schema: uint,
  members: uint,
});
/** Follows the space's line, so many times as that says. */
const member = object({
  member: text(limits.maxNameChars),
  role: oneOf<Role>("owner", "writer", "reader"),
});
/** Ends a section. All rows up to version `after` are written. */
const checkpoint = object({ checkpoint: identifier, after: uint, rows: positive, sha256: text(64) });
/** Ends a space: the rows of all its sections. */
const end = object({ end: identifier, rows: uint });
const done = object({ done: literal(true), spaces: uint });

export type ExportHeader = Infer<typeof header>;
export type ExportSpace = Infer<typeof space>;
export type ExportMember = Infer<typeof member>;
export type ExportCheckpoint = Infer<typeof checkpoint>;
export type ExportEnd = Infer<typeof end>;
export type ExportLine =
  | ExportHeader
  | ExportSpace
  | ExportMember
  | ExportCheckpoint
  | ExportEnd
  | Infer<typeof done>
  | Row;

const byMember: readonly (readonly [string, Decoder<ExportLine>])[] = [
  ["domain", rowDecoder],
  ["checkpoint", checkpoint],
  ["member", member],
  ["space", space],
  ["end", end],
  ["done", done],
];

export const exportLine: Decoder<ExportLine> = choose<ExportLine>(
  [header, space, member, checkpoint, end, done, rowDecoder],
  (value) => byMember.find(([name]) => hasMember(value, name))?.[1] ?? header,
);

export function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
