import { type Fields, type Json, type Stamp, type TimerPort, actionContext } from "@landfall/protocol";
import { type Query, type Schema, select } from "@landfall/schema";
import { type Effects, EffectsBuilder, type ViewReader } from "../replica/effects.js";
import type { ReplicaRules } from "../replica/rules.js";
import { WriteError, domainWrites } from "./domain-writes.js";

/** An action that runs longer is taken to have failed: it may await only its `tx`, which never waits. */
const actionBudgetMs = 2_000;

interface ActionRecord extends Record<string, unknown> {
  readonly key: string;
}

/** One domain as an action sees it (schema's `TxDomain`), over a view. */
function txDomain(schema: Schema, name: string, builder: EffectsBuilder, newKey: () => string): object {
  const domain = schema.domain(name);
  if (!domain) throw new WriteError("unknown_domain", `The schema has no domain ${name}.`);
  const fields = (key: string): Fields | undefined => {
    const state = builder.get(name, key);
    return state && !state.deleted ? domain.complete(state.fields) : undefined;
  };
  const record = (key: string): ActionRecord | undefined => {
    const found = fields(key);
    return found && { ...found, key };
  };
  const all = (): ActionRecord[] => builder.keys(name).flatMap((key) => record(key) ?? []);
  const writes = domainWrites(domain, fields, (op): void => {
    if (!builder.apply(op))
      throw new WriteError(
        builder.failure?.code ?? "invalid",
        builder.failure?.message ?? "The write cannot stand.",
      );
  });
  return {
    get: async (key: string) => record(key),
    all: async () => all(),
    query: async (query: Query<ActionRecord>) => select(all(), query),
    ...writes,
    create(input: unknown, options: { readonly key?: string } = {}): string {
      const key = options.key ?? newKey();
      writes.create(key, input);
      return key;
    },
  };
}

/** Runs an action over the view before it, for what it shows; the server runs it for the truth (DESIGN §5.2). */
export async function runAction(
  schema: Schema,
  rules: ReplicaRules,
  call: { readonly id: Stamp; readonly action: string; readonly args: Json },
  reader: ViewReader,
  options: { readonly user: string; readonly timers: TimerPort },
): Promise<Effects> {
  const builder = new EffectsBuilder(reader, rules, call.id);
  const fail = (code: string, message: string): Effects => {
    builder.failure = { code, message };
    return builder.finish();
  };
  const action = schema.action(call.action);
  if (!action) return fail("unknown_action", `The schema has no action ${call.action}.`);
  const args = action.validate(call.args);
  if (!args.ok) return fail("invalid", `The arguments of ${call.action} do not hold.`);
  const run = actionContext(call.id, options.user);
  const tx: Record<string, object> = {};
  for (const [name, domain] of Object.entries(schema.domains)) {
    if (!domain.local)
      Object.defineProperty(tx, name, { get: () => txDomain(schema, name, builder, run.newKey) });
  }
  let cancel = (): void => undefined;
  const overrun = new Promise<never>((_, reject) => {
    cancel = options.timers.after(actionBudgetMs, () =>
      reject(
        new WriteError(
          "action_failed",
          `${call.action} ran for more than ${actionBudgetMs} ms; it may await only its tx.`,
        ),
      ),
    );
  });
  try {
    await Promise.race([action.run(tx, args.value, run.context), overrun]);
    return builder.finish();
  } catch (error) {
    return fail(
      error instanceof WriteError ? error.code : "action_failed",
      error instanceof Error ? error.message : String(error),
    );
  } finally {
    cancel();
  }
}
