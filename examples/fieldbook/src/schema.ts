import { counter, defineSchema, records, set } from "@landfall/schema";
import * as z from "zod/mini";

/** Text of one line that says something. */
const line = z.string().check(z.trim(), z.minLength(1), z.maxLength(200));
const text = (maxChars: number) => z.string().check(z.maxLength(maxChars));
/** Who did something and when, in one field: two people who do it at once make one conflict, not two. */
const done = z.object({ by: z.string(), at: z.number() });

/** What a site's book holds. A site is a space: its members share everything but what is `local`. */
export const schema = defineSchema({
  version: 1,
  domains: {
    /** One record, under the key "about". */
    site: records({ fields: z.object({ name: line }) }),
    project: records({
      fields: z.object({
        number: z.string().check(z.trim(), z.minLength(1), z.maxLength(40)),
        name: line,
        place: z.optional(text(200)),
        status: z._default(z.enum(["open", "closed"]), "open"),
        visits: z.number(),
        tags: z.array(z.string()),
      }),
      merge: { visits: counter(), tags: set() },
      unique: [["number"]],
      indexes: [["status"]],
    }),
    controlpoint: records({
      fields: z.object({
        projectId: z.string(),
        title: line,
        /** Absent until somebody has looked. */
        check: z.optional(z.extend(done, { result: z.enum(["ok", "failed"]) })),
      }),
      parent: { domain: "project", field: "projectId", onDelete: "cascade" },
    }),
    deviation: records({
      fields: z.object({
        projectId: z.string(),
        /** The control point that it was found at, where it was found at one. */
        pointId: z.optional(z.string()),
        title: line,
        details: z.optional(text(4_000)),
        severity: z.enum(["minor", "major", "critical"]),
        reported: done,
        /** Absent while it is open. */
        closed: z.optional(done),
      }),
      parent: { domain: "project", field: "projectId", onDelete: "cascade" },
    }),
    /** What was typed into a form and not saved yet, under the name of the form. */
    draft: records({ fields: z.object({ fields: z.record(z.string(), z.string()) }), local: true }),
    /** How this device shows the site, under the key "list". */
    setting: records({
      fields: z.object({
        filter: z.enum(["open", "closed", "all"]),
        order: z.enum(["number", "name", "severity"]),
      }),
      local: true,
    }),
  },
  actions: (action) => ({
    /** Closes a project and with it every deviation that is open when the server gets to it, also those of others. */
    closeProject: action(z.object({ id: z.string() }), async (tx, { id }, { user, now }) => {
      tx.project.update(id, { status: "closed" });
      const open = await tx.deviation.query({ where: { projectId: id, closed: null } });
      for (const { key } of open) tx.deviation.update(key, { closed: { by: user, at: now } });
      return { closed: open.length };
    }),
  }),
});

export type Schema = typeof schema;
