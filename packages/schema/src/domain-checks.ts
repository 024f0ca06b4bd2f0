import { isFieldName } from "@landfall/protocol";
import type { RecordsDomain, RecordsOptions } from "./records.js";
import { SchemaError, checkOptions, didYouMean, refuseUnbuilt } from "./schema-error.js";

const optionNames = ["fields", "merge", "parent", "unique", "indexes", "delivery", "local", "residency"];

/** Refuses a declaration that is not of records, or whose options cannot stand by themselves. */
export function checkDomain(where: string, declared: unknown): void {
  const { kind, options } = (declared ?? {}) as Partial<RecordsDomain>;
  if (kind !== "records") {
    if (kind === "log" || kind === "documents") refuseUnbuilt(where, kind);
    throw new SchemaError(`${where} must be declared with records({ fields: … }).`);
  }
  checkOptions(where, options, optionNames);
  const given = options as RecordsOptions;
  checkValidator(where, given.fields);
  for (const [field, marker] of Object.entries(given.merge ?? {})) {
    checkField(`${where}, merge`, field);
    if (marker?.merge !== "counter" && marker?.merge !== "set") {
      throw new SchemaError(`${where}, merge "${field}": fields merge as counter() or set(); leave out those where the last writer wins.`);
    }
  }
  checkLists(where, "unique", given);
  checkLists(where, "indexes", given);
  checkChoice(where, "delivery", given.delivery, ["auto", "watch"]);
  checkChoice(where, "local", given.local, [true, false]);
  if (given.residency !== undefined && given.residency !== "memory") refuseUnbuilt(where, "residency");
  const shared = (["parent", "unique", "delivery"] as const).find((option) => given.local && given[option] !== undefined);
  if (shared) throw new SchemaError(`${where}: a local domain never leaves the device, and "${shared}" is kept by the server. Leave one of them out.`);
}

function checkValidator(where: string, fields: unknown): void {
  const standard = fields as { readonly "~standard"?: { readonly validate?: unknown } } | undefined | null;
  if (typeof standard?.["~standard"]?.validate === "function") return;
  throw new SchemaError(
    `${where}: fields must be one Standard Schema validator of the whole record, such as z.object({ … }). Fields declared one by one, with text(), .sealed() or blob(), are not built yet.`,
  );
}

function checkField(where: string, field: unknown): void {
  if (typeof field !== "string" || !isFieldName(field) || field === "key") {
    throw new SchemaError(`${where}: "${String(field)}" cannot be the name of a field. Name one of the validator's.`);
  }
}

function checkChoice(where: string, option: string, value: unknown, choices: readonly unknown[]): void {
  if (value === undefined || choices.includes(value)) return;
  throw new SchemaError(`${where}: ${option} is ${choices.map((choice) => JSON.stringify(choice)).join(" or ")}, not ${JSON.stringify(value)}.`);
}

/** `unique` and `indexes`: lists of lists of fields, each list once, each field once in its list. */
function checkLists(where: string, option: "unique" | "indexes", { [option]: lists, merge = {} }: RecordsOptions): void {
  if (lists === undefined) return;
  if (!Array.isArray(lists) || !lists.every((names) => Array.isArray(names) && names.length > 0)) {
    throw new SchemaError(`${where}: ${option} is a list of lists of fields, such as [["status", "due"]].`);
  }
  const refused = option === "unique" ? ["counter", "set"] : ["set"];
  for (const names of lists) {
    for (const field of names) {
      checkField(`${where}, ${option}`, field);
      const marker = Object.hasOwn(merge, field) ? merge[field]?.merge : undefined;
      if (marker && refused.includes(marker)) throw new SchemaError(`${where}, ${option}: "${field}" is a ${marker}, which cannot be one of these. Leave it out.`);
    }
  }
  const texts = lists.map((names) => JSON.stringify(names));
  if (new Set(texts).size < texts.length || lists.some((names) => new Set(names).size < names.length)) {
    throw new SchemaError(`${where}: ${option} names the same fields twice. Leave one out.`);
  }
}

/** Refuses parents that are not there, are local, or have parents themselves: there is one level. */
export function checkParents(domains: { readonly [name: string]: RecordsDomain }): void {
  const known = Object.keys(domains);
  for (const [name, { options }] of Object.entries(domains)) {
    const { parent, merge = {} } = options;
    if (parent === undefined) continue;
    const where = `domain "${name}", parent`;
    checkOptions(where, parent, ["domain", "field", "onDelete"]);
    checkField(where, parent.field);
    if (Object.hasOwn(merge, parent.field)) throw new SchemaError(`${where}: the field "${parent.field}" holds a key, so it cannot be a counter or a set.`);
    if (parent.onDelete === undefined) throw new SchemaError(`${where}: say what becomes of details whose parent is deleted: onDelete is "cascade", "restrict" or "keep".`);
    checkChoice(where, "onDelete", parent.onDelete, ["cascade", "restrict", "keep"]);
    const target = Object.hasOwn(domains, parent.domain) ? domains[parent.domain] : undefined;
    if (!target) throw new SchemaError(`${where}: there is no domain "${parent.domain}".${didYouMean(String(parent.domain), known)}`);
    if (parent.domain === name) throw new SchemaError(`${where}: a domain cannot be its own parent. There is one level of master and detail.`);
    if (target.options.local) throw new SchemaError(`${where}: "${parent.domain}" is local, and the server does not know it. Name a domain that syncs.`);
    if (target.options.parent) {
      throw new SchemaError(`${where}: "${parent.domain}" has a parent itself, "${target.options.parent.domain}". There is one level of master and detail: leave one of the two out.`);
    }
  }
}
