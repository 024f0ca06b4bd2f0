import type { Stamp } from "@landfall/protocol";
import type { Superseded } from "../apply/working-set.js";

/** What became of an event, as it is kept for a retry (DESIGN rule 3). */
export type Recorded =
  | {
      readonly status: "applied";
      readonly index: number;
      readonly modifiedAt: number;
      readonly eff?: Stamp;
      readonly superseded?: readonly Superseded[];
      readonly result?: unknown;
    }
  | { readonly status: "rejected"; readonly code: string; readonly message: string }
  | { readonly status: "void" }
  /** Known to have been handled; how is no longer kept. */
  | { readonly status: "expired" };

export interface Deferred {
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs?: number;
}

/** A row that an applied event wrote by an op. */
export type WrittenRow = readonly [domain: string, key: string];

/** The outcome of one event of a request. */
export interface EventOutcome {
  readonly id: Stamp;
  readonly seq: number;
  readonly handled:
    | { readonly recorded: Recorded; readonly duplicate: boolean }
    | { readonly deferred: Deferred };
  /** For an event that this request applied: what its ops wrote. */
  readonly written: readonly WrittenRow[];
}

type Applied = Extract<Recorded, { readonly status: "applied" }>;

/** Whether an event was applied and has nothing more to say than where and when: most have not. */
const isPlain = ({ eff, superseded, result }: Applied): boolean =>
  eff === undefined && superseded === undefined && result === undefined;

/** The body that is stored; for most events two numbers. */
export function storedBody(recorded: Recorded): string {
  if (recorded.status === "applied" && isPlain(recorded)) return `[${recorded.index},${recorded.modifiedAt}]`;
  return JSON.stringify(recorded);
}

export function readBody(body: string | undefined): Recorded {
  if (body === undefined) return { status: "expired" };
  const value = JSON.parse(body) as readonly [number, number] | Recorded;
  return Array.isArray(value)
    ? { status: "applied", index: value[0] as number, modifiedAt: value[1] as number }
    : (value as Recorded);
}

/** An outcome as wire JSON (DESIGN §6). @param isOmitted whether a row that the event wrote is left out of this answer. */
export function outcomeText(
  { id, seq, handled, written }: EventOutcome,
  isOmitted: (row: WrittenRow) => boolean,
): string {
  const head = `{"id":"${id}","seq":${seq},"status":`;
  if ("deferred" in handled) return `${head}"deferred",${members(handled.deferred)}}`;
  const { recorded, duplicate } = handled;
  // What was never recorded as such cannot be told apart from what has expired.
  const status =
    duplicate || recorded.status === "expired"
      ? `"duplicate","of":"${recorded.status}"`
      : `"${recorded.status}"`;
  return `${head}${status}${bodyText(recorded)}${omittedText(written, isOmitted)}}`;
}

function bodyText(recorded: Recorded): string {
  if (recorded.status === "applied" && isPlain(recorded))
    return `,"index":${recorded.index},"modifiedAt":${recorded.modifiedAt}`;
  const { status: _status, ...rest } = recorded;
  const body = members(rest);
  return body === "" ? "" : `,${body}`;
}

/** Domains and keys are identifiers, which need no escaping. */
function omittedText(written: readonly WrittenRow[], isOmitted: (row: WrittenRow) => boolean): string {
  const omitted = written.filter(isOmitted);
  return omitted.length === 0
    ? ""
    : `,"omitted":[${omitted.map(([domain, key]) => `["${domain}","${key}"]`).join(",")}]`;
}

/** An object's members as JSON, without the braces. */
const members = (object: object): string => JSON.stringify(object).slice(1, -1);
