import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryStorage } from "@landfall/client/storage/memory";
import { defineSchema, records } from "@landfall/schema";
import { sqlite } from "@landfall/server/storage/sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";
import { z } from "zod";
import { type AnySite, type app, siteOf } from "./versions.js";
import { type Place, openPlace } from "./world.js";

const text = z.string().optional();
const version = (schema: unknown) => ({ schema }) as ReturnType<typeof app>;
const apart = version(
  defineSchema({ version: 1, domains: { note: records({ fields: z.object({ first: text, last: text }) }) } }),
);
/** Both old fields become one, and the app maps each that was cleared to it. */
const joined = version(
  defineSchema({
    version: 2,
    domains: { note: records({ fields: z.object({ name: text }) }) },
    migrations: {
      2: {
        domains: {
          note: {
            fields: ({ first, last, ...rest }) => ({
              ...rest,
              name: [first, last].filter(Boolean).join(" "),
            }),
            update: ({ set: { first, last, ...set }, unset }) => ({
              set:
                first === undefined && last === undefined
                  ? set
                  : { ...set, name: [first, last].filter(Boolean).join(" ") },
              unset: unset.flatMap((field) => (field === "first" || field === "last" ? ["name"] : field)),
            }),
          },
        },
      },
    },
  }),
);

interface UpdatesThatClear extends Pick<AnySite["note"], "create"> {
  update(
    key: string,
    patch: object,
    options: { readonly unset: readonly string[] },
  ): { readonly saved: Promise<void> };
}

let folder: string;
let place: Place;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "landfall-joined-"));
  place = openPlace({ storage: sqlite(join(folder, "live.db")), server: apart });
});
afterEach(async () => {
  await place.close();
  rmSync(folder, { recursive: true, force: true });
});

it.each(["the server", "the device"])(
  "rule 8: an edit that sets one of two fields and clears the other gets through where %s joins them",
  async (by) => {
    const storage = memoryStorage();
    const old = place.device({ storage, client: apart });
    const { note }: { readonly note: UpdatesThatClear } = await siteOf(old);
    note.create({ first: "Ann", last: "Lee" }, { key: "n1" });
    await old.client.sync();
    old.offline();
    await note.update("n1", { first: "Anna" }, { unset: ["last"] }).saved;
    if (by === "the device") await old.client.close();
    await place.replaceServer(() => sqlite(join(folder, "live.db")), joined);

    let device = old;
    if (by === "the device") device = place.device({ storage, client: joined });
    else old.online();
    const site = await siteOf(device);
    // What the server took shows on an old app once that is updated.
    await device.client.sync().catch(() => undefined);
    expect(site.inbox.current).toEqual([]);
    const reader = place.device({ client: joined });
    const read = await siteOf(reader);
    await reader.client.sync();
    expect(read.note.get("n1")).toMatchObject({ name: "Anna" });
  },
);
