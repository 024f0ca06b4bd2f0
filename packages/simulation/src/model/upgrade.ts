import type { Fields, Op, SetMember } from "@landfall/protocol";
import type { Asked } from "./apply-event.js";
import type { DomainState, LiveRow, ModelRow, ModelState } from "./model-row.js";
import type { PlainMigration } from "./plain-migration.js";
import { sameMembers } from "./same-value.js";

type Named<T> = Readonly<Record<string, T>>;

/**
 * What was made under the first version of the app as the second has it. What stays as it was is the same object, and
 * what was brought over once is not brought over again, so that what was found out about either is known still.
 */
export class Upgrade {
  readonly #rows = new WeakMap<LiveRow, LiveRow>();
  readonly #domains = new WeakMap<DomainState, DomainState>();
  readonly #states = new WeakMap<ModelState, ModelState>();

  constructor(readonly plain: PlainMigration) {}

  row(row: LiveRow): LiveRow {
    let now = this.#rows.get(row);
    if (!now) {
      const fields = this.whole(row.domain, row.fields);
      const written = this.#renamed(row.domain, row.written);
      const isSame = sameMembers(fields, row.fields) && sameMembers(written, row.written);
      this.#rows.set(row, (now = isSame ? row : { ...row, fields, written }));
    }
    return now;
  }

  state(state: ModelState): ModelState {
    let now = this.#states.get(state);
    if (!now) {
      now = new Map([...state].map(([domain, rows]) => [domain, this.#domain(rows)]));
      if ([...now].every(([domain, rows]) => state.get(domain) === rows)) now = state;
      this.#states.set(state, now);
    }
    return now;
  }

  /** The rows that a server writes anew when it brings a space over. */
  changed(state: ModelState, head: { readonly version: number; readonly modifiedAt: number }): ModelRow[] {
    const changed: ModelRow[] = [];
    for (const rows of state.values())
      for (const row of rows.values()) {
        if (row.deleted) continue;
        const now = this.row(row);
        if (now !== row) changed.push({ ...now, ...head });
      }
    return changed;
  }

  #domain(rows: DomainState): DomainState {
    let now = this.#domains.get(rows);
    if (!now) {
      const changed = new Map<string, ModelRow>();
      for (const [key, row] of rows) {
        const is = row.deleted ? row : this.row(row);
        if (is !== row) changed.set(key, is);
      }
      now = changed.size === 0 ? rows : new Map([...rows, ...changed]);
      this.#domains.set(rows, now);
    }
    return now;
  }

  /** What an event asks for; an op of which nothing is left asks for nothing. */
  asked(asked: Asked): Asked {
    if (asked.ops) return { ...asked, ops: asked.ops.flatMap((op) => this.op(op) ?? []) };
    return { ...asked, ...this.plain.call(asked.action ?? "", asked.args ?? null) };
  }

  op(op: Op): Op | undefined {
    const { domain } = op;
    switch (op.op) {
      case "create":
      case "put":
      case "restore":
        return { ...op, set: this.whole(domain, op.set) };
      case "update": {
        const set = this.part(domain, op.set ?? {});
        const unset = (op.unset ?? []).flatMap((field) => this.plain.madeOf(domain, field));
        return isEmpty(set) && unset.length === 0 ? undefined : { ...op, set, unset };
      }
      case "offer":
        if ("deletedAt" in op) return op;
        return { ...op, set: this.part(domain, op.set), stamps: this.#renamed(domain, op.stamps) };
      case "increment": {
        const by = this.#renamed(domain, op.by);
        return isEmpty(by) ? undefined : { ...op, by };
      }
      case "add":
      case "remove": {
        const values = this.part(domain, op.values) as Named<readonly SetMember[]>;
        return isEmpty(values) ? undefined : { ...op, values };
      }
      default:
        return op;
    }
  }

  /** The fields of a record. */
  whole(domain: string, fields: Fields): Fields {
    return { ...this.plain.addedTo(domain), ...this.part(domain, fields) };
  }

  /** Fields that an update sets. */
  part(domain: string, fields: Fields): Fields {
    const now: Fields = {};
    for (const [field, value] of Object.entries(fields))
      Object.assign(now, this.plain.valueOf(domain, field, value));
    return now;
  }

  #renamed<T>(domain: string, of: Named<T>): Named<T> {
    return Object.fromEntries(
      Object.entries(of).flatMap(([field, value]) =>
        this.plain.madeOf(domain, field).map((name) => [name, value] as const),
      ),
    );
  }
}

const isEmpty = (members: object): boolean => Object.keys(members).length === 0;
