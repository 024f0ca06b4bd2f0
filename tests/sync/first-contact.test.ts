import type { ClientStorageFactory } from "@landfall/client";
import { memoryStorage } from "@landfall/client/storage/memory";
import type { SpaceRequest } from "@landfall/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Device, type Place, bytesOf, openPlace, settle, space } from "./world.js";

let place: Place;
beforeEach(() => {
  place = openPlace();
});
afterEach(() => place.close());

it("rules 3 and 8: a space that two devices of one account make at the same moment is one space, with the writes of both", async () => {
  const devices = [place.device({ online: false }), place.device({ online: false })];
  const sites = await Promise.all(devices.map((device) => device.open()));
  for (const [i, site] of sites.entries()) site.note.create({ text: `${i}` }, { key: `n${i}` });
  for (const device of devices) device.online();
  await Promise.all(devices.map(({ client }) => client.sync()));
  await settle(...devices);
  expect(sites.map(bytesOf)).toEqual([bytesOf(sites[1]!), bytesOf(sites[0]!)]);
  expect(sites[0]?.note.all()).toHaveLength(2);
});

/** A device whose first fetch is cut off behind a checkpoint, or before it, twice: as it opens, and when it is asked to sync; and all that it asks for. */
function cutOff(
  where: "behind" | "before" = "behind",
  { storage }: { readonly storage?: ClientStorageFactory } = {},
): {
  readonly device: Device;
  readonly asked: () => readonly SpaceRequest[];
} {
  const asked: SpaceRequest[] = [];
  const net = {
    fetch: async (url: string, init: RequestInit): Promise<Response> => {
      const answer = await place.server.handler(new Request(url, init));
      if (!url.endsWith("/v1/exchange")) return answer;
      const [request] = (JSON.parse(init.body as string) as { spaces: SpaceRequest[] }).spaces;
      asked.push(request as SpaceRequest);
      if (asked.length > 2) return answer;
      const lines = (await answer.text()).split("\n");
      const checkpoint = lines.findIndex((line) => line.includes('"type":"checkpoint"'));
      expect(checkpoint).toBeGreaterThan(0);
      const cut = where === "behind" ? checkpoint + 1 : checkpoint;
      return new Response(`${lines.slice(0, cut).join("\n")}\n`, answer);
    },
    webSocket: undefined,
  };
  return { device: place.device({ ports: { net }, ...(storage && { storage }) }), asked: () => asked };
}

async function wipe(): Promise<void> {
  const headers = { authorization: "Bearer dev:ann" };
  const request = new Request(`http://landfall.test/v1/spaces/${space}`, { method: "DELETE", headers });
  await place.server.handler(request);
}

describe("a first fetch that is cut off", () => {
  let owner: Device;
  beforeEach(async () => {
    await place.close();
    place = openPlace({ server: { limits: { maxPageRows: 10 } } });
    owner = place.device();
    const site = await owner.open();
    for (let i = 0; i < 30; i++) site.note.create({ text: `${i}` }, { key: `n${i}` });
    await owner.client.sync();
  });

  it("rule 5: goes on where it was, in the same history", async () => {
    const { device, asked } = cutOff();
    const site = await device.open();
    await expect(device.client.sync()).rejects.toThrow();
    expect(site.note.all()).toEqual([]);
    await device.client.sync();
    expect(site.note.all()).toHaveLength(30);
    const [first, second] = asked();
    expect(first).not.toHaveProperty("generation");
    expect(second).toMatchObject({ generation: expect.any(String), cursors: { note: expect.any(Number) } });
    expect(second?.cursors["note"]).toBeGreaterThan(0);
    expect(asked()).toHaveLength(3);
  });

  it("rule 5: begins anew where nothing of it was whole, without what was deleted and forgotten since", async () => {
    const { device, asked } = cutOff("before");
    const [site, theirs] = [await device.open(), await owner.open()];
    await expect(device.client.sync()).rejects.toThrow();
    theirs.note.delete("n0");
    await owner.client.sync();
    await place.storage.pruneTombstones(space, "note", 31);
    await device.client.sync();
    expect(asked()[2]).toMatchObject({ cursors: { note: 0 } });
    expect(site.note.get("n0")).toBeUndefined();
    expect(bytesOf(site)).toBe(bytesOf(theirs));
  });

  it("rule 12: begins anew where the space was restored meanwhile, and what is pending goes there", async () => {
    const { device } = cutOff();
    const site = await device.open();
    await expect(device.client.sync()).rejects.toThrow();
    const written = site.note.create({ text: "mine" }, { key: "own" });
    await place.storage.setGeneration(space, { generation: "g2", reason: "restored", at: 30 });
    await device.client.sync().catch(() => undefined);
    await device.client.sync();
    expect(await written.settled).toMatchObject({ status: "applied" });
    expect(site.note.all()).toHaveLength(31);
    expect(site.inbox.current).toEqual([]);
  });

  it("rule 12: begins anew where the space was wiped meanwhile, and what was pending is parked", async () => {
    const { device } = cutOff();
    const site = await device.open();
    await expect(device.client.sync()).rejects.toThrow();
    const written = site.note.create({ text: "mine" }, { key: "own" });
    await written.saved;
    await wipe();
    await device.client.sync().catch(() => undefined);
    await device.client.sync();
    expect(await written.settled).toMatchObject({ status: "rejected", code: "wiped" });
    expect(site.note.all()).toEqual([]);
    expect(site.inbox.current).toMatchObject([{ kind: "parked", key: "own" }]);
  });

  it("rules 5 and 12: shows what had got through once, where the space was restored with it", async () => {
    const { device, asked } = cutOff();
    const site = await device.open();
    site.note.create({ text: "mine" }, { key: "own" });
    const counted = site.note.increment("own", { votes: 1 });
    await expect(device.client.sync()).rejects.toThrow();
    expect(asked()[1]?.events).toHaveLength(2);
    await place.storage.setGeneration(space, {
      generation: "g2",
      reason: "restored",
      at: 32,
      startedAt: place.time.clock.now(),
    });
    const seen = new Set<unknown>();
    site.note.watchRecord("own", () => seen.add(site.note.get("own")?.votes));
    await device.client.sync().catch(() => undefined);
    await device.client.sync();
    expect(await counted.settled).toMatchObject({ status: "duplicate", of: "applied" });
    expect([...seen]).toEqual([1]);
    expect(site.note.all()).toHaveLength(31);
  });

  it("rule 12: sends nothing of it again to a space that was wiped while the app was closed", async () => {
    const storage = memoryStorage();
    const { device } = cutOff("behind", { storage });
    const { note } = await device.open();
    await note.create({ text: "mine" }, { key: "own" }).saved;
    await expect(device.client.sync()).rejects.toThrow();
    await device.client.close();
    await wipe();
    const again = place.device({ storage });
    const site = await again.open();
    await again.client.sync().catch(() => undefined);
    await again.client.sync();
    expect(site.note.all()).toEqual([]);
    expect(site.inbox.current).toMatchObject([{ kind: "parked", key: "own" }]);
  });
});

it("rule 8: a space of somebody else cannot be made, and what is written to it waits and says why", async () => {
  const [owner, stranger] = [place.device({ user: "ann" }), place.device({ user: "bob" })];
  const [theirs, site] = [await owner.open(), await stranger.open()];
  await owner.client.sync();
  site.note.create({ text: "mine" }, { key: "n1" });
  await expect(stranger.client.sync()).rejects.toThrow(`The id ${space} cannot be had`);
  expect(stranger.client.status).toMatchObject({ state: "catching-up", pending: { count: 1 } });
  expect(site.note.get("n1")?.text).toBe("mine");
  // Made a member, the same write goes where it was meant to.
  await owner.client.spaces().invite(space, "bob", "writer");
  await settle(stranger, owner);
  expect(stranger.client.status).toMatchObject({ state: "live", pending: { count: 0 } });
  expect(bytesOf(theirs)).toBe(bytesOf(site));
});

it("§8: sync() names every space that keeps it from resolving, each with its own reason", async () => {
  const other = place.device({ user: "ben" });
  await other.open("of-ben");
  await other.client.sync();
  const device = place.device();
  await device.open("of-ben");
  await device.open("mine");
  await device.client.space("nobodys").open();
  const message = await device.client.sync().then(() => "", String);
  const { spaces } = device.client.status;
  for (const space of ["of-ben", "nobodys"]) {
    expect(spaces[space]?.reason).not.toBe("");
    expect(message).toContain(`${space}: ${spaces[space]?.reason}`);
  }
  expect(spaces["of-ben"]?.reason).not.toBe(spaces["nobodys"]?.reason);
  expect(message).not.toContain("mine");
});
