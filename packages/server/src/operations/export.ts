import type { Sha256 } from "@landfall/protocol";
import type { DomainState, PageRow, Snapshot } from "../storage/port.js";
import {
  type ExportHeader,
  type ExportLine,
  exportFormat,
  hexOf,
  sectionBytes,
  sectionRows,
} from "./export-format.js";

/** Where an export was broken off: what its last checkpoint, or the end of a space, says. */
export interface ExportPosition {
  readonly header: ExportHeader;
  /** Spaces that are finished. */
  readonly finished: readonly string[];
  /** The space that is not. */
  readonly current:
    | {
        readonly space: string;
        readonly generation: string;
        readonly after: number;
        readonly rows: number;
      }
    | undefined;
}

export interface ExportOptions {
  /** What an import remembers this export by: an identifier that no other export has. */
  readonly id: string;
  readonly madeAt: number;
  readonly hash: Sha256;
  /** Only these; all unless set. */
  readonly spaces?: readonly string[];
  /** Goes on with an export that was broken off. */
  readonly from?: ExportPosition;
}

/** Some lines, each with its line feed, and the rows among them. */
export interface ExportChunk {
  readonly text: string;
  readonly rows: number;
}

/** Thrown where an export cannot be made, or not be gone on with. */
export class ExportError extends Error {
  override readonly name = "ExportError";
}

const line = (value: Exclude<ExportLine, { readonly domain: string }>): string =>
  `${JSON.stringify(value)}\n`;

/**
 * Writes spaces out as lines, a section at a time (see `exportFormat`): members, records and tombstones with their
 * stamps. What devices did, and under which ids, is not in it: that is what a backup is for.
 *
 * @throws ExportError
 */
export async function* exportSpaces(snapshot: Snapshot, options: ExportOptions): AsyncGenerator<ExportChunk> {
  const there = await snapshot.spaces();
  const wanted = options.spaces ?? there;
  for (const space of wanted)
    if (!there.includes(space))
      throw new ExportError(`There is no space ${space}, so it cannot be exported.`);
  const { id, madeAt, from } = options;
  for (const space of from ? [...from.finished, from.current?.space ?? wanted[0]] : [])
    if (space !== undefined && !wanted.includes(space))
      throw new ExportError(
        `What was written holds ${space}, which is not among the spaces that are to be exported now. Remove what was written, and begin anew.`,
      );
  if (!from) yield { text: line({ landfall: "export", format: exportFormat, id, madeAt }), rows: 0 };
  for (const space of wanted) {
    if (from?.finished.includes(space)) continue;
    yield* exportSpace(snapshot, space, options);
  }
  yield { text: line({ done: true, spaces: wanted.length }), rows: 0 };
}

async function* exportSpace(
  snapshot: Snapshot,
  space: string,
  { hash, from }: ExportOptions,
): AsyncGenerator<ExportChunk> {
  const found = await snapshot.space(space, "");
  if (!found) return;
  const { domains } = found;
  const { generation, head, schema } = found.state;
  const begun = from?.current?.space === space ? from.current : undefined;
  if (begun) checkResumable(space, generation, domains, begun);
  const members = (await snapshot.members(space)).filter(({ role }) => role !== undefined);
  let text = line({ space, generation, head, schema, members: members.length });
  for (const { user, role } of members) if (role) text += line({ member: user, role });
  yield { text, rows: 0 };
  let { after, rows: total } = begun ?? { after: 0, rows: 0 };
  for (let isMore = true; isMore;) {
    const page = await snapshot.page({
      space,
      domains: domains.map(({ domain }) => ({ domain, after })),
      limit: sectionRows,
      maxBytes: sectionBytes,
    });
    for (const section of sections(page.rows)) {
      // A page may go on to the end of a large version; until then what is known whole is what came before it.
      const isLast = section.at(-1) === page.rows.at(-1);
      if (isLast) after = (section.at(-1) as PageRow).version;
      const body = `${section.map((row) => row.text).join("\n")}\n`;
      const sha256 = hexOf(hash(body));
      total += section.length;
      yield {
        text: body + line({ checkpoint: space, after, rows: section.length, sha256 }),
        rows: section.length,
      };
    }
    isMore = page.more;
  }
  yield { text: line({ end: space, rows: total }), rows: 0 };
}

function* sections(rows: readonly PageRow[]): Generator<readonly PageRow[]> {
  for (let from = 0; from < rows.length;) {
    let to = from;
    for (let bytes = 0; to < rows.length && to - from < sectionRows && bytes <= sectionBytes; to++)
      bytes += (rows[to] as PageRow).text.length;
    yield rows.slice(from, to);
    from = to;
  }
}

/** What was written may hold what is gone, and nothing in the space says so any more. */
function checkResumable(
  space: string,
  generation: string,
  domains: readonly DomainState[],
  begun: NonNullable<ExportPosition["current"]>,
): void {
  const isOld = domains.some(({ horizon }) => begun.after > 0 && begun.after < horizon);
  if (generation === begun.generation && !isOld) return;
  throw new ExportError(
    `The export of ${space} cannot be gone on with: ${isOld ? "deletes that it has not seen are forgotten" : "the space has another history"} since. Remove what was written, and begin anew.`,
  );
}
