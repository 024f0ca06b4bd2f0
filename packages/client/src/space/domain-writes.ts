import { type Fields, type Json, type RecordOp, type SetMember, isIdentifier } from "@landfall/protocol";
import * as limits from "@landfall/protocol/limits";
import { type Domain, type Invalid, describeIssues } from "@landfall/schema";

/** A write that cannot stand as it was asked for; nothing was written. `code` is one of the protocol's, or `stopped`. */
export class WriteError extends Error {
  override readonly name = "WriteError";
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

const refuse = (what: string, why: string): never => {
  throw new WriteError("invalid", `${what}: ${why}`);
};

/** Refuses a key that no server takes. */
function checkKey(domain: string, key: string): void {
  if (!isIdentifier(key))
    refuse(domain, `${JSON.stringify(key)} is no key: 1–128 characters of A–Z a–z 0–9 . _ ~ : -.`);
}

/** What a `deleteMany` takes, unless no server would. @throws WriteError */
export function checkedSweep(
  domain: string,
  which: readonly string[] | { readonly upTo: number },
): { readonly keys: readonly string[] } | { readonly upTo: number } {
  if ("upTo" in which) {
    const { upTo } = which;
    return Number.isSafeInteger(upTo) && upTo >= 0 ? { upTo } : refuse(domain, `${upTo} is no version.`);
  }
  if (which.length > limits.maxKeysPerOp)
    refuse(domain, `${which.length} keys, and ${limits.maxKeysPerOp} at most go at once.`);
  for (const key of which) checkKey(domain, key);
  return { keys: [...new Set(which)] };
}

type Given = { readonly [field: string]: unknown };
type Members = { readonly [field: string]: readonly SetMember[] | undefined };

const given = (values: Given): Given =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

/**
 * The writes of one domain as an app calls them, each validated against the schema before `write` gets its op.
 * They throw WriteError, with nothing written.
 *
 * @param fields the record's fields as they show now; undefined where there is none.
 * @param write gets the options of the call too.
 * @param isOlder whether a newer version of the app may have put fields into records that this one does not know.
 */
export function domainWrites<R, O extends object>(
  domain: Domain,
  fields: (key: string) => Fields | undefined,
  write: (op: RecordOp, options?: O) => R,
  isOlder = () => true,
) {
  const { name, fieldKind } = domain;
  const submit = (op: RecordOp, options?: O): R => {
    checkKey(name, op.key);
    return write(op, options);
  };
  const refused = (key: string, why: string): never => refuse(`${name} ${key}`, why);
  const valid = <C extends { readonly ok: true }>(key: string, checked: C | Invalid): C =>
    checked.ok ? checked : refused(key, describeIssues(checked.issues));
  const members = (op: "add" | "remove", key: string, changes: Members): R => {
    const values = given(changes) as { [field: string]: readonly SetMember[] };
    for (const field of Object.keys(values))
      if (fieldKind(field) !== "set") refused(key, `${field} is no set.`);
      else if (!Array.isArray(values[field])) refused(key, `${field}: ${op} takes a list of members.`);
    return submit({ op, domain: name, key, values });
  };
  return {
    create: (key: string, input: unknown) =>
      submit({ op: "create", domain: name, key, set: valid(key, domain.validate(input)).value }),
    // Another device may make the record first, and then counters and sets are left alone; absent ones read as 0 and empty.
    put: (key: string, input: unknown) =>
      submit({ op: "put", domain: name, key, set: valid(key, domain.validatePut(input, fields(key))).set }),
    update(key: string, patch: Given, options?: O & { readonly unset?: readonly string[] }): R {
      const unset = options?.unset ?? [];
      const current = fields(key);
      if (!current)
        throw new WriteError("missing", `There is no ${name} ${key} to update. Create it, or put.`);
      const { set } = valid(key, domain.validatePatch(current, { set: patch, unset }));
      // A record is there under its key, which needs no check.
      return write({ op: "update", domain: name, key, set, ...(unset.length > 0 ? { unset } : {}) }, options);
    },
    increment(key: string, by: Given): R {
      const amounts = given(by) as { [field: string]: number };
      for (const [field, amount] of Object.entries(amounts)) {
        if (fieldKind(field) !== "counter") refused(key, `${field} is no counter.`);
        else if (!Number.isFinite(amount)) refused(key, `${field}: ${amount} is no number to count up by.`);
      }
      return submit({ op: "increment", domain: name, key, by: amounts });
    },
    add: (key: string, changes: Members) => members("add", key, changes),
    remove: (key: string, changes: Members) => members("remove", key, changes),
    delete: (key: string, options?: O) => submit({ op: "delete", domain: name, key }, options),
    restore: (key: string, input: unknown) =>
      submit({
        op: "restore",
        domain: name,
        key,
        set: valid(key, isOlder() ? domain.validateReturned(input) : domain.validate(input)).value,
      }),
  };
}

/**
 * Fields of a record that the app does not make up but has from the inbox, as they are written again. @throws WriteError
 *
 * @param names those that are written, where it is not the whole record.
 */
export function writtenAgain(
  domain: Domain,
  key: string,
  record: Fields,
  names = Object.keys(record),
): Fields {
  const checked = domain.validateReturned(record);
  if (!checked.ok) return refuse(`${domain.name} ${key}`, describeIssues(checked.issues));
  return Object.fromEntries(names.map((name) => [name, checked.value[name] as Json]));
}

/** What an action was called with, as its event carries it. @throws WriteError */
export function actionArgs(
  name: string,
  action:
    | {
        validate(args: unknown): { readonly ok: true; readonly args: Json } | Invalid;
      }
    | undefined,
  args: unknown,
): Json {
  if (!action) throw new WriteError("unknown_action", `The schema has no action ${name}.`);
  const checked = action.validate(args);
  return checked.ok ? checked.args : refuse(name, describeIssues(checked.issues));
}
