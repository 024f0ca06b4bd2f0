import type { OutcomeChunk, StoredOutcome } from "./port.js";

/** The ids of a chunk as one text: stamps have 36 characters each. */
const idLength = 36;

export interface PackedChunk {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly ids: string;
  /** The bodies, one a line; JSON has no line feeds. */
  readonly bodies: string;
}

export function packOutcomes(outcomes: OutcomeChunk["outcomes"]): PackedChunk {
  const first = outcomes[0] as (typeof outcomes)[number];
  return {
    firstSeq: first.seq,
    lastSeq: first.seq + outcomes.length - 1,
    ids: outcomes.map(({ id }) => id).join(""),
    bodies: outcomes.map(({ body }) => body).join("\n"),
  };
}

/** The outcomes of a chunk whose seqs lie in [from, to]. */
export function unpackOutcomes(
  firstSeq: number,
  ids: string,
  bodies: string | null,
  from: number,
  to: number,
): StoredOutcome[] {
  const lines = bodies?.split("\n");
  const outcomes: StoredOutcome[] = [];
  const count = ids.length / idLength;
  for (let i = Math.max(0, from - firstSeq); i < count && firstSeq + i <= to; i++) {
    outcomes.push({ seq: firstSeq + i, id: ids.slice(i * idLength, (i + 1) * idLength), body: lines?.[i] });
  }
  return outcomes;
}
