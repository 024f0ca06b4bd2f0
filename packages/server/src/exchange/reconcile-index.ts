import { ReconcileItems, type ReconcileItem, elementHash } from "@landfall/protocol";
import type { Core } from "../core.js";
import { LandfallError, spaceNotFound } from "../landfall-error.js";
import { chain } from "../maybe-promise.js";
import type { Page, PageRow } from "../storage/port.js";

/** Rows read and hashed in one go: about 10 ms, then others have their turn. */
const rowsPerSlice = 1_000;
/** Rows of all indexes together, about 150 bytes each; a domain that has more by itself is fetched instead. */
const maxIndexedRows = 1_000_000;
/** What an index takes by itself, in rows: whoever names many domains, there or not, makes no more than a thousand. */
const rowsPerIndex = 1_000;
/** An index that nobody has used for so long is let go. */
const idleMs = 60_000;
/** Reading begins anew when deletes are cleared away meanwhile; more often than this only if that never stops. */
const maxTries = 3;

interface DomainIndex {
  readonly generation: string;
  /** The index of the space up to which it has everything. */
  readonly head: number;
  readonly items: ReconcileItems;
}

/** What one read of a domain brings. */
interface Slice {
  readonly generation: string;
  readonly head: number;
  readonly horizon: number;
  readonly page: Page;
}

/**
 * The rows of domains as reconciliation compares them, kept in memory while they are asked for: built once, then
 * brought up to date with what has changed since, so that a round hashes nothing that an earlier one has hashed.
 */
export class ReconcileIndexes {
  readonly #core: Core;
  /** By space and domain; the one used longest ago comes first. */
  readonly #kept = new Map<string, DomainIndex & { readonly stopTimer: () => void }>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(core: Core) {
    this.#core = core;
  }

  /** The rows of a domain as of now or a little later. @throws LandfallError `too_large`, `unavailable` */
  async of(space: string, domain: string): Promise<DomainIndex> {
    // One after another, so that many who ask at once share one index and the work of building it.
    const mine = this.#turn.then(() => this.#upToDate(space, domain));
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async #upToDate(space: string, domain: string): Promise<DomainIndex> {
    const name = `${space}/${domain}`;
    let kept: DomainIndex | undefined = this.#kept.get(name);
    for (let tries = 0; tries < maxTries; tries++) {
      const index = await this.#readOn(space, domain, kept);
      if (index) {
        this.#keep(name, index);
        return index;
      }
      kept = undefined;
    }
    throw new LandfallError(
      "unavailable",
      `The rows of ${domain} change too fast to be compared. Try later.`,
      {
        retryAfterMs: 5_000,
      },
    );
  }

  /** Reads what came after an index; undefined when that cannot be told any more, and all of it is to be read anew. */
  async #readOn(
    space: string,
    domain: string,
    kept: DomainIndex | undefined,
  ): Promise<DomainIndex | undefined> {
    const changed = new Map<string, ReconcileItem | undefined>();
    let after = kept?.head ?? 0;
    let begun: number | undefined = kept?.head;
    for (;;) {
      const { generation, head, horizon, page } = await this.#slice(space, domain, after);
      begun ??= head;
      // A delete whose tombstone is gone would leave its row standing here.
      if ((kept && generation !== kept.generation) || horizon > begun) return undefined;
      for (const row of page.rows) changed.set(row.key, this.#toItem(row));
      if (!page.more) {
        const added = [...changed.values()].filter((item) => item !== undefined);
        const items =
          kept && changed.size === 0 ? kept.items : kept?.items.with(new Set(changed.keys()), added);
        return { generation, head, items: items ?? ReconcileItems.of(added) };
      }
      after = (page.rows.at(-1) as PageRow).version;
      await new Promise<void>((resolve) => void this.#core.timers.after(0, resolve));
    }
  }

  #slice(space: string, domain: string, after: number): Promise<Slice> {
    return this.#core.storage.read((snapshot) =>
      chain(snapshot.space(space, ""), (found) => {
        if (!found) throw spaceNotFound();
        const { generation, head } = found.state;
        const { count = 0, horizon = 0 } = found.domains.find((state) => state.domain === domain) ?? {};
        if (count > maxIndexedRows)
          throw new LandfallError(
            "too_large",
            `${domain} has ${count} rows, too many to be compared. Fetch it anew.`,
          );
        const { maxPageBytes } = this.#core.limits;
        return chain(
          snapshot.page({ space, domains: [{ domain, after }], limit: rowsPerSlice, maxBytes: maxPageBytes }),
          (page) => ({ generation, head, horizon, page }),
        );
      }),
    );
  }

  /** A live row as it counts in the digest (DESIGN §5.4); undefined for a tombstone. */
  #toItem({ domain, key, version, modifiedAt, text }: PageRow): ReconcileItem | undefined {
    const head = `{"domain":"${domain}","key":"${key}","version":${version},"modifiedAt":${modifiedAt},`;
    if (text === `${head}"deleted":true}`) return undefined;
    if (!text.startsWith(`${head}"fields":`))
      throw new Error(`The row ${domain}/${key} is not written as DESIGN §5.3 says.`);
    // Fields and stamps come last, and are stored as canonical JSON: that part of the text is what `recordContent` gives.
    const content = `{${text.slice(head.length)}`;
    return { order: version, id: key, digest: elementHash(this.#core.hash, domain, key, version, content) };
  }

  #keep(name: string, index: DomainIndex): void {
    this.#drop(name);
    const stopTimer = this.#core.timers.after(idleMs, () => this.#drop(name));
    this.#kept.set(name, { ...index, stopTimer });
    let rows = 0;
    for (const { items } of this.#kept.values()) rows += items.size + rowsPerIndex;
    for (const [oldest, { items }] of this.#kept) {
      if (rows <= maxIndexedRows || oldest === name) break;
      rows -= items.size + rowsPerIndex;
      this.#drop(oldest);
    }
  }

  #drop(name: string): void {
    this.#kept.get(name)?.stopTimer();
    this.#kept.delete(name);
  }
}
