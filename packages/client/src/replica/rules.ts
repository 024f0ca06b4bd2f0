import { type FieldKinds, type Fields, type Json, type Stamp, anyFieldKind } from "@landfall/protocol";
import type { Domain } from "@landfall/schema";
import type { Effects, ViewReader } from "./effects.js";

/** Details of a master record, as the schema's `parent` declares them. */
interface ChildRules {
  readonly domain: string;
  readonly field: string;
  readonly onDelete: "cascade" | "restrict" | "keep";
}

export interface DomainRules {
  readonly kinds: FieldKinds;
  readonly children: readonly ChildRules[];
  readonly newParent: Domain["newParent"];
  /** The fields with what a reader may count on being there: counters from 0, sets from empty. */
  readonly complete: (fields: Fields) => Fields;
}

/** What a replica must know of the schema to show pending events as the server will apply them. */
export interface ReplicaRules {
  domain(name: string): DomainRules;
  /** Runs an action over the view before it; resolves without I/O. */
  runAction(
    call: { readonly id: Stamp; readonly action: string; readonly args: Json },
    reader: ViewReader,
  ): Promise<Effects>;
}

/** The rules where there is no schema. */
export const noRules: DomainRules = {
  kinds: anyFieldKind,
  children: [],
  newParent: () => undefined,
  complete: (fields) => fields,
};
