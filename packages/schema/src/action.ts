import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { EventContext, Json } from "@landfall/protocol";
import type { Nothing, Typed } from "./domain-types.js";
import { copyJson } from "./json-copy.js";
import type { Tx } from "./tx.js";
import { type Invalid, runValidator } from "./validation.js";

/** What an action may know besides the records: the time, chance and user that its event fixes. */
export type ActionContext = EventContext;

/** Arguments that hold: `value` as the action takes them, `args` as the event carries them. */
export interface ValidArgs {
  readonly ok: true;
  readonly value: unknown;
  readonly args: Json;
}

/** A named write of the app's own, whose arguments are validated by `Args`. */
export interface Action<Args extends StandardSchemaV1 = StandardSchemaV1, Result = unknown> {
  readonly "~types"?: { readonly args: Args; readonly result: Result };
  /** Validates what the caller or the wire gives. Total. */
  validate(args: unknown): ValidArgs | Invalid;
  /**
   * Runs the action once.
   *
   * @param tx the domains of the schema, as a `Tx` of them.
   * @param args the `value` of valid arguments.
   */
  run(tx: object, args: unknown, context: ActionContext): Promise<Result>;
}

/** What a caller gives to an action: the input of its validator. */
export type ActionArgs<A extends Action> = StandardSchemaV1.InferInput<NonNullable<A["~types"]>["args"]>;

/** What an action's function takes: the output of its validator. */
export type ActionValue<A extends Action> = StandardSchemaV1.InferOutput<NonNullable<A["~types"]>["args"]>;

/** What an action's function returns. */
export type ActionResult<A extends Action> = NonNullable<A["~types"]>["result"];

/** Makes actions over the domains of a schema. `defineSchema` hands one to `actions`. */
export type DefineAction<D extends { readonly [name: string]: Typed }> = <
  Args extends StandardSchemaV1,
  Result,
>(
  args: Args,
  run: (tx: Tx<D>, args: StandardSchemaV1.InferOutput<Args>, context: ActionContext) => Promise<Result>,
) => Action<Args, Result>;

export const defineAction: DefineAction<Nothing> = (validator, run) =>
  Object.freeze({
    validate(args: unknown) {
      const copied = copyJson(args);
      if (!copied.ok) return copied;
      const checked = runValidator(validator, copied.value);
      return checked.ok ? { ...checked, args: copied.value } : checked;
    },
    run: async (tx: object, args: unknown, context: ActionContext) =>
      run(tx, args as Parameters<typeof run>[1], context),
  });
