import type { Fields, Json } from "@landfall/protocol";
import { type Schema, migrateFieldName, migrateFields, migrateOps } from "@landfall/schema";
import type { InboxItem } from "./inbox-item.js";
import { migrateEvent } from "./schema-rules.js";
import { triedFields } from "./settlement.js";

/**
 * Brings what an item says of a record to the schema's version, so that it shows and is written again as that has it.
 * What cannot be brought over stays, for people.
 */
export function migrateItem(schema: Schema, item: InboxItem): InboxItem {
  const { schema: from = schema.version, event } = item;
  if (Math.max(from, event?.schema ?? 0) > schema.version) return leftToNewer(item);
  if (from >= schema.version) return item;
  const told = event ? { ...item, event: migrateEvent(schema, event) } : item;
  return item.field === undefined ? migrateTried(schema, from, told) : migrateField(schema, from, told);
}

/** What a newer version of the app has put there, or written, this one knows no words for: written again here, it would lose them. */
function leftToNewer(item: InboxItem): InboxItem {
  const reason = `${item.reason} A newer version of the app has put this here: it can be dealt with there.`;
  return { ...item, reason, choices: ["dismiss"] };
}

/** What a whole record, an op or a call was to write; of an op of which nothing is left, that. */
function migrateTried(schema: Schema, from: number, item: InboxItem): InboxItem {
  const { domain = "", key = "", event, row, tried, before } = item;
  const whole = before && migrateFields(schema, from, domain, before);
  const ops =
    tried && !event
      ? migrateOps(schema, from, [{ op: row ? "put" : "update", domain, key, set: tried as Fields }])
      : undefined;
  if (whole?.ok === false || ops?.ok === false) return item;
  const op = (event?.ops ?? ops?.value)?.find(
    (each) => each.domain === domain && each.op !== "deleteMany" && each.key === key,
  );
  return {
    ...item,
    schema: schema.version,
    ...(tried !== undefined && { tried: event?.args ?? (op && triedFields(op)) ?? {} }),
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
