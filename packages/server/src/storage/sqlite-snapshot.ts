import type { Page, PageRequest, PageRow, Snapshot, SpaceContents } from "./port.js";
import { readContents } from "./sqlite-contents.js";
import type { SqlValue, Statements } from "./sqlite-driver.js";
import {
  domainNumber,
  readGenerations,
  readMembers,
  readMemberships,
  readSpace,
  readSpaceIds,
  readWriter,
  readWriters,
} from "./sqlite-rows.js";

/** A row as wire JSON (DESIGN §5.3), put together from texts: identifiers need no escaping, and fields and stamps are stored as JSON. */
const wholeRow = `'{"domain":"'||d.name||'","key":"'||key||'","version":'||version||',"modifiedAt":'||modified_at||CASE WHEN fields IS NULL THEN ',"deleted":true}' ELSE ',"fields":'||fields||',"stamps":'||stamps||'}' END`;
const keyOnly = `'{"domain":"'||d.name||'","key":"'||key||'","version":'||version||',"modifiedAt":'||modified_at||CASE WHEN fields IS NULL THEN ',"deleted":true}' ELSE '}' END`;

const columns = (keysOnly: boolean): string =>
  `version, modified_at, d.name, key, ${keysOnly ? keyOnly : wholeRow} AS text`;

function toRow([version, modifiedAt, domain, key, text]: readonly SqlValue[]): PageRow {
  return { version, modifiedAt, domain, key, text } as PageRow;
}

/** Reads on one connection, between BEGIN and COMMIT of whoever made it. */
export class SqliteSnapshot implements Snapshot {
  constructor(private readonly statements: Statements) {}

  space(space: string, user: string, device?: string): ReturnType<Snapshot["space"]> {
    return readSpace(this.statements, space, user, device)?.found;
  }

  writer(space: string, generation: string, device: string, user: string): ReturnType<Snapshot["writer"]> {
    return readWriter(this.statements, { space, generation, device, user })?.state;
  }

  writers(space: string, generation: string): ReturnType<Snapshot["writers"]> {
    return readWriters(this.statements, space, generation);
  }

  generations(space: string): ReturnType<Snapshot["generations"]> {
    return readGenerations(this.statements, space);
  }

  members(space: string): ReturnType<Snapshot["members"]> {
    return readMembers(this.statements, space);
  }

  memberships(user: string): ReturnType<Snapshot["memberships"]> {
    return readMemberships(this.statements, user);
  }

  spaces(): ReturnType<Snapshot["spaces"]> {
    return readSpaceIds(this.statements);
  }

  contents(space: string): SpaceContents {
    return readContents(this.statements, space);
  }

  versionAt(space: string, domain: string, modifiedAt: number): number {
    // Times rise with versions, so the newest version of its time is the first that a walk back meets.
    const row = this.statements
      .of(
        `SELECT version FROM records WHERE domain=${domainNumber} AND modified_at<=? ORDER BY version DESC LIMIT 1`,
      )
      .get(space, domain, modifiedAt);
    return row ? (row[0] as number) : 0;
  }

  tombstones(space: string, domain: string, limit: number): ReturnType<Snapshot["tombstones"]> {
    return this.statements
      .of(
        `SELECT version, modified_at FROM records WHERE domain=${domainNumber} AND fields IS NULL ORDER BY version LIMIT ?`,
      )
      .all(space, domain, limit)
      .map(([version, modifiedAt]) => ({ version: version as number, modifiedAt: modifiedAt as number }));
  }

  rows(space: string, domain: string, keys: readonly string[], keysOnly: boolean): readonly PageRow[] {
    return this.statements
      .of(
        `SELECT ${columns(keysOnly)} FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN domains d CROSS JOIN records ON domain=d.number AND key=wanted WHERE d.number=${domainNumber} ORDER BY version`,
      )
      .all(JSON.stringify(keys), space, domain)
      .map(toRow);
  }

  page(request: PageRequest): Page {
    const { space, domains, limit, maxBytes } = request;
    if (domains.length === 0) return { rows: [], more: false };
    const rows: PageRow[] = [];
    let bytes = 0;
    let more = false;
    for (const found of this.#inOrder(request)) {
      if (rows.length >= limit || bytes > maxBytes) {
        more = true;
        // One version may touch many rows: the page goes on to its end, or a client would believe that it has all of it.
        if (found[0] !== rows.at(-1)?.version) break;
      }
      const row = toRow(found);
      rows.push(row);
      bytes += row.text.length;
    }
    const last = rows.at(-1);
    if (!more || !last) return { rows, more: false };
    return {
      rows,
      more: domains.some(({ domain, after }) => this.#goesOn(space, domain, Math.max(after, last.version))),
    };
  }

  /** Rows of all domains merged by version: SQLite walks one index range for each. */
  #inOrder({ space, domains, keysOnly = false }: PageRequest): Iterable<readonly SqlValue[]> {
    const one = `SELECT ${columns(keysOnly)} FROM domains d CROSS JOIN records ON domain=d.number WHERE d.number=${domainNumber} AND version>?`;
    const sql =
      domains.length === 1
        ? `${one} ORDER BY version`
        : `${domains.map(() => one).join(" UNION ALL ")} ORDER BY 1`;
    return this.statements.of(sql).iterate(...domains.flatMap(({ domain, after }) => [space, domain, after]));
  }

  #goesOn(space: string, domain: string, after: number): boolean {
    return (
      this.statements
        .of(`SELECT 1 FROM records WHERE domain=${domainNumber} AND version>? LIMIT 1`)
        .get(space, domain, after) !== undefined
    );
  }
}
