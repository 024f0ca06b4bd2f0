import type { Op, RandomPort, Row } from "@landfall/protocol";
import type {
  ActionArgs,
  ActionMap,
  ActionResult,
  DomainMap,
  InputOf,
  IncrementOf,
  MembersOf,
  PatchOf,
  PutOf,
  Schema,
  Typed,
  TypesOf,
  UnsetOf,
} from "@landfall/schema";
import type { ViewRecord } from "../replica/view-record.js";
import { type DomainHandle, type Submit, domainHandle } from "./domain-handle.js";
import { actionArgs, WriteError } from "./domain-writes.js";
import { type InboxHandle, inboxHandle } from "./inbox-handle.js";
import type { PendingEvent, PendingExpectation } from "../replica/pending-event.js";
import type { Receipt } from "./receipt.js";
import type { SettledOutcome } from "./settlement.js";
import type { SpaceSession } from "./space-session.js";

/** One domain while an atomic write is put together. At most one op on each record. */
export interface BatchDomain<D extends Typed> {
  /** @returns the key. */
  create(fields: InputOf<D>, options?: { readonly key?: string }): string;
  put(key: string, fields: PutOf<D>): void;
  update(key: string, patch: PatchOf<D>, options?: { readonly unset?: readonly UnsetOf<D>[] }): void;
  increment(key: string, by: IncrementOf<D>): void;
  add(key: string, members: MembersOf<D>): void;
  remove(key: string, members: MembersOf<D>): void;
  delete(key: string): void;
  /** Brings a deleted key back as a new record, if no one else has by then (DESIGN rule 7). */
  restore(key: string, fields: InputOf<D>): void;
}

/** The domains that an atomic write may have ops in: those that the server knows too. */
export type Batch<D extends DomainMap> = {
  readonly [K in keyof D as TypesOf<D[K]>["local"] extends true ? never : K]: BatchDomain<D[K]>;
};

/** What the function of an atomic write may happen to return, and no promise: ops that come later are in no write. */
type NotAwaited = void | null | boolean | number | string | readonly unknown[];

type Domains<S extends Schema> = S extends Schema<infer D, ActionMap> ? D : never;
type Actions<S extends Schema> = S extends Schema<DomainMap, infer A> ? A : never;

/** The receipt of an action; its outcome brings what the server's run returned. */
export interface ActionReceipt<Result> extends Receipt {
  readonly settled: Promise<SettledOutcome & { readonly result?: Result }>;
}

/** Why a record looks as it does. */
export interface Explanation {
  /** What the app sees. */
  readonly view: ViewRecord | undefined;
  /** The row that the server confirmed, with its stamps, as the app's version has it. */
  readonly base: Row | undefined;
  /** Own events that are to write it, whether they can as things are or not, and are not confirmed, in the order that they apply. */
  readonly pending: readonly {
    readonly event: PendingEvent;
    readonly failure?: { readonly code: string; readonly message: string };
  }[];
  readonly text: string;
}

/** An open space: a handle for each domain of the schema, and what concerns the space as a whole. */
export type SpaceHandle<S extends Schema = Schema> = {
  readonly [K in keyof Domains<S>]: DomainHandle<Domains<S>[K]>;
} & {
  readonly id: string;
  readonly actions: {
    readonly [K in keyof Actions<S>]: (
      args: ActionArgs<Actions<S>[K]>,
    ) => ActionReceipt<ActionResult<Actions<S>[K]>>;
  };
  /** Several ops as one atomic event: those that `build` has asked for by the time it returns. @throws WriteError */
  write(build: (tx: Batch<Domains<S>>) => NotAwaited): Receipt;
  readonly inbox: InboxHandle;
  explain(domain: keyof Domains<S> & string, key: string): Explanation;
};

function explain(session: SpaceSession, domain: string, key: string): Explanation {
  const { replica } = session;
  const view = replica.get(domain, key);
  const base = replica.present(replica.baseRow(domain, key));
  const pending = replica.writersOf(domain, key).map((event) => {
    const failure = replica.failureOf(event.id);
    return failure ? { event, failure } : { event };
  });
  const confirmed = !base
    ? "The server has confirmed no such record"
    : base.deleted
      ? `It was deleted at index ${base.version}`
      : `Its last confirmed change is index ${base.version}`;
  const failing = pending.filter((entry) => entry.failure).length;
  const own =
    pending.length === 0
      ? "no own write is pending"
      : `${pending.length} own write(s) are pending${failing > 0 ? `, ${failing} of which cannot stand as things are` : ""}`;
  return { view, base, pending, text: `${confirmed}; ${own}.` };
}

type Expected = readonly PendingExpectation[];

/** Runs `build` over handles that collect their ops, and what these expect, instead of writing them. */
function collect(
  session: SpaceSession,
  schema: Schema,
  random: RandomPort,
  build: (tx: object) => unknown,
): { readonly ops: readonly Op[]; readonly expect: Expected } {
  const ops: Op[] = [];
  const expect: Expected[number][] = [];
  // The write as a whole gives a receipt.
  const submit: Submit = (op, expected = []): undefined => {
    ops.push(op);
    expect.push(...expected);
  };
  const tx: Record<string, object> = {};
  for (const [name, domain] of Object.entries(schema.domains)) {
    if (domain.local) continue;
    const handle = domainHandle(session, domain, random, submit);
    tx[name] = {
      ...handle,
      create: (...args: Parameters<typeof handle.create>) => handle.create(...args).key,
    };
  }
  // An async function may have more to say, which no write would wait for: better none of it than a part.
  return { ops: build(tx) instanceof Promise ? [] : ops, expect };
}

export function spaceHandle<S extends Schema>(
  session: SpaceSession,
  schema: S,
  random: RandomPort,
): SpaceHandle<S> {
  const handles = new Map(
    Object.entries(schema.domains).map(([name, domain]) => [name, domainHandle(session, domain, random)]),
  );
  const actions: Record<string, (args: unknown) => Receipt> = {};
  for (const [name, action] of Object.entries(schema.actions)) {
    actions[name] = (args) => session.write({ action: name, args: actionArgs(name, action, args) });
  }
  const handle = {
    ...Object.fromEntries(handles),
    id: session.space,
    actions,
    inbox: inboxHandle(session, schema, random),
    write(build: (tx: object) => unknown): Receipt {
      const { ops, expect } = collect(session, schema, random, build);
      if (ops.length === 0)
        throw new WriteError("invalid", "The write has no ops, or is async: call its tx, and await nothing.");
      return session.writeOps(ops, expect.length > 0 ? expect : undefined);
    },
    explain: (domain: string, key: string) => explain(session, domain, key),
  };
  return handle as unknown as SpaceHandle<S>;
}
