import type { Fields, Json, Op, SetMember } from "@landfall/protocol";
import { type Domain, describeIssues } from "@landfall/schema";

/** A write that cannot stand as it was asked for; nothing was written. `code` is one of the protocol's. */
export class WriteError extends Error {
  override readonly name = "WriteError";
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

type Given = { readonly [field: string]: unknown };
type Members = { readonly [field: string]: readonly SetMember[] | undefined };

/** What validating a write needs of the view that it is written over. */
export interface WriteContext {
  readonly domain: Domain;
  /** The record's fields as they show now; undefined where there is none. */
  fields(key: string): Fields | undefined;
}

const given = (values: Given): Fields =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Fields;

function refuse(domain: Domain, key: string, issues: Parameters<typeof describeIssues>[0]): never {
  throw new WriteError("invalid", `${domain.name} ${key}: ${describeIssues(issues)}`);
}

/** Builds the ops of one domain, validated against the schema before anything is written. @throws WriteError */
export const ops = {
  create({ domain }: WriteContext, key: string, fields: unknown): Op {
    const checked = domain.validate(fields);
    return checked.ok
      ? { op: "create", domain: domain.name, key, set: checked.value }
      : refuse(domain, key, checked.issues);
  },
  put({ domain }: WriteContext, key: string, put: unknown): Op {
    const checked = domain.validatePut(put);
    // Another device may make the record first, and then counters and sets are left alone; absent ones read as 0 and empty.
    return checked.ok
      ? { op: "put", domain: domain.name, key, set: checked.set }
      : refuse(domain, key, checked.issues);
  },
  update({ domain, fields }: WriteContext, key: string, patch: Given, unset: readonly string[] = []): Op {
    const current = fields(key);
    if (!current)
      throw new WriteError("missing", `There is no ${domain.name} ${key} to update. Create it, or put.`);
    const checked = domain.validatePatch(current, { set: patch, unset });
    if (!checked.ok) return refuse(domain, key, checked.issues);
    return {
      op: "update",
      domain: domain.name,
      key,
      set: checked.set,
      ...(unset.length > 0 ? { unset } : {}),
    };
  },
  increment({ domain }: WriteContext, key: string, by: Given): Op {
    const amounts = given(by) as { [field: string]: number };
    for (const [field, amount] of Object.entries(amounts)) {
      if (domain.fieldKind(field) !== "counter" || !Number.isFinite(amount))
        throw new WriteError(
          "invalid",
          `${domain.name} ${key}: ${field} is no counter, or ${amount} no number.`,
        );
    }
    return { op: "increment", domain: domain.name, key, by: amounts };
  },
  members(op: "add" | "remove", { domain }: WriteContext, key: string, members: Members): Op {
    const values = given(members) as { [field: string]: readonly SetMember[] };
    for (const field of Object.keys(values)) {
      if (domain.fieldKind(field) !== "set")
        throw new WriteError("invalid", `${domain.name} ${key}: ${field} is no set.`);
    }
    return { op, domain: domain.name, key, values };
  },
  restore({ domain }: WriteContext, key: string, fields: unknown): Op {
    const checked = domain.validate(fields);
    return checked.ok
      ? { op: "restore", domain: domain.name, key, set: checked.value }
      : refuse(domain, key, checked.issues);
  },
  delete({ domain }: WriteContext, key: string): Op {
    return { op: "delete", domain: domain.name, key };
  },
};

/** What an action was called with, as its event carries it. @throws WriteError */
export function actionArgs(
  name: string,
  action:
    | {
        validate(
          args: unknown,
        ):
          | { readonly ok: true; readonly args: Json }
          | { readonly ok: false; readonly issues: Parameters<typeof describeIssues>[0] };
      }
    | undefined,
  args: unknown,
): Json {
  if (!action) throw new WriteError("unknown_action", `The schema has no action ${name}.`);
  const checked = action.validate(args);
  if (!checked.ok) throw new WriteError("invalid", `${name}: ${describeIssues(checked.issues)}`);
  return checked.args;
}
