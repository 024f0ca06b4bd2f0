import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClientOptions } from "@landfall/client";
import { defineSchema, records } from "@landfall/schema";
import { startRestoredGenerations } from "@landfall/server/operations";
import { sqlite } from "@landfall/server/storage/sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";
import { z } from "zod";
import {
  type Device,
  type NoteSpace,
  type Place,
  noteFields,
  noteMerge,
  openPlace,
  settle,
} from "./world.js";

/** The world's schema, and what the next version of the app adds to it. */
const newer = defineSchema({
  version: 2,
  domains: {
    note: records({
      fields: noteFields.extend({
        mood: z.string().optional(),
        where: z.object({ x: z.number() }).optional(),
      }),
      merge: noteMerge,
    }),
  },
});

const added = { mood: "good", where: { x: 1 } };
let place: Place;
let sites: readonly [newer: NoteSpace, older: NoteSpace];
let devices: readonly [newer: Device, older: Device];

beforeEach(async () => {
  // The types are those of the older version.
  const schema = newer as unknown as ClientOptions<never>["schema"];
  place = openPlace({ server: { schema } });
  devices = [place.device({ client: { schema } }), place.device()];
  const first = await devices[0].open();
  first.note.create({ text: "new", ...added }, { key: "n1" });
  await devices[0].client.sync();
  sites = [first, await devices[1].open()];
  await settle(...devices);
});
afterEach(() => place.close());

/** The fields of a record, as a form has them. */
function fieldsOf(site: NoteSpace, key: string): Record<string, unknown> {
  const { key: _key, $: _meta, ...fields } = site.note.get(key) as unknown as Record<string, unknown>;
  return fields;
}

it("§5.2: an older version of the app writes a record as it has read it, and leaves alone what a newer one has put there", async () => {
  const [seer, old] = sites;
  const read = fieldsOf(old, "n1");
  expect(read).toMatchObject(added);
  const { votes: _votes, marks: _marks, ...form } = read;
  seer.note.update("n1", { mood: "better" } as never);
  await devices[0].client.sync();
  old.note.put("n1", { ...form, text: "put" });
  old.note.update("n1", { ...form, body: "updated" });
  await settle(devices[1], devices[0]);
  for (const site of sites)
    expect(fieldsOf(site, "n1")).toMatchObject({ ...added, text: "new", body: "updated", mood: "better" });
  // What it does not know it cannot change either.
  expect(() => old.note.update("n1", { mood: "mine" } as never)).toThrow("no such field");
  expect(() => old.note.put("n2", { ...form } as never)).toThrow("no such field");
});

it("§5.2: an older version of the app brings back what it deleted, with what a newer one had put there", async () => {
  const [, old] = sites;
  const read = fieldsOf(old, "n1");
  old.note.delete("n1");
  await settle(...devices);
  old.note.restore("n1", { ...read, text: "back", where: undefined } as never);
  old.note.create({ text: "other" }, { key: "n2" });
  await settle(devices[1], devices[0]);
  for (const site of sites) {
    expect(fieldsOf(site, "n1")).toMatchObject({ text: "back", mood: "good" });
    expect(fieldsOf(site, "n1")).not.toHaveProperty("where");
  }
  old.note.delete("n1");
  const restore = (more: object) => () => old.note.restore("n1", { ...read, ...more } as never);
  expect(restore({ text: 7 })).toThrow("text");
  expect(restore({ mood: () => "good" })).toThrow("mood");
});

it("rule 9: a copy that an older version of the app keeps has what a newer one had put there", async () => {
  const [seer, old] = sites;
  devices[1].offline();
  old.note.update("n1", { text: "mine" });
  seer.note.delete("n1");
  await devices[0].client.sync();
  devices[1].online();
  await settle(devices[1]);
  const [item] = old.inbox.current;
  const { key } = old.inbox.keepCopy(item?.id ?? "");
  await settle(devices[1], devices[0]);
  for (const site of sites) expect(fieldsOf(site, key)).toMatchObject({ ...added, text: "mine" });
});

it("rule 9: what was lost with a server an older version of the app writes again as it was", async () => {
  const folder = mkdtempSync(join(tmpdir(), "landfall-newer-"));
  const random = { bytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)) };
  const restore = async (): Promise<void> => {
    const storage = sqlite(join(folder, "copy.db"));
    await startRestoredGenerations(storage, { clock: place.time.clock, random });
    await place.replaceServer(storage, { recoveryMs: 0 });
  };
  await place.storage.backup(join(folder, "copy.db"));
  const [seer, old] = sites;
  seer.note.create({ text: "lost", ...added }, { key: "n2" });
  await settle(...devices);
  devices[0].offline();
  await restore();
  await settle(devices[1]);
  expect(old.inbox.current.map(({ kind, key }) => [kind, key])).toEqual([["lost", "n2"]]);
  old.inbox.writeAgain(old.inbox.current[0]?.id ?? "");
  await settle(devices[1]);
  expect(fieldsOf(old, "n2")).toMatchObject({ ...added, text: "lost" });
  rmSync(folder, { recursive: true, force: true });
});
