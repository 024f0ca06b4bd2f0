import { isIdentifier } from "@landfall/protocol";
import { type Action, type DefineAction, defineAction } from "./action.js";
import { checkDomain, checkParents } from "./domain-checks.js";
import { type Child, type Domain, describeDomain } from "./domain.js";
import type { Nothing, TypesOf } from "./domain-types.js";
import { type Migrations, checkMigrations } from "./migration.js";
import { own } from "./own.js";
import type { RecordsDomain } from "./records.js";
import { checkOptions, refuse } from "./schema-error.js";

export type DomainMap = { readonly [name: string]: RecordsDomain };
export type ActionMap = { readonly [name: string]: Action };

/** What an app declares, checked and frozen; client and server read it alike. */
export interface Schema<D extends DomainMap = DomainMap, A extends ActionMap = ActionMap> {
  readonly "~types"?: { readonly domains: D; readonly actions: A };
  readonly version: number;
  readonly domains: { readonly [K in keyof D]: Domain<TypesOf<D[K]>> };
  readonly actions: A;
  readonly migrations: Migrations;
  /** The domain with this name, whatever the name is: safe to ask with text from outside. */
  domain(name: string): Domain | undefined;
  /** The action with this name; safe to ask with text from outside. */
  action(name: string): Action | undefined;
}

/** A sentence, as a type that nothing matches, where a parent is not a domain of the schema. */
type ParentRule<D extends DomainMap> = {
  readonly [K in keyof D]: TypesOf<D[K]>["parent"] extends keyof D
    ? unknown
    : `The parent "${TypesOf<D[K]>["parent"]}" is not a domain of this schema.`;
};

/** What `defineSchema` takes. */
export interface SchemaOptions<D extends DomainMap, A extends ActionMap> {
  /** From 1; one more whenever what is stored or sent changes. */
  readonly version: number;
  readonly domains: D & ParentRule<NoInfer<D>>;
  /** Gives the actions, made with the function that it is handed, which knows the domains. */
  readonly actions?: (action: DefineAction<D>) => A;
  readonly migrations?: Migrations<keyof NoInfer<D> & string>;
}

/** Members that a space's handle and a promise have, now or by design: a domain of that name could not be reached. */
const takenNames = ["actions", "commit", "explain", "id", "inbox", "then", "write"];

/**
 * Declares what an app keeps and does, for client and server (DESIGN §5.2). Everything is checked here,
 * once, so that neither side needs to doubt it later.
 *
 * @throws SchemaError that says what is wrong, why, and what to do.
 */
export function defineSchema<D extends DomainMap, A extends ActionMap = Nothing>(
  options: SchemaOptions<D, A>,
): Schema<D, A> {
  checkOptions("defineSchema", options, ["version", "domains", "actions", "migrations"]);
  const { version } = options;
  const migrations = options.migrations ?? {};
  if (!Number.isSafeInteger(version) || version < 1)
    refuse("version", `events name it, so it is a whole number from 1, not ${String(version)}.`);
  const domains = describeDomains(options.domains);
  const actions = describeActions(options.actions);
  checkMigrations(migrations, version, Object.keys(domains));
  return Object.freeze({
    version,
    domains: domains as Schema<D, A>["domains"],
    actions: actions as A,
    migrations: Object.freeze({ ...migrations }),
    domain: (name: string) => own(domains, name),
    action: (name: string) => own(actions, name),
  });
}

function checkName(where: string, name: string): void {
  if (!isIdentifier(name))
    refuse(
      where,
      "a name has 1–128 characters of A–Z a–z 0–9 . _ ~ : - and is not __proto__, constructor or prototype. Rename it.",
    );
}

function describeDomains(declared: DomainMap): { readonly [name: string]: Domain } {
  const entries = Object.entries(
    declared ?? refuse("defineSchema", "domains are missing, such as { project: records({ … }) }."),
  );
  for (const [name, domain] of entries) {
    const where = `domain "${name}"`;
    checkName(where, name);
    if (takenNames.includes(name))
      refuse(where, "the handle of a space uses this name itself. Rename the domain.");
    checkDomain(where, domain);
  }
  checkParents(declared);
  const childrenOf = (parent: string): Child[] =>
    entries.flatMap(([domain, { options }]) =>
      options.parent?.domain === parent ? Object.freeze({ ...options.parent, domain }) : [],
    );
  return Object.freeze(
    Object.fromEntries(
      entries.map(([name, { options }]) => [name, describeDomain(name, options, childrenOf(name))]),
    ),
  );
}

function describeActions(define: unknown = () => ({})): { readonly [name: string]: Action } {
  const spelling = "(action) => ({ closeProject: action(args, async (tx, args, ctx) => { … }) })";
  if (typeof define !== "function")
    refuse(
      "actions",
      `only the action that this function is handed knows the domains. Write actions: ${spelling}.`,
    );
  const actions = { ...(define as (action: unknown) => { readonly [name: string]: Action })(defineAction) };
  for (const [name, action] of Object.entries(actions)) {
    const where = `action "${name}"`;
    checkName(where, name);
    if (typeof action?.run !== "function")
      refuse(where, `it is not made with the action that is handed in. Write actions: ${spelling}.`);
  }
  return Object.freeze(actions);
}
