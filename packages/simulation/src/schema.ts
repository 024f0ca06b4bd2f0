import { counter, defineSchema, records, set } from "@landfall/schema";
import { z } from "zod";
import type { SchemaFacts } from "./history.js";

const firstNote = z.object({
  title: z.string(),
  body: z.string().optional(),
  votes: z.number().default(0),
  marks: z.array(z.string()).default([]),
});
/** The next version of the app gives notes a mood. */
const secondNote = firstNote.extend({ mood: z.string().optional() });

/**
 * What the world's app keeps: fields of every kind of merge, values that must be unique, details that go with their
 * master, and actions that read before they write.
 */
const schemaOf = (version: number, note: typeof secondNote) =>
  defineSchema({
    version,
    domains: {
      /** Fields of each kind. */
      note: records({ fields: note, merge: { votes: counter(), marks: set() } }),
      /** A master. */
      folder: records({ fields: z.object({ name: z.string(), color: z.string().optional() }) }),
      /** Details of a folder, each with a number of its own. */
      task: records({
        fields: z.object({ folder: z.string(), number: z.number(), done: z.boolean() }),
        parent: { domain: "folder", field: "folder", onDelete: "cascade" },
        unique: [["number"]],
      }),
      /** What an action moves between. */
      purse: records({ fields: z.object({ coins: z.number() }) }),
    },
    actions: (action) => ({
      /** Moves coins: what it writes depends on what it reads. */
      pay: action(
        z.object({ from: z.string(), to: z.string(), coins: z.number() }),
        async (tx, { from, to, coins }) => {
          const [payer, payee] = [await tx.purse.get(from), await tx.purse.get(to)];
          const had = payer?.coins ?? 100;
          tx.purse.put(from, { coins: had - coins });
          if (to !== from) tx.purse.put(to, { coins: (payee?.coins ?? 100) + coins });
          return had;
        },
      ),
      /** Brings a note back where it is deleted; of one whose delete the server has forgotten there is nothing to bring back. */
      revive: action(z.object({ key: z.string(), title: z.string() }), async (tx, { key, title }) => {
        if (await tx.note.get(key)) tx.note.update(key, { title });
        else tx.note.restore(key, { title });
      }),
    }),
  });

/** Both versions of the app's schema: devices and the server may run either. */
// The types are those of the newer one.
export const schemas = {
  1: schemaOf(1, firstNote as unknown as typeof secondNote),
  2: schemaOf(2, secondNote),
};
export type SchemaVersion = keyof typeof schemas;
export type WorldSchema = (typeof schemas)[2];
export const domainNames = ["note", "folder", "task", "purse"] as const;
export type DomainName = (typeof domainNames)[number];

/** The same once more, for models that must not ask the schema's code. */
export const schemaFacts: SchemaFacts = {
  domains: {
    note: { counters: ["votes"], sets: ["marks"], defaults: { votes: 0, marks: [] } },
    folder: {},
    task: { unique: [["number"]], parent: { domain: "folder", field: "folder", onDelete: "cascade" } },
    purse: {},
  },
};
