import { afterEach, beforeEach, expect, it } from "vitest";
import { type Place, bytesOf, openPlace, settle, space } from "./world.js";

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
