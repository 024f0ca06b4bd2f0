import { limits } from "@landfall/protocol";
import { needsUpgrade } from "../apply/upgrade.js";
import type { Core } from "../core.js";
import type { RowsPage, RowsQuery, User } from "../engine-types.js";
import { LandfallError, spaceNotFound } from "../landfall-error.js";
import { type MaybePromise, chain } from "../maybe-promise.js";
import { schemaText } from "./rows-schema.js";
import type { FoundSpace, Page, PageRow, Snapshot, SpaceState } from "../storage/port.js";

/** Reads one page for `GET /v1/spaces/:space/rows`: no device, no events, no own echo (DESIGN §6). */
export function pullRows(
  core: Core,
  snapshot: Snapshot,
  user: User,
  query: RowsQuery,
): MaybePromise<RowsPage | "upgrade"> {
  return chain(snapshot.space(query.space, user.id), (found): MaybePromise<RowsPage | "upgrade"> => {
    if (!found || found.role === undefined || found.role === "former") throw spaceNotFound();
    if (needsUpgrade(core, found.state)) return "upgrade";
    return chain(placeStart(snapshot, query, found), (after) =>
      chain(readRows(core, snapshot, query, after), (page) => toPage(core, query, found.state, page)),
    );
  });
}

function placeStart(
  snapshot: Snapshot,
  { space, domain, since = 0, modifiedSince }: RowsQuery,
  { state, domains }: FoundSpace,
): MaybePromise<number> {
  if (since > state.head)
    throw new LandfallError(
      "invalid_request",
      `since: ${since} lies beyond the head, ${state.head}: the server has lost history, or this is another space's.`,
    );
  const horizon = domains.find((candidate) => candidate.domain === domain)?.horizon ?? 0;
  if (since > 0 && since < horizon) {
    throw new LandfallError(
      "invalid_request",
      `since: deletes are known from version ${horizon} on, so ${since} might miss some. Read from the beginning, and drop what is not there.`,
    );
  }
  if (modifiedSince === undefined) return since;
  return chain(snapshot.versionAt(space, domain, modifiedSince), (version) => Math.max(since, version));
}

function readRows(core: Core, snapshot: Snapshot, query: RowsQuery, after: number): MaybePromise<Page> {
  const { space, domain, keys, fieldsKeyOnly: keysOnly = false } = query;
  if (keys)
    return chain(snapshot.rows(space, domain, keys, keysOnly), (rows) => ({
      rows: rows.filter(({ version }) => version > after),
      more: false,
    }));
  const limit = Math.min(query.limit ?? limits.defaultPageRows, core.limits.maxPageRows);
  return snapshot.page({
    space,
    domains: [{ domain, after }],
    limit,
    maxBytes: core.limits.maxPageBytes,
    keysOnly,
  });
}

function toPage(core: Core, query: RowsQuery, state: SpaceState, page: Page): RowsPage {
  const known = new Map(query.known ?? []);
  const rows = page.rows
    .filter(({ key, version, modifiedAt }) => known.get(key) !== version && known.get(key) !== modifiedAt)
    .map(({ text }) => text);
  const cursor = page.more ? (page.rows.at(-1) as PageRow).version : state.head;
  const lastUpdateTime = page.more ? lastWholeCommit(page.rows, query.modifiedSince ?? 0) : state.modifiedAt;
  const head = `"space":"${query.space}","domain":"${query.domain}","generation":"${state.generation}"${schemaText(core, state)},"head":${state.head},"cursor":${cursor}`;
  const text = `{${head},"lastUpdateTime":${lastUpdateTime},"more":${page.more},"rows":[${rows.join(",")}]}`;
  const digest = core.hash(text);
  const etag = `"${[...digest.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}"`;
  return {
    text,
    rows,
    etag,
    generation: state.generation,
    head: state.head,
    cursor,
    lastUpdateTime,
    more: page.more,
  };
}

/** The newest time of which a page that goes on has everything: its last commit may reach into the next page. */
function lastWholeCommit(rows: readonly PageRow[], from: number): number {
  const last = rows.at(-1)?.modifiedAt ?? from;
  return rows.findLast(({ modifiedAt }) => modifiedAt < last)?.modifiedAt ?? from;
}
