import type { Fields } from "@landfall/protocol";
import type { DomainFacts, SchemaFacts, Seen, View } from "../history.js";
import { canonicalText } from "../model/canonical.js";
import type { Branch } from "../model/lineage.js";
import {
  type DomainState,
  type LiveRow,
  type ModelRow,
  type ModelState,
  completeFields,
  nameOf,
} from "../model/model-row.js";
import { sameMembers } from "../model/same-value.js";
import { tabOf } from "./checker.js";

/** What is wrong, put into words when somebody wants to read it. */
export type Difference = () => string;

/** A record as an app has seen it. */
export class ShownRecord {
  readonly key: string;
  /** The row whose fields it was last found to show. */
  #like: LiveRow | undefined;

  constructor(
    readonly domain: string,
    readonly seen: Seen,
    readonly facts: DomainFacts | undefined,
  ) {
    this.key = seen.key;
  }

  get name(): string {
    return nameOf(this.domain, this.key);
  }

  /** Its fields, as one text. */
  get text(): string {
    const { key: _key, $: _meta, ...fields } = this.seen;
    return canonicalText(fields as Fields);
  }

  /** Whether it shows the fields of a row. */
  isLike(row: LiveRow): boolean {
    if (this.#like === row) return true;
    // Of what is seen, `key` and `$` are no fields.
    const isLike = sameMembers(completeFields(row.fields, this.facts), this.seen, 2);
    if (isLike) this.#like = row;
    return isLike;
  }

  /** What a row has instead. */
  textOf(row: LiveRow): string {
    return canonicalText(completeFields(row.fields, this.facts));
  }
}

/** What is looked at in a record and its row. */
export interface Look {
  agrees(record: ShownRecord, row: ModelRow | undefined): boolean;
  /** What the record shows otherwise. */
  tell(record: ShownRecord, row: ModelRow | undefined): string;
}

/** What a list shows otherwise than the rows of a domain say. */
export interface Compared {
  /** Of the first record that is another one. */
  readonly wrong?: Difference;
  /** Live rows that are not shown. */
  readonly hidden: readonly LiveRow[];
}

const noLiveRows: readonly LiveRow[] = [];
const alike: Compared = { hidden: noLiveRows };
const otherwise = (look: Look, record: ShownRecord, row: ModelRow | undefined): Compared => ({
  wrong: () => look.tell(record, row),
  hidden: noLiveRows,
});
const noRows: DomainState = new Map();

/** A history and an index in it that a view may stand at. */
export interface Cut {
  readonly branch: Branch;
  readonly index: number;
}

/**
 * The records that a view shows of a domain. One view after another shows the same list, and one index after another has
 * the same rows: how the two compare is worked out once.
 */
export class ShownDomain {
  readonly newest: number;
  readonly hasTwins: boolean;
  /** The version of each record, by its key. */
  readonly versions: ReadonlyMap<string, number>;
  readonly #known = new Map<Look, Map<DomainState, Compared>>();

  constructor(
    readonly domain: string,
    readonly records: readonly ShownRecord[],
  ) {
    this.versions = new Map(records.map(({ key, seen }) => [key, seen.$.version]));
    this.newest = Math.max(0, ...this.versions.values());
    this.hasTwins = this.versions.size < records.length;
  }

  compare(rows: DomainState = noRows, look: Look): Compared {
    let known = this.#known.get(look);
    if (!known) this.#known.set(look, (known = new Map()));
    let compared = known.get(rows);
    if (!compared) known.set(rows, (compared = this.compareAnew(rows, look)));
    return compared;
  }

  /** @param cut of a history whose server has forgotten tombstones, which may stand in for rows that are not there. */
  compareAnew(rows: DomainState = noRows, look: Look, cut?: Cut): Compared {
    let found = 0;
    for (const record of this.records) {
      const { key } = record;
      const row = rows.get(key) ?? cut?.branch.forgottenAt(cut.index, this.domain, key);
      if (!look.agrees(record, row)) return otherwise(look, record, row);
      if (row && !row.deleted) found += 1;
    }
    const live = liveOf(rows);
    if (!this.hasTwins && found === live.length) return alike;
    return { hidden: live.filter(({ key }) => !this.versions.has(key)) };
  }
}

function liveOf(rows: DomainState): LiveRow[] {
  const live: LiveRow[] = [];
  for (const row of rows.values()) if (!row.deleted) live.push(row);
  return live;
}

/** What a view shows, as the checkers look at it. */
export interface ShownView {
  readonly view: View;
  readonly tab: string;
  /** The version of the app that shows it. */
  readonly schema: number;
  /** The process and the space: views of one line follow each other. */
  readonly line: string;
  /** Of all domains but those that never leave the device. */
  readonly lists: readonly ShownDomain[];
  /** The newest version that any record has. */
  readonly newest: number;
}

/** What all views of a run show. Views share their lists, and lists their records. */
export class ShownViews {
  readonly #records = new Map<Seen, ShownRecord>();
  readonly #lists = new Map<string, Map<readonly Seen[], ShownDomain>>();
  readonly #views = new Map<View, ShownView>();

  constructor(readonly schema: SchemaFacts) {}

  of(view: View): ShownView {
    let shown = this.#views.get(view);
    if (!shown) {
      const tab = tabOf(view);
      const lists: ShownDomain[] = [];
      let newest = 0;
      for (const domain of Object.keys(view.domains)) {
        if (this.#isLocal(domain)) continue;
        const list = this.#list(domain, view.domains[domain] ?? []);
        newest = Math.max(newest, list.newest);
        lists.push(list);
      }
      const { space, schema = 1 } = view;
      this.#views.set(view, (shown = { view, tab, schema, line: `${tab} ${space}`, lists, newest }));
    }
    return shown;
  }

  /**
   * What a view shows otherwise than a state says.
   *
   * @param cut where the state stands in a history, if tombstones that the server has forgotten may stand in for rows
   */
  compare(shown: ShownView, state: ModelState, look: Look, cut?: Cut): Compared {
    let hidden = noLiveRows;
    let listed = 0;
    for (const list of shown.lists) {
      const rows = state.get(list.domain);
      if (rows) listed += 1;
      const compared = cut?.branch.forgets(list.domain)
        ? list.compareAnew(rows, look, cut)
        : list.compare(rows, look);
      if (compared.wrong) return compared;
      if (compared.hidden.length > 0) hidden = [...hidden, ...compared.hidden];
    }
    if (listed < state.size) hidden = [...hidden, ...this.#unlisted(shown, state)];
    return hidden.length === 0 ? alike : { hidden };
  }

  /** Live rows of domains of which a view has no list. */
  #unlisted({ view }: ShownView, state: ModelState): readonly LiveRow[] {
    let unlisted = noLiveRows;
    for (const domain of state.keys()) {
      if (view.domains[domain] || this.#isLocal(domain)) continue;
      unlisted = [...unlisted, ...liveOf(state.get(domain) ?? noRows)];
    }
    return unlisted;
  }

  #isLocal(domain: string): boolean {
    return this.schema.domains[domain]?.local === true;
  }

  #list(domain: string, all: readonly Seen[]): ShownDomain {
    let known = this.#lists.get(domain);
    if (!known) this.#lists.set(domain, (known = new Map()));
    let list = known.get(all);
    if (!list) {
      const records = all.map((seen) => this.#record(domain, seen));
      known.set(all, (list = new ShownDomain(domain, records)));
    }
    return list;
  }

  #record(domain: string, seen: Seen): ShownRecord {
    let record = this.#records.get(seen);
    if (!record) {
      record = new ShownRecord(domain, seen, this.schema.domains[domain]);
      this.#records.set(seen, record);
    }
    return record;
  }
}
