import type { TimerPort } from "@landfall/protocol";
import type { Schema } from "@landfall/schema";
import { type DomainRules, type ReplicaRules, noRules } from "../replica/rules.js";
import { runAction } from "./action-run.js";

/** The rules of a schema, as a replica asks for them. */
export function schemaRules(schema: Schema, options: { readonly user: () => string; readonly timers: TimerPort }): ReplicaRules {
  const domains = new Map<string, DomainRules>();
  for (const [name, domain] of Object.entries(schema.domains)) {
    domains.set(name, { kinds: domain.fieldKind, children: domain.children, complete: domain.complete });
  }
  const rules: ReplicaRules = {
    domain: (name) => domains.get(name) ?? noRules,
    runAction: (call, reader) => runAction(schema, rules, call, reader, { user: options.user(), timers: options.timers }),
  };
  return rules;
}
