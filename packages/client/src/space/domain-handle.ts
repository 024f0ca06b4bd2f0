import {
  type Fields,
  type Op,
  type RandomPort,
  type RecordOp,
  mergeRecord,
  randomIdentifier,
} from "@landfall/protocol";
import type {
  Domain,
  FieldsOf,
  IncrementOf,
  InputOf,
  MembersOf,
  PatchOf,
  PutOf,
  Query,
  Typed,
  UnsetOf,
} from "@landfall/schema";
import { knownOptions } from "../known-options.js";
import type { RecordMeta, ViewRecord } from "../replica/view-record.js";
import { WriteError, checkedSweep, domainWrites } from "./domain-writes.js";
import { type LiveQuery, liveQuery } from "./live-query.js";
import { type NewEvent, type Receipt, shownAtOnce } from "./receipt.js";
import type { SettledOutcome } from "./settlement.js";
import type { LocalRow } from "./local-records.js";
import type { SpaceSession } from "./space-session.js";

/** A record as the app sees it: its fields, `key`, and `$` with what Landfall knows of it. */
export type RecordOf<D extends Typed> = FieldsOf<D> & { readonly key: string; readonly $: RecordMeta };

/** A receipt of a write to one record. */
export interface RecordReceipt extends Receipt {
  readonly key: string;
}

/** Makes a write conditional on the version that a record has now, as the server will see it. */
export interface WriteOptions {
  /** Refused as `expectation_failed` if the record has changed since; `current` stands for the version shown now. */
  readonly expect?: number | "current";
}

/** Reads and writes of one domain of an open space. Reads are synchronous; writes show at once. */
export interface DomainHandle<D extends Typed = Typed> {
  get(key: string): RecordOf<D> | undefined;
  /** All records, by key. */
  all(): readonly RecordOf<D>[];
  query(query: Query<RecordOf<D>>): readonly RecordOf<D>[];
  /** Calls with the answer now and whenever it changes. Returns what ends it. */
  watch(query: Query<RecordOf<D>>, listener: (records: readonly RecordOf<D>[]) => void): () => void;
  watch(listener: (records: readonly RecordOf<D>[]) => void): () => void;
  /** The answer as a store: `current` and `subscribe`. */
  live(query?: Query<RecordOf<D>>): LiveQuery<RecordOf<D>>;
  /** Calls when the record changes, comes or goes. */
  watchRecord(key: string, listener: () => void): () => void;
  /** Makes a record under a random key, or under the one given. @throws WriteError */
  create(fields: InputOf<D>, options?: { readonly key?: string }): RecordReceipt;
  /** Makes a record, or sets its fields if it is there; for natural keys. @throws WriteError */
  put(key: string, fields: PutOf<D>): RecordReceipt;
  update(
    key: string,
    patch: PatchOf<D>,
    options?: WriteOptions & { readonly unset?: readonly UnsetOf<D>[] },
  ): RecordReceipt;
  increment(key: string, by: IncrementOf<D>): RecordReceipt;
  /** Adds members to set fields. */
  add(key: string, members: MembersOf<D>): RecordReceipt;
  /** Removes members from set fields. */
  remove(key: string, members: MembersOf<D>): RecordReceipt;
  delete(key: string, options?: WriteOptions): RecordReceipt;
  /** Deletes these keys, or everything up to a version: what arrived later is never caught by it. */
  deleteMany(which: readonly string[] | { readonly upTo: number }): Receipt;
  /** Brings a deleted key back as a new record (DESIGN rule 7). */
  restore(key: string, fields: InputOf<D>): RecordReceipt;
}

type AnyRecord = ViewRecord;

/** How the ops of a handle reach the replica; one that is only collected has no receipt. */
export type Submit = (op: Op, expect?: NewEvent["expect"]) => Receipt | undefined;

const localOutcome: SettledOutcome = { status: "duplicate", of: "expired", id: "", seq: 0 };

/** Writes to a local domain go straight to the device's own records (DESIGN rule 1). */
export function submitLocal(session: SpaceSession, op: Op): Receipt {
  session.checkWritable();
  const { context, replica } = session;
  const id = context.stamps.next();
  const shown: LocalRow[] = [];
  const keys = op.op === "deleteMany" ? (op.keys ?? [...replica.keys(op.domain)]) : [op.key];
  for (const key of keys) {
    session.local.check(op.domain, key);
    const merged = mergeRecord(
      replica.baseRow(op.domain, key),
      op.op === "deleteMany" ? { op: "delete", domain: op.domain, key } : op,
      id,
      context.rules.domain(op.domain).kinds,
    );
    if (!merged.ok) throw new WriteError(merged.code, merged.message);
    const { state } = merged;
    shown.push(
      state.deleted
        ? { domain: op.domain, key }
        : {
            domain: op.domain,
            key,
            version: 1,
            schema: context.schemaVersion ?? 1,
            modifiedAt: context.wall.now(),
            fields: state.fields,
            stamps: state.stamps,
          },
    );
  }
  const stored = session.local.write(shown);
  const settled = stored.then(() => localOutcome);
  // `saved` tells it too, and the status; an app need not ask twice.
  settled.catch(() => undefined);
  return { id, saved: session.safe(stored), settled, shown: shownAtOnce };
}

/** How writes of a domain reach the replica when they stand alone. */
function submitTo(session: SpaceSession, domain: Domain): Submit {
  return domain.local ? (op) => submitLocal(session, op) : (op, expect) => session.writeOps([op], expect);
}

export function domainHandle(
  session: SpaceSession,
  domain: Domain,
  random: RandomPort,
  submit = submitTo(session, domain),
): DomainHandle {
  const { replica } = session;
  const { name } = domain;
  const get = (key: string): AnyRecord | undefined => replica.get(name, key);
  const fields = (key: string): Fields | undefined => replica.fields(name, key);
  /** What the record must be like when the server gets to the op. */
  const expected = ({ op, key }: RecordOp, options: WriteOptions = {}): NewEvent["expect"] => {
    knownOptions(op, options, op === "update" ? ["expect", "unset"] : ["expect"]);
    const { expect } = options;
    // A tombstone that is restored is the server's already, or the last own event that writes the record makes it.
    const last = op === "restore" ? replica.lastWriter(name, key) : undefined;
    if (last) return [[name, key, { event: last.id }]];
    const wanted = op === "restore" ? "current" : expect;
    if (wanted === undefined) return undefined;
    return [[name, key, wanted === "current" ? (replica.baseRow(name, key)?.version ?? 0) : wanted]];
  };
  const { schemaVersion = 0 } = session.context;
  const writes = domainWrites(
    domain,
    fields,
    (op, options?: WriteOptions) => ({ ...submit(op, expected(op, options)), key: op.key }),
    // A server that has no schema says of no row which version of the app made it.
    () => (session.meta.schema?.version ?? Number.POSITIVE_INFINITY) > schemaVersion,
  );
  const live = (query: Query<AnyRecord> = {}): LiveQuery<AnyRecord> =>
    liveQuery(replica, name, query, () => session.indexes.candidates(domain, query.where));

  const handle = {
    get,
    all(asked?: unknown) {
      // Everything would pass for the answer.
      if (asked !== undefined) throw new TypeError("all takes no query, which query does.");
      return replica.all(name);
    },
    query: (asked: Query<AnyRecord>) => live(asked).current,
    watch(
      queryOrListener: Query<AnyRecord> | ((records: readonly AnyRecord[]) => void),
      listener?: (records: readonly AnyRecord[]) => void,
    ) {
      const [asked, tell] =
        typeof queryOrListener === "function"
          ? [{}, queryOrListener]
          : [queryOrListener, listener as (records: readonly AnyRecord[]) => void];
      // Refused before it is subscribed: what would fail at every change later on would name no caller.
      if (typeof tell !== "function")
        throw new TypeError("watch takes a query and the function to call with its answer, or that alone.");
      const answer = live(asked);
      const stop = answer.subscribe(() => tell(answer.current));
      tell(answer.current);
      return stop;
    },
    live,
    watchRecord: (key: string, listener: () => void) =>
      replica.subscribe((changes, later) => {
        if (changes.get(name)?.has(key)) later.push(listener);
      }),
    ...writes,
    create(input: unknown, options: { readonly key?: string } = {}) {
      knownOptions("create", options, ["key"]);
      return writes.create(options.key ?? randomIdentifier(random), input);
    },
    deleteMany: (which: readonly string[] | { readonly upTo: number }) =>
      submit({ op: "deleteMany", domain: name, ...checkedSweep(name, which) }),
  };
  // The handle's types are the schema's; at run time every domain has the same one.
  return handle as unknown as DomainHandle;
}
