import {
  type FieldKinds,
  type Fields,
  type Json,
  type Op,
  type RecordOp,
  RejectedError,
  anyFieldKind,
  canonicalJson,
  limits,
} from "@landfall/protocol";
import { type Domain, type Invalid, type Schema, describeIssues } from "@landfall/schema";

/** Something that records are found by: the value of a unique combination, the key of their parent, or the first field of an index. */
export interface LookupRule {
  readonly name: string;
  readonly unique: boolean;
  readonly fields: readonly string[];
}

/** What the server keeps to in one domain. */
export interface DomainRule {
  readonly domain: Domain | undefined;
  readonly kinds: FieldKinds;
  readonly lookups: readonly LookupRule[];
  readonly parent: Domain["parent"];
  readonly newParent: Domain["newParent"];
  readonly children: Domain["children"];
}

/** The lookup that finds the details of a master. */
export const parentLookup = "parent";

/** The rules of all domains: the schema's, or none at all (DESIGN §5.2: optional on the server). */
export class DomainRules {
  readonly #known = new Map<string, DomainRule>();

  constructor(readonly schema: Schema | undefined) {}

  /** @throws RejectedError `unknown_domain` */
  of(name: string): DomainRule {
    if (!this.schema) return anyDomain;
    let rule = this.#known.get(name);
    if (rule) return rule;
    const domain = this.schema.domain(name);
    if (!domain || domain.local) {
      throw new RejectedError(
        "unknown_domain",
        `The server's schema has no domain ${name}. Update the server or the client.`,
      );
    }
    rule = describe(domain);
    this.#known.set(name, rule);
    return rule;
  }

  /** A text that changes when lookups must be built anew. */
  get lookupDeclaration(): string {
    const declared: Record<string, readonly string[][]> = {};
    for (const name of Object.keys(this.schema?.domains ?? {})) {
      const domain = this.schema?.domain(name);
      if (!domain || domain.local) continue;
      const { lookups } = describe(domain);
      if (lookups.length > 0) declared[name] = lookups.map((lookup) => [lookup.name, ...lookup.fields]);
    }
    return canonicalJson(declared);
  }
}

const anyDomain: DomainRule = {
  domain: undefined,
  kinds: anyFieldKind,
  lookups: [],
  parent: undefined,
  newParent: () => undefined,
  children: [],
};

function describe(domain: Domain): DomainRule {
  const lookups: LookupRule[] = domain.unique.map((fields) => ({
    name: `unique:${fields.join(",")}`,
    unique: true,
    fields,
  }));
  if (domain.parent) lookups.push({ name: parentLookup, unique: false, fields: [domain.parent.field] });
  // A value is sought whole, so of several fields it is the first, which all queries of an index name.
  for (const field of new Set(domain.indexes.map(([first]) => first as string))) {
    const isFound = lookups.some(({ fields }) => fields.length === 1 && fields[0] === field);
    // Where a counter is absent it is 0, and nothing is stored to be found.
    if (!isFound && domain.fieldKind(field) === "lww")
      lookups.push({ name: `index:${field}`, unique: false, fields: [field] });
  }
  const { fieldKind: kinds, parent, newParent, children } = domain;
  return { domain, kinds, lookups, parent, newParent, children };
}

/** The text that a record is found by under a lookup; undefined where a field is absent or null, which equals nothing. */
export function lookupValue(rule: LookupRule, fields: Fields): string | undefined {
  const values = rule.fields.map((field) => (Object.hasOwn(fields, field) ? (fields[field] ?? null) : null));
  if (values.includes(null)) return undefined;
  return rule.name === parentLookup ? String(values[0]) : canonicalJson(values);
}

/** A lookup, and the value that is sought by it. */
export interface Sought {
  readonly lookup: LookupRule;
  readonly value: string;
}

/**
 * The lookup that finds all records that `where` can: the one of the most fields, whose values `where` names.
 *
 * @returns undefined where there is none, and every record has to be looked at.
 */
export function soughtBy(
  { lookups }: DomainRule,
  where: { readonly [field: string]: unknown },
): Sought | undefined {
  const named: Record<string, Json> = {};
  for (const [field, condition] of Object.entries(where)) {
    const value = typeof condition === "object" && condition && "eq" in condition ? condition.eq : condition;
    if (typeof value === "string" || typeof value === "boolean" || Number.isFinite(value))
      named[field] = value as Json;
  }
  for (const lookup of lookups.toSorted((a, b) => b.fields.length - a.fields.length)) {
    const value = lookupValue(lookup, named);
    if (value !== undefined) return { lookup, value };
  }
  return undefined;
}

/**
 * Checks what a write made of a record against the schema and the limits. What is stored is what was sent:
 * a validator's transforms have run at the client, and would not give the same on other data here.
 *
 * @throws RejectedError `invalid`, `too_large`
 */
export function checkWrite(rule: DomainRule, op: RecordOp, fields: Fields, fieldsText: string): void {
  if (fieldsText.length > limits.maxRecordBytes) {
    throw new RejectedError(
      "too_large",
      `The record ${op.key} would have about ${fieldsText.length} bytes; a record has at most ${limits.maxRecordBytes}.`,
    );
  }
  if (!rule.domain) return;
  if (op.op === "put") refuse(rule.domain.validatePut(op.set));
  refuse(rule.domain.validate(fields, touchedFields(op)));
}

function touchedFields(op: RecordOp): readonly string[] {
  switch (op.op) {
    case "update":
      return [...Object.keys(op.set ?? {}), ...(op.unset ?? [])];
    case "increment":
      return Object.keys(op.by);
    case "add":
    case "remove":
      return Object.keys(op.values);
    case "delete":
      return [];
    case "offer":
      return "set" in op ? Object.keys(op.set) : [];
    default:
      return Object.keys(op.set);
  }
}

/** @throws RejectedError `invalid` with what is wrong, in words. */
export function refuse(result: { readonly ok: true } | Invalid): void {
  if (!result.ok) throw new RejectedError("invalid", describeIssues(result.issues));
}

/** The keys that an op names, for loading them in bulk. */
export function keysOf(op: Op): readonly string[] {
  return op.op === "deleteMany" ? (op.keys ?? []) : [op.key];
}
