import { RejectedError } from "@landfall/protocol";
import { parentDeleted } from "@landfall/schema";
import { type MaybePromise, chain, eachInTurn } from "../maybe-promise.js";
import type { RecordKey } from "../storage/port.js";
import { type DomainRule, type LookupRule, lookupValue, parentLookup } from "./domain-rules.js";
import type { RecordState } from "./record-state.js";
import type { Change, EventScope, Slot, WorkingSet } from "./working-set.js";

/** Notes that an op has brought a detail under a parent, which is judged when all ops are done. */
export function noteParent(working: WorkingSet, scope: EventScope, detail: Slot, parent: RecordKey): void {
  const found = working.find(parent.domain, parent.key);
  const isDeleted = found && scope.changes.has(found) ? found.current?.deleted : undefined;
  scope.adoptions.push({ detail, parent, isDeleted });
}

/**
 * What follows from an event's ops when all of them are done: details of deleted masters go with them or
 * hold them back, nothing comes under one, values that must be unique are, and masters learn that a detail
 * changed (DESIGN §5.2).
 *
 * @throws RejectedError `deleted`, `has_children`, `not_unique`
 */
export function settleRelations(working: WorkingSet, scope: EventScope): MaybePromise<void> {
  if (![...scope.changes.keys()].some((slot) => isRelated(working.rules.of(slot.domain)))) return undefined;
  return chain(checkParents(working, scope), () =>
    chain(cascade(working, scope, [...scope.changes.keys()]), () =>
      chain(checkRestricted(working, scope), () =>
        chain(checkUnique(working, scope), () => touchMasters(working, scope, [...scope.changes])),
      ),
    ),
  );
}

/** A delete wins over the details that did not see it too (DESIGN rule 7); what was under the parent before goes with it. */
function checkParents(working: WorkingSet, { adoptions, changes }: EventScope): MaybePromise<void> {
  if (adoptions.length === 0) return undefined;
  return chain(working.load(adoptions.map(({ parent }) => parent)), () => {
    for (const { detail, parent, isDeleted } of adoptions) {
      const slot = working.slot(parent.domain, parent.key);
      // What the event did to the parent after the op does not count.
      const change = changes.get(slot);
      const before = change ? change.before : slot.current;
      if (!(isDeleted ?? before?.deleted)) continue;
      const { code, message } = parentDeleted(detail, parent);
      throw new RejectedError(code, message);
    }
  });
}

const isRelated = ({ lookups, children, parent }: DomainRule): boolean =>
  lookups.some(({ unique }) => unique) || children.length > 0 || parent !== undefined;

const isDeletedHere = (slot: Slot, { before }: Change): boolean =>
  slot.current?.deleted === true && before !== undefined && !before.deleted;

function cascade(working: WorkingSet, scope: EventScope, slots: readonly Slot[]): MaybePromise<void> {
  return eachInTurn(slots, (slot) => {
    if (!isDeletedHere(slot, scope.changes.get(slot) as Change)) return undefined;
    const details = working.rules.of(slot.domain).children.filter(({ onDelete }) => onDelete === "cascade");
    return eachInTurn(details, ({ domain }) =>
      chain(working.holders(domain, { name: parentLookup }, slot.key), (keys) =>
        chain(working.load(keys.map((key) => ({ domain, key }))), () => {
          const deleted = keys
            .map((key) => working.slot(domain, key))
            .filter(({ current }) => current && !current.deleted);
          for (const detail of deleted) scope.write(detail, { deleted: true }, "cascade");
          return cascade(working, scope, deleted);
        }),
      ),
    );
  });
}

function checkRestricted(working: WorkingSet, scope: EventScope): MaybePromise<void> {
  return eachInTurn([...scope.changes], ([slot, change]) => {
    if (!isDeletedHere(slot, change)) return undefined;
    const details = working.rules.of(slot.domain).children.filter(({ onDelete }) => onDelete === "restrict");
    return eachInTurn(details, ({ domain }) =>
      chain(working.holders(domain, { name: parentLookup }, slot.key), (keys) => {
        if (keys.length === 0) return;
        throw new RejectedError(
          "has_children",
          `${slot.domain} ${slot.key} cannot be deleted: ${keys.length} of ${domain} belong to it, such as ${keys[0]}. Delete or move them first.`,
        );
      }),
    );
  });
}

function checkUnique(working: WorkingSet, scope: EventScope): MaybePromise<void> {
  return eachInTurn([...scope.changes], ([slot, { before }]) => {
    const lookups = working.rules.of(slot.domain).lookups.filter(({ unique }) => unique);
    return eachInTurn(lookups, (lookup) => {
      const value = valueIn(lookup, slot.current);
      if (value === undefined || value === valueIn(lookup, before)) return undefined;
      return chain(working.holders(slot.domain, lookup, value), (keys) => {
        const winner = keys.find((key) => key !== slot.key);
        if (winner === undefined) return;
        throw new RejectedError(
          "not_unique",
          `Another ${slot.domain}, ${winner}, has the same ${lookup.fields.join(" and ")}.`,
        );
      });
    });
  });
}

const valueIn = (lookup: LookupRule, state: RecordState | undefined): string | undefined =>
  state?.fields ? lookupValue(lookup, state.fields) : undefined;

/** The old and the new master of each, and theirs. */
function touchMasters(
  working: WorkingSet,
  scope: EventScope,
  changes: readonly (readonly [Slot, Change])[],
): MaybePromise<void> {
  const masters = new Map<string, { readonly domain: string; readonly key: string }>();
  for (const [slot, { before }] of changes) {
    const { parent } = working.rules.of(slot.domain);
    if (!parent) continue;
    for (const state of [before, slot.current]) {
      const key = state?.fields?.[parent.field];
      if (typeof key === "string") masters.set(`${parent.domain}/${key}`, { domain: parent.domain, key });
    }
  }
  if (masters.size === 0) return undefined;
  return chain(working.load([...masters.values()]), () => {
    const touched: [Slot, Change][] = [];
    for (const { domain, key } of masters.values()) {
      const slot = working.slot(domain, key);
      if (!slot.current || slot.current.deleted) continue;
      const isNews = !scope.changes.has(slot);
      scope.touch(slot);
      // A master that the event had changed already passes on to its own master by itself.
      if (isNews) touched.push([slot, scope.changes.get(slot) as Change]);
    }
    return touchMasters(working, scope, touched);
  });
}
