import { defineSchema, records } from "@landfall/schema";
import { expect, test } from "vitest";
import { z } from "zod";
import type { InboxItem } from "./inbox-item.js";
import { migrateItem } from "./item-migration.js";
import { rejectedItems } from "./settlement.js";

const id = "018f6c00-1c3d-7a52-9b6e-000000000001";
const schema = defineSchema({
  version: 2,
  domains: { purse: records({ fields: z.object({ cents: z.number() }) }) },
  actions: (action) => ({ transfer: action(z.object({ cents: z.number() }), async () => undefined) }),
  migrations: {
    2: {
      domains: {
        purse: {
          rename: { coins: "cents" },
          map: { cents: (coins) => Number(coins) * 100 },
          drop: ["lining"],
        },
      },
      actions: {
        pay: (args) => ({ action: "transfer", args: { cents: (args as { coins: number }).coins * 100 } }),
      },
    },
  },
});
const refused = (event: object) =>
  rejectedItems({ id, madeAt: 0, schema: 1, ...event }, "missing", "There is none.").map((item) =>
    migrateItem(schema, { ...item, schema: 1 }),
  );

test("rule 9: a refused call is in the inbox as this version of the app has it", () => {
  expect(refused({ action: "pay", args: { coins: 3 } })).toMatchObject([
    { tried: { cents: 300 }, event: { action: "transfer", args: { cents: 300 }, schema: 2 }, schema: 2 },
  ]);
});

test("rule 9: so is an op, and its event; of one that only changed what is gone nothing is left", () => {
  const op = { op: "update", domain: "purse", key: "p1" };
  expect(refused({ ops: [{ ...op, set: { coins: 3 } }] })).toMatchObject([
    { tried: { cents: 300 }, event: { ops: [{ set: { cents: 300 } }] }, schema: 2 },
  ]);
  expect(refused({ ops: [{ ...op, set: { lining: "red" } }] })).toMatchObject([
    { tried: {}, event: { ops: [] }, schema: 2 },
  ]);
});

test("what a newer version has put into the inbox, or written, is dealt with there: here it would be in words of another version", () => {
  const event = {
    id,
    madeAt: 0,
    ops: [{ op: "update", domain: "purse", key: "p1", set: { euros: 3 } } as const],
  };
  const [item] = rejectedItems(event, "missing", "There is none.");
  for (const newer of [{ schema: 3 }, { schema: 2, event: { ...event, schema: 3 } }])
    expect(migrateItem(schema, { ...(item as InboxItem), ...newer })).toMatchObject({
      tried: { euros: 3 },
      reason: "There is none. A newer version of the app has put this here: it can be dealt with there.",
      choices: ["dismiss"],
    });
});
