import type { Fields, Json, Op } from "@landfall/protocol";
import { type Schema, migrateFieldName, migrateFields, migrateOps } from "@landfall/schema";
import type { InboxItem } from "./inbox-item.js";
import { triedFields } from "./settlement.js";

/**
 * Brings what an item says of a record to the schema's version, so that it shows and is written again as that has it.
 * Its event is brought over when it is retried. What cannot be brought over stays, for people.
 */
export function migrateItem(schema: Schema, item: InboxItem): InboxItem {
  const { schema: from = schema.version } = item;
  if (from >= schema.version) return item;
  return item.field === undefined ? migrateTried(schema, from, item) : migrateField(schema, from, item);
}

/** What a whole record or an op was to write. */
function migrateTried(schema: Schema, from: number, item: InboxItem): InboxItem {
  const { domain = "", key = "", event, row, tried, before } = item;
  const whole = before && migrateFields(schema, from, domain, before);
  const op =
    event?.ops?.find((each) => each.domain === domain && each.op !== "deleteMany" && each.key === key) ??
    ({ op: row ? "put" : "update", domain, key, set: tried as Fields } satisfies Op);
  const ops =
    tried === undefined || domain === "" ? undefined : migrateOps(schema, event?.schema ?? from, [op]);
  if (whole?.ok === false || ops?.ok === false) return item;
  const [migrated] = ops?.value ?? [];
  return {
    ...item,
    schema: schema.version,
    ...(ops && { tried: (migrated && triedFields(migrated)) ?? {} }),
    ...(whole && { before: whole.value }),
  };
}

/** A field that lost to another's write. One that is gone can only be read. */
function migrateField(schema: Schema, from: number, item: InboxItem): InboxItem {
  const { domain = "", key = "", field = "", tried, won } = item;
  const name = migrateFieldName(schema, from, domain, field);
  const now = name.ok ? name.value : undefined;
  const valueOf = (value: Json | undefined): Json | undefined => {
    if (value === undefined || now === undefined) return undefined;
    const ops = migrateOps(schema, from, [{ op: "update", domain, key, set: { [field]: value } }]);
    return ops.ok && ops.value[0] ? (triedFields(ops.value[0]) as Fields)[now] : undefined;
  };
  const [again, theirs] = [valueOf(tried), valueOf(won)];
  if (now === undefined || (tried !== undefined && again === undefined))
    return { ...item, choices: ["dismiss"] };
  const { tried: _tried, won: _won, ...rest } = item;
  return {
    ...rest,
    schema: schema.version,
    field: now,
    ...(again !== undefined && { tried: again }),
    ...(theirs !== undefined && { won: theirs }),
  };
}
