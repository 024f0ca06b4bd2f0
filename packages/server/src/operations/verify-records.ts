import {
  DigestSum,
  type Fields,
  type Json,
  type Sha256,
  canonicalJson,
  elementHash,
  isIdentifier,
  isStamp,
  recordContent,
  stampReading,
} from "@landfall/protocol";
import { lookupValue } from "../apply/domain-rules.js";
import { upgradeUnderWay } from "../apply/upgrade.js";
import type { DomainState, SpaceContents, SpaceState, StoredRecord } from "../storage/port.js";
import type { Findings } from "./findings.js";

/**
 * How far, in milliseconds, the receive clock may run ahead of its commit's time: a full counter borrows the
 * next millisecond, so one for each 4,096 events of the commit.
 */
const maxBorrowedMs = 1_000;

/** What the records of one domain come to. */
interface DomainSum {
  readonly digest: DigestSum;
  newest: number;
}

/** Tells how far the work is; whoever awaits it may let other work have a turn. */
export type Progress = (rows: number) => void | Promise<void>;

/** Records between two reports of progress. */
export const progressRows = 2_000;

/** Holds the records of one space against its row, its domains and its lookups. */
export class RecordsCheck {
  records = 0;
  tombstones = 0;
  readonly #sums = new Map<string, DomainSum>();
  readonly #lookups: LookupCounts;
  #last: StoredRecord | undefined;

  constructor(
    private readonly space: string,
    private readonly state: SpaceState,
    private readonly hash: Sha256,
    private readonly findings: Findings,
  ) {
    // In the middle of an upgrade the lookups are not whole, and nobody asks for them.
    this.#lookups = new LookupCounts(upgradeUnderWay(state) ? "{}" : state.lookups);
    if (!this.#lookups.isReadable)
      findings.add("state", space, "what its lookups were built from cannot be read");
  }

  async run(contents: SpaceContents, domains: readonly DomainState[], progress: Progress): Promise<void> {
    for await (const row of contents.records()) {
      this.#take(row);
      if ((this.records + this.tombstones) % progressRows === 0) await progress(progressRows);
    }
    this.#compareDomains(domains);
    await this.#compareLookups(contents);
  }

  #wrong(code: Parameters<Findings["add"]>[0], row: StoredRecord, said: string): void {
    this.findings.add(code, this.space, `${row.domain}/${row.key} at version ${row.version}: ${said}`);
  }

  #take(row: StoredRecord): void {
    const { domain, key, version, modifiedAt, fields, stamps } = row;
    let sum = this.#sums.get(domain);
    if (!sum) this.#sums.set(domain, (sum = { digest: new DigestSum(), newest: 0 }));
    sum.newest = Math.max(sum.newest, version);
    if (!isIdentifier(domain) || !isIdentifier(key)) this.#wrong("record", row, "its name is no identifier");
    if (version < 1 || version > this.state.head)
      this.#wrong("record", row, `versions of this space go from 1 to ${this.state.head}`);
    this.#checkTimes(row);
    this.#last = row;
    if (fields === undefined || stamps === undefined) {
      this.tombstones += 1;
      if (fields !== stamps) this.#wrong("content", row, "it has fields or stamps, and not both");
      return;
    }
    this.records += 1;
    sum.digest.add(elementHash(this.hash, domain, key, version, recordContent(fields, stamps)));
    const content = parseCanonical(fields);
    if (content === undefined) this.#wrong("content", row, "its fields are not canonical JSON of an object");
    else this.#lookups.expect(domain, content);
    const stamped = parseCanonical(stamps);
    if (stamped === undefined) this.#wrong("content", row, "its stamps are not canonical JSON of an object");
    else this.#checkStamps(row, stamped, modifiedAt);
  }

  /** Times rise from commit to commit, and all of a commit share one. */
  #checkTimes(row: StoredRecord): void {
    const last = this.#last;
    if (row.modifiedAt > this.state.modifiedAt)
      this.#wrong(
        "record",
        row,
        `modifiedAt ${row.modifiedAt} is after the space's, ${this.state.modifiedAt}`,
      );
    else if (row.createdAt > row.modifiedAt)
      this.#wrong("record", row, `it was created at ${row.createdAt}, after it was modified`);
    else if (last && row.version === last.version && row.modifiedAt !== last.modifiedAt)
      this.#wrong(
        "record",
        row,
        `modifiedAt ${row.modifiedAt} is not that of ${last.domain}/${last.key}, of the same event`,
      );
    else if (last && row.modifiedAt < last.modifiedAt)
      this.#wrong(
        "record",
        row,
        `modifiedAt ${row.modifiedAt} is before that of version ${last.version}, ${last.modifiedAt}`,
      );
  }

  #checkStamps(row: StoredRecord, stamps: { readonly [field: string]: Json }, modifiedAt: number): void {
    const { "*": created } = stamps;
    if (typeof created !== "string") return this.#wrong("stamp", row, "it has no create stamp");
    for (const [field, stamp] of Object.entries(stamps)) {
      if (typeof stamp !== "string" || !isStamp(stamp)) {
        this.#wrong("stamp", row, `the stamp of ${field} is none`);
        continue;
      }
      const { ms, counter } = stampReading(stamp);
      const { receivedMs, receivedCounter } = this.state;
      if (
        ms > modifiedAt + maxBorrowedMs ||
        ms > receivedMs ||
        (ms === receivedMs && counter > receivedCounter)
      )
        this.#wrong("stamp", row, `the stamp of ${field}, ${stamp}, is later than the record`);
      else if (stamp < created) this.#wrong("stamp", row, `the stamp of ${field} is before the create stamp`);
    }
  }

  #compareDomains(domains: readonly DomainState[]): void {
    const known = new Set(domains.map(({ domain }) => domain));
    for (const name of this.#sums.keys())
      if (!known.has(name))
        this.findings.add("domain", this.space, `${name} has records, and no row of its own`);
    for (const { domain, head, count, sum, horizon } of domains) {
      const { digest, newest } = this.#sums.get(domain) ?? { digest: new DigestSum(), newest: 0 };
      const wrong = (code: "domain" | "digest" | "horizon", said: string): void =>
        this.findings.add(code, this.space, `${domain}: ${said}`);
      if (head > this.state.head)
        wrong("domain", `its head, ${head}, is beyond the space's, ${this.state.head}`);
      // The newest row may be gone only if it was a tombstone that was cleared away.
      if (newest > head || (newest < head && horizon < head))
        wrong("domain", `its head is ${head}, and its newest record's version ${newest}`);
      if (horizon < 0 || horizon > this.state.head)
        wrong("horizon", `deletes up to ${horizon} are said to be gone, and the head is ${this.state.head}`);
      if (digest.count !== count || digest.sum !== sum)
        wrong(
          "digest",
          `${count} records with digest ${sum} are noted, and there are ${digest.count} with ${digest.sum}`,
        );
    }
  }

  async #compareLookups(contents: SpaceContents): Promise<void> {
    const found = new Map<string, number>();
    let last:
      | { readonly domain: string; readonly name: string; readonly value: string; readonly key: string }
      | undefined;
    for await (const entry of contents.lookups()) {
      const { domain, name, value, key, fields } = entry;
      const place = `${domain}/${key} under ${name} ${value}`;
      // Of what is no longer declared, or not by this server, nobody asks; it goes when lookups are built anew.
      if (!this.#lookups.declares(domain, name)) continue;
      if (this.#lookups.valueOf(domain, name, fields) !== value)
        this.findings.add("lookup", this.space, `${place}: the record does not have this value`);
      if (name.startsWith("unique:") && last?.domain === domain && last.name === name && last.value === value)
        this.findings.add("unique", this.space, `${place}: ${last.key} has it too`, false);
      const kind = `${domain} ${name}`;
      found.set(kind, (found.get(kind) ?? 0) + 1);
      last = entry;
    }
    for (const [kind, count] of this.#lookups.counts) {
      const there = found.get(kind) ?? 0;
      if (there !== count)
        this.findings.add(
          "lookup",
          this.space,
          `${kind}: ${count} records have a value, and ${there} are found by it`,
        );
    }
  }
}

/** How many entries each lookup must have, by the declaration that they were built from. */
class LookupCounts {
  readonly counts = new Map<string, number>();
  readonly isReadable: boolean;
  readonly #rules = new Map<string, { readonly name: string; readonly fields: readonly string[] }[]>();

  constructor(declaration: string) {
    const declared = parseCanonical(declaration) as
      | { readonly [domain: string]: readonly (readonly [string, ...string[]])[] }
      | undefined;
    this.isReadable = declared !== undefined;
    for (const [domain, lookups] of Object.entries(declared ?? {})) {
      const rules = lookups.map(([name, ...fields]) => ({ name, fields }));
      this.#rules.set(domain, rules);
      for (const { name } of rules) this.counts.set(`${domain} ${name}`, 0);
    }
  }

  expect(domain: string, fields: Fields): void {
    for (const rule of this.#rules.get(domain) ?? []) {
      if (lookupValue({ ...rule, unique: false }, fields) === undefined) continue;
      const kind = `${domain} ${rule.name}`;
      this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    }
  }

  declares(domain: string, name: string): boolean {
    return this.counts.has(`${domain} ${name}`);
  }

  /** The value that a record has under a lookup; undefined for one that has none, or is not there. */
  valueOf(domain: string, name: string, fields: string | undefined): string | undefined {
    const rule = this.#rules.get(domain)?.find((each) => each.name === name);
    const content = fields === undefined ? undefined : parseCanonical(fields);
    return rule && content && lookupValue({ ...rule, unique: false }, content);
  }
}

/** A JSON object whose text is the canonical one; undefined for any other text. */
function parseCanonical(text: string): { readonly [name: string]: Json } | undefined {
  try {
    const value = JSON.parse(text) as Json;
    if (value === null || typeof value !== "object" || Array.isArray(value)) return undefined;
    return canonicalJson(value) === text ? (value as { readonly [name: string]: Json }) : undefined;
  } catch {
    return undefined;
  }
}
