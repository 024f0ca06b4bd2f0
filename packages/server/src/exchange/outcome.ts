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
  /** Whether that is every row that its ops name, and the device can work them out. */
  readonly isWhole: boolean;
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
export function outcomeText({ id, seq, handled, written }: EventOutcome, isOmitted: IsOmitted): string {
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

type IsOmitted = (row: WrittenRow) => boolean;

/** What an outcome says that a run can say for it, or undefined where it says more. */
function plainApplied(
  { handled, written, isWhole }: EventOutcome,
  isOmitted: IsOmitted,
): Applied | undefined {
  if (!isWhole || "deferred" in handled || handled.duplicate) return undefined;
  const { recorded } = handled;
  return recorded.status === "applied" && isPlain(recorded) && written.every(isOmitted)
    ? recorded
    : undefined;
}

/** How many outcomes from here on one run can stand for; 1 where it can for none, or only for this one. */
function runLength(outcomes: readonly EventOutcome[], at: number, isOmitted: IsOmitted): number {
  const { seq } = outcomes[at] as EventOutcome;
  const first = plainApplied(outcomes[at] as EventOutcome, isOmitted);
  if (!first) return 1;
  let count = 1;
  for (; at + count < outcomes.length; count++) {
    const next = outcomes[at + count] as EventOutcome;
    const applied = next.seq === seq + count ? plainApplied(next, isOmitted) : undefined;
    if (applied?.index !== first.index + count || applied.modifiedAt !== first.modifiedAt) break;
  }
  return count;
}

/** The outcomes of an answer as members of it: what follows each other by one, and says nothing else, as runs. */
export function outcomesText(outcomes: readonly EventOutcome[], isOmitted: IsOmitted): string {
  const texts: string[] = [];
  const runs: string[] = [];
  for (let at = 0; at < outcomes.length;) {
    const outcome = outcomes[at] as EventOutcome;
    const count = runLength(outcomes, at, isOmitted);
    if (count > 1) {
      const { index, modifiedAt } = plainApplied(outcome, isOmitted) as Applied;
      runs.push(`{"seq":${outcome.seq},"count":${count},"index":${index},"modifiedAt":${modifiedAt}}`);
    } else texts.push(outcomeText(outcome, isOmitted));
    at += count;
  }
  return `"outcomes":[${texts.join(",")}]${runs.length === 0 ? "" : `,"runs":[${runs.join(",")}]`}`;
}

function bodyText(recorded: Recorded): string {
  if (recorded.status === "applied" && isPlain(recorded))
    return `,"index":${recorded.index},"modifiedAt":${recorded.modifiedAt}`;
  const { status: _status, ...rest } = recorded;
  const body = members(rest);
  return body === "" ? "" : `,${body}`;
}

/** Domains and keys are identifiers, which need no escaping. */
function omittedText(written: readonly WrittenRow[], isOmitted: IsOmitted): string {
  const omitted = written.filter(isOmitted);
  return omitted.length === 0
    ? ""
    : `,"omitted":[${omitted.map(([domain, key]) => `["${domain}","${key}"]`).join(",")}]`;
}

/** An object's members as JSON, without the braces. */
const members = (object: object): string => JSON.stringify(object).slice(1, -1);
