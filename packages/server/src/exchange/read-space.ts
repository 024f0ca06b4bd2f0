import type { SpaceRequest } from "@landfall/protocol";
import { needsUpgrade, upgradeUnderWay } from "../apply/upgrade.js";
import { type EchoTrace, slotName } from "../apply/working-set.js";
import type { Core } from "../core.js";
import { type MaybePromise, chain } from "../maybe-promise.js";
import type {
  DomainState,
  FoundSpace,
  GenerationStart,
  Page,
  PageRow,
  Snapshot,
  SpaceState,
} from "../storage/port.js";
import { type OwnEcho, isAllOwn } from "./own-echo.js";
import { recoveryWindow } from "./recovery-window.js";
import { betweenVersions } from "./rows-schema.js";
import type { SpaceFailureText } from "./space-failure.js";

/** Where the client is: what its request said, or the last checkpoint of a stream. */
export interface Position {
  readonly cursors: { readonly [domain: string]: number };
  readonly scan: { readonly [domain: string]: number };
}

/** One page of one space, as one snapshot has it. */
export interface SpaceReading {
  readonly state: SpaceState;
  readonly lastSeq: number;
  readonly reset: readonly string[];
  readonly rows: readonly PageRow[];
  /** Rows left out because the device can work them out, by `slotName` (DESIGN §6, own echo). */
  readonly omitted: Pick<ReadonlySet<string>, "has">;
  readonly next: Position;
  readonly more: boolean;
  /** What the last page says besides, as JSON members: the digests, and the horizons; empty for the others. */
  readonly lastPage: string;
}

export type ReadResult =
  | { readonly reading: SpaceReading }
  | { readonly failure: SpaceFailureText }
  | "upgrade";

export interface ReadRequest {
  readonly request: SpaceRequest;
  readonly device: string;
  readonly user: string;
  readonly position: Position;
  readonly limit: number;
  readonly own: OwnEcho;
}

const notFound: SpaceFailureText = {
  code: "not_found",
  message: "There is no such space, or you may not know of it.",
};

/** Reads what lies after the cursors, in one snapshot, with all that the answer says about it (DESIGN rule 5). */
export function readSpace(core: Core, snapshot: Snapshot, read: ReadRequest): MaybePromise<ReadResult> {
  const { request, user, device } = read;
  return chain(snapshot.space(request.space, user, device), (found): MaybePromise<ReadResult> => {
    if (!found || found.role === undefined) return { failure: notFound };
    if (found.role === "former")
      return { failure: { code: "revoked", message: "You are no longer a member of this space." } };
    const { state } = found;
    const { generation } = request;
    if (generation !== undefined && generation !== state.generation) {
      return chain(snapshot.generations(request.space), (history) =>
        chain(snapshot.writer(request.space, generation, device, user), (writer) => ({
          failure: generationChanged(core, generation, history, writer?.lastSeq),
        })),
      );
    }
    const failure = misplaced(read, state.head);
    if (failure) return { failure };
    if (needsUpgrade(core, state)) return "upgrade";
    // Left in its middle by a newer server, and not for this one to end: the rows are of two versions.
    if (upgradeUnderWay(state)) return { failure: betweenVersions(state) };
    const start = startReading(read, found);
    return start.isKnown
      ? finishReading(read, found, start, noRows)
      : chain(
          snapshot.page({
            space: request.space,
            domains: start.wanted,
            limit: read.limit + countComputable(read.own.rows),
            maxBytes: core.limits.maxPageBytes,
          }),
          (page) => finishReading(read, found, start, page),
        );
  });
}

/**
 * What `readSpace` would give, where it can be told from how the request's own events left the space: the device
 * is behind by nothing but what it can work out. Most exchanges that write are like that.
 */
export function readLeft(read: ReadRequest, left: FoundSpace): SpaceReading | undefined {
  if (misplaced(read, left.state.head)) return undefined;
  const start = startReading(read, left);
  return start.isKnown ? finishReading(read, left, start, noRows).reading : undefined;
}

/** A position that cannot be in this history. */
function misplaced({ request, position }: ReadRequest, head: number): SpaceFailureText | undefined {
  const furthest = Math.max(0, ...Object.values(position.cursors), ...Object.values(position.scan));
  if (furthest > 0 && request.generation === undefined) {
    return {
      code: "invalid_space",
      message: "generation: expected with cursors above 0, since they are places in one generation",
    };
  }
  if (furthest <= head) return undefined;
  return {
    code: "cursor_ahead",
    message: `A cursor is at ${furthest}, and the head is ${head}: the server has lost history.`,
    members: `"head":${head}`,
  };
}

/**
 * Why a client's generation is no longer the space's. Several steps come to one: a wipe on the way wins, and
 * what they share ends where the first of them parted.
 *
 * @param history newest first.
 * @param lastSeq of the device in the generation that it knows: what it has pending up to there is in the space's rows.
 */
function generationChanged(
  core: Core,
  generation: string,
  history: readonly GenerationStart[],
  lastSeq = 0,
): SpaceFailureText {
  const newest = history[0] as GenerationStart;
  const steps: GenerationStart[] = [];
  for (const start of history) {
    if (start.generation === generation) break;
    steps.push(start);
  }
  const isKnown = steps.length < history.length;
  const told = isKnown
    ? {
        reason: steps.some(({ reason }) => reason === "wiped") ? "wiped" : newest.reason,
        parent: generation,
        at: Math.min(...steps.map(({ at }) => at)),
      }
    : {
        reason: newest.reason,
        ...(newest.parent === undefined ? {} : { parent: newest.parent }),
        at: newest.at,
      };
  const window = told.reason === "restored" ? recoveryWindow(core, history) : undefined;
  const until = window ? { recoverUntil: window.until } : {};
  const seen = isKnown && told.reason === "restored" ? { lastSeq } : {};
  const why = isKnown
    ? `The space was ${told.reason}.`
    : "The space has another history than the one you know.";
  return {
    code: "generation_changed",
    message: `${why} Its generation is ${newest.generation}.`,
    members: JSON.stringify({ generation: newest.generation, ...told, ...until, ...seen }).slice(1, -1),
  };
}

interface Start extends Position {
  readonly byName: ReadonlyMap<string, DomainState>;
  readonly reset: readonly string[];
  /** The domains that have moved after their cursors. */
  readonly wanted: readonly { readonly domain: string; readonly after: number }[];
  /** Whether all that has moved is the request's own, and the device can work it out. */
  readonly isAllOwn: boolean;
  /** Whether there is no row to be read. */
  readonly isKnown: boolean;
}

function startReading({ position, own }: ReadRequest, { state, domains }: FoundSpace): Start {
  const byName = new Map<string, DomainState>();
  for (const domain of domains) byName.set(domain.domain, domain);
  const { cursors, scan, reset } = placeCursors(position, byName, state.head);
  const wanted: { readonly domain: string; readonly after: number }[] = [];
  for (const domain of Object.keys(cursors)) {
    const after = cursors[domain] as number;
    if ((byName.get(domain)?.head ?? 0) > after) wanted.push({ domain, after });
  }
  const allOwn = reset.length === 0 && isAllOwn(own, wanted, state);
  const isKnown = allOwn || wanted.length === 0;
  return { cursors, scan, reset, byName, wanted, isAllOwn: allOwn, isKnown };
}

const noDomain = { count: 0, sum: "0".repeat(32), horizon: 0 };
const noRows: Page = { rows: [], more: false };
const allRows = { has: () => true };

function finishReading(
  read: ReadRequest,
  { state, writer }: FoundSpace,
  start: Start,
  page: Page,
): { readonly reading: SpaceReading } {
  const { rows, omitted } = start.isAllOwn
    ? { rows: page.rows, omitted: allRows }
    : leaveOut(read, start.reset, page);
  return {
    reading: {
      state,
      lastSeq: writer?.lastSeq ?? 0,
      reset: start.reset,
      rows,
      omitted,
      next: advance(start, page, state.head),
      more: page.more,
      lastPage: page.more ? "" : lastPageText(Object.keys(start.cursors), start.byName, state.head),
    },
  };
}

/**
 * Where each domain's reading starts. A finished cursor, or the start of a scan, that lies before the horizon
 * may have missed a delete: the domain comes from 0, and the client replaces what it has. A cursor in the
 * middle of a scan is judged by the scan's start, or a long first sync would never end.
 */
function placeCursors(
  { cursors, scan }: Position,
  domains: ReadonlyMap<string, DomainState>,
  head: number,
): Pick<Start, "cursors" | "scan" | "reset"> {
  const placed: Record<string, number> = {};
  const scanning: Record<string, number> = {};
  const reset: string[] = [];
  for (const [domain, cursor] of Object.entries(cursors)) {
    const begun = Object.hasOwn(scan, domain) ? scan[domain] : undefined;
    placed[domain] = cursor;
    if (begun === undefined && cursor === 0) scanning[domain] = head;
    else if ((begun ?? cursor) < (domains.get(domain)?.horizon ?? 0)) {
      reset.push(domain);
      placed[domain] = 0;
      scanning[domain] = head;
    } else if (begun !== undefined) scanning[domain] = begun;
  }
  return { cursors: placed, scan: scanning, reset };
}

function advance({ cursors, scan }: Position, page: Page, head: number): Position {
  if (!page.more)
    return { cursors: Object.fromEntries(Object.keys(cursors).map((domain) => [domain, head])), scan: {} };
  const reached = page.rows.at(-1)?.version ?? 0;
  return {
    cursors: Object.fromEntries(
      Object.entries(cursors).map(([domain, cursor]) => [domain, Math.max(cursor, reached)]),
    ),
    scan,
  };
}

/** Rows that need not be sent do not count against the limit. */
function countComputable(own: ReadonlyMap<string, EchoTrace>): number {
  let count = 0;
  for (const { computable } of own.values()) if (computable) count += 1;
  return count;
}

/** Takes out what the device knows: rows that it named, and those that only its own ops of this request have changed. */
function leaveOut(
  { request, position, own }: ReadRequest,
  reset: readonly string[],
  page: Page,
): { readonly rows: readonly PageRow[]; readonly omitted: ReadonlySet<string> } {
  const omitted = new Set<string>();
  const known = new Map((request.known ?? []).map(([domain, key, at]) => [slotName(domain, key), at]));
  if (own.rows.size === 0 && known.size === 0) return { rows: page.rows, omitted };
  const rows = page.rows.filter((row) => {
    if (reset.includes(row.domain)) return true;
    const name = slotName(row.domain, row.key);
    const trace = own.rows.get(name);
    if (
      trace?.computable &&
      trace.last === row.version &&
      trace.before <= (position.cursors[row.domain] ?? 0)
    ) {
      omitted.add(name);
      return false;
    }
    const at = known.get(name);
    return at === undefined || (at !== row.version && at !== row.modifiedAt);
  });
  return { rows, omitted };
}

function lastPageText(
  names: readonly string[],
  domains: ReadonlyMap<string, DomainState>,
  head: number,
): string {
  const horizons: string[] = [];
  const digests = names.map((name) => {
    const { count, sum, horizon } = domains.get(name) ?? noDomain;
    if (horizon > 0) horizons.push(`"${name}":${horizon}`);
    return `"${name}":{"index":${head},"count":${count},"sum":"${sum}"}`;
  });
  const removed = horizons.length === 0 ? "" : `,"horizons":{${horizons.join(",")}}`;
  return `,"digests":{${digests.join(",")}}${removed}`;
}
