import type { SpaceHandle } from "@landfall/client";
import { counter, defineSchema, records } from "@landfall/schema";
import { z } from "zod";

export const schema = defineSchema({
  version: 1,
  domains: {
    note: records({
      fields: z.object({ text: z.string(), count: z.number() }),
      merge: { count: counter() },
    }),
  },
});
export type NoteSpace = SpaceHandle<typeof schema>;

export const space = "site-7";

/** What a writer counts its events in; its notes are named after it. */
export const tallyOf = (writer: string): string => `tally:${writer}`;

/** Makes the record that a writer counts in; once for each writer. */
export const makeTally = (site: NoteSpace, writer: string) =>
  site.note.create({ text: writer, count: 0 }, { key: tallyOf(writer) });

/** One event that makes a note and counts it: were it applied twice or by half, the two would differ. */
export const writeNumbered = (site: NoteSpace, writer: string, name: string) =>
  site.write((tx) => {
    tx.note.create({ text: name, count: 0 }, { key: `${writer}.${name}` });
    tx.note.increment(tallyOf(writer), { count: 1 });
  });

/** The notes of a writer, and how many it has counted. */
export function written(site: NoteSpace, writer: string) {
  const names = site.note.all().flatMap(({ key, text }) => (key === `${writer}.${text}` ? [text] : []));
  return { names, count: site.note.get(tallyOf(writer))?.count };
}
