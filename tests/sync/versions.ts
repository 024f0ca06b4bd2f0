import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { counter, defineSchema, records, set } from "@landfall/schema";
import { sqlite } from "@landfall/server/storage/sqlite";
import { z } from "zod";
import type { Tab } from "./browser.js";
import { type Device, type DeviceOptions, type NoteSpace, openPlace } from "./world.js";

const merge = { votes: counter(), marks: set() };
const merged = { votes: z.number(), marks: z.array(z.string()) };

/** The app at first; the domain and its merges are the world's. */
const first = defineSchema({
  version: 1,
  domains: {
    note: records({ fields: z.object({ ...merged, text: z.string(), body: z.string().optional() }), merge }),
    draft: records({ fields: z.object({ text: z.string() }), local: true }),
  },
});

const secondNote = z.object({ ...merged, title: z.string(), mood: z.string() });
const secondDraft = records({ fields: z.object({ title: z.string() }), local: true });

/** A field has another name and another form, one is gone, and one is new. What runs twice shows: `text!!`. */
const second = {
  rename: { text: "title" },
  map: {
    title: (title: unknown) => {
      if (title === "broken") throw new Error("It is broken.");
      return `${title as string}!`;
    },
  },
  drop: ["body"],
  add: { mood: "calm" },
};
const secondMigration = {
  domains: { note: second, draft: { rename: { text: "title" }, map: second.map } },
};

const shout = z.object({ key: z.string() });

const versions = {
  1: first,
  2: defineSchema({
    version: 2,
    domains: { note: records({ fields: secondNote, merge }), draft: secondDraft },
    actions: (action) => ({
      /** Writes what it reads of a record. */
      shout: action(shout, async (tx, { key }) => {
        const note = await tx.note.get(key);
        tx.note.update(key, { mood: `shouting ${note?.title}` });
      }),
    }),
    migrations: { 2: secondMigration },
  }),
  /** Only adds: whoever reads version 2 reads this. */
  3: defineSchema({
    version: 3,
    domains: {
      note: records({ fields: secondNote.extend({ pinned: z.boolean() }), merge }),
      draft: secondDraft,
    },
    migrations: { 2: secondMigration, 3: { domains: { note: { add: { pinned: false } } } } },
  }),
};
export type Version = keyof typeof versions;

/** A version of the app, or of the server, in the world's types. */
export const app = (version: Version) => {
  const schema = versions[version] as unknown as NonNullable<NonNullable<DeviceOptions["client"]>["schema"]>;
  return { schema };
};

type Values = { readonly [field: string]: unknown };
interface AnyDomain {
  get(key: string): Values | undefined;
  query(query: Values): readonly Values[];
  create(fields: Values, options: { readonly key: string }): { readonly saved: Promise<void> };
  put(key: string, fields: Values): { readonly saved: Promise<void> };
  update(key: string, patch: Values): { readonly saved: Promise<void> };
}

/** A space as an app of any version has it. */
export interface AnySite extends Omit<NoteSpace, "note" | "actions"> {
  readonly note: AnyDomain & Pick<NoteSpace["note"], "increment" | "delete" | "watchRecord">;
  readonly draft: AnyDomain & Pick<NoteSpace["note"], "watchRecord">;
  readonly actions: { shout(args: { readonly key: string }): { readonly shown: Promise<void> } };
}
export const siteOf = async (device: Device): Promise<AnySite> => (await device.open()) as unknown as AnySite;
export const siteIn = (tab: Tab): AnySite => tab.site as unknown as AnySite;

/** A server of the first version, whose file a server of another version can go on with. */
export function openUpgradable() {
  const folder = mkdtempSync(join(tmpdir(), "landfall-versions-"));
  const live = () => sqlite(join(folder, "live.db"));
  const place = openPlace({ storage: live(), server: app(1) });
  return {
    place,
    folder,
    serve: (version: Version): Promise<void> => place.replaceServer(live, app(version)),
    async close(): Promise<void> {
      await place.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
export type Upgradable = ReturnType<typeof openUpgradable>;

/** The fields of a record, without those that every one has. */
export function fieldsOf(record: Values | undefined): Values | undefined {
  if (!record) return undefined;
  const { key: _key, $: _meta, marks: _marks, votes: _votes, ...fields } = record;
  return fields;
}
