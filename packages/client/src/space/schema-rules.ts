import { type Row, type TimerPort, sameJson } from "@landfall/protocol";
import { type Schema, migrateAction, migrateFieldName, migrateOps, migrateRecord } from "@landfall/schema";
import type { PendingEvent } from "../replica/pending-event.js";
import { type Present, asIs } from "../replica/present.js";
import { type DomainRules, type ReplicaRules, noRules } from "../replica/rules.js";
import { runAction } from "./action-run.js";

/** The rules of a schema, as a replica asks for them. */
export function schemaRules(
  schema: Schema,
  options: { readonly user: () => string; readonly timers: TimerPort },
): ReplicaRules {
  const domains = new Map<string, DomainRules>();
  for (const [name, domain] of Object.entries(schema.domains)) {
    const { fieldKind: kinds, children, newParent, complete } = domain;
    domains.set(name, { kinds, children, newParent, complete });
  }
  const rules: ReplicaRules = {
    domain: (name) => domains.get(name) ?? noRules,
    runAction: (call, reader) =>
      runAction(schema, rules, call, reader, { user: options.user(), timers: options.timers }),
  };
  return rules;
}

/**
 * Brings a pending event to the schema's version, so that it shows as the server will apply it. What cannot be
 * brought there stays as it was made, for the server to answer (DESIGN §5.2: the outbox is never dropped).
 */
export function migrateEvent(schema: Schema, event: PendingEvent): PendingEvent {
  if (event.schema === undefined || event.schema >= schema.version) return event;
  const isSent = event.seq !== undefined || event.was !== undefined;
  const now = {
    schema: schema.version,
    ...(isSent && { sentUnder: event.sentUnder ?? event.schema }),
  };
  if (event.ops) {
    const migrated = migrateOps(schema, event.schema, event.ops);
    return migrated.ok ? { ...event, ops: migrated.value, ...now } : event;
  }
  if (event.action === undefined) return event;
  const migrated = migrateAction(schema, event.schema, { action: event.action, args: event.args ?? null });
  return migrated.ok ? { ...event, ...migrated.value, ...now } : event;
}

/** The name that a field has now of which an outcome says what it was called when the event was sent; undefined where it is gone. */
export function fieldNow(
  schema: Schema,
  { sentUnder = schema.version }: PendingEvent,
  domain: string,
  field: string,
): string | undefined {
  const name = migrateFieldName(schema, sentUnder, domain, field);
  return name.ok ? name.value : field;
}

/**
 * How rows of older versions show under the schema. A row is migrated once, and shows as it is where that fails, as the
 * server leaves it.
 *
 * @param failed told of each such row, once.
 */
export function presenters(
  schema: Schema,
  failed: (row: Row, message: string) => void,
): (version: number | undefined) => Present {
  const byVersion = new Map<number, Present>();
  return (version = schema.version) => {
    if (version >= schema.version) return asIs;
    let present = byVersion.get(version);
    if (!present) byVersion.set(version, (present = presenter(schema, version, failed)));
    return present;
  };
}

function presenter(schema: Schema, from: number, failed: (row: Row, message: string) => void): Present {
  const migrated = new WeakMap<Row, Row>();
  return (row) => {
    // Records of local domains are migrated where they are stored.
    if (!row || row.deleted || schema.domain(row.domain)?.local) return row;
    let shown = migrated.get(row);
    if (!shown) {
      const brought = migrateRecord(schema, from, row.domain, row);
      const isSame =
        !brought.ok ||
        (sameJson(brought.value.fields, row.fields) && sameJson(brought.value.stamps, row.stamps));
      shown = isSame ? row : { ...row, ...brought.value };
      migrated.set(row, shown);
      // Rows are read in the middle of a step: what the app does about it, which may be to read them, comes after that.
      if (!brought.ok) queueMicrotask(() => failed(row, brought.message));
    }
    return shown;
  };
}
