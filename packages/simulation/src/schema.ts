import type { Fields } from "@landfall/protocol";
import { type FieldChanges, counter, defineSchema, records, set } from "@landfall/schema";
import { z } from "zod";
import type { SchemaFacts } from "./history.js";

const parent = { domain: "folder", field: "folder", onDelete: "cascade" } as const;
const unique = [["number"]] as const;
const merge = { votes: counter(), marks: set() };
const votes = z.number().default(0);
const marks = z.array(z.string()).default([]);
const place = { folder: z.string(), number: z.number() };
const ways = { from: z.string(), to: z.string() };
const revival = z.object({ key: z.string(), title: z.string() });

/**
 * What the world's app keeps: fields of every kind of merge, values that must be unique, details that go with their
 * master, actions that read before they write, and drafts that never leave the device.
 */
const first = defineSchema({
  version: 1,
  domains: {
    /** Fields of each kind. */
    note: records({
      fields: z.object({ title: z.string(), body: z.string().optional(), votes, marks }),
      merge,
    }),
    /** A master. */
    folder: records({ fields: z.object({ name: z.string(), color: z.string().optional() }) }),
    /** Details of a folder, each with a number of its own. */
    task: records({ fields: z.object({ ...place, done: z.boolean() }), parent, unique }),
    /** What an action moves between. */
    purse: records({ fields: z.object({ coins: z.number() }) }),
    /** The device's own. */
    draft: records({ fields: z.object({ text: z.string() }), local: true }),
  },
  actions: (action) => ({
    /** Moves coins: what it writes depends on what it reads. */
    pay: action(z.object({ ...ways, coins: z.number() }), async (tx, { from, to, coins }) => {
      const [payer, payee] = [await tx.purse.get(from), await tx.purse.get(to)];
      const had = payer?.coins ?? 100;
      tx.purse.put(from, { coins: had - coins });
      if (to !== from) tx.purse.put(to, { coins: (payee?.coins ?? 100) + coins });
      return had;
    }),
    /** Brings a note back where it is deleted; of one whose delete the server has forgotten there is nothing to bring back. */
    revive: action(revival, async (tx, { key, title }) => {
      if (await tx.note.get(key)) tx.note.update(key, { title });
      else tx.note.restore(key, { title });
    }),
  }),
});

/** The next version of the app: nearly everything has another name or another shape, and each change shows when it is made twice. */
const second = defineSchema({
  version: 2,
  domains: {
    note: records({
      fields: z.object({
        title: z.string(),
        text: z.string().optional(),
        mood: z.string().optional(),
        votes,
        marks,
      }),
      merge,
    }),
    folder: records({ fields: z.object({ kind: z.string(), label: z.string() }) }),
    task: records({ fields: z.object({ ...place, size: z.number().default(1) }), parent, unique }),
    purse: records({ fields: z.object({ cents: z.number() }) }),
    draft: records({ fields: z.object({ words: z.string() }), local: true }),
  },
  actions: (action) => ({
    transfer: action(z.object({ ...ways, cents: z.number() }), async (tx, { from, to, cents }) => {
      const [payer, payee] = [await tx.purse.get(from), await tx.purse.get(to)];
      const had = payer?.cents ?? 10_000;
      tx.purse.put(from, { cents: had - cents });
      if (to !== from) tx.purse.put(to, { cents: (payee?.cents ?? 10_000) + cents });
      return had;
    }),
    revive: action(revival, async (tx, { key, title }) => {
      if (await tx.note.get(key)) tx.note.update(key, { title });
      else tx.note.restore(key, { title });
    }),
  }),
  migrations: {
    2: {
      domains: {
        note: {
          rename: { body: "text" },
          map: { marks: (members) => (members as string[]).map((member) => `#${member}`) },
        },
        folder: { drop: ["color"], fields: splitName, update: splitNameIn },
        task: { drop: ["done"], add: { size: 1 } },
        purse: { rename: { coins: "cents" }, map: { cents: (coins) => (coins as number) * 100 } },
        draft: { rename: { text: "words" }, map: { words: (text) => `${text as string}.` } },
      },
      actions: {
        pay: (args) => {
          const { coins, ...rest } = args as { readonly coins: number };
          return { action: "transfer", args: { ...rest, cents: coins * 100 } };
        },
      },
    },
  },
});

/** A folder's name was its kind and what it is called. */
function splitName({ name, ...rest }: Fields): Fields {
  if (typeof name !== "string") return rest;
  const [kind = "", ...label] = name.split(" ");
  return { ...rest, kind, label: label.join(" ") };
}

function splitNameIn({ set, unset }: FieldChanges): FieldChanges {
  return {
    set: splitName(set),
    unset: unset.flatMap((field) => (field === "name" ? ["kind", "label"] : field)),
  };
}

export type WorldSchema = typeof second;
/** Both versions of the app's schema: devices and the server may run either. The types are those of the newer one. */
export const schemas = { 1: first as unknown as WorldSchema, 2: second };
export type SchemaVersion = keyof typeof schemas;
export const domainNames = ["note", "folder", "task", "purse"] as const;
export type DomainName = (typeof domainNames)[number];

/** What both versions say of domains once more, for models that must not ask the schema's code. */
export const schemaFacts: SchemaFacts = {
  domains: {
    note: { counters: ["votes"], sets: ["marks"], defaults: { votes: 0, marks: [] } },
    folder: {},
    task: { unique: [["number"]], parent: { domain: "folder", field: "folder", onDelete: "cascade" } },
    purse: {},
    draft: { local: true },
  },
};
