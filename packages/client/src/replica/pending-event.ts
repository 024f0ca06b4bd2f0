import type { ExpectedVersion, Json, Op, Stamp } from "@landfall/protocol";

/** A version that a pending event depends on: known, or that which an own earlier event will produce. */
export type PendingExpectation = readonly [
  domain: string,
  key: string,
  version: number | { readonly event: Stamp },
];

/** An own event that the server has not settled; one row of the outbox (DESIGN rule 1). */
export interface PendingEvent {
  readonly id: Stamp;
  /** Local wall time in milliseconds, for people. */
  readonly madeAt: number;
  /** The schema version that it was made under. */
  readonly schema?: number;
  /** That which it was first sent under, where it was brought to a newer one since: its outcome may be of that. */
  readonly sentUnder?: number;
  /** The history that it was written in, so that it is known still where all else of the space is gone (DESIGN rule 12). */
  readonly generation?: string;
  readonly ops?: readonly Op[];
  readonly action?: string;
  readonly args?: Json;
  readonly expect?: readonly PendingExpectation[];
  /** Given at the first send (DESIGN rule 3). */
  readonly seq?: number;
  readonly was?: { readonly device: string; readonly seq: number };
  /** Given up after it was sent. */
  readonly void?: true;
  /**
   * Why it was given up, where nobody has been told yet: an earlier send may have got through after all, and only the
   * outcome of the void says so. Until then it shows.
   */
  readonly refused?: { readonly code: string; readonly message: string };
  /** Its effect is in base and only its outcome is missing; kept with it, or it would count twice after a restart (DESIGN rule 5). */
  readonly confirmed?: true;
  /** The server has said that a restored history has it: its effect is in the rows that are fetched of that (DESIGN rule 12). */
  readonly restored?: true;
}

/** A pending event while it is put together. */
export type EventInMaking = { -readonly [M in keyof PendingEvent]: PendingEvent[M] };

/** What is offered back to a server that lost it stands before what was written on it. */
const isOffer = ({ ops }: PendingEvent): boolean => ops?.[0]?.op === "offer";

/** A version that no row can have: what expects it is refused, as it must be. */
export const noVersion = Number.MAX_SAFE_INTEGER;

/** The order in which pending events are sent and shown: sent ones by seq, then offers, then the others by stamp. */
export function comesBefore(a: PendingEvent, b: PendingEvent): boolean {
  if (a.seq !== undefined && b.seq !== undefined) return a.seq < b.seq;
  if (a.seq !== undefined || b.seq !== undefined) return a.seq !== undefined;
  const offered = isOffer(a);
  return offered === isOffer(b) ? a.id < b.id : offered;
}

/**
 * Takes the seqs of events back; what each was first sent under is remembered from then on (DESIGN rule 3). One that had
 * none may have been sent by a copy of this installation, from `nextSeq` on.
 */
export function renumbered(events: readonly PendingEvent[], device: string, nextSeq: number): PendingEvent[] {
  let next = nextSeq;
  return events.map(({ seq = next++, ...event }) => ({ ...event, was: event.was ?? { device, seq } }));
}

/**
 * The expectation as the wire has it, once every own event that it names was given a seq.
 * @param versionBy what an own event that it names makes of the record, by its seq or as it turned out.
 */
export function wireExpectation(
  [domain, key, version]: PendingExpectation,
  versionBy: (event: Stamp) => ExpectedVersion | undefined,
): readonly [string, string, ExpectedVersion] {
  // An own event that had no effect, or left the outbox without being settled here, has no version that could be met.
  return [domain, key, typeof version === "number" ? version : (versionBy(version.event) ?? noVersion)];
}
