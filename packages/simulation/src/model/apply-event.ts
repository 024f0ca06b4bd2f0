import type { Json, Op, RecordOp } from "@landfall/protocol";
import { RefusedError } from "./merge.js";
import type { ModelRow } from "./model-row.js";
import type { Overlay } from "./overlay.js";
import { canonicalText } from "./canonical.js";
import { type PlainActions, runPlainAction } from "./plain-action.js";

/** What an event asks for, however it is carried. */
export interface Asked {
  readonly id: string;
  readonly user: string;
  readonly ops?: readonly Op[];
  readonly action?: string;
  readonly args?: Json;
}

/**
 * What a server does with an event: its ops, and then what follows from them for masters, details and values
 * that must be unique (DESIGN §5.2).
 *
 * @throws RefusedError
 */
export function applyAsServer(overlay: Overlay, asked: Asked, actions: PlainActions): void {
  const orphans: string[] = [];
  runAsked(overlay, asked, actions, (op) => {
    if (op.op !== "deleteMany") {
      const orphan = applyUnder(overlay, op);
      if (orphan) orphans.push(orphan);
      return;
    }
    const rows = op.keys
      ? op.keys.map((key) => overlay.get(op.domain, key))
      : overlay.live(op.domain).filter((row) => row.version <= (op.upTo as number));
    for (const row of rows)
      if (row && !row.deleted) overlay.apply({ op: "delete", domain: op.domain, key: row.key });
  });
  if (orphans.length > 0) throw new RefusedError("deleted", orphans.join());
  const deleted = cascade(overlay);
  refuseRestricted(overlay, deleted);
  refuseTwins(overlay);
  touchMasters(overlay);
}

/**
 * What a view shows of an event that is pending: details go with their masters as they go, and what only the
 * server can judge is left to it.
 *
 * @throws RefusedError
 */
export function applyAsView(overlay: Overlay, asked: Asked, actions: PlainActions): void {
  const remove = (domain: string, key: string): void => {
    for (const [child, { parent }] of Object.entries(overlay.schema.domains)) {
      if (parent?.domain !== domain || parent.onDelete === "keep") continue;
      for (const row of overlay.live(child)) {
        if (row.fields[parent.field] !== key) continue;
        if (parent.onDelete === "restrict") throw new RefusedError("has_children", `${domain}/${key}`);
        remove(child, row.key);
      }
    }
    overlay.apply({ op: "delete", domain, key });
  };
  runAsked(overlay, asked, actions, (op) => {
    if (op.op === "delete") return remove(op.domain, op.key);
    if (op.op !== "deleteMany") {
      const orphan = applyUnder(overlay, op);
      if (orphan) throw new RefusedError("deleted", orphan);
      return;
    }
    const keys =
      op.keys ??
      overlay
        .live(op.domain)
        .map(({ key }) => key)
        .filter((key) => {
          // Only what the server has confirmed has a version to go by.
          const version = overlay.before(op.domain, key)?.version ?? 0;
          return version > 0 && version <= (op.upTo as number);
        });
    for (const key of keys) {
      const row = overlay.get(op.domain, key);
      if (row && !row.deleted) remove(op.domain, key);
    }
  });
}

/** @returns what the op leaves below a deleted master where it did not stand before, if it does. */
function applyUnder(overlay: Overlay, op: RecordOp): string | undefined {
  const was = overlay.get(op.domain, op.key);
  overlay.apply(op);
  const parent = overlay.facts(op.domain)?.parent;
  const is = overlay.get(op.domain, op.key);
  if (!parent || parent.onDelete === "keep" || !is || is.deleted) return undefined;
  const master = is.fields[parent.field];
  if (typeof master !== "string" || (was && !was.deleted && was.fields[parent.field] === master))
    return undefined;
  return overlay.get(parent.domain, master)?.deleted ? `${op.domain}/${op.key} under ${master}` : undefined;
}

function runAsked(overlay: Overlay, asked: Asked, actions: PlainActions, apply: (op: Op) => void): void {
  if (asked.ops) asked.ops.forEach(apply);
  else runPlainAction(overlay, asked, actions, apply);
}

const isDeletedHere = (overlay: Overlay, row: ModelRow): boolean => {
  const before = overlay.before(row.domain, row.key);
  return row.deleted === true && before !== undefined && !before.deleted;
};

/** Details of deleted masters, and theirs, are deleted. @returns every row that the event has deleted. */
function cascade(overlay: Overlay): ModelRow[] {
  const done = new Set<string>();
  for (;;) {
    const deleted = overlay.written.filter((row) => isDeletedHere(overlay, row));
    const next = deleted.find((row) => !done.has(`${row.domain}/${row.key}`));
    if (!next) return deleted;
    done.add(`${next.domain}/${next.key}`);
    for (const [child, { parent }] of Object.entries(overlay.schema.domains)) {
      if (parent?.domain !== next.domain || parent.onDelete !== "cascade") continue;
      for (const row of overlay.live(child))
        if (row.fields[parent.field] === next.key) overlay.put(child, row.key, { deleted: true });
    }
  }
}

function refuseRestricted(overlay: Overlay, deleted: readonly ModelRow[]): void {
  for (const { domain, key } of deleted) {
    for (const [child, { parent }] of Object.entries(overlay.schema.domains)) {
      if (parent?.domain !== domain || parent.onDelete !== "restrict") continue;
      if (overlay.live(child).some((row) => row.fields[parent.field] === key))
        throw new RefusedError("has_children", `${domain}/${key}`);
    }
  }
}

function valueOf(row: ModelRow | undefined, fields: readonly string[]): string | undefined {
  if (!row || row.deleted) return undefined;
  const values = fields.map((field) => row.fields[field] ?? null);
  return values.includes(null) ? undefined : canonicalText(values);
}

function refuseTwins(overlay: Overlay): void {
  for (const row of overlay.written) {
    for (const fields of overlay.facts(row.domain)?.unique ?? []) {
      const value = valueOf(row, fields);
      if (value === undefined || value === valueOf(overlay.before(row.domain, row.key), fields)) continue;
      const twin = overlay
        .live(row.domain)
        .find((other) => other.key !== row.key && valueOf(other, fields) === value);
      if (twin) throw new RefusedError("not_unique", `${row.domain}/${row.key} and ${twin.key}`);
    }
  }
}

/** The old and the new master of every detail that changed have changed too, and theirs. */
function touchMasters(overlay: Overlay): void {
  let changed: readonly ModelRow[] = overlay.written;
  while (changed.length > 0) {
    const touched: ModelRow[] = [];
    for (const row of changed) {
      const parent = overlay.facts(row.domain)?.parent;
      if (!parent) continue;
      for (const state of [overlay.before(row.domain, row.key), row]) {
        if (!state || state.deleted) continue;
        const key = state.fields[parent.field];
        if (typeof key !== "string") continue;
        const master = overlay.get(parent.domain, key);
        if (!master || master.deleted || overlay.hasWritten(parent.domain, key)) continue;
        overlay.put(parent.domain, key, master);
        touched.push(overlay.get(parent.domain, key) as ModelRow);
      }
    }
    changed = touched;
  }
}
