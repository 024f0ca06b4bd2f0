import { memoryStorage } from "@landfall/client/storage/memory";
import { defineSchema, records } from "@landfall/schema";
import { sqlite } from "@landfall/server/storage/sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { siteOf } from "./versions.js";
import { type DeviceOptions, openPlace, settle } from "./world.js";

type Client = NonNullable<DeviceOptions["client"]>;
const draft = { fields: z.object({ text: z.string() }) };
const note = records({ fields: z.object({ text: z.string() }) });
const app = (version: number, local: boolean): Client => ({
  schema: defineSchema({
    version,
    domains: { note, draft: records({ ...draft, local }) },
  }) as unknown as NonNullable<Client["schema"]>,
});

const folder = mkdtempSync(join(tmpdir(), "landfall-local-"));
let place: ReturnType<typeof openPlace>;
let servers = 0;
const live = () => sqlite(join(folder, `${servers}.db`));
const begin = (client: Client): void => {
  servers += 1;
  place = openPlace({ storage: live(), server: { schema: client.schema as never } });
};
const serve = (client: Client): Promise<void> =>
  place.replaceServer(live, { schema: client.schema as never });
afterEach(() => place.close());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("§5.2: a domain that a newer version of the app keeps elsewhere", () => {
  const [kept, shared] = [app(1, true), app(2, false)];

  it("is shared now: what the device had of its own does not show, which is said, and is kept", async () => {
    begin(kept);
    const storage = memoryStorage();
    const device = place.device({ storage, client: kept });
    const before = await siteOf(device);
    await before.draft.create({ text: "mine" }, { key: "d1" }).saved;
    await device.client.sync();
    await device.client.close();
    await serve(shared);
    const updated = place.device({ storage, client: shared });
    const site = await siteOf(updated);
    expect(updated.reports).toEqual(["not_migrated"]);
    expect(site.draft.query({})).toEqual([]);
    site.draft.create({ text: "all see it" }, { key: "d2" });
    await settle(updated);
    expect(site.draft.query({}).map(({ text }) => text)).toEqual(["all see it"]);
    await updated.client.close();
    const older = await siteOf(place.device({ storage, client: kept, online: false }));
    expect(older.draft.get("d1")).toMatchObject({ text: "mine" });
  });

  it("is the device's own now: what all had of it does not show, and what waits for the server is in the inbox, to be kept on the device", async () => {
    const [was, now] = [app(1, false), app(2, true)];
    begin(was);
    const storage = memoryStorage();
    const device = place.device({ storage, client: was });
    const before = await siteOf(device);
    before.draft.create({ text: "sent" }, { key: "d1" });
    await settle(device);
    device.offline();
    await before.draft.create({ text: "waits" }, { key: "d2" }).saved;
    await device.client.close();
    await serve(now);
    const updated = place.device({ storage, client: now });
    const site = await siteOf(updated);
    site.note.create({ text: "note" }, { key: "n1" });
    await settle(updated);
    expect(site.inbox.current).toMatchObject([
      { kind: "rejected", code: "unknown_domain", tried: { text: "waits" } },
    ]);
    place.asked.length = 0;
    await site.inbox.retry(site.inbox.current[0]?.id ?? "").saved;
    await site.draft.create({ text: "mine" }, { key: "d3" }).saved;
    expect(site.draft.query({}).map(({ text }) => text)).toEqual(["waits", "mine"]);
    await updated.client.sync();
    expect(site.inbox.current).toEqual([]);
    expect(JSON.stringify(place.asked)).not.toContain("draft");
    expect(updated.client.status).toMatchObject({ state: "live", pending: { count: 0 } });
  });
});
