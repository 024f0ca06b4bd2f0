import type {
  ActionEvent,
  ClockPort,
  EventContext,
  Json,
  OpsEvent,
  RandomPort,
  Role,
  Sha256,
  TimerPort,
} from "@landfall/protocol";
import type { ActionValue, Schema, Tx } from "@landfall/schema";
import type { AnyTx, User } from "./engine-types.js";
import type { Logger } from "./logger.js";
import type { RetentionOptions } from "./operations/retention.js";
import type { Storage } from "./storage/port.js";

/** The transaction as a schema types it. */
export type TxOf<S> = S extends Schema<infer D, infer _A> ? Tx<D> : AnyTx;

/** Who asks for what, for `authorize`. */
export interface AuthorizationRequest<T = AnyTx> {
  readonly space: string;
  readonly user: User;
  readonly role: Role;
  /** The event, brought to the server's schema version. */
  readonly event: OpsEvent | ActionEvent;
  /** The records as they are before the event, for reading. */
  readonly tx: T;
}

/**
 * Decides whether a member may do what an event says; `Authorize<TxOf<typeof schema>>` knows the records. False rejects
 * it as `forbidden`, a `RejectedError` with its own code; any other error, or an answer that is neither true nor false,
 * defers it, and all that follow it, until the hook works again.
 */
export type Authorize<T = AnyTx> = (request: AuthorizationRequest<T>) => boolean | Promise<boolean>;

/** What runs on the server in place of, or beside, the schema's action of that name. */
export type ServerAction = (tx: AnyTx, args: Json, context: EventContext) => unknown;

/** The server's own functions for the actions of a schema, which types them; by any name where there is no schema. */
export type ServerActions<S extends Schema | undefined = undefined> =
  S extends Schema<infer D, infer A>
    ? { readonly [N in keyof A]?: (tx: Tx<D>, args: ActionValue<A[N]>, context: EventContext) => unknown }
    : { readonly [name: string]: ServerAction };

/** Limits that a server may set for itself; the announced ones reach clients by `/v1/info`. */
export interface EngineLimits {
  readonly maxEventsPerRequest: number;
  readonly maxBodyBytes: number;
  readonly maxBatchBytes: number;
  readonly maxPageRows: number;
  /** Live rows of one space; more are deferred as `quota_exceeded`. */
  readonly maxRowsPerSpace: number;
  /** Bytes of rows in one page, about: what one request holds in memory. */
  readonly maxPageBytes: number;
  /** Milliseconds that an action, or `authorize`, may take while the space waits. */
  readonly actionBudgetMs: number;
}

export interface EngineOptions {
  readonly storage: Storage;
  /** Without one any well-formed data is accepted. */
  readonly schema?: Schema;
  readonly authorize?: Authorize;
  readonly actions?: { readonly [name: string]: ServerAction };
  readonly limits?: Partial<EngineLimits>;
  /** What is cleared away, and when; see `RetentionOptions` for what holds unless set. */
  readonly retention?: RetentionOptions;
  /**
   * How long after a restore clients may offer back what it lost (DESIGN rule 12), in milliseconds; 30 days unless set,
   * 0 for not at all. Longer than that only where tombstones are kept longer too.
   */
  readonly recoveryMs?: number;
  /** `modifiedAt` moves in steps of so many milliseconds, for clients that round. */
  readonly modifiedAtTickMs?: number;
  /** What the server calls itself in `/v1/info`. */
  readonly name?: string;
  readonly logger?: Logger;
  readonly clock?: ClockPort;
  readonly random?: RandomPort;
  readonly timers?: TimerPort;
  readonly hash?: Sha256;
}
