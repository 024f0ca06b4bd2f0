import type {
  AppliedOutcome,
  DuplicateOutcome,
  RejectedOutcome,
  Row,
  VoidOutcome,
  WireDigest,
} from "@landfall/protocol";

/** An outcome that ends an event; `deferred` does not. */
export type FinalOutcome = AppliedOutcome | RejectedOutcome | VoidOutcome | DuplicateOutcome;

/** The schema version that rows are in, and the oldest version of the app that can read them. */
export interface RowsSchema {
  readonly version: number;
  readonly readableFrom: number;
}

/**
 * A step of base from one consistent cut to the next (DESIGN rule 5): stored and shown in one piece, sent
 * to other tabs as it is.
 */
export interface Cut {
  readonly generation: string;
  /** What the rows of base are in with this cut; absent where nobody says. */
  readonly schema?: RowsSchema | undefined;
  readonly lastSeq: number;
  readonly cursors: { readonly [domain: string]: number };
  /** Domains whose base is replaced by the rows of this cut. */
  readonly reset: readonly string[];
  /** Rows newer than what base holds. */
  readonly rows: ReadonlyMap<string, ReadonlyMap<string, Row>>;
  /** Rows that leave base, by domain: the server never had them, or has removed these tombstones. */
  readonly gone?: ReadonlyMap<string, readonly string[]>;
  /** By event id. */
  readonly outcomes: ReadonlyMap<string, FinalOutcome>;
  readonly digests: { readonly [domain: string]: WireDigest };
}
