import { isFieldName } from "@landfall/protocol";
import { own } from "./own.js";
import type { RecordsDomain, DeclaredOptions } from "./records.js";
import { checkOptions, refuse, refuseUnknown } from "./schema-error.js";

/** Refuses a declaration that is not of records, or whose options cannot stand by themselves. */
export function checkDomain(where: string, declared: unknown): void {
  const { kind, options } = (declared ?? {}) as {
    readonly kind?: unknown;
    readonly options?: DeclaredOptions;
  };
  if (kind !== "records" || !options) refuseUnknown(where, "kind", String(kind), ["records({ fields: … })"]);
  checkOptions(where, options, [
    "fields",
    "merge",
    "parent",
    "unique",
    "indexes",
    "delivery",
    "local",
    "residency",
  ]);
  const { fields, merge = {}, delivery = "watch", local = false, residency = "memory" } = options;
  if (typeof (fields as DeclaredOptions["fields"] | undefined)?.["~standard"]?.validate !== "function") {
    refuse(
      where,
      "fields must be one Standard Schema validator of the whole record, such as z.object({ … }). Fields one by one, with text(), .sealed() or blob(), are not built yet.",
    );
  }
  for (const [field, marker] of Object.entries(merge)) {
    checkField(where, field);
    if (!["counter", "set"].includes(marker?.merge))
      refuse(
        where,
        `merge marks "${field}" with something else than counter() or set(). Leave it out where the last writer wins.`,
      );
  }
  checkLists(where, "unique", options, ["counter", "set"]);
  checkLists(where, "indexes", options, ["set"]);
  checkChoice(where, "delivery", delivery, ["auto", "watch"]);
  checkChoice(where, "local", local, [true, false]);
  if (residency !== "memory") refuseUnknown(where, "option", "residency", []);
  for (const option of ["parent", "unique", "delivery"] as const) {
    if (local && options[option])
      refuse(
        where,
        `a local domain never leaves the device, and "${option}" is for the server. Leave one of them out.`,
      );
  }
}

function checkField(where: string, field: unknown): void {
  if (typeof field !== "string" || !isFieldName(field) || field === "key")
    refuse(where, `"${String(field)}" cannot be the name of a field. Name one of the validator's.`);
}

function checkChoice(where: string, option: string, value: unknown, choices: readonly unknown[]): void {
  if (!choices.includes(value))
    refuse(where, `${option} is one of ${JSON.stringify(choices)}, not ${JSON.stringify(value)}.`);
}

/** `unique` and `indexes`: lists of lists of fields, each list once, each field once in its list. */
function checkLists(
  where: string,
  option: "unique" | "indexes",
  { [option]: lists = [], merge = {} }: DeclaredOptions,
  refused: readonly string[],
): void {
  if (!Array.isArray(lists) || !lists.every((names) => Array.isArray(names) && names.length > 0)) {
    refuse(where, `${option} is a list of lists of fields, such as [["status", "due"]].`);
  }
  for (const field of lists.flat()) {
    checkField(where, field);
    const kind = own(merge, field)?.merge;
    if (kind && refused.includes(kind))
      refuse(where, `${option} cannot hold "${field}", which is a ${kind}. Leave it out.`);
  }
  const repeats = (list: readonly unknown[]): boolean => new Set(list).size < list.length;
  if (lists.some(repeats) || repeats(lists.map(String)))
    refuse(where, `${option} names the same fields twice. Leave one out.`);
}

/** Refuses parents that are not there, are local, or have parents themselves. */
export function checkParents(domains: { readonly [name: string]: RecordsDomain }): void {
  for (const [name, { options }] of Object.entries(domains)) {
    const { parent, merge = {} } = options;
    if (parent === undefined) continue;
    const where = `domain "${name}", parent`;
    checkOptions(where, parent, ["domain", "field", "onDelete"]);
    checkField(where, parent.field);
    if (own(merge, parent.field))
      refuse(where, `"${parent.field}" holds a key, so it cannot be a counter or a set.`);
    checkChoice(where, "onDelete, what becomes of details whose parent is deleted,", parent.onDelete, [
      "cascade",
      "restrict",
      "keep",
    ]);
    const target = own(domains, parent.domain)?.options;
    if (!target) refuseUnknown(where, "domain", parent.domain, Object.keys(domains));
    if (target.local)
      refuse(
        where,
        `"${parent.domain}" is local, and the server does not know it. Name a domain that syncs.`,
      );
    if (target.parent) {
      refuse(
        where,
        `"${parent.domain}" has a parent itself, "${target.parent.domain}", and there is one level of master and detail. Leave one of the two out.`,
      );
    }
  }
}
